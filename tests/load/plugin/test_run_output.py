"""A result is shown and stored, and its faults are the exit code; what cannot be shown is stored all the same."""

import datetime as dt
import json
from argparse import Namespace
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from locust.env import Environment

from bench.load.metrics.merge import Merger
from bench.load.metrics.recorder import Recorder
from bench.load.metrics.tally import Tally
from bench.load.metrics.troubles import Troubles
from bench.load.plugin.run_output import RunOutput
from bench.objectives.judging import Measured, judge
from bench.objectives.parsing import parse_objective
from bench.results.header import CommitInfo, MachineInfo
from bench.results.load import CONNECT, Generator, LoadResult, Operation, Scenario, TaskException, Window

STARTED_AT = dt.datetime(2024, 5, 6, 7, 8, 9, tzinfo=dt.UTC)


def a_result(**more: Any) -> LoadResult:
    operations = tuple(
        Operation(name=name, scheduled=ok, dropped=0, sent=ok, ok=ok, timeouts=0, errors={}, unfinished=0, late=0)
        for name, ok in ((CONNECT, 1), ("echo", 5))
    )
    given: dict[str, Any] = {
        "datetime": STARTED_AT,
        "commit_info": CommitInfo(),
        "machine_info": MachineInfo(),
        "packages": {},
        "scenario": Scenario(user_classes=("EchoUser",), users=1, model="closed", transport="websocket"),
        "generator": Generator(processes=1),
        "window": Window(start_s=0.0, end_s=2.0, warmup_s=0.0),
        "operations": operations,
    }
    return LoadResult(**{**given, **more})


@pytest.fixture
def environment() -> Environment:
    return Environment(parsed_options=Namespace(exit_code_on_error=4))


def stored(folder: Path, pattern: str) -> dict[str, Any]:
    (path,) = folder.glob(pattern)
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def test_a_good_result(tmp_path: Path, environment: Environment, capsys: pytest.CaptureFixture[str]) -> None:
    RunOutput(environment, tmp_path, Path("kept")).give(a_result(), are_workers_missing=False)
    assert environment.process_exit_code is None
    assert stored(tmp_path, "kept/load/*/*.json")["operations"][1]["ok"] == 5
    shown = capsys.readouterr().out
    assert "stored in kept/load/" in shown.replace("\n", "")
    assert shown.startswith("echo: p50 -, p99 -; nothing failed\nload on a service: 1 user of EchoUser, closed load; ")


def test_the_next_command_compares_with_the_load_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    output = RunOutput(Environment(parsed_options=Namespace()), tmp_path, Path("results"))
    others = Scenario(user_classes=("EchoUser",), users=2, model="closed", transport="websocket")
    said = []
    partial = a_result(partial=True, partial_reason="why")
    for result in (a_result(), a_result(scenario=others), partial, a_result(operations=()), a_result()):
        output.give(result, are_workers_missing=False)
        said.append([line for line in capsys.readouterr().out.splitlines() if line.startswith("next: ")])
    assert said == [
        ["next: change the service, measure again, and compare: bench compare load/1 load/latest"],
        ["next: change the service, measure again, and compare: bench compare load/2 load/latest"],
        [],
        [],
        ["next: bench compare load/1 load/5"],
    ]


def test_the_page_of_a_run(tmp_path: Path, environment: Environment, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "run.html"
    RunOutput(environment, tmp_path, Path("kept"), page).give(a_result(), are_workers_missing=False)
    assert capsys.readouterr().out.endswith("\npage in run.html\n")
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert environment.process_exit_code is None


def test_a_page_that_cannot_be_written_fails(
    tmp_path: Path, environment: Environment, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    RunOutput(environment, tmp_path, Path("kept"), Path("/dev/full")).give(a_result(), are_workers_missing=False)
    assert environment.process_exit_code == 1
    assert "--report /dev/full: No space left on device" in caplog.text
    assert stored(tmp_path, "kept/load/*/*.json")["operations"][1]["ok"] == 5
    assert "\npage: bench report kept/load/" in capsys.readouterr().out


def test_a_result_that_cannot_be_shown_says_where_it_is_stored(
    tmp_path: Path, environment: Environment, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO")
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr("sys.stdout", full)
        RunOutput(environment, tmp_path, Path("kept")).give(a_result(), are_workers_missing=False)
        monkeypatch.undo()
    assert environment.process_exit_code == 1
    (file,) = tmp_path.glob("kept/load/*/*.json")
    assert f"The result is stored in {file.relative_to(tmp_path)}" in caplog.text


def test_exceptions_of_users_have_locusts_exit_code(tmp_path: Path, environment: Environment) -> None:
    raised = (TaskException(text="KeyError", count=1),)
    RunOutput(environment, tmp_path, Path("kept")).give(a_result(exceptions=raised), are_workers_missing=False)
    assert environment.process_exit_code == 4


def test_a_partial_result_is_stored_and_fails(tmp_path: Path, environment: Environment) -> None:
    result = a_result(partial=True, partial_reason="a worker is lost")
    RunOutput(environment, tmp_path, Path("kept")).give(result, are_workers_missing=True)
    assert environment.process_exit_code == 1
    assert stored(tmp_path, "kept/load/*/*.json")["partial_reason"] == "a worker is lost"


def test_a_result_that_cannot_be_stored_fails(
    tmp_path: Path, environment: Environment, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # there it is kept
    (tmp_path / "kept").write_text("a file, where the folder should be")
    RunOutput(environment, tmp_path, Path("kept")).give(a_result(), are_workers_missing=False)
    assert environment.process_exit_code == 1
    assert "kept" in caplog.text


def test_counts_without_a_result(tmp_path: Path, environment: Environment, capsys: pytest.CaptureFixture[str]) -> None:
    tally, echo = Tally(0), Recorder("echo")
    echo.succeeded(0, 1000)
    batch = echo.flush()
    assert batch is not None
    tally.add(batch)
    merger, troubles = Merger(), Troubles()
    merger.receive("local", tally.report(unfinished=Counter(), late=Counter(), final=True))
    troubles.add("the result", OSError("no files left"))
    RunOutput(environment, tmp_path, Path("kept")).give_counts(merger, STARTED_AT, troubles)
    assert environment.process_exit_code == 1
    assert stored(tmp_path, "kept/counts/*/*.json")["reasons"] == ["the result: OSError: no files left"]
    assert "echo: ok 1, timeouts 0" in capsys.readouterr().out


_FIGURES = {
    "met": Measured(20_000, 19_000, 21_000),
    "missed": Measured(80_000, 79_000, 81_000),
    "undecided": Measured(49_000, 48_000, 51_000, seconds=10),
    "not judged": Measured(20_000, useless_because="the generator was saturated"),
}
_ERRORS_ALLOWED = judge(parse_objective("errors < 50 %"), Measured(0.1, 0.05, 0.2))


def a_row(name: str = "echo", **errors: int) -> Operation:
    failed = sum(errors.values())
    counts = {"scheduled": 5 + failed, "sent": 5 + failed, "ok": 5, "unfinished": 0, "late": 0, "dropped": 0}
    return Operation(name=name, timeouts=errors.pop("timeouts", 0), errors=errors, **counts)


@pytest.mark.parametrize(
    ("verdicts", "allowed", "errors", "more", "options", "code"),
    [
        (("met",), False, {}, {}, {}, 0),
        (("met", "missed"), False, {}, {}, {}, 3),
        (("undecided",), False, {}, {}, {}, 0),
        (("undecided",), False, {}, {}, {"slo_undecided": "fail"}, 3),
        (("not judged", "missed"), False, {}, {}, {}, 1),
        # failures: allowed by an objective, or Locust's exit code
        (("met",), True, {"refused": 1}, {}, {}, 0),
        (("met",), True, {"timeouts": 1}, {}, {}, None),
        (("met",), False, {"refused": 1}, {}, {}, None),
        (("missed",), False, {"refused": 1}, {}, {}, 3),
        # the run itself
        (("missed",), False, {}, {"partial": True, "partial_reason": "why"}, {}, 1),
        (("met",), False, {}, {"exceptions": (TaskException(text="ValueError", count=1),)}, {}, 4),
        (("missed",), False, {}, {"exceptions": (TaskException(text="ValueError", count=1),)}, {}, 3),
        (("undecided",), False, {}, {"ended_because": "the objective was surely missed"}, {}, 3),
    ],
)
def test_objectives_and_the_exit_code(
    tmp_path: Path,
    verdicts: tuple[str, ...],
    allowed: bool,
    errors: dict[str, int],
    more: dict[str, Any],
    options: dict[str, Any],
    code: int | None,
) -> None:
    environment = Environment(parsed_options=Namespace(exit_code_on_error=4, **options))
    judged = [judge(parse_objective("p99 < 50 ms"), _FIGURES[verdict]) for verdict in verdicts]
    objectives = (*judged, *([_ERRORS_ALLOWED] if allowed else []))
    operations = (a_row(CONNECT), a_row("echo", **errors))

    RunOutput(environment, tmp_path, Path("kept")).give(
        a_result(objectives=objectives, operations=operations, **more), are_workers_missing=False
    )

    assert environment.process_exit_code == code


def test_failures_of_other_users_fail_a_run_whatever_the_objectives_allow(tmp_path: Path) -> None:
    environment = Environment(parsed_options=Namespace())
    environment.stats.log_error("GET", "/of-another-user", "refused")

    RunOutput(environment, tmp_path, Path("kept")).give(
        a_result(objectives=(_ERRORS_ALLOWED,)), are_workers_missing=False
    )

    assert environment.process_exit_code is None, "Locust fails it"


def test_a_test_after_one_whose_failures_were_allowed_is_judged_by_itself(tmp_path: Path) -> None:
    environment = Environment(parsed_options=Namespace())
    output = RunOutput(environment, tmp_path, Path("kept"))
    codes = []
    for objectives in ((_ERRORS_ALLOWED,), ()):
        output.give(a_result(objectives=objectives, operations=(a_row(CONNECT), a_row(refused=1))), False)
        codes.append(environment.process_exit_code)

    assert codes == [0, None], "Locust fails the second"


_OF: dict[str, dict[str, Any]] = {
    "well": {},
    "allowed": {"objectives": (_ERRORS_ALLOWED,), "operations": (a_row(CONNECT), a_row(refused=1))},
    "failures": {"operations": (a_row(CONNECT), a_row(refused=1))},
    "raised": {"exceptions": (TaskException(text="ValueError", count=1),)},
    "missed": {"objectives": (judge(parse_objective("p99 < 50 ms"), _FIGURES["missed"]),)},
    "partial": {"partial": True, "partial_reason": "why"},
}


@pytest.mark.parametrize(
    ("tests", "codes"),
    [
        (("well", "well"), (None, None)),
        (("missed", "well"), (3, 3)),
        (("missed", "allowed", "failures"), (3, 3, 3)),
        (("failures", "well"), (None, 4)),
        (("failures", "allowed", "well"), (None, 4, 4)),
        (("failures", "missed"), (None, 3)),
        (("raised", "well"), (4, 4)),
        (("raised", "missed", "well"), (4, 3, 3)),
        (("allowed", "well"), (0, None)),
        (("well", "partial", "missed", "failures"), (None, 1, 1, 1)),
        (("missed", "partial"), (3, 1)),
    ],
)
def test_the_code_is_that_of_the_worst_of_several_tests(
    tmp_path: Path, environment: Environment, tests: tuple[str, ...], codes: tuple[int | None, ...]
) -> None:
    output, found = RunOutput(environment, tmp_path, Path("kept")), []
    for name in tests:
        output.give(a_result(**_OF[name]), False)
        found.append(environment.process_exit_code)

    assert tuple(found) == codes, "None: Locust looks for failures in the last test"


def test_a_code_that_a_listener_has_set_stays(tmp_path: Path, environment: Environment) -> None:
    output = RunOutput(environment, tmp_path, Path("kept"))
    output.give(a_result(**_OF["missed"]), False)
    environment.process_exit_code = 0  # it knows better
    output.give(a_result(), False)
    assert environment.process_exit_code is None
    environment.process_exit_code = 42
    output.give(a_result(**_OF["allowed"]), False)
    assert environment.process_exit_code == 42


def test_a_service_that_died_in_an_earlier_test_comes_before_a_missed_objective(
    tmp_path: Path, environment: Environment
) -> None:
    output = RunOutput(environment, tmp_path, Path("kept"))
    environment.process_exit_code = 1
    output.give(a_result(**_OF["failures"]), False)
    output.give(a_result(**_OF["missed"]), False)
    assert environment.process_exit_code == 1


def test_the_file_of_junit(tmp_path: Path) -> None:
    environment = Environment(parsed_options=Namespace(junit="objectives.xml"))
    missed = judge(parse_objective("p99 < 50 ms"), _FIGURES["missed"])

    RunOutput(environment, tmp_path, Path("kept")).give(a_result(objectives=(missed,)), are_workers_missing=False)

    assert 'failures="1"' in (tmp_path / "objectives.xml").read_text()
    assert environment.process_exit_code == 3


def test_a_file_of_junit_that_cannot_be_written_fails_the_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    environment = Environment(parsed_options=Namespace(junit="gone/objectives.xml"))

    RunOutput(environment, tmp_path, Path("kept")).give(a_result(), are_workers_missing=False)

    assert environment.process_exit_code == 1
    assert "--junit gone/objectives.xml: No such file or directory" in caplog.text
