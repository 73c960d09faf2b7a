"""Comparisons of results built from a known truth, and parts of them."""

import datetime as dt
import math
from typing import Any

from bench.compare.comparison import compare
from bench.compare.model import Compared, Comparison, DifferenceKind, Row
from bench.results.latency import LatencyResult
from bench.results.load import LoadResult, Scenario
from tests.support.example_results import distribution, load_result, operation
from tests.support.latency_results import latency, stored

#: The service takes one and a half times as long as its control, as a logarithm.
FASTER_THAN = math.log(1.5)
START = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)


def compared(old: list[Any], new: list[Any], **options: Any) -> Comparison:
    return compare(stored(*old, side="old"), stored(*new, side="new"), **options)


def latency_runs(
    count: int, effect: float = 0.0, *, seed: int = 0, first: int = 0, **changed: Any
) -> list[LatencyResult]:
    slowness = FASTER_THAN + math.log1p(effect)
    commit = ("b" if first else "a") * 40
    return [latency(slowness, seed=seed, run=first + run, commit=commit, **changed) for run in range(count)]


def load_runs(scale: tuple[float, ...], *, first: int = 0, step: int = 2, **changed: Any) -> list[LoadResult]:
    """Return a run for each scale, by which its times are longer, every `step` minutes from minute `first` on."""
    return [
        load_result(
            datetime=START + dt.timedelta(minutes=first + step * number),
            operations=(operation(service_us=distribution(p50=100 * one, p90=200 * one), **changed),),
        )
        for number, one in enumerate(scale)
    ]


def row(one: Compared, metric: str) -> Row:
    (found,) = [row for row in one.rows if row.metric == metric]
    return found


def verdicts(comparison: Comparison, metric: str) -> list[str | None]:
    return [row(benchmark, metric).verdict for benchmark in comparison.benchmarks]


def differences(old: Any, new: Any) -> dict[DifferenceKind, str]:
    return {difference.kind: difference.detail for difference in compared([old], [new], force=True).differences}


def open_scenario(**changed: Any) -> Scenario:
    fields: dict[str, Any] = {"user_classes": ("EchoUser",), "users": 50, "model": "open", "rate_per_s": 500.0}
    return Scenario.model_validate(fields | {"transport": "websocket", "app": "app.main:app"} | changed)
