"""Load results to draw: built of plain values, of any length and with any number of operations."""

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from bench.results.load import Generator, LoadResult, Operation, Scenario, Second, SecondTimes, StageFigures, Window
from bench.timing.histogram import Histogram
from tests.support.example_results import distribution, load_result, operation


@cache
def encoded(*times_us: float) -> str:
    histogram = Histogram()
    histogram.record(np.array([round(time_us * 1000) for time_us in times_us], dtype=np.int64))
    return histogram.encode()


def names(number: int) -> list[str]:
    return ["say"] if number == 1 else [f"operation {place}" for place in range(number)]


def times(name: str, service_us: Sequence[float], response_us: Sequence[float]) -> SecondTimes:
    return SecondTimes.model_construct(  # unchecked, for there are many
        name=name,
        kind="round trip",
        service_histogram=encoded(*service_us),
        response_histogram=encoded(*response_us),
    )


def second(t: int, called: Sequence[str] = ("say",), **changed: Any) -> Second:
    """Return a second, in which operations of these names have times that rise and fall slowly."""
    middle_us = 1000 + 500 * math.sin(t / 20)
    fields: dict[str, Any] = {
        "t": t,
        "users": 10,
        "sent": 100,
        "ok": 100,
        "failed": 0,
        "p50_us": middle_us,
        "p99_us": 3 * middle_us,
        "server_cpu_share": 0.5,
        "generator_cpu_share": 0.1,
        "send_lateness_p99_us": 50.0 + t % 7,
        "loop_lag_p99_us": 40.0 + t % 5,
        "reading_delay_p99_us": 30.0,
        "operations": tuple(
            times(name, (800 + place + t % 50, 2000), (900 + place + t % 50, 3000)) for place, name in enumerate(called)
        ),
    }
    all_fields = fields | changed
    built = Second.model_validate(all_fields | {"operations": ()})
    return built.model_copy(update={"operations": all_fields["operations"]})


def row(name: str, **changed: Any) -> Operation:
    fields: dict[str, Any] = {
        **dict.fromkeys(("scheduled", "sent", "ok"), 1000),
        **dict.fromkeys(("timeouts", "unfinished", "late"), 0),
        "errors": {},
        "service_us": distribution(),
        "response_us": distribution(p50=200.0),
        "service_histogram": encoded(100, 200, 300),
        "response_histogram": encoded(150, 250, 900),
    }
    return operation(name, **(fields | changed))


def open_load(
    seconds: int = 20, how_many: int = 1, a_second: Callable[..., Second] = second, **changed: Any
) -> LoadResult:
    """Return an open load of so many seconds, of which the first is before the window, with that many operations."""
    called = names(how_many)
    fields: dict[str, Any] = {
        "scenario": Scenario(
            user_classes=("User",),
            users=10,
            model="open",
            rate_per_s=100.0,
            rate="100",
            transport="websocket",
            app="a:b",
        ),
        "generator": Generator(processes=1, verdict="ok"),
        "window": Window(start_s=1.0, end_s=float(max(1, seconds)), warmup_s=0.0),
        "operations": tuple(row(name) for name in called),
        "timeline": tuple(a_second(t, called) for t in range(seconds)),
        "stages": (stage("100", 100.0, 1, max(2, seconds)),),
    }
    return load_result(**(fields | changed))


def stage(text: str, offered_per_s: float, start_s: float, end_s: float, **changed: Any) -> StageFigures:
    fields: dict[str, Any] = {
        "stage": text,
        "start_s": start_s,
        "end_s": end_s,
        "offered_per_s": offered_per_s,
        "throughput_per_s": offered_per_s,
        "failed": 0,
        "dropped": 0,
        "p50_us": 1000.0,
        "p90_us": 2000.0,
        "p99_us": 3000.0,
    }
    return StageFigures.model_validate(fields | changed)
