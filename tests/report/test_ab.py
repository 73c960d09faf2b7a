"""A comparison of two revisions: the stored model, the table, the Markdown."""

import datetime as dt
import io
import math
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from rich.console import Console

from bench.ab.restart import BurstPlan, Figure, Figures, metrics_of
from bench.ab.summary import summary
from bench.machine.disturbances import Disturbance, Interference
from bench.report.ab import ab_document
from bench.report.formats import markdown
from bench.report.formats import text as text_format
from bench.report.formats.text import print_document
from bench.results.ab import AbResult, AbSettings, AbSide
from bench.results.header import CommitInfo, MachineInfo
from bench.results.receiving import ReceiveClock
from bench.results.service_log import LogLine, ServiceLog
from bench.scenarios.catalogue import Benchmark
from bench.scenarios.model import round_trip_of
from bench.timing.histogram import Histogram
from bench.timing.receive_times import UNSTAMPED, ReceiveTimes

SAY = Benchmark("say|said", round_trip_of("say", "said", {"id": "{token}"}))
TIMES = ({SAY.name: Histogram()}, {SAY.name: Histogram()})


def restarts(effect: float, count: int = 20) -> list[Figures]:
    """Return the figures of `count` restarts, whose effects are spread a little around `effect`."""
    return [
        {
            ("say|said", metric): Figure(effect + 0.001 * math.sin(number), 100.0, 100.0 * math.exp(effect))
            for metric in metrics_of(SAY, BurstPlan())
        }
        for number in range(count)
    ]


def received(*errors_ns: int) -> ReceiveTimes:
    """Return receive times with these errors."""
    times = ReceiveTimes()
    times.record(np.full(len(errors_ns), 45_000), np.array(errors_ns, dtype=np.int64))
    return times


def side(label: str) -> AbSide:
    return AbSide(
        revision=label,
        label=label,
        commit_info=CommitInfo(id="a" * 40, dirty=label == "WORKTREE"),
        environment="shared",
        packages={"python": "3.11.7"},
    )


def result(effect: float = 0.0, count: int = 20, **changed: Any) -> AbResult:
    fields: dict[str, Any] = {
        "datetime": dt.datetime(2026, 11, 23, 11, 26, tzinfo=dt.UTC),
        "commit_info": CommitInfo(id="a" * 40),
        "machine_info": MachineInfo(node="here"),
        "packages": {"python": "3.11.7"},
        "a": side("main"),
        "b": side("WORKTREE"),
        "settings": AbSettings(
            app="chat:app",
            precision=0.003,
            threshold=0.005,
            confidence=0.95,
            max_time_s=180,
            burst=100,
            pairs=12,
            saturated_burst=256,
            saturated_pairs=4,
            in_flight=32,
            seed=1,
            server_core=1,
            generator_core=0,
            awake=(0, 1),
        ),
        "restarts": count,
        "duration_s": 61.5,
        "stopped_by": "precision",
        "benchmarks": summary((SAY,), restarts(effect, count), {SAY.name: received()}, TIMES, 0.95, 0.005),
        "notes": ("<b>@somebody</b> changed #1",),
        "spoilers": (Disturbance(kind="steal", text="the host took 3.0% of the cores' time", value=0.03),),
        "interference": Interference(),
    }
    return AbResult.model_validate(fields | changed)


def test_a_page_has_the_command_that_was_typed_or_what_comes_near_to_it() -> None:
    typed = result(command="bench ab main WORKTREE --app chat:app --auth ...")
    assert ab_document(typed).command == "bench ab main WORKTREE --app chat:app --auth ..."
    older = AbResult.model_validate_json(result().to_json())
    assert "command" not in older.model_dump(), "it is written again as it was"
    assert ab_document(older).command == (
        "bench ab main WORKTREE --app chat:app --precision 0.3 --threshold 0.5 --max-time 180"
    )


def table(shown: AbResult) -> str:
    console = Console(file=io.StringIO(), width=200)
    print_document(ab_document(shown), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("effect", "count", "verdict", "headline"),
    [
        (
            0.03,
            20,
            "slower",
            "slower by more than 0.5 %: say|said p50, say|said p99, say|said server CPU, say|said saturated",
        ),
        (-0.03, 20, "faster", "nothing is known to be slower by more than 0.5 %: 4 faster"),
        (0.0, 20, "same", "nothing is known to be slower by more than 0.5 %: 4 same"),
        (0.005, 20, "inconclusive", "nothing is known to be slower by more than 0.5 %: 4 inconclusive"),
        (0.03, 1, "inconclusive", "nothing is known to be slower by more than 0.5 %: 4 inconclusive"),
    ],
)
def test_the_verdict_is_the_headline(effect: float, count: int, verdict: str, headline: str) -> None:
    found = result(effect, count)
    assert {metric.verdict for metric in found.benchmarks[0].metrics} == {verdict}
    assert bool(found.slower) == (verdict == "slower")
    assert headline in table(found)
    assert headline.replace("|", "\\|") in markdown.render(ab_document(found))


def test_the_table_has_all_of_it() -> None:
    lines = table(result(0.03)).splitlines()
    assert lines[:2] == ["A  main", "B  WORKTREE, with uncommitted changes"]
    assert lines[3].split("  ")[0] == "round trip"
    assert lines[4] == "say|said"
    assert lines[5].split() == [
        "p50",
        "100.0",
        "µs",
        "103.0",
        "µs",
        "+3.05",
        "%",
        "+3.01",
        "%",
        "to",
        "+3.08",
        "%",
        "slower",
    ]
    assert [line.split()[0] for line in lines[5:9]] == ["p50", "p99", "server", "saturated"]
    assert "20 restarts of both servers in 1 min 2 s, cores awake; the intervals of p50 are within ±0.3 %" in lines
    assert "note: <b>@somebody</b> changed #1" in lines
    assert "steal: the host took 3.0% of the cores' time" in lines


def test_below_the_table_both_distributions_stand_over_the_same_axis() -> None:
    times = Histogram()
    times.record(np.array([100_000] * 50 + [400_000] * 50))
    (benchmark,) = result().benchmarks
    alike = benchmark.model_copy(update={"a_histogram": times.encode(), "b_histogram": times.encode()})
    lines = table(result().model_copy(update={"benchmarks": (alike,)})).splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("time, one in flight"))
    assert lines[at + 1].strip() == SAY.name
    a, b = lines[at + 2 : at + 4]
    assert (a.split()[0], b.split()[0]) == ("A", "B")
    assert a.count("█") == 2, "the distribution has two modes"
    assert a.split()[1:] == b.split()[1:]


def test_without_distributions_there_is_the_table_alone() -> None:
    (benchmark,) = result().benchmarks
    bare = benchmark.model_copy(update={"a_histogram": None, "b_histogram": None})
    assert "one in flight" not in table(result().model_copy(update={"benchmarks": (bare,)}))


def test_markdown_is_no_ones_markup() -> None:
    text = markdown.render(ab_document(result(0.03)))
    assert "| say\\|said p50 | 100.0 µs | 103.0 µs | +3.05 % | +3.01 % to +3.08 % | **slower** |" in text
    assert "&lt;b&gt;" in text
    assert "@somebody" not in text
    assert "<b>" not in text
    assert "#1" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {7}


def test_a_single_restart_has_no_interval() -> None:
    (benchmark,) = result(0.03, 1).benchmarks
    assert benchmark.metrics[0].low is None
    assert "| +3.05 % | - | inconclusive |" in markdown.render(ab_document(result(0.03, 1)))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"restarts": 19}, "20 effects of 19 restarts"),
        ({"benchmarks": result().benchmarks * 2}, r"benchmark say\|said is there twice"),
        ({"benchmarks": ()}, "at least 1 item"),
        ({"schema": "ab/9"}, "ab/3"),
    ],
)
def test_what_does_not_fit_together_is_no_result(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        result(**changed)


@pytest.mark.parametrize(
    ("errors_ns", "clock", "said"),
    [
        ((0, 0, 0), "kernel", "times end when the machine received the reply: all 3 are exact to 0.100 µs; "),
        ((0, UNSTAMPED), "process", "say|said: 1 of 2 replies have the process's time, not the kernel's"),
        ((UNSTAMPED,), "process", "times end when the generator had read the reply, and contain how long it waited"),
    ],
)
def test_the_clock_of_both_sides(errors_ns: tuple[int, ...], clock: str, said: str) -> None:
    benchmarks = summary((SAY,), restarts(0.03), {SAY.name: received(*errors_ns)}, TIMES, 0.95, 0.005)
    found = result(benchmarks=benchmarks, receive_clock=ReceiveClock(bound_us=0.1))
    assert found.benchmarks[0].received_clock == clock
    assert said in table(found)
    assert AbResult.model_validate_json(found.to_json(), strict=True) == found


def test_json_is_read_back_as_it_was() -> None:
    written = result(0.03)
    assert AbResult.model_validate_json(written.to_json(), strict=True) == written


def test_the_logs_of_both_services_are_kept_and_folded() -> None:
    log = ServiceLog(lines=1, left_out=0, first=(LogLine(t=2.5, text="<b>no index</b>"),))
    logged = result(b=side("WORKTREE").with_log(log))
    written = logged.to_json()
    assert written.count(b"service_log") == 1
    assert AbResult.model_validate_json(written, strict=True) == logged
    assert "the service of B wrote 1 line during the run" in text_format.render(ab_document(logged))
    assert "the service of A" not in text_format.render(ab_document(logged))
    shown = markdown.render(ab_document(logged))
    assert "<b>" not in shown
    assert "the service of B wrote 1 line" in shown
