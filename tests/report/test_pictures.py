"""Each chart as a picture of its own, in a folder."""

import shutil
import sys
from pathlib import Path

import pytest

from bench import cli
from bench.report import picture_files
from bench.report.chart import Axis, Chart, Panel, Point, Series
from bench.report.document import Document
from bench.report.picture_files import NamedDocument, write_pictures
from bench.results.errors import ResultError
from bench.results.store import machine_id

LOADS = Path(__file__).parent.parent / "data" / "results" / "load"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with old loads in its results, as the working directory."""
    (machine,) = LOADS.iterdir()
    shutil.copytree(machine, tmp_path / "results" / "load" / machine_id())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def bench(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    monkeypatch.setattr(sys, "argv", ["bench", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


@pytest.mark.unhurried
def test_each_chart_is_a_file_by_its_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench(monkeypatch, "show", "load/4", "--format", "svg", "--output", "pictures") == 0
    names = ["over-time", "stages", "latency-by-percentile", "service-and-response", "heat-map", "latency-by-rate"]
    files = ", ".join(f"{name}.svg" for name in names)
    assert capsys.readouterr().out == f"6 pictures in pictures: {files}\n"
    assert {path.name for path in Path("pictures").iterdir()} == {f"{name}.svg" for name in names}
    for path in Path("pictures").iterdir():
        assert path.read_text().startswith("<svg")
    picture = Path("pictures/stages.svg").read_text()
    assert "Response time at each rate" in picture
    assert "What came of the rate that was offered" in picture


@pytest.mark.unhurried
def test_pictures_of_several_results_say_whose_they_are(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench(monkeypatch, "report", "load/1", "load/3", "--format", "svg", "--output", "pictures") == 0
    assert capsys.readouterr().out.startswith("10 pictures in pictures: runs-by-percentile.svg, runs-over-time.svg, ")
    assert {"load-1-over-time.svg", "load-3-over-time.svg"} <= {path.name for path in Path("pictures").iterdir()}


def test_a_page_has_no_other_format(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench(monkeypatch, "report", "load/1", "--format", "text") == 2
    said = "--format text: there is no such format here, only html, svg, png; bench show has others"
    assert capsys.readouterr().err == f"bench: error: {said}\n"


def chart(name: str) -> Chart:
    line = Series("a", (Point(0, 1), Point(1, 2)))
    return Chart(name, "<b>title</b> & more", "alt", Axis("x"), (Panel(Axis("y"), (line,)),))


@pytest.mark.unhurried
def test_of_several_documents_no_file_replaces_another(tmp_path: Path) -> None:
    first = Document("load", "t", (), charts=(chart("over-time"), chart("over-time")))
    documents = [NamedDocument(first, "load-1-"), NamedDocument(first, "load-1-")]
    written = write_pictures(documents, ("svg", "png"), tmp_path / "new")
    assert [path.name for path in written if path.suffix == ".svg"] == [
        "load-1-over-time.svg",
        "load-1-over-time-2.svg",
        "load-1-over-time-3.svg",
        "load-1-over-time-4.svg",
    ]
    assert "&lt;b&gt;title&lt;/b&gt; &amp; more" in written[0].read_text()
    assert written[1].read_bytes().startswith(b"\x89PNG\r\n")


@pytest.mark.unhurried
def test_a_chart_s_name_leads_nowhere_else(tmp_path: Path) -> None:
    document = Document("load", "t", (), charts=(chart("../../Evil name"), chart("..")))
    written = write_pictures([NamedDocument(document)], ("svg",), tmp_path)
    assert [path.relative_to(tmp_path).name for path in written] == ["evil-name.svg", "chart.svg"]


def test_a_result_without_charts_is_a_line(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="there is no chart to draw"):
        write_pictures([NamedDocument(Document("load", "t", ()))], ("svg",), tmp_path)


def test_without_what_draws_it_says_what_is_missing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(picture_files, "can_draw", lambda: False)
    assert bench(monkeypatch, "show", "load/4", "--format", "svg", "--output", "pictures") == 2
    said = "bench: error: --format svg: charts need more packages: pip install 'socketio-bench[charts]'\n"
    assert capsys.readouterr().err == said
    assert not Path("pictures").exists()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    document = Document("load", "t", (), charts=(chart("a"),))
    with pytest.raises(ResultError, match="taken: that is no folder"):
        write_pictures([NamedDocument(document)], ("svg",), tmp_path / "taken")
