"""What the processes' reports say about the generator itself: its CPU, its delays, the verdict. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.load.metrics.saturation import JudgedSecond, saturation
from bench.load.metrics.tally import NS_PER_S, Report, SecondReport, StoredHistogram
from bench.results.load import Generator, Lateness, Trust
from bench.timing.histogram import Histogram

_CLOCKS_NS = 10_000_000
"""By how much the clocks of two processes may differ without a second counting as cut."""

ProcessReport = tuple[Report, Mapping[int, SecondReport]]
"""One process's newest account, and its seconds."""


def generator(processes: Sequence[ProcessReport], round_trips: int) -> Generator:
    """The generator over the steady window: each process by itself, and all together.

    Its CPU is per round trip in all, its share that of the busiest process. A process that is saturated makes it so.
    """
    cpu_ns = sum(report.window_cpu_ns or 0 for report, _ in processes)
    every = [second for report, seconds in processes for second in _noted(report, seconds)]
    per_process = tuple(_trust(report, seconds) for report, seconds in processes)
    verdicts = [trust for trust in per_process if trust.verdict is not None]
    saturated = sorted(
        (trust for trust in verdicts if trust.verdict == "saturated"), key=lambda trust: trust.saturated_since_s or 0.0
    )
    return Generator(
        processes=max(1, len(processes)),
        cpu_us_per_round_trip=cpu_ns / round_trips / 1000 if round_trips and cpu_ns else None,
        cpu_share=max((trust.cpu_share for trust in per_process if trust.cpu_share is not None), default=None),
        **_delays(every),
        **_waits(processes),
        verdict="saturated" if saturated else "ok" if verdicts else None,
        reason=saturated[0].reason if saturated else None,
        saturated_since_s=saturated[0].saturated_since_s if saturated else None,
        per_process=per_process,
    )


def _trust(report: Report, seconds: Mapping[int, SecondReport]) -> Trust:
    share = None
    if report.window_cpu_ns is not None and report.window_start_ns is not None and report.window_end_ns is not None:
        duration_ns = report.window_end_ns - report.window_start_ns
        share = report.window_cpu_ns / duration_ns if duration_ns > 0 else None
    whole = [_judged(number, seconds.get(number)) for number in _whole(report)]
    found = saturation(whole)
    return Trust(
        cpu_share=share,
        **_delays(_noted(report, seconds)),
        **_waits([(report, seconds)]),
        verdict=None if not whole else "ok" if found is None else "saturated",
        reason=None if found is None else found.reason,
        saturated_since_s=None if found is None else found.since_s,
    )


def _whole(report: Report) -> range:
    """The seconds that lie wholly in the process's window: others may hold the arriving of users."""
    if report.window_start_ns is None or report.window_end_ns is None:
        return range(0)
    first = -(-(report.window_start_ns - _CLOCKS_NS) // NS_PER_S)
    return range(first, (report.window_end_ns + _CLOCKS_NS) // NS_PER_S)


def _noted(report: Report, seconds: Mapping[int, SecondReport]) -> list[JudgedSecond]:
    """The whole seconds of the window, or where it is too short for one, those that it touches."""
    return [_judged(number, seconds[number]) for number in _noted_numbers(report) if number in seconds]


def _noted_numbers(report: Report) -> range:
    if report.window_start_ns is None or report.window_end_ns is None:
        return range(0)
    return _whole(report) or range(report.window_start_ns // NS_PER_S, report.window_end_ns // NS_PER_S + 1)


def _judged(number: int, second: SecondReport | None) -> JudgedSecond:
    if second is None:
        return JudgedSecond.unnoted(number)
    loop_lag = second.loop_lag.restored()
    return JudgedSecond(
        second=number,
        cpu_share=second.cpu_share,
        send_lateness=Histogram() if second.send_lateness is None else second.send_lateness.restored(),
        loop_lag=loop_lag,
        queueing=second.queueing.restored(),
        service=_union(operation.service.restored() for operation in second.operations),
        # The loop notes its own delay about a hundred times a second, whatever else there is to do.
        standstill_ns=second.standstill_ns if loop_lag.count else NS_PER_S,
    )


def _delays(seconds: Sequence[JudgedSecond]) -> dict[str, Lateness | None]:
    return {
        "send_lateness_us": lateness(second.send_lateness for second in seconds),
        "loop_lag_us": lateness(second.loop_lag for second in seconds),
        "queueing_us": lateness(second.queueing for second in seconds),
    }


def _waits(processes: Sequence[ProcessReport]) -> dict[str, Any]:
    """Return how many arrivals waited for a free user, and how long; nothing if none could have to."""
    noted = [seconds[number] for report, seconds in processes for number in _noted_numbers(report) if number in seconds]
    arrivals = sum(second.arrivals for second in noted)
    if not arrivals:
        return {}
    waits = _union(second.waits.restored() for second in noted if second.waits is not None)
    return {"waited_for_user_share": waits.count / arrivals, "waited_for_user_us": lateness([waits])}


def lateness(histograms: Iterable[Histogram]) -> Lateness | None:
    """The distribution of all of them; None of nothing."""
    union = _union(histograms)
    p50, p99 = union.percentile_ns(50), union.percentile_ns(99)
    if p50 is None or p99 is None or union.max_ns is None:
        return None
    return Lateness(p50=p50 / 1000, p99=p99 / 1000, max=union.max_ns / 1000)


def _union(histograms: Iterable[Histogram]) -> Histogram:
    union = Histogram()
    for histogram in histograms:
        union.merge(histogram)
    return union


def p99_us(histograms: Iterable[StoredHistogram | None]) -> float | None:
    """The 99th percentile of all of them in microseconds; None of nothing."""
    found = lateness(stored.restored() for stored in histograms if stored is not None)
    return None if found is None else found.p99
