"""The rows of a load result: operations, seconds and stages, each made of what the processes have reported of it.

Pure. Counts add up, and histograms merge into that of the union.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.load.metrics.exceptions import MOST_KINDS_OF_A_SECOND, OTHER_ERRORS, KindCounts, with_rest
from bench.load.metrics.generator import p99_us
from bench.load.metrics.report import OperationReport, Report, SecondReport
from bench.results.load import (
    CONNECT,
    LEGS,
    REPLIED_KINDS,
    ROUND_TRIP,
    Distribution,
    Leg,
    LegName,
    Operation,
    OperationKey,
    Second,
    SecondTimes,
    StageFigures,
    cut_off_drops,
)
from bench.results.receiving import Receiving
from bench.timing.histogram import Histogram
from bench.timing.rates import NS_PER_S, Stage
from bench.timing.receive_times import ReceiveTimes

#: The kinds whose messages are counted: those that the Socket.IO connection carries.
_KINDS_WITH_BYTES: frozenset[str] = frozenset(("round trip", "emission"))


def rate_per_s(parts: Sequence[tuple[Report, OperationReport]], end_ns: int) -> float | None:
    """Return how many ended well in a second of the window, which ends at `end_ns`; None if there was no window."""
    rates = [
        part.window_ok * NS_PER_S / (end_ns - report.window_start_ns)
        for report, part in parts
        if report.window_start_ns is not None and report.window_start_ns < end_ns
    ]
    return sum(rates) if rates else None


def operation_row(
    key: OperationKey, parts: Sequence[tuple[Report, OperationReport]], timeout_us: float, end_ns: int
) -> Operation:
    """Return the row of an operation. Replies were awaited for `timeout_us`, and the window ends at `end_ns`."""
    counts = counted(key, [part for _, part in parts])
    per_s = rate_per_s(parts, end_ns)
    times = times_of(key, parts, counts, has_window=per_s is not None)
    legs = (Histogram(), Histogram(), Histogram())
    for _, part in parts:
        for leg, stored in zip(legs, part.breakdown, strict=False):
            leg.merge(stored.restored())
    has_times = bool(times.service.count)
    receiving = Receiving.of(times.received) if key.kind == ROUND_TRIP else None
    # A censored figure lies beyond the timeout, if there were timeouts. Another error has no time.
    timeout_limit_us = timeout_us if counts["timeouts"] else None
    return Operation(
        **counts,
        throughput_per_s=None if key.kind == CONNECT else per_s,
        received_clock=receiving.clock if receiving is not None else "process" if has_times else None,
        receiving=receiving,
        times_of=None if not has_times else "run" if times.are_of_run else "window",
        service_us=_distribution(times.service, times.failed, timeout_limit_us, counts["unfinished"])
        if key.kind != "emission"
        else None,
        response_us=_distribution(
            times.response,
            times.failed + times.dropped,
            timeout_limit_us,
            counts["unfinished"] + cut_off_drops(counts["dropped_because"]),
        )
        if times.response is not None
        else None,
        service_histogram=times.service.encode() if has_times else None,
        response_histogram=times.response.encode() if times.response is not None and times.response.count else None,
        breakdown=tuple(_leg(name, leg) for name, leg in zip(LEGS, legs, strict=True)) if legs[0].count else (),
    )


@dataclass(frozen=True)
class OperationTimes:
    """The times of an operation over the steady window, or over the whole run if it was not performed in the window."""

    service: Histogram
    #: The response times; None in a closed load, and of kinds without a reply.
    response: Histogram | None
    received: ReceiveTimes
    #: The number that was sent and failed, and the number that was dropped.
    failed: int
    dropped: int
    are_of_run: bool


def times_of(
    key: OperationKey, parts: Sequence[tuple[Report, OperationReport]], counts: Mapping[str, Any], has_window: bool
) -> OperationTimes:
    """Return the times of an operation. `counts` are those of `counted`; without a window it has those in it alone."""
    failed = window_dropped = 0
    service, response = Histogram(), Histogram()
    outside, outside_response = Histogram(), Histogram()
    received, outside_received = ReceiveTimes(), ReceiveTimes()
    is_open = False
    for _, part in parts:
        failed += part.window_failed
        window_dropped += part.window_dropped
        service.merge(part.service.restored())
        outside.merge(part.outside.restored() if part.outside is not None else Histogram())
        outside_response.merge(part.outside_response.restored() if part.outside_response is not None else Histogram())
        received.merge(part.received.restored() if part.received is not None else ReceiveTimes())
        outside_received.merge(
            part.outside_received.restored() if part.outside_received is not None else ReceiveTimes()
        )
        if part.response is not None and key.kind in REPLIED_KINDS:
            is_open = True
            response.merge(part.response.restored())
    are_of_run = key.kind == CONNECT
    if not are_of_run and has_window and outside.count and not (service.count or failed or window_dropped):
        service, response, received, are_of_run = outside, outside_response, outside_received, True
        failed, window_dropped = counts["sent"] - counts["ok"], counts["dropped"]
    return OperationTimes(service, response if is_open else None, received, failed, window_dropped, are_of_run)


def counted(key: OperationKey, parts: Sequence[OperationReport]) -> dict[str, Any]:
    """Return the fields of an Operation that count, added up."""
    errors, dropped_because = KindCounts(), Counter[str]()
    for part in parts:
        errors.add(part.errors)
        errors.add_rest(part.other_errors, part.other_error_texts)
        dropped_because.update(part.dropped_because)
    ok, timeouts = sum(part.ok for part in parts), sum(part.timeouts for part in parts)
    unfinished, dropped = sum(part.unfinished for part in parts), sum(part.dropped for part in parts)
    sent = ok + timeouts + errors.total + unfinished
    has_bytes = key.kind in _KINDS_WITH_BYTES
    return {
        "name": key.name,
        "kind": key.kind,
        "scheduled": sent + dropped,
        "dropped": dropped,
        "dropped_because": dict(dropped_because.most_common()),
        "sent": sent,
        "ok": ok,
        "timeouts": timeouts,
        "errors": with_rest(*errors.most_frequent(), OTHER_ERRORS),
        "unfinished": unfinished,
        "late": sum(part.late for part in parts),
        "error_replies": sum(part.error_replies for part in parts),
        "unexpected": sum(part.unexpected for part in parts),
        "sent_bytes": sum(part.sent_bytes for part in parts) if has_bytes else None,
        "received_bytes": sum(part.received_bytes for part in parts) if has_bytes else None,
    }


def _leg(name: LegName, times: Histogram) -> Leg:
    distribution = _distribution(times, 0, None)
    assert distribution is not None, "a leg has as many times as the others"
    return Leg(name=name, times_us=distribution, histogram=times.encode())


#: The percentiles of a distribution.
_PERCENTS = (50.0, 90.0, 99.0, 99.9)


def _distribution(
    histogram: Histogram, censored: int, timeout_us: float | None, cut_off: int = 0
) -> Distribution | None:
    """Return the distribution of times, where `censored` emissions failed.

    Those took longer than `timeout_us`, if they timed out; else for ever. The end of the run cut off `cut_off` of them,
    which may have been short. Where a percentile would lie below the timeout if they were, no limit is known.
    """
    if not histogram.count and not (censored and timeout_us is not None):
        return None  # nothing succeeded, and what failed does not tell how long it would have taken

    def percentile_us(percent: float) -> float | None:
        return known_us(histogram.percentile_ns(percent, censored), censored, timeout_us)

    known = [percentile_us(percent) for percent in _PERCENTS]
    limit_us = timeout_us if censored else None
    if limit_us is not None and cut_off and None in known:
        lowest = _PERCENTS[known.index(None)]
        (within,) = histogram.counts_up_to([round(limit_us * 1000)])
        if lowest / 100 * (histogram.count + censored) <= within + min(cut_off, censored):
            limit_us = None
    return Distribution(
        min=_us(histogram.min_ns),
        mean=None if censored else _us(histogram.mean_ns),
        **dict(zip(("p50", "p90", "p99", "p99_9"), known, strict=True)),
        max=None if censored else _us(histogram.max_ns),
        censored_above_us=limit_us,
    )


def known_us(value_ns: float | None, censored: int, timeout_us: float | None) -> float | None:
    """Return a percentile in microseconds; None if `censored` others may have been shorter.

    A response time may be longer than the timeout, which begins when it is sent. Whether those that timed out would
    have been shorter, nobody knows.
    """
    value_us = _us(value_ns)
    return None if value_us is None or (censored and timeout_us is not None and value_us > timeout_us) else value_us


def second_row(t: int, parts: list[SecondReport], server_cpu_share: float | None) -> Second:
    """Return the second `t` of the run, by what the processes have reported of it."""
    failed = sum(part.failed for part in parts)
    dropped = sum(part.dropped for part in parts)
    censored = failed + dropped - sum(part.dropped_without_time for part in parts)
    times: dict[tuple[str, str], tuple[Histogram, Histogram]] = {}
    for part in parts:
        for operation in part.operations:
            service, response = times.setdefault((operation.kind, operation.name), (Histogram(), Histogram()))
            service.merge(operation.service.restored())
            if operation.response is not None:
                response.merge(operation.response.restored())
    shown = Histogram()
    for service, response in times.values():
        shown.merge(response if response.count else service)
    return Second(
        t=t,
        users=sum(part.users for part in parts),
        sent=sum(part.sent for part in parts),
        ok=sum(part.ok for part in parts),
        failed=failed,
        errors=_errors(parts),
        dropped=dropped,
        p50_us=_us(shown.percentile_ns(50, censored)),
        p99_us=_us(shown.percentile_ns(99, censored)),
        server_cpu_share=server_cpu_share,
        generator_cpu_share=max((part.cpu_share for part in parts if part.cpu_share is not None), default=None),
        send_lateness_p99_us=p99_us(part.send_lateness for part in parts),
        loop_lag_p99_us=p99_us(part.loop_lag for part in parts),
        reading_delay_p99_us=p99_us(part.received.reading for part in parts if part.received is not None),
        sent_bytes=sum(part.sent_bytes for part in parts),
        received_bytes=sum(part.received_bytes for part in parts),
        operations=tuple(
            SecondTimes(
                name=name,
                kind=kind,
                service_histogram=service.encode(),
                response_histogram=response.encode() if response.count else None,
            )
            for (kind, name), (service, response) in sorted(times.items())
        ),
    )


def _errors(parts: Sequence[SecondReport]) -> dict[str, int]:
    """Return what failed in a second by kind, the most frequent kinds first and all others together at the end."""
    kinds = KindCounts()
    for part in parts:
        kinds.add(part.errors)
        kinds.add_rest(part.other_errors, 0)
    most, rest, _ = kinds.most_frequent(MOST_KINDS_OF_A_SECOND)
    return {**most, OTHER_ERRORS: rest} if rest else most


def stage_row(
    stage: Stage, seconds: Sequence[Second], offered_per_s: float, failed: int, timeless: int
) -> StageFigures:
    """Return the figures of a stage. `timeless` of its drops would have had no time."""
    response = Histogram()
    for second in seconds:
        for operation in second.operations:
            if operation.response_histogram is not None:
                response.merge(Histogram.decode(operation.response_histogram))
    dropped = sum(second.dropped for second in seconds)
    censored = failed + dropped - timeless
    start_s, end_s = seconds[0].t, seconds[-1].t + 1
    return StageFigures(
        stage=str(stage),
        start_s=start_s,
        end_s=end_s,
        offered_per_s=offered_per_s,
        throughput_per_s=sum(second.ok for second in seconds) / (end_s - start_s),
        failed=failed,
        dropped=dropped,
        p50_us=_us(response.percentile_ns(50, censored)),
        p90_us=_us(response.percentile_ns(90, censored)),
        p99_us=_us(response.percentile_ns(99, censored)),
        server_cpu_share=_mean(second.server_cpu_share for second in seconds),
        generator_cpu_share=_mean(second.generator_cpu_share for second in seconds),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _us(value_ns: float | None) -> float | None:
    return None if value_ns is None else value_ns / 1000
