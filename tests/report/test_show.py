"""`bench show`: results that earlier versions stored, printed again as these versions printed them."""

import itertools
import json
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from bench import cli
from bench.report import formats
from bench.results.store import machine_id

DATA = Path(__file__).parent.parent / "data"
RESULTS = DATA / "results"

#: The files with the texts of results that earlier versions stored, by the reference of each result.
PRINTED = {
    "load/1": "load-1",  # of the schema load/1
    "load/2": "load-2",
    "load/4": "load-4",  # open, with stages
    "ab/1": "ab-1",
    "accuracy/1": "accuracy-1",
    "wire/1": "wire-1",
    "peers/1": "peers-1",
    "compare/latency.json": "compare-latency",
    "compare/load.json": "compare-load",
}
#: The reference of each result, and the kind of its document.
KINDS = {reference: reference.partition("/")[0] for reference in (*PRINTED, "latency/1", "latency/latest~1")}


@dataclass(frozen=True)
class Shown:
    """The outcome of the command: its exit code, and the text of both streams."""

    code: object
    out: str
    err: str


Show = Callable[..., Shown]


@pytest.fixture
def show(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Show:
    """The command, in a directory whose results of this machine are the old ones."""
    for kind in ("latency", "load", "ab", "accuracy", "wire", "peers"):
        (machine,) = (RESULTS / kind).iterdir()
        shutil.copytree(machine, tmp_path / "results" / kind / machine_id())
    shutil.copytree(RESULTS / "compare", tmp_path / "compare")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: str) -> Shown:
        monkeypatch.setattr(sys, "argv", ["bench", "show", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return Shown(ended.value.code, *capsys.readouterr())

    return run


@pytest.mark.parametrize("reference", PRINTED)
def test_the_text_of_a_stored_result(show: Show, reference: str) -> None:
    shown = show(reference)
    assert shown.out == (DATA / "shown" / f"{PRINTED[reference]}.txt").read_text()
    assert (shown.code, shown.err) == (0, "")


@pytest.mark.parametrize("reference", ["ab/1", "compare/latency.json", "compare/load.json"])
def test_the_markdown_of_a_stored_result(show: Show, reference: str) -> None:
    shown = show(reference, "--format", "markdown")
    assert shown.out == (DATA / "shown" / f"{PRINTED[reference]}.md").read_text()


def test_a_latency_result_has_times_controls_and_disturbances(show: Show) -> None:
    lines = show("latency/1").out.splitlines()
    tables = [list(part) for is_text, part in itertools.groupby(lines, bool) if is_text]
    assert re.split("  +", tables.pop(1)[0]) == ["round trips", "100 µs", "1 ms", "2 ms", "5 ms", "10 ms", "50 ms"]
    tables = tables[:3]
    assert [[re.split("  +", line.strip()) for line in table] for table in tables] == [
        [
            ["round trip", "p50", "p99", "max", "rounds", "server CPU"],
            ["foo_bar[event-websocket-…]"],
            ["in-loop-uvloop", "122.5 µs", "5.923 ms", "120.4 ms", "1,700", "-"],
            ["fast-process-uvloop", "170.3 µs", "4.596 ms", "16.28 ms", "1,200", "135.4 µs"],
            ["foo_bar[event-polling-…]"],
            ["process-uvloop", "3,150 µs", "12.96 ms", "15.49 ms", "140", "386.7 µs"],
        ],
        [
            ["round trip", "min", "mean"],
            ["foo_bar[event-websocket-…]"],
            ["in-loop-uvloop", "110.2 µs", "489.5 µs"],
            ["fast-process-uvloop", "96.93 µs", "533.6 µs"],
            ["foo_bar[event-polling-…]"],
            ["process-uvloop", "467.5 µs", "3,341 µs"],
        ],
        [
            ["ratio to controls", "processes", "medians", "to control", "to bare echo"],
            ["foo_bar[event-polling-…]"],
            ["process-uvloop", "2", "± 33.7%", "0.992 ± 49.5%", "-"],
            ["foo_bar[event-websocket-…]"],
            ["fast-process-uvloop", "2", "± 1.2%", "1.061 ± 0.4%", "3.183 ± 9.3%"],
        ],
    ]
    assert "latency of app.main:app at c160d0d6d709: 3 benchmarks, measured 2026-11-26 02:48:24 UTC" in lines
    in_loop = "the server was in the client's own loop, to illustrate: foo_bar[event-websocket-in-loop-uvloop]"
    assert in_loop in lines
    assert [line.partition(":")[0] for line in lines[-2:]] == [
        "may have spoilt it, load",
        "may have spoilt it, unoptimised python",
    ]


@pytest.mark.parametrize("reference", [*KINDS, "load/5"])
def test_no_table_is_wider_than_the_terminal(show: Show, reference: str) -> None:
    """A line of a table has columns, two spaces apart. Other lines are sentences and paths."""
    tables = [line for line in show(reference).out.splitlines() if re.search(r"\S  +\S", line) and ".json" not in line]
    assert len(tables) > 3
    assert max(map(cell_len, tables)) <= 80, tables


@pytest.mark.parametrize("reference", KINDS)
@pytest.mark.parametrize("form", ["text", "markdown", "json"])
def test_every_kind_in_every_format(show: Show, reference: str, form: str) -> None:
    shown = show(reference, "--format", form)
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.endswith("\n")
    if form == "json":
        document: dict[str, Any] = json.loads(shown.out)
        assert document["schema"] == "document/1"
        assert document["kind"] == KINDS[reference]
        assert document["tables"][0]["rows"]
        widths = {len(row["cells"]) for row in document["tables"][0]["rows"]}
        assert widths == {len(document["tables"][0]["columns"])}
    if form == "markdown":
        assert shown.out.startswith("### ")
        assert "\n| " in shown.out


def test_the_newest_of_any_kind_is_the_latest(show: Show) -> None:
    assert show("latest").out == show("ab/2").out
    assert show("c160").out == show("load/4").out
    assert show("f5d1").out == show("load/1").out


def test_a_file_instead_of_the_terminal(show: Show) -> None:
    shown = show("ab/1", "--output", "ab.md", "--format", "markdown")
    assert (shown.code, shown.out) == (0, "")
    assert Path("ab.md").read_text() == (DATA / "shown" / "ab-1.md").read_text()


def test_a_result_that_pytest_benchmark_alone_stored(show: Show) -> None:
    stats = {"min": 1e-7, "max": 2e-5, "mean": 1e-6, "median": 5e-7, "rounds": 1000}
    benchmarks = [{"name": "sum", "fullname": "t.py::sum", "extra_info": {"service": 5}, "stats": stats}]
    fields = {"datetime": "2026-01-01T00:00:00", "version": "5.1.0", "commit_info": {}, "machine_info": {}}
    Path("foreign.json").write_text(json.dumps(fields | {"benchmarks": benchmarks}))
    lines = show("foreign.json").out.splitlines()
    assert re.split("  +", lines[1]) == ["sum", "0.500 µs", "-", "20.00 µs", "1,000", "-", "0.100 µs", "1.000 µs"]
    assert lines[3:] == ["latency of a service at unknown: 1 benchmark, measured 2026-01-01 00:00:00 UTC"]


def test_another_folder_of_results(show: Show) -> None:
    Path("results").rename("elsewhere")
    assert show("ab/1").code == 2
    assert show("ab/1", "--results", "elsewhere").code == 0


@pytest.mark.parametrize(
    ("reference", "content", "said"),
    [
        ("damaged.json", '{"schema": "load/2", "datetime": 7', "damaged.json: not whole JSON: "),
        ("damaged.json", '{"schema": "ab/1"}', "damaged.json: datetime: Field required (and "),
        ("damaged.json", '{"schema": "peers/1", "rounds": 0}', "damaged.json: "),
        ("damaged.json", "[]", "damaged.json: not a benchmark result: a JSON list, not an object"),
        ("damaged.json", "{}", "damaged.json: not a result: it names no schema, and is not pytest-benchmark's JSON"),
        ("damaged.json", '{"schema": "ab/9"}', "damaged.json: has schema 'ab/9', but this version reads "),
        ("damaged.json", '{"schema": ["ab/1"]}', "damaged.json: has schema "),
        ("damaged.json", '{"machine_info": {}, "benchmarks": 1}', "damaged.json: datetime: Field required (and "),
        (
            "list.json",
            '{"schema": "list/1", "results": []}',
            "list.json: a list of results ('list/1'): `bench report` makes the page of each result in it, by its ",
        ),
        ("counts.json", '{"schema": "counts/1"}', "counts.json: the counts of a run that could not have a result"),
        ("shown.json", '{"schema": "document/1"}', "shown.json: the texts of a result, as `--format json` writes them"),
        ("trend.json", '{"schema": "trend/1"}', "trend.json: metric: Field required (and "),
        ("none.json", None, "none.json: no such file"),
        ("1", None, "1: there is one of each kind; say latency/1 or load/1 or ab/1 or accuracy/1 or wire/1 or peers/1"),
        ("99", None, "99: no such file, and no such number, commit or `latest` in results, of latency, load, ab, "),
        ("peers/2", None, "peers/2: no such file, and no such number, commit or `latest` in results/peers/"),
        ("", None, "an empty name means no result"),
    ],
)
def test_no_result_is_a_line_with_its_name(show: Show, reference: str, content: str | None, said: str) -> None:
    if content is not None:
        Path(reference).write_text(content)
    shown = show(reference)
    assert shown.err.startswith(f"bench: error: {said}")
    assert shown.err.count("\n") == 1
    assert (shown.code, shown.out) == (2, "")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ("--format", "tarot"),
            "--format tarot: there is no such format, only html, json, junit, markdown, text, svg, png",
        ),
        (("--format", "svg"), "--format svg: say where the pictures go: --output DIR"),
        (("--format", "svg,text"), "--format svg,text: svg, png may stand together, and not with text"),
        (("--format", "svg", "--output", "results/x/y"), "--output results/x/y: there is no such folder"),
        (
            ("--format", "png", "--output", "compare/load.json"),
            "--output compare/load.json: that is no folder",
        ),
        (
            ("--format", "html", "--output", "ab.svg"),
            "--output ab.svg: a page is HTML: name a file that ends in .html; `bench show RESULT --format svg,png "
            "--output FOLDER` makes pictures",
        ),
        (("--output", "nowhere/ab.txt"), "--output nowhere/ab.txt: there is no such folder"),
    ],
)
def test_a_wrong_option_is_a_line(show: Show, options: tuple[str, ...], said: str) -> None:
    shown = show("ab/1", *options)
    assert (shown.code, shown.err, shown.out) == (2, f"bench: error: {said}\n", "")


def test_a_file_is_all_that_another_format_takes(show: Show, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "formats").mkdir()
    (tmp_path / "formats" / "cells.py").write_text(
        "def render(document):\n"
        "    return ''.join(f'{row.group};{row.cells[0]}\\n' for table in document.tables for row in table.rows)\n"
    )
    monkeypatch.setattr(formats, "__path__", [*formats.__path__, str(tmp_path / "formats")])
    assert show("ab/1", "--format", "cells").out.splitlines()[:2] == ["event;p50", "event;p99"]
    assert show("load/2", "--format", "cells").out.splitlines()[0] == ";connect"
    assert show("accuracy/1", "--format", "cells").code == 0
