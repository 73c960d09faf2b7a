"""The line above all tables of a load."""

import datetime as dt
from typing import Any

import numpy as np
import pytest

from bench.report.load_headline import load_headline
from bench.results.header import CommitInfo, MachineInfo
from bench.results.load import CONNECT, Distribution, Generator, LoadResult, Operation, OperationKind, Scenario, Window
from bench.results.service_loss import ServiceLoss
from bench.timing.histogram import Histogram


def times(p50: float | None, p99: float | None, above_us: float | None = None) -> Distribution:
    return Distribution(min=1.0, mean=None, p50=p50, p90=p50, p99=p99, p99_9=p99, max=None, censored_above_us=above_us)


def operation(
    name: str, kind: OperationKind, ok: int, *, timeouts: int = 0, dropped: int = 0, **more: Any
) -> Operation:
    sent = ok + timeouts
    counts: dict[str, Any] = {"scheduled": sent + dropped, "dropped": dropped, "sent": sent, "ok": ok}
    return Operation(name=name, kind=kind, timeouts=timeouts, errors={}, unfinished=0, late=0, **counts, **more)


ECHO = operation("echo", "round trip", 500, service_us=times(297.7, 5181.0), throughput_per_s=499.6)


def headline(*operations: Operation, rate: str | None = None, **more: Any) -> tuple[str, str]:
    scenario = Scenario(
        user_classes=("EchoUser",),
        users=1,
        model="closed" if rate is None else "open",
        transport="websocket",
        rate=rate,
        rate_per_s=None if rate is None else 500.0,
    )
    given: dict[str, Any] = {
        "datetime": dt.datetime(2024, 5, 6, tzinfo=dt.UTC),
        "commit_info": CommitInfo(),
        "machine_info": MachineInfo(),
        "packages": {},
        "scenario": scenario,
        "generator": Generator(processes=1, verdict="ok"),
        "window": Window(start_s=0.0, end_s=2.0, warmup_s=0.0),
        "operations": (operation(CONNECT, CONNECT, 3), *operations),
    }
    line = load_headline(LoadResult(**{**given, **more}))
    return line.text, line.style


def test_what_counts_of_a_good_run() -> None:
    assert headline(ECHO) == ("echo: p50 297.7 µs, p99 5.181 ms; 500/s; nothing failed; generator ok", "heading")


def test_the_tail_of_few_is_the_longest() -> None:
    few = Histogram()
    few.record(np.array([297_700] * 98 + [5_181_000]))
    longest = times(297.7, 5181.0).model_copy(update={"max": 5181.0, "mean": 300.0})
    echo = operation(
        "echo", "round trip", 99, service_us=longest, service_histogram=few.encode(), throughput_per_s=499.6
    )
    assert headline(echo)[0] == "echo: p50 297.7 µs, max 5.181 ms; 500/s; nothing failed; generator ok"


def test_response_times_of_the_most_frequent_and_the_rate_of_all() -> None:
    both = {"service_us": times(1.0, 2.0), "response_us": times(1300.0, None, 400_000.0)}
    often = operation("say", "round trip", 900, timeouts=12, dropped=3, throughput_per_s=500.0, **both)
    assert headline(ECHO, often, operation("whole", "transaction", 2000), rate="500") == (
        "say, the most frequent of 2 operations: p50 1.300 ms, p99 > 400 ms; 1,000/s of 500/s in all; 15 failed; "
        "generator ok",
        "warning",
    )


def test_a_rate_with_that_of_emissions_is_not_said_of_the_round_trip_alone() -> None:
    typing = operation("typing", "emission", 900, throughput_per_s=900.0)
    text = "echo: p50 297.7 µs, p99 5.181 ms; 1,400/s in all; nothing failed; generator ok"
    assert headline(ECHO, typing) == (text, "heading")
    unsent = operation("typing", "emission", 0)
    assert "; 500/s; " in headline(ECHO, unsent)[0]


@pytest.mark.parametrize("rate", ["100:5s,500:5s", "100..500:5s"])
def test_a_rate_that_changes_has_no_one_number(rate: str) -> None:
    text, _ = headline(ECHO, rate=rate)
    assert "; 500/s; " in text


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"generator": Generator(processes=1, verdict="saturated", reason="its CPU")}, "generator saturated"),
        ({"partial": True, "partial_reason": "a worker is lost"}, "generator ok; the result is partial"),
        ({"invalid_reason": "others cause the event"}, "generator ok; the figures are wrong"),
    ],
)
def test_what_cannot_be_believed(more: dict[str, Any], said: str) -> None:
    text, style = headline(ECHO, **more)
    assert text.endswith(f"; {said}")
    assert style == "wrong"


def test_the_loss_of_the_service_comes_first() -> None:
    text, style = headline(ECHO, service_loss=ServiceLoss.of_process(4.2, -9, "out of memory"))
    assert text.startswith("the service died at second 4.2 (SIGKILL); echo: p50 ")
    assert style == "wrong"


def test_nothing_was_answered() -> None:
    silent = operation("echo", "round trip", 0, timeouts=7)
    assert headline(silent) == ("echo: p50 failed, p99 failed; 7 failed; generator ok", "warning")
    nothing = Window(start_s=0.0, end_s=0.0, warmup_s=0.0)
    assert headline(window=nothing, generator=Generator(processes=1)) == ("nothing failed; no steady window", "heading")
