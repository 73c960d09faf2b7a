"""The `bench` command: what a user types, what comes back, and with which exit code."""

import json
import re
import tempfile
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import typer
from hdrh.histogram import HdrHistogram

from bench import __main__ as entry
from bench import cli
from bench.ab.errors import AbError
from bench.ab.plan import AbPlan
from bench.compare.model import Comparison
from bench.report import chart_formats
from bench.results.header import CommitInfo
from bench.results.load import Second, SecondTimes
from bench.results.references import Store
from bench.results.store import write_numbered
from bench.validation.accuracy.model import Accuracy
from tests.support.accuracy_results import result_of
from tests.support.bench_command import bench
from tests.support.example_results import COMMIT, load_result, operation
from tests.support.folders import SAMPLES
from tests.support.latency_results import latency_content, save_latency


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two latency results that pytest-benchmark stored, two that `pytest bench` might have, and two load results."""
    results = tmp_path_factory.mktemp("project") / "results"
    store = Store(results)
    whole = json.loads((SAMPLES / "results" / "latency-of-pytest-benchmark.json").read_text())
    sums = [benchmark for benchmark in whole["benchmarks"] if benchmark["group"] == "sum"]
    for content in (whole, whole | {"benchmarks": sums}):
        write_numbered(store.folder("latency"), "session", json.dumps(content).encode())
    for run in range(2):
        save_latency(store, latency_content(run=run, commit="cd"[run] * 40))
    store.save(load_result())
    store.save(load_result(commit_info=CommitInfo(id="a" * 40), operations=(operation(throughput_per_s=2000.8),)))
    return results


def test_it_is_installed_as_bench() -> None:
    (script,) = entry_points(group="console_scripts", name="bench")
    assert script.value == "bench.__main__:main"
    assert script.load() is entry.main


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = bench(capsys, "--help")
    assert (code, err) == (0, "")
    assert "compare      Compare stored results; exit code 1 if NEW is slower.\n" in out
    code, out, _ = bench(capsys, "--version")
    assert code == 0
    assert re.fullmatch(r"bench \d+\.\d+\.\d+\n", out)
    code, out, _ = bench(capsys, "compare", "--help")
    assert code == 0
    assert "--results DIR" in out
    assert "latest" in out


def test_commands_are_listed_by_the_words_of_their_own_help(capsys: pytest.CaptureFixture[str]) -> None:
    """The list is read from the files of the commands, which are not imported for it."""
    group: Any = typer.main.get_command(cli.app)
    names = group.list_commands(None)
    assert {"ab", "compare", "show", "trend"} <= set(names)
    listed = bench(capsys, "--help")[1].partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == names
    for name, line in zip(names, listed, strict=True):
        own = group.get_command(None, name).get_short_help_str(200)
        assert own.startswith(line.split(maxsplit=1)[1].removesuffix("..."))


def test_a_module_without_a_command_is_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = bench(capsys, "output")
    assert (code, err) == (2, "bench: error: No such command 'output'; see `bench --help`\n")


@pytest.mark.parametrize("package", ["altair", "vl_convert"])
def test_charts_without_their_packages_are_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, results: Path, package: str
) -> None:
    monkeypatch.setattr(chart_formats, "find_spec", lambda name: None if name == package else object())
    said = "{option} a.svg: charts need more packages: pip install 'socketio-bench[charts]'\n"
    for option, *arguments in (("--chart", "compare", "load/1", "load/2"), ("--output", "trend")):
        ended = bench(capsys, *arguments, "--results", str(results), option, "a.svg")
        assert ended == (2, "", f"bench: error: {said.format(option=option)}")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Missing command; see `bench --help`"),
        (["nope"], "No such command 'nope'; see `bench --help`"),
        (["latancy"], "No such command 'latancy'; did you mean latency?"),
        (["--nope"], "No such option: --nope; see `bench --help`"),
        (["compare"], "Missing argument 'OLD'; see `bench compare --help`"),
        (["compare", "1"], "Missing argument 'NEW'; see `bench compare --help`"),
        (["compare", "1", "2", "3"], "Got unexpected extra argument(s) (3); see `bench compare --help`"),
        (["compare", "1", "2", "--results"], "Option '--results' requires an argument; see `bench --help`"),
        (
            ["compare", "1", "2", "--threshold", "-3"],
            "Invalid value for '--threshold': Input should be greater than or equal to 0, and not '-3'; "
            "see `bench compare --help`",
        ),
        (["compare", "1", "2", "--chart", "a.gif"], "--chart a.gif: its name has to end in .html, .svg, .png"),
        (["compare", "1", "2", "--json", "no/a.json"], "--json no/a.json: there is no such folder"),
        (
            ["compare", "1", "2", "--report", "a.pdf"],
            "--report a.pdf: a page is HTML: name a file that ends in .html; "
            "`bench show RESULT --format svg,png --output FOLDER` makes pictures",
        ),
        (["compare", "1", "2", "--markdown", "no/a.md"], "--markdown no/a.md: there is no such folder"),
        *[
            ([*command, option, "/"], f"{option} /: that is a folder; name a file in it")
            for command, options in (
                (("compare", "1", "2"), ("--json", "--markdown", "--report")),
                (("ab", "HEAD", "HEAD", "--app", "a:b"), ("--json", "--markdown", "--junit", "--report")),
                (("show", "1"), ("--json", "--output")),
                (("list",), ("--json",)),
                (("trend",), ("--json", "--report")),
            )
            for option in options
        ],
    ],
)
def test_misuse_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert bench(capsys, *arguments) == (2, "", f"bench: error: {said}\n")


class TestCompare:
    def test_latency(self, capsys: pytest.CaptureFixture[str], results: Path) -> None:
        code, out, err = bench(capsys, "compare", "latency/3", "0004", "--results", results)
        assert (code, err) == (0, "")
        old, new, _, heading, *lines = out.splitlines()
        assert re.match(r"old  c{12}  2026-03-01 12:00:00 UTC  .*/0003_c{40}_.*\.json$", old)
        assert re.match(r"new  d{12}  2026-03-01 12:01:00 UTC  .*/0004_d{40}_.*\.json$", new)
        assert heading.split() == ["old", "new", "effect", "95%", "interval", "verdict"]
        assert lines[0] == "foo_bar[event-fast-process-uvloop]"
        number = r"[+-][\d.]+ %"
        assert re.fullmatch(rf"  p50 +[\d.]+ µs +[\d.]+ µs +{number} +{number} to {number} +inconclusive", lines[1])
        assert [line.split()[0] for line in lines[2:4]] == ["p99", "server"]

    def test_what_pytest_benchmark_stored_by_itself_has_no_replicates(
        self, capsys: pytest.CaptureFixture[str], results: Path
    ) -> None:
        code, out, err = bench(capsys, "compare", "latency/1", "latency/2", "--results", results)
        assert (code, out) == (2, "")
        assert err == (
            "bench: error: nothing to compare: not replicated: no server processes are stored with it (2 of 2); "
            "--force shows them side by side, without a verdict\n"
        )
        code, out, _ = bench(capsys, "compare", "latency/1", "latency/2", "--results", results, "--force")
        assert code == 0
        assert re.search(r"\n  p50 +[\d.]+ µs +[\d.]+ µs +[+-][\d.,]+ % +- +inconclusive\n", out)
        assert "only in the old results: test_session.py::test_illustration\n" in out

    @pytest.mark.parametrize(("old", "new"), [("load/1", "load/2"), (COMMIT[:8], "aaaa"), ("load/latest~1", "0002")])
    def test_load(self, capsys: pytest.CaptureFixture[str], results: Path, old: str, new: str) -> None:
        code, out, err = bench(capsys, "compare", old, new, "--results", results)
        assert (code, err) == (0, "")
        assert re.search(r"\n  throughput +1,000/s +2,001/s +\+100\.00 % +-  inconclusive\n", out)

    def test_json_alone_on_the_standard_output(
        self, capsys: pytest.CaptureFixture[str], results: Path, tmp_path: Path
    ) -> None:
        compared = ("compare", "load/1", "load/2", "--results", results)
        code, out, err = bench(capsys, *compared, "--json", "-")
        assert (code, err) == (0, "")
        assert Comparison.model_validate_json(out, strict=True).kind == "load"
        assert bench(capsys, *compared, "--json", tmp_path / "file")[0] == 0
        assert (tmp_path / "file").read_text() == out
        stored = Store(results).open("load/1").path.read_text()
        assert bench(capsys, "show", "load/1", "--results", results, "--json", "-") == (0, stored, "")
        code, out, err = bench(capsys, "hlog", "load/1", "--results", results, "--output", "-")
        assert (code, err) == (0, "")
        assert out.startswith("#[")

    def test_results_are_where_the_project_says(
        self, capsys: pytest.CaptureFixture[str], results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "below").mkdir()
        monkeypatch.chdir(tmp_path / "below")
        file = tmp_path / "pyproject.toml"
        file.write_text(f"[tool.socketio-bench]\nresults = {str(results)!r}\n")
        assert bench(capsys, "show", "load/1")[::2] == (0, "")
        file.write_text("[tool.socketio-bench]\nresult = 1\n")
        said = f"{file}: [tool.socketio-bench] has no setting 'result': did you mean 'results'?"
        assert bench(capsys, "show", "load/1") == (2, "", f"bench: error: {said}\n")
        assert bench(capsys, "show", "load/1", "--results", results)[::2] == (0, "")

    def test_by_path_and_from_the_default_folder(
        self, capsys: pytest.CaptureFixture[str], results: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(results.parent)
        path = Store().open("load/1").path
        assert not path.is_absolute()
        code, out, _ = bench(capsys, "compare", path, "latest")
        assert code == 0
        assert f"old  {COMMIT[:12]}  2026-11-23 11:26:45 UTC  {path}\n" in out

    def test_exit_code_1_if_it_fails_where_it_did_not(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        good = operation(scheduled=1000, sent=1000, timeouts=0, errors={}, unfinished=0)
        lossy = operation(scheduled=1003, sent=1003, timeouts=3, errors={}, unfinished=0)
        store = Store(tmp_path / "results")
        for measured in (good, lossy):
            store.save(load_result(operations=(measured,)))
        code, out, err = bench(capsys, "compare", "1", "2", "--results", store.root)
        assert (code, err) == (1, "")
        assert "slower by more than 0.5 %, or newly failing: FOO → BAR (failed)\n" in out
        assert bench(capsys, "compare", "2", "1", "--results", store.root)[0] == 0

    def test_a_void_comparison_is_refused_unless_forced(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        store = Store(tmp_path / "results")
        save_latency(store, latency_content(run=0))
        save_latency(store, latency_content(run=1, loop="asyncio"))
        code, out, err = bench(capsys, "compare", "1", "2", "--results", store.root)
        assert (code, out) == (2, "")
        assert err == (
            "bench: error: not comparable: different settings: loop uvloop → asyncio; --force compares all the same\n"
        )
        code, out, _ = bench(capsys, "compare", "1", "2", "--results", store.root, "--force")
        assert code == 0
        assert "inconclusive (forced)" in out

    def test_files(self, capsys: pytest.CaptureFixture[str], results: Path, tmp_path: Path) -> None:
        written = {form: tmp_path / f"compared.{form}" for form in ("json", "md", "svg")}
        options: list[str | Path] = ["--json", written["json"], "--markdown", written["md"], "--chart", written["svg"]]
        code, _, err = bench(capsys, "compare", "latency/3", "latency/4", "--results", results, *options)
        assert (code, err) == (0, "")
        comparison = json.loads(written["json"].read_bytes())
        assert comparison["schema"] == "compare/1"
        assert comparison["benchmarks"][0]["rows"][0]["metric"] == "p50"
        assert written["md"].read_text().startswith("### nothing is known to be slower by more than 0.5 %")
        assert written["svg"].read_bytes().startswith(b"<svg")
        code, _, err = bench(capsys, "compare", written["json"], "latency/4", "--results", results)
        assert (code, err) == (
            2,
            f"bench: error: {written['json']}: a comparison of stored results ('compare/1'), and no result to compare: "
            "`bench report` makes its page\n",
        )

    def test_a_file_that_cannot_be_written(
        self, capsys: pytest.CaptureFixture[str], results: Path, tmp_path: Path
    ) -> None:
        code, _, err = bench(capsys, "compare", "load/1", "load/2", "--results", results, "--json", tmp_path)
        assert (code, err) == (2, f"bench: error: --json {tmp_path}: that is a folder; name a file in it\n")

    @pytest.mark.parametrize(("option", "code"), [("--json", 1), ("--markdown", 1), ("--chart", 2)])
    def test_a_device_that_is_full(
        self, capsys: pytest.CaptureFixture[str], results: Path, option: str, code: int
    ) -> None:
        found, _, err = bench(capsys, "compare", "load/1", "load/2", "--results", results, option, "/dev/full")
        assert found == code
        assert err.startswith(f"bench: error: {option} /dev/full: ")
        assert err.count("\n") == 1

    def test_a_histogram_that_cannot_be_read_is_told_with_its_file(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        foreign = HdrHistogram(1, 1000, 2)
        foreign.record_value(5)
        bad = foreign.encode().decode()
        store = Store(tmp_path / "results")
        whole = store.save(load_result())
        times = (SecondTimes(name="echo", service_histogram=bad),)
        second = Second(t=3, users=1, sent=1, ok=1, failed=0, operations=times)
        path = store.save(load_result(operations=(operation(service_histogram=bad),), timeline=(second,)))
        said = "a histogram of another layout: 1 to 1000, 2 digits"
        assert bench(capsys, "hlog", path) == (2, "", f"bench: error: {path}: second 3, echo/service: {said}\n")
        assert not path.with_suffix(".hlog").exists()
        code, _, err = bench(capsys, "compare", whole, path, "--chart", tmp_path / "chart.svg")
        assert (code, err) == (2, f"bench: error: {path}: FOO → BAR: {said}\n")

    def test_several_results_a_side(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        store = Store(tmp_path / "results")
        for run in range(8):
            slowness = 0.4 if run < 4 else 0.6
            save_latency(store, latency_content(slowness, run=run, commit="ab"[run // 4] * 40))
        code, out, _ = bench(capsys, "compare", "aaaa", "latest", "--last", "3", "--results", store.root)
        assert code == 1
        assert out.count("\nnew  bbbbbbbbbbbb") == 3
        assert "0001_" not in out
        code, again, _ = bench(capsys, "compare", "[234]", "[678]", "--results", store.root)
        assert (code, again) == (1, out)
        code, out, _ = bench(capsys, "compare", "bbbb", "aaaa", "--last", "9", "--results", store.root)
        assert code == 0
        assert "only 4 of the 9 results that were asked for: OLD has no more of its commit" in out

    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            ("load/1", "load/1", "OLD and NEW are the same result, "),
            ("load/latest~2", "load/1", "load/latest~2: no such file, and no such number, commit or `latest` in "),
            ("load/[12]", "load/2", "OLD and NEW are the same result, "),
            ("load/1", "latency/1", "OLD is a load result and NEW a latency result: only results of one kind"),
            ("1", "2", "2: there is one of each kind; say latency/2 or load/2"),
            ("load/1", "load/9", "load/9: no such file, and no such number, commit or `latest` in "),
            ("nothing.json", "load/1", "nothing.json: no such file"),
            ("{folder}/empty.json", "load/1", "{folder}/empty.json: the file is empty"),
            ("load/1", "{folder}/truncated.json", "{folder}/truncated.json: not whole JSON: "),
            ("load/1", "{folder}/binary.json", "{folder}/binary.json: not UTF-8 text (byte 0)"),
            ("load/1", "{folder}/foreign.json", "{folder}/foreign.json: neither a load result"),
            ("load/1", "{folder}/two\nlines.json", "{folder}/two lines.json: not a benchmark result: a JSON int"),
            ("load/1", "{folder}/unrelated.json", "no benchmark in common: OLD has FOO → BAR, NEW has other"),
            ("load/1", "{folder}", "{folder}: Is a directory"),
        ],
    )
    def test_what_cannot_be_compared_is_one_line_and_exit_code_2(
        self, capsys: pytest.CaptureFixture[str], results: Path, tmp_path: Path, old: str, new: str, said: str
    ) -> None:
        whole = load_result().to_json()
        (tmp_path / "empty.json").touch()
        (tmp_path / "truncated.json").write_bytes(whole[: len(whole) // 2])
        (tmp_path / "binary.json").write_bytes(b"\xff\x00\x01")
        (tmp_path / "foreign.json").write_text(json.dumps({"lockfileVersion": 3}))
        (tmp_path / "two\nlines.json").write_text("1")
        (tmp_path / "unrelated.json").write_bytes(load_result(operations=(operation("other"),)).to_json())
        code, out, err = bench(
            capsys, "compare", old.format(folder=tmp_path), new.format(folder=tmp_path), "--results", results
        )
        assert (code, out) == (2, "")
        assert err.startswith(f"bench: error: {said.format(folder=tmp_path)}")
        assert err.count("\n") == 1


class TestErrorsThatNobodyThoughtOf:
    @pytest.fixture(autouse=True)
    def _broken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def select(*_: object) -> None:
            raise ValueError("two\nlines")

        monkeypatch.setattr("bench.results.references.select", select)

    def test_are_one_line_that_names_type_text_and_place(self, capsys: pytest.CaptureFixture[str]) -> None:
        code, out, err = bench(capsys, "compare", "1", "2")
        assert (code, out) == (1, "")
        assert re.fullmatch(
            r"bench: error: internal error: ValueError: two lines \(compare\.py:\d+ in compare, at test_cli\.py:\d+ in "
            r"select\); BENCH_TRACEBACK=1 in the environment shows the traceback\n",
            err,
        )

    def test_show_their_traceback_where_it_is_asked_for(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BENCH_TRACEBACK", "1")
        code, _, err = bench(capsys, "compare", "1", "2")
        assert code == 1
        assert err.startswith("Traceback (most recent call last):\n")
        assert err.splitlines()[-1].startswith("bench: error: internal error: ValueError: two lines")


@pytest.mark.parametrize(
    ("options", "is_kept"), [((), True), (("--allow-idle-cores",), False), (("--no-awake",), False)]
)
@pytest.mark.parametrize("command", [("ab", "HEAD~1", "HEAD"), ("accuracy",)], ids=lambda command: command[0])
def test_cores_may_be_idle_by_either_name_of_the_option(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    options: tuple[str, ...],
    is_kept: bool,
) -> None:
    heard: list[bool] = []

    def compare_revisions(plan: AbPlan, *_: object) -> None:
        heard.append(plan.awake)
        raise AbError("enough")

    def check(*_: object, keep_awake: bool, **__: object) -> Accuracy:
        heard.append(keep_awake)
        return result_of()

    monkeypatch.setattr("bench.ab.run.compare_revisions", compare_revisions)
    monkeypatch.setattr("bench.validation.accuracy.check.check", check)
    monkeypatch.setattr("bench.validation.accuracy.check.stored", lambda *_: Path("stored.json"))
    bench(capsys, *command, *options)
    assert heard == [is_kept]
    _, out, _ = bench(capsys, command[0], "--help")
    assert re.search(r"--no-awake\s+An older name of --allow-idle-cores\.", out)


def test_accuracy_prints_before_it_stores(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("bench.validation.accuracy.check.check", lambda *_, **__: result_of())
    (tmp_path / "results").write_text("in the way")
    code, out, err = bench(capsys, "accuracy", "--results", tmp_path / "results")
    assert code == 1
    assert out.startswith("figure ")
    assert "stored in" not in out
    (kept,) = tmp_path.glob("bench-*.json")
    assert err.startswith(f"bench: error: cannot store a result in {tmp_path / 'results' / 'accuracy'}")
    assert err.endswith(f", so it is in {kept}: Not a directory\n")
    assert Accuracy.model_validate_json(kept.read_bytes(), strict=True) == result_of()
