"""`bench list`: rows of all kinds, the newest first, in 80 columns; damaged files hide no other."""

import datetime as dt
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from bench.results.header import CommitInfo
from bench.results.load import Generator
from bench.results.references import Store
from bench.results.service_loss import ServiceLoss
from bench.results.store import machine_id
from tests.support.bench_command import bench
from tests.support.example_results import distribution, load_result, operation

STORED = Path(__file__).parent.parent / "data" / "results"
NOW = dt.datetime.now(dt.UTC)

ALL: dict[str, Any] = {"scheduled": 100, "sent": 100, "ok": 100, "dropped": 0, "dropped_because": {}}
GOOD = operation(**ALL, timeouts=0, errors={}, unfinished=0)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Return a folder with a result of each kind, as this machine's."""
    for folder in STORED.glob("*/*"):
        if folder.is_dir():
            shutil.copytree(folder, tmp_path / folder.parent.name / machine_id())
    return tmp_path


def save(folder: Path, **changed: Any) -> None:
    Store(folder).save(load_result(**({"datetime": NOW} | changed)))


def rows(out: str) -> dict[str, list[str]]:
    """Return the rows by their references, in words."""
    return {line.split()[0]: line.split() for line in out.splitlines() if "/" in line.split("  ")[0]}


def test_results_of_all_kinds_are_listed_the_newest_first(capsys: pytest.CaptureFixture[str], results: Path) -> None:
    code, out, err = bench(capsys, "list", "--results", str(results))
    assert (code, err) == (0, "")
    assert max(map(cell_len, out.splitlines())) <= 80
    assert list(rows(out)) == [
        *(
            "ab/2",
            "load/6",
            "load/5",
            "load/1",
            "wire/1",
            "load/4",
            "peers/1",
            "accuracy/1",
            "ab/1",
            "latency/2",
            "latency/1",
        ),
        *("load/3", "load/2"),
    ]
    assert rows(out)["accuracy/1"][-4:] == ["12", "of", "12", "inside"]
    assert rows(out)["ab/1"][-4:] == ["p50", "-0.45", "%", "inconclusive"]
    assert rows(out)["load/5"][-4:] == ["max", "9.302", "ms", "ok"]
    assert "e985eaa" in rows(out)["load/5"]


def test_a_p99_that_is_the_longest_of_few_times_is_called_the_longest(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    few = distribution(p99=4999.0).model_copy(update={"max": 4999.0})
    save(tmp_path, operations=(operation("echo", **ALL, timeouts=0, errors={}, unfinished=0, service_us=few),))
    _, out, _ = bench(capsys, "list", "--results", str(tmp_path))
    assert rows(out)["load/1"][-4:-1] == ["max", "4.999", "ms"]


def test_a_kind_and_the_newest_are_picked(capsys: pytest.CaptureFixture[str], results: Path) -> None:
    _, out, _ = bench(capsys, "list", "--kind", "load", "--last", "2", "--results", str(results))
    assert list(rows(out)) == ["load/6", "load/5"]
    assert "4 older results not shown: --last N shows N of them" in out
    said = "--kind loads: there is no such kind, only latency, load, ab, accuracy, wire, peers"
    assert bench(capsys, "list", "--kind", "loads") == (2, "", f"bench: error: {said}\n")


def test_a_damaged_file_is_named_and_hides_no_other(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for _ in range(7):
        save(tmp_path)
    folder = tmp_path / "load" / machine_id()
    damaged = sorted(folder.glob("*.json"))[:6]
    damaged[0].write_text("{ half")
    damaged[1].write_text('{"schema": "load/99", "datetime": "2026-01-01T00:00:00Z"}')
    newer = json.loads(damaged[2].read_text()) | {"schema": "load/99"}
    damaged[2].write_text(json.dumps(newer))
    damaged[3].write_bytes(b"")
    damaged[4].write_bytes(b"\xff" + damaged[5].read_bytes())
    damaged[5].write_text(json.dumps(json.loads(damaged[5].read_text()) | {"operations": 5, "window": None}))
    code, out, err = bench(capsys, "list", "--results", str(tmp_path))
    assert code == 0
    assert list(rows(out)) == ["load/7"]
    lines = err.splitlines()
    assert [line.startswith(f"bench: left out: {path}: ") for line, path in zip(lines, damaged, strict=True)] == [
        True
    ] * 6
    assert "not whole JSON" in lines[0]
    assert "has schema 'load/99', but this version reads " in lines[1]
    for path, line in zip(damaged, lines, strict=True):
        said = line.removeprefix("bench: left out: ")
        assert bench(capsys, "show", str(path)) == (2, "", f"bench: error: {said}\n"), "the words of `bench show`"


def test_labels_pick_and_are_shown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    save(tmp_path, labels={"machine": "ci", "team": "chat"}, note="with \x1b[31mthe new cache")
    save(tmp_path, labels={"machine": "desk"})
    code, out, _ = bench(capsys, "list", "--results", str(tmp_path), "--label", "machine=ci;team=chat")
    assert code == 0
    assert list(rows(out)) == ["load/1"]
    assert "  machine=ci; team=chat; note: with �[31mthe new cache" in out
    code, _, err = bench(capsys, "list", "--results", str(tmp_path), "--label", "machine=other")
    assert code == 2
    assert err == f"bench: error: no results with --label machine=other of this machine in {tmp_path}\n"


def test_the_json_has_all_of_them(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for number in range(25):
        save(tmp_path, labels={"number": str(number)})
    _, out, _ = bench(capsys, "list", "--results", str(tmp_path), "--json", "-")
    listed = json.loads(out)
    assert listed["schema"] == "list/1"
    assert [row["reference"] for row in listed["results"]] == [f"load/{number}" for number in range(25, 0, -1)]
    assert listed["results"][0]["labels"] == {"number": "24"}
    assert Path(listed["results"][0]["path"]).is_file()
    _, out, _ = bench(capsys, "list", "--results", str(tmp_path))
    assert len(rows(out)) == 20
    assert "5 older results not shown" in out


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({}, "ok"),
        ({"generator": Generator(processes=1, verdict="saturated", reason="late")}, "saturated"),
        ({"partial": True, "partial_reason": "a worker is missing"}, "partial"),
        ({"invalid_reason": "replies were mixed up"}, "wrong"),
        ({"service_loss": ServiceLoss(t=4, how="unreachable"), "partial": True, "partial_reason": "?"}, "service lost"),
        ({"operations": (GOOD.model_copy(update={"ok": 90, "timeouts": 10}),)}, "10 failed"),
    ],
)
def test_the_verdict_is_the_worst(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, changed: dict[str, Any], verdict: str
) -> None:
    if "operations" not in changed:
        changed = {"operations": (GOOD,), "generator": Generator(processes=1, verdict="ok")} | changed
    save(tmp_path, **changed)
    _, out, _ = bench(capsys, "list", "--results", str(tmp_path))
    assert out.splitlines()[1].endswith(f"  {verdict}")


@pytest.mark.parametrize(
    ("verdicts", "shown"), [(["met"], "met"), (["met", "undecided"], "undecided"), (["undecided", "missed"], "missed")]
)
def test_objectives_are_the_verdict_of_a_load(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, verdicts: list[str], shown: str
) -> None:
    save(tmp_path, operations=(GOOD,))
    (path,) = tmp_path.glob("load/*/*.json")
    content = json.loads(path.read_text())
    content["objectives"] = [{"text": "p99 < 50 ms", "verdict": verdict} for verdict in verdicts]
    path.write_text(json.dumps(content))
    _, out, _ = bench(capsys, "list", "--results", str(tmp_path))
    assert out.splitlines()[1].endswith(f"  {shown}")


@pytest.mark.parametrize(("metric", "shown"), [("p99", "10 failed"), ("errors", "met"), ("dropped", "met")])
def test_failures_are_the_verdict_unless_an_objective_speaks_of_them(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, metric: str, shown: str
) -> None:
    save(tmp_path, operations=(GOOD.model_copy(update={"ok": 90, "timeouts": 10}),))
    (path,) = tmp_path.glob("load/*/*.json")
    content = json.loads(path.read_text())
    content["objectives"] = [{"text": "as it was", "metric": metric, "verdict": "met"}]
    path.write_text(json.dumps(content))
    _, out, _ = bench(capsys, "list", "--results", str(tmp_path))
    assert out.splitlines()[1].endswith(f"  {shown}")


def test_long_names_are_cut_and_nothing_wraps(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rows_of = operation("a very long 名前 of an\x1b[31m operation" * 5, service_us=distribution(p99=4999.0))
    dirty = CommitInfo(id="a" * 40, dirty=True)
    save(tmp_path, operations=(rows_of,), commit_info=dirty, labels={"x": "y" * 150})
    save(tmp_path, datetime=NOW - dt.timedelta(days=400), commit_info=CommitInfo(id="unversioned"))
    _, out, _ = bench(capsys, "list", "--results", str(tmp_path))
    assert max(map(cell_len, out.splitlines())) <= 80
    assert "\x1b" not in out
    assert "aaaaaaa+" in rows(out)["load/1"]
    assert rows(out)["load/2"][1:3] == [f"{NOW - dt.timedelta(days=400):%Y-%m-%d}", "-"]


def test_results_of_other_machines_are_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    save(tmp_path)
    shutil.copytree(tmp_path / "load" / machine_id(), tmp_path / "load" / "Plan9-CPython-3.11-64bit")
    _, out, _ = bench(capsys, "list", "--results", str(tmp_path))
    assert list(rows(out)) == ["load/1"]
    assert "results of other machines are not listed: Plan9-CPython-3.11-64bit" in out


def test_where_nothing_is_stored_the_way_to_a_result_is_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    hint = "make one by `bench load`, `bench latency` or `bench ab`"
    said = f"no results of this machine in {tmp_path}: {hint}"
    assert bench(capsys, "list", "--results", str(tmp_path)) == (2, "", f"bench: error: {said}\n")
