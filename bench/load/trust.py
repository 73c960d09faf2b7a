"""What the processes' reports say about the generator itself: its CPU, its delays, the verdict. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bench.load.account import NS_PER_S, Report, SecondReport, StoredHistogram
from bench.load.verdict import JudgedSecond, saturation
from bench.results.model import Generator, Lateness, Trust
from bench.timing.histogram import Histogram

ProcessReport = tuple[Report, Mapping[int, SecondReport]]
"""One process's newest account, and its seconds."""


def generator(processes: Sequence[ProcessReport], round_trips: int) -> Generator:
    """The generator over the steady window: each process by itself, and all together.

    Its CPU is per round trip in all, its share that of the busiest process. A process that is saturated makes it so.
    """
    cpu_ns = sum(report.window_cpu_ns or 0 for report, _ in processes)
    judged = [_judged(report, seconds) for report, seconds in processes]
    every = [second for seconds in judged for second in seconds]
    per_process = tuple(_trust(report, seconds) for (report, _), seconds in zip(processes, judged, strict=True))
    verdicts = [trust for trust in per_process if trust.verdict is not None]
    saturated = sorted(
        (trust for trust in verdicts if trust.verdict == "saturated"), key=lambda trust: trust.saturated_since_s or 0.0
    )
    return Generator(
        processes=max(1, len(processes)),
        cpu_us_per_round_trip=cpu_ns / round_trips / 1000 if round_trips and cpu_ns else None,
        cpu_share=max((trust.cpu_share for trust in per_process if trust.cpu_share is not None), default=None),
        **_delays(every),
        verdict="saturated" if saturated else "ok" if verdicts else None,
        reason=saturated[0].reason if saturated else None,
        saturated_since_s=saturated[0].saturated_since_s if saturated else None,
        per_process=per_process,
    )


def _trust(report: Report, seconds: Sequence[JudgedSecond]) -> Trust:
    share = None
    if report.window_cpu_ns is not None and report.window_start_ns is not None and report.window_end_ns is not None:
        duration_ns = report.window_end_ns - report.window_start_ns
        share = report.window_cpu_ns / duration_ns if duration_ns > 0 else None
    found = saturation(seconds)
    return Trust(
        cpu_share=share,
        **_delays(seconds),
        verdict=None if not seconds else "ok" if found is None else "saturated",
        reason=None if found is None else found.reason,
        saturated_since_s=None if found is None else found.since_s,
    )


def _judged(report: Report, seconds: Mapping[int, SecondReport]) -> list[JudgedSecond]:
    """The whole seconds of the process's window; where it has none, those that it touches."""
    if report.window_start_ns is None or report.window_end_ns is None:
        return []
    first, last = report.window_start_ns // NS_PER_S, report.window_end_ns // NS_PER_S
    whole = range(-(-report.window_start_ns // NS_PER_S), last)
    return [
        JudgedSecond(
            second=number,
            cpu_share=second.cpu_share,
            send_lateness=Histogram() if second.send_lateness is None else second.send_lateness.restored(),
            loop_lag=second.loop_lag.restored(),
            queueing=second.queueing.restored(),
        )
        for number in (whole or range(first, last + 1))
        if (second := seconds.get(number)) is not None
    ]


def _delays(seconds: Sequence[JudgedSecond]) -> dict[str, Lateness | None]:
    return {
        "send_lateness_us": lateness(second.send_lateness for second in seconds),
        "loop_lag_us": lateness(second.loop_lag for second in seconds),
        "queueing_us": lateness(second.queueing for second in seconds),
    }


def lateness(histograms: Iterable[Histogram]) -> Lateness | None:
    """The distribution of all of them; None of nothing."""
    union = Histogram()
    for histogram in histograms:
        union.merge(histogram)
    p50, p99 = union.percentile_ns(50), union.percentile_ns(99)
    if p50 is None or p99 is None or union.max_ns is None:
        return None
    return Lateness(p50=p50 / 1000, p99=p99 / 1000, max=union.max_ns / 1000)


def p99_us(histograms: Iterable[StoredHistogram | None]) -> float | None:
    """The 99th percentile of all of them in microseconds; None of nothing."""
    found = lateness(stored.restored() for stored in histograms if stored is not None)
    return None if found is None else found.p99
