"""`bench report`: stored results as a page, of every kind, and a line for whatever is wrong."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from bench import cli
from bench.report import chart_formats
from bench.results.store import machine_id

RESULTS = Path(__file__).parent.parent / "data" / "results"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory whose results of this machine are those that earlier versions stored."""
    for kind in ("latency", "load", "ab", "accuracy", "wire", "peers"):
        (machine,) = (RESULTS / kind).iterdir()
        shutil.copytree(machine, tmp_path / "results" / kind / machine_id())
    shutil.copytree(RESULTS / "compare", tmp_path / "compare")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(chart_formats, "find_spec", lambda name: None)  # charts are drawn in tests/system/pages
    return tmp_path


def report(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    monkeypatch.setattr(sys, "argv", ["bench", "report", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("load/4", "load-4.html"),
        ("latency/latest", "latency-1.html"),
        ("ab/1", "ab-1.html"),
        ("accuracy/1", "accuracy-1.html"),
        ("wire/1", "wire-1.html"),
        ("peers/1", "peers-1.html"),
        ("compare/load.json", "load.html"),
    ],
)
def test_every_kind_has_a_page_with_a_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], reference: str, name: str
) -> None:
    if reference == "latency/latest":
        for path in sorted((folder / "results" / "latency" / machine_id()).iterdir())[1:]:
            path.unlink()
    assert report(monkeypatch, reference) == 0
    assert capsys.readouterr() == (f"page in {name}\n", "")
    assert (folder / name).read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("kind", ["load", "latency"])
def test_a_trend_is_shown_again_from_its_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    def bench(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["bench", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code in (None, 0)
        return capsys.readouterr().out

    trend = bench("trend", kind, "--json", "trend.json")
    assert trend
    assert bench("show", "trend.json") == trend
    assert bench("report", "trend.json") == "page in trend.html\n"
    page = Path("trend.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert 'id="' in page
    damaged = json.loads(Path("trend.json").read_text())
    damaged["series"][0]["levels"] = [{"first": 0, "last": 99, "value": 1.0}]
    Path("trend.json").write_text(json.dumps(damaged))
    assert report(monkeypatch, "trend.json") == 2
    assert "a level or a step is not among its " in capsys.readouterr().err


def test_each_file_that_is_no_result_says_which_command_shows_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for schema, said in {
        "list/1": "a list of results ('list/1')",
        "counts/1": "the counts of a run that could not have a result ('counts/1')",
        "document/1": "the texts of a result, as `--format json` writes them ('document/1')",
    }.items():
        Path("other.json").write_text(json.dumps({"schema": schema}))
        assert report(monkeypatch, "other.json") == 2
        assert capsys.readouterr().err.startswith(f"bench: error: other.json: {said}: ")
    for schema in ("trend/1", "ab/3", "accuracy/1", "wire/1", "peers/1", "compare/1", "list/1"):
        Path("other.json").write_text(json.dumps({"schema": schema}))
        monkeypatch.setattr(sys, "argv", ["bench", "compare", "other.json", "load/1"])
        with pytest.raises(SystemExit):
            cli.main()
        assert f" ('{schema}'), and no result to compare: `bench report` makes " in capsys.readouterr().err


def test_it_is_what_show_writes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert report(monkeypatch, "ab/1", "--output", "one.html") == 0
    monkeypatch.setattr(sys, "argv", ["bench", "show", "ab/1", "--format", "html", "--output", "two.html"])
    with pytest.raises(SystemExit):
        cli.main()
    assert Path("one.html").read_bytes() == Path("two.html").read_bytes()


def test_several_results_are_on_one_page(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(monkeypatch, "load/1", "ab/1", "load/2") == 0
    assert capsys.readouterr().out == "page in report.html\n"
    page = Path("report.html").read_text()
    assert "<h1>3 results</h1>" in page
    assert [page.count(f'id="r{number}"') for number in (1, 2, 3, 4, 5)] == [1, 1, 1, 1, 0]
    # The loads stand beside each other first, then each result by itself.
    assert page.index("load: 2 loads beside each other") < page.index("ab: HEAD")


def test_results_with_the_same_title_are_told_apart(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = min((folder / "results" / "ab" / machine_id()).iterdir())
    content = json.loads(first.read_text()) | {"labels": {"host": "<b>ci</b>"}, "note": "after the fix"}
    for path in first.parent.glob("0002_*"):
        path.unlink()
    first.with_name(first.name.replace("0001_", "0002_", 1)).write_text(json.dumps(content))
    assert report(monkeypatch, "ab/1", "ab/2") == 0
    page = Path("report.html").read_text()
    contents = page[page.index("<nav") : page.index("</nav>")]
    assert contents.index("ab/1: HEAD") < contents.index("ab/2: HEAD")
    assert contents.count("measured 20") == 2
    assert contents.count("&lt;b&gt;ci&lt;/b&gt;, after the fix") == 1


def test_results_of_two_folders_have_their_paths(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(folder / "results", folder / "others")
    paths = [str(next((Path(where) / "ab" / machine_id()).iterdir())) for where in ("results", "others")]
    assert report(monkeypatch, *paths) == 0
    page = Path("report.html").read_text()
    assert all(f">{path}: HEAD" in page for path in paths)


def test_a_single_load_is_beside_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert report(monkeypatch, "load/1", "ab/1") == 0
    assert "beside each other" not in Path("report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["load/99"], 2, "load/99: no such file, and no such number, commit or `latest` in "),
        (["load/1", "damaged.json"], 2, "damaged.json: not whole JSON: "),
        (["load/1", "--output", "nowhere/a.html"], 2, "--output nowhere/a.html: there is no such folder"),
        (["load/1", "--output", "results"], 2, "--output results: that is a folder; name a file in it"),
        (["load/1", "--output", "a.PNG"], 2, "--output a.PNG: a page is HTML: name a file that ends in .html; "),
        (["load/1", "--output", "/dev/full"], 1, "--output /dev/full: No space left on device"),
        (["load/1", "--results", "elsewhere"], 2, "load/1: no such file"),
        ([], 2, "Missing argument 'RESULT…'; see `bench report --help`"),
    ],
)
def test_whatever_is_wrong_is_a_line(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    Path("damaged.json").write_text(json.dumps({"schema": "load/4"})[:-1])
    assert report(monkeypatch, *arguments) == code
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"bench: error: {said}")
    assert not list(folder.glob("*.html"))


def test_one_damaged_result_leaves_a_page_as_it_was(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("report.html").write_text("before")
    Path("damaged.json").write_text("{")
    assert report(monkeypatch, "load/1", "damaged.json") == 2
    assert Path("report.html").read_text() == "before"
