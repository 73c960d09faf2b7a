"""The health of the generator itself, as the processes report it: its CPU, its delays, its saturation. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.load.metrics.report import Report, SecondReport, StoredHistogram
from bench.load.metrics.saturation import ORDER, JudgedSecond, saturation
from bench.results.lateness import Lateness
from bench.results.load import Generator, GeneratorHealth
from bench.timing.histogram import Histogram
from bench.timing.rates import NS_PER_S
from bench.timing.receive_times import ReceiveTimes

#: The time by which the clocks of two processes may differ without a second counting as cut, in nanoseconds.
_CLOCKS_NS = 10_000_000

#: The newest tally of a process, and its seconds.
ProcessReport = tuple[Report, Mapping[int, SecondReport]]


def generator(processes: Sequence[ProcessReport], round_trips: int) -> Generator:
    """Return the generator's health over the steady window: each process by itself, and all together.

    Its CPU is per round trip in all, its share that of the busiest process. A process that is saturated makes it so.
    """
    cpu_ns = sum(report.window_cpu_ns or 0 for report, _ in processes)
    every = [second for report, seconds in processes for second in _noted(report, seconds)]
    per_process = tuple(_health(report, seconds) for report, seconds in processes)
    judged = [health for health in per_process if health.verdict is not None]
    saturated = sorted(
        (health for health in judged if health.verdict == "saturated"),
        key=lambda health: health.saturated_since_s or 0,
    )
    return Generator(
        processes=max(1, len(processes)),
        cpu_us_per_round_trip=cpu_ns / round_trips / 1000 if round_trips and cpu_ns else None,
        cpu_share=max((health.cpu_share for health in per_process if health.cpu_share is not None), default=None),
        **_delays(every),
        **_waits(processes),
        verdict="saturated" if saturated else "ok" if judged else None,
        reason=saturated[0].reason if saturated else None,
        saturated_since_s=saturated[0].saturated_since_s if saturated else None,
        spoils=tuple(name for name in ORDER if any(name in health.spoils for health in saturated)),
        per_process=per_process,
    )


def _health(report: Report, seconds: Mapping[int, SecondReport]) -> GeneratorHealth:
    share = None
    if report.window_cpu_ns is not None and report.window_start_ns is not None and report.window_end_ns is not None:
        duration_ns = report.window_end_ns - report.window_start_ns
        share = report.window_cpu_ns / duration_ns if duration_ns > 0 else None
    whole = [judged_second(number, seconds.get(number), report.is_open) for number in _whole(report)]
    found = saturation(whole)
    return GeneratorHealth(
        cpu_share=share,
        **_delays(_noted(report, seconds)),
        **_waits([(report, seconds)]),
        verdict=None if not whole else "ok" if found is None else "saturated",
        reason=None if found is None else found.reason,
        saturated_since_s=None if found is None else found.since_s,
        spoils=() if found is None else found.spoils,
    )


def whole_seconds(window_start_ns: int, window_end_ns: int) -> range:
    """Return the seconds that lie wholly in a window. In others, users may still arrive."""
    return range(-(-(window_start_ns - _CLOCKS_NS) // NS_PER_S), (window_end_ns + _CLOCKS_NS) // NS_PER_S)


def _whole(report: Report) -> range:
    if report.window_start_ns is None or report.window_end_ns is None:
        return range(0)
    return whole_seconds(report.window_start_ns, report.window_end_ns)


def _noted(report: Report, seconds: Mapping[int, SecondReport]) -> list[JudgedSecond]:
    """Return the whole seconds of the window; those that it touches if it is too short for a whole second."""
    noted = [number for number in _noted_numbers(report) if number in seconds]
    return [judged_second(number, seconds[number], report.is_open) for number in noted]


def _noted_numbers(report: Report) -> range:
    if report.window_start_ns is None or report.window_end_ns is None:
        return range(0)
    return _whole(report) or range(report.window_start_ns // NS_PER_S, report.window_end_ns // NS_PER_S + 1)


def judged_second(number: int, second: SecondReport | None, is_open: bool) -> JudgedSecond:
    """Return what a process has reported of itself in a second; None: it has reported nothing."""
    if second is None:
        return JudgedSecond.unnoted(number, is_open)
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
        is_open=is_open,
        is_short_of_users=second.waits is not None,
        received=ReceiveTimes() if second.received is None else second.received.restored(),
        timed_by_process=second.timed_by_process,
    )


def _delays(seconds: Sequence[JudgedSecond]) -> dict[str, Lateness | None]:
    return {
        "send_lateness_us": lateness(second.send_lateness for second in seconds),
        "loop_lag_us": lateness(second.loop_lag for second in seconds),
        "reading_delay_us": lateness(second.received.reading for second in seconds),
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
    """Return the distribution of all of them; None of nothing."""
    return Lateness.of(_union(histograms))


def _union(histograms: Iterable[Histogram]) -> Histogram:
    return Histogram.union(histograms)


def p99_us(histograms: Iterable[StoredHistogram | None]) -> float | None:
    """Return the 99th percentile of all of them in microseconds; None of nothing."""
    found = lateness(stored.restored() for stored in histograms if stored is not None)
    return None if found is None else found.p99
