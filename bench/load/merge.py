"""Workers → master: the reports of all processes become one load result. Pure: reports in, result out.

Merging is exact: counts add up, histograms merge into that of the union. The window begins when the last process's
has begun, and ends with the last: a worker that quits early leaves its users to the others. The throughput is the sum
of the processes' rates, each from the beginning of its own window to the common end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bench.load.account import NS_PER_S, OperationReport, Report, SecondReport
from bench.results.model import Distribution, Generator, Operation, Second, Window
from bench.timing.histogram import Histogram


@dataclass
class Received:
    """What one process has reported."""

    report: Report
    seconds: dict[int, SecondReport] = field(default_factory=dict)


class Merger:
    """Keeps the newest report of every process."""

    def __init__(self) -> None:
        self.processes: dict[str, Received] = {}

    def receive(self, process: str, report: Report) -> None:
        """Take a report; it replaces the process's previous one, and so do its seconds."""
        received = self.processes.setdefault(process, Received(report))
        received.report = report
        received.seconds.update((second.second, second) for second in report.seconds)

    def final(self, process: str) -> bool:
        """Whether the process has reported for the last time."""
        return process in self.processes and self.processes[process].report.final

    @property
    def forced(self) -> bool:
        """Whether any process was ended by force."""
        return any(received.report.forced for received in self.processes.values())

    def window(self, fallback_end_ns: int) -> Window:
        """The steady window. Where a process never got into it, it is empty, at `fallback_end_ns` after the start."""
        reports = [received.report for received in self.processes.values()]
        starts = [report.window_start_ns for report in reports]
        ends = [report.window_end_ns if report.window_end_ns is not None else fallback_end_ns for report in reports]
        if not reports or None in starts:
            return Window(start_s=fallback_end_ns / NS_PER_S, end_s=fallback_end_ns / NS_PER_S, warmup_s=0.0)
        start_ns = max(start for start in starts if start is not None)
        return Window(start_s=start_ns / NS_PER_S, end_s=max(start_ns, *ends) / NS_PER_S, warmup_s=0.0)

    def operations(self, timeout_us: float, apart: str) -> tuple[Operation, ...]:
        """A row for each operation; `apart`, which connects, comes first and has no throughput.

        `timeout_us` is how long replies were awaited.
        """
        parts: dict[str, list[tuple[Report, OperationReport]]] = {}
        for received in self.processes.values():
            for operation in received.report.operations:
                parts.setdefault(operation.name, []).append((received.report, operation))
        names = sorted(parts, key=lambda name: (name != apart, name))
        end_ns = max((received.report.window_end_ns or 0 for received in self.processes.values()), default=0)
        return tuple(_operation(name, parts[name], timeout_us, end_ns, apart=name == apart) for name in names)

    def timeline(self, server_cpu_share: Mapping[int, float]) -> tuple[Second, ...]:
        """The run second by second, from 0 to the last in which anything was noted."""
        by_second: dict[int, list[SecondReport]] = {}
        for received in self.processes.values():
            for second, report in received.seconds.items():
                by_second.setdefault(second, []).append(report)
        if not by_second:
            return ()
        return tuple(_second(t, by_second.get(t, []), server_cpu_share.get(t)) for t in range(max(by_second) + 1))

    def generator(self, apart: str) -> Generator:
        """CPU of the generator's processes over their windows: per round trip in all, the share of the busiest."""
        cpu_ns = ok = 0
        shares = []
        for received in self.processes.values():
            report = received.report
            duration_ns = _window_ns(report)
            if report.window_cpu_ns is None or not duration_ns:
                continue
            cpu_ns += report.window_cpu_ns
            ok += sum(operation.window_ok for operation in report.operations if operation.name != apart)
            shares.append(report.window_cpu_ns / duration_ns)
        return Generator(
            processes=max(1, len(self.processes)),
            cpu_us_per_round_trip=cpu_ns / ok / 1000 if ok else None,
            cpu_share=max(shares, default=None),
        )

    def round_trips_in_window(self, apart: str) -> int:
        """Replies received within the window, all operations but the one that is no round trip."""
        return sum(
            operation.window_ok
            for received in self.processes.values()
            for operation in received.report.operations
            if operation.name != apart
        )


def _window_ns(report: Report) -> int:
    if report.window_start_ns is None or report.window_end_ns is None:
        return 0
    return report.window_end_ns - report.window_start_ns


def _operation(
    name: str, parts: Iterable[tuple[Report, OperationReport]], timeout_us: float, end_ns: int, apart: bool
) -> Operation:
    ok = timeouts = unfinished = late = censored = 0
    errors: Counter[str] = Counter()
    service = Histogram()
    per_s = 0.0
    has_window = False
    for report, part in parts:
        ok += part.ok
        timeouts += part.timeouts
        unfinished += part.unfinished
        late += part.late
        censored += part.window_failed
        errors.update(part.errors)
        service.merge(part.service.restored())
        if report.window_start_ns is not None and report.window_start_ns < end_ns:
            has_window = True
            per_s += part.window_ok * NS_PER_S / (end_ns - report.window_start_ns)
    sent = ok + timeouts + sum(errors.values()) + unfinished
    # Beyond which time a censored figure lies: the timeout where there were any, else all that was seen, if anything.
    limit_us = timeout_us if timeouts else _us(service.max_ns)
    return Operation(
        name=name,
        scheduled=sent,
        dropped=0,
        sent=sent,
        ok=ok,
        timeouts=timeouts,
        errors=dict(errors.most_common()),
        unfinished=unfinished,
        late=late,
        throughput_per_s=per_s if has_window and not apart else None,
        service_us=_distribution(service, censored, limit_us),
        service_histogram=service.encode() if service.count else None,
    )


def _distribution(histogram: Histogram, censored: int, limit_us: float | None) -> Distribution | None:
    if limit_us is None:
        return None  # nothing succeeded, and what failed does not tell how long it would have taken

    def percentile_us(percent: float) -> float | None:
        value_ns = histogram.percentile_ns(percent, censored)
        return None if value_ns is None else value_ns / 1000

    return Distribution(
        min=_us(histogram.min_ns),
        mean=None if censored else _us(histogram.mean_ns),
        p50=percentile_us(50),
        p90=percentile_us(90),
        p99=percentile_us(99),
        p99_9=percentile_us(99.9),
        max=None if censored else _us(histogram.max_ns),
        censored_above_us=limit_us if censored else None,
    )


def _second(t: int, parts: list[SecondReport], server_cpu_share: float | None) -> Second:
    service = Histogram()
    failed = 0
    for part in parts:
        service.merge(part.service.restored())
        failed += part.failed
    return Second(
        t=t,
        users=sum(part.users for part in parts),
        sent=sum(part.sent for part in parts),
        ok=sum(part.ok for part in parts),
        failed=failed,
        p50_us=_us(service.percentile_ns(50, failed)),
        p99_us=_us(service.percentile_ns(99, failed)),
        server_cpu_share=server_cpu_share,
        generator_cpu_share=max((part.cpu_share for part in parts if part.cpu_share is not None), default=None),
    )


def _us(value_ns: float | None) -> float | None:
    return None if value_ns is None else value_ns / 1000
