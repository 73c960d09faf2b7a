"""Workers → master: the reports of all processes become one load result. Pure: reports in, result out.

Merging is exact: counts add up, histograms merge into that of the union. The window begins when the last process's
has begun, and ends with the last: a worker that quits early leaves its users to the others. The throughput is the sum
of the processes' rates, each from the beginning of its own window to the common end.

A process that drops arrivals before its first round trip knows their task, and not the operation that they would have
been. Where any process knows it in the end, they belong to that operation's row.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

from bench.load.metrics.exceptions import OTHER_EXCEPTIONS, KindCounts, with_rest
from bench.load.metrics.generator import generator, judged_second
from bench.load.metrics.live import LiveOperation, LiveSecond, OperationTimes
from bench.load.metrics.live_times import ReportedTimes
from bench.load.metrics.recorder import RECEIVED
from bench.load.metrics.report import OperationReport, Report, SecondReport, StoredHistogram
from bench.load.metrics.rows import counted, operation_row, rate_per_s, second_row, stage_row
from bench.load.metrics.saturation import JudgedSecond
from bench.load.metrics.seconds import SecondWork
from bench.load.metrics.slowest import Slow, slowest
from bench.results.load import (
    MOST_OPERATIONS,
    OTHER_OPERATIONS,
    REPLIED_KINDS,
    SCHEDULED_KINDS,
    Generator,
    Operation,
    OperationKey,
    OperationKind,
    ReceivedEvent,
    Second,
    StageFigures,
    TaskException,
    Window,
)
from bench.results.receiving import ClockStep, ReceiveClock
from bench.results.service_loss import ServiceLoss
from bench.timing.histogram import Histogram
from bench.timing.rates import NS_PER_S, RateProfile

#: The time within which the processes of a machine notice that its clock was set, and how alike they find the jump.
_SAME_STEP_WITHIN_NS, _SAME_STEP_NS = 3 * NS_PER_S, 1_000_000

#: The parts of each operation, by its name and kind: what each process has reported of it.
Parts = dict[OperationKey, list[tuple[Report, OperationReport]]]


@dataclass
class Received:
    """The reports of one process."""

    report: Report
    seconds: dict[int, SecondReport] = field(default_factory=dict)
    #: How often each second was reported, or changed in another way.
    _versions: Counter[int] = field(default_factory=Counter)
    _newest_noted: int = -1
    _times: ReportedTimes = field(default_factory=ReportedTimes)

    @property
    def is_open(self) -> bool:
        """True if its emissions follow a schedule."""
        return self.report.is_open

    def add(self, report: Report) -> None:
        """Take a newer report: it replaces the report before, and its seconds replace the same seconds."""
        self.report = report
        for second in report.seconds:
            self.put_second(second)
            if second.second > self._newest_noted and second.loop_lag.min_ns is not None:
                self._newest_noted = second.second

    def put_second(self, second: SecondReport) -> None:
        """Replace what was reported of a second."""
        self.seconds[second.second] = second
        self._versions[second.second] += 1

    def version_of_second(self, number: int) -> int:
        """Return a number that changes whenever anything in a second does; 0 of a second in which nothing was noted."""
        return self._versions[number]

    def add_second(self, number: int, work: SecondWork, tasks: Mapping[str, OperationKey]) -> None:
        """Add its work in a second. `tasks` has the operation that each task begins with, as far as any process knows.

        What this process knows of a task comes first.
        """
        second = self.seconds.get(number)
        if second is None:
            return
        work.ok += second.ok
        work.add_sent(second.sent_in)
        for operation in second.operations:
            work.add_times((operation.name, operation.kind), (operation.response or operation.service).restored())
        for lost in second.lost:
            key: tuple[str, str] = (lost.name, lost.kind)
            if lost.task:
                key = self.report.tasks.get(lost.task) or tasks.get(lost.task) or key
            work.add_lost(key, lost.timeouts, lost.errors, lost.dropped)

    def newest_second(self) -> int:
        """Return the newest second in which the process's loop has noted its own delay; -1 if there is none."""
        return self._newest_noted

    def live_second(self, number: int) -> LiveSecond | None:
        """Return its work in a second, as far as it is reported; None if nothing is."""
        second = self.seconds.get(number)
        if second is None:
            return None
        shown = {operation.key: (operation.response or operation.service).restored() for operation in second.operations}
        replies = {key: histogram.count for key, histogram in shown.items()}
        lateness = Histogram() if second.send_lateness is None else second.send_lateness.restored()
        return LiveSecond(second, Histogram.union(shown.values()), replies, lateness)

    def window_ns(self) -> tuple[int | None, int | None]:
        """Return when its window begins and ends, in ns since the run's start; None for what it does not know."""
        return self.report.window_start_ns, self.report.window_end_ns

    def judged_second(self, number: int) -> JudgedSecond:
        """Return what it has reported of itself in a second."""
        return judged_second(number, self.seconds.get(number), self.is_open)

    def live_operations(self) -> dict[OperationKey, LiveOperation]:
        """Return its work on each operation so far."""
        found: dict[OperationKey, LiveOperation] = {}
        has_window = self.report.window_start_ns is not None
        for part in self.report.operations:
            if part.kind == RECEIVED:
                continue
            in_flight = part.unfinished if has_window else 0  # a report counts what has no end yet as failed
            service, outside = part.service.restored(), OperationTimes()
            if has_window and part.outside is not None and not service.count:
                outside = OperationTimes(part.outside.restored(), _restored(part.outside_response))
            key = self.report.tasks.get(part.task, part.key) if part.task else part.key
            found.setdefault(key, LiveOperation()).add(
                LiveOperation(
                    ok=part.ok,
                    timeouts=part.timeouts,
                    errors=sum(part.errors.values()) + part.other_errors,
                    dropped=part.dropped,
                    window_failed=part.window_failed - in_flight,
                    window_dropped=part.window_dropped,
                    times=OperationTimes(service, _restored(part.response)),
                    outside=outside,
                )
            )
        return found

    def times_so_far(self) -> dict[OperationKey, OperationTimes]:
        """Return all times from the start of the run on."""
        return self._times.of(self.report, self.seconds)

    def slowest_so_far(self) -> dict[OperationKey, list[Slow]]:
        """Return the slowest round trips that were answered, the slowest first, where the run was asked for them."""
        return {
            part.key: [slow for slow in part.slowest if slow.service_ns is not None]
            for part in self.report.operations
            if part.slowest
        }

    def unasked_so_far(self) -> dict[str, int]:
        """Return how many events came unasked, by their names."""
        return {part.name: part.ok for part in self.report.operations if part.kind == RECEIVED}

    def failures_so_far(self) -> int:
        """Return how many operations have failed or were dropped. A transaction fails with what is in it."""
        return sum(
            part.timeouts + sum(part.errors.values()) + part.other_errors + part.dropped
            for part in self.report.operations
            if part.kind != "transaction"
        )


class Merger:
    """The newest report of every process."""

    def __init__(self) -> None:
        self.processes: dict[str, Received] = {}
        #: The processes that joined, left or were lost during the test. The window is that of the others.
        self.late: Collection[str] = ()

    def receive(self, process: str, report: Report) -> None:
        """Take a report. It replaces the process's previous report, and its seconds replace the same seconds."""
        self.processes.setdefault(process, Received(report)).add(report)

    def final(self, process: str) -> bool:
        """Return whether the process has reported for the last time."""
        return process in self.processes and self.processes[process].report.final

    @property
    def invalid_reason(self) -> str | None:
        """The reason why the figures are wrong, of the first process that knows."""
        reasons = (received.report.invalid_reason for received in self.processes.values())
        return next((reason for reason in reasons if reason is not None), None)

    @property
    def forced(self) -> bool:
        """True if the end of any process was cut short."""
        return any(received.report.forced for received in self.processes.values())

    @property
    def cut_off(self) -> list[str]:
        """The reasons why sessions did not end, of each process where some did not."""
        found = (received.report.cut_off for received in self.processes.values())
        return list(dict.fromkeys(reason for reason in found if reason))

    @property
    def is_open(self) -> bool:
        """True if any process had an open load."""
        return any(received.report.is_open for received in self.processes.values())

    def lost_service(self) -> ServiceLoss | None:
        """Return the loss of the service, if it is lost to the users of all processes that are not missing."""
        reports = [received.report for received in self.processes.values()]
        reports = [report for report in reports if report.final] or reports
        lost = [report.lost for report in reports if report.lost is not None]
        if not lost or any(report.is_connected for report in reports):
            return None
        last = max(lost, key=lambda each: each.lost_ns)
        return last.model_copy(update={"failed_attempts": sum(each.failed_attempts for each in lost)}).stored

    @property
    def troubles(self) -> list[str]:
        """The steps that the processes failed at, each once."""
        return list(dict.fromkeys(text for received in self.processes.values() for text in received.report.troubles))

    def exceptions(self) -> tuple[TaskException, ...]:
        """Return the exceptions that users' own code raised, the most frequent first and the rest together."""
        kinds = KindCounts()
        for received in self.processes.values():
            report = received.report
            kinds.add(report.exceptions)
            kinds.add_rest(report.other_exceptions, report.other_exception_texts)
        counts = with_rest(*kinds.most_frequent(), OTHER_EXCEPTIONS)
        return tuple(TaskException(text=text, count=number) for text, number in counts.items())

    def receive_clock(self) -> ReceiveClock | None:
        """Return what the processes tell of the clock of their receive times; None if none does."""
        clocks = [received.report.clock for received in self.processes.values() if received.report.clock is not None]
        if not clocks:
            return None
        bounds_ns = [clock.bound_ns for clock in clocks if clock.bound_ns is not None]
        reasons = [clock.process_because for clock in clocks if clock.process_because]
        because = "; ".join(dict.fromkeys(reasons))
        if reasons and len(reasons) < len(clocks):
            because = f"in {len(reasons)} of {len(clocks)} processes: {because}"
        return ReceiveClock(
            bound_us=max(bounds_ns) / 1000 if bounds_ns else None,
            steps=tuple(
                ClockStep(t=at_ns / NS_PER_S, by_s=by_ns / NS_PER_S)
                for at_ns, by_ns in _distinct_steps(step for clock in clocks for step in clock.steps)
            ),
            process_because=because or None,
        )

    @property
    def began(self) -> int:
        """The number of users that have begun. A user that moved to another process counts in both."""
        return sum(received.report.began for received in self.processes.values())

    def not_accounted(self, process: str, arrivals_ns: Sequence[int]) -> Sequence[int]:
        """Return the last of the process's arrivals: those beyond the number that its last report accounts for."""
        received = self.processes.get(process)
        if received is None:
            return arrivals_ns
        operations = received.report.operations
        unfinished = sum(operation.unfinished for operation in operations if operation.kind in SCHEDULED_KINDS)
        return arrivals_ns[received.report.arrivals + unfinished :]

    def drop(self, process: str, operation: OperationKey, arrivals_ns: Sequence[int], reason: str) -> None:
        """Count arrivals of a process, in nanoseconds since the run's start, that were dropped: of one operation."""
        received = self.processes.setdefault(process, Received(Report.empty()))
        report = received.report
        rows = {(row.key, row.task): row for row in report.operations}
        row = rows.get((operation, "")) or OperationReport.empty(operation)
        start_ns, end_ns = self._open_window()
        in_window = sum(start_ns <= arrival_ns <= end_ns for arrival_ns in arrivals_ns)
        because = Counter(row.dropped_because) + Counter({reason: len(arrivals_ns)})
        rows[operation, ""] = row.model_copy(
            update={
                "dropped": row.dropped + len(arrivals_ns),
                "dropped_because": dict(because),
                "window_dropped": row.window_dropped + in_window,
            }
        )
        received.report = report.model_copy(update={"operations": list(rows.values())})
        for number, dropped in Counter(arrival_ns // NS_PER_S for arrival_ns in arrivals_ns).items():
            second = received.seconds.get(number) or SecondReport.empty(number)
            timeless = 0 if operation.kind in REPLIED_KINDS else dropped
            received.put_second(
                second.model_copy(
                    update={
                        "dropped": second.dropped + dropped,
                        "dropped_without_time": second.dropped_without_time + timeless,
                    }
                )
            )

    def _open_window(self) -> tuple[float, float]:
        reports = [received.report for received in self.processes.values()]
        starts = [report.window_start_ns for report in reports if report.window_start_ns is not None]
        ends = [report.window_end_ns for report in reports if report.window_end_ns is not None]
        return min(starts, default=math.inf), max(ends, default=math.inf)

    def window(self, fallback_end_ns: int, warmup_s: float) -> Window:
        """Return the steady window; if a process never got into it, an empty window `fallback_end_ns` after the start.

        A process that never had a user has no part in it, and its start does not wait for a late process.
        """
        start_ns = self.window_start_ns
        if start_ns is None:
            return Window(start_s=fallback_end_ns / NS_PER_S, end_s=fallback_end_ns / NS_PER_S, warmup_s=0.0)
        reports = [
            received.report for received in self.processes.values() if received.report.window_start_ns is not None
        ]
        ends = [report.window_end_ns if report.window_end_ns is not None else fallback_end_ns for report in reports]
        return Window(start_s=start_ns / NS_PER_S, end_s=max(start_ns, *ends) / NS_PER_S, warmup_s=warmup_s)

    def operations(self, timeout_us: float, counts_only: bool = False) -> tuple[Operation, ...]:
        """Return a row for each operation, by kind: the operation that connects comes first, and has no throughput.

        `timeout_us` is the time that replies were awaited. `counts_only` leaves out all times, which may be damaged.
        """
        parts = self.parts()
        kinds = get_args(OperationKind)
        keys = sorted(parts, key=lambda key: (kinds.index(key.kind), key.name))
        end_ns = max((received.report.window_end_ns or 0 for received in self.processes.values()), default=0)
        if counts_only:
            return tuple(
                Operation(**counted(key, [part for _, part in parts[key]]), received_clock=None) for key in keys
            )
        return tuple(operation_row(key, parts[key], timeout_us, end_ns) for key in keys)

    def parts(self) -> Parts:
        """Return the parts of the operations that have rows."""
        return self._parts(lambda part: part.kind != RECEIVED)

    def slowest(self, number: int) -> list[tuple[OperationKey, Slow]]:
        """Return the slowest round trips of each operation over all processes, and the first that timed out.

        Those that timed out come first, then the slowest. At most `number` of either kind are of the same operation.
        """
        found: list[tuple[OperationKey, Slow]] = []
        for key, parts in sorted(self._parts(lambda part: bool(part.slowest)).items()):
            each = [slow for _, part in parts for slow in part.slowest]
            timed_out = sorted((slow for slow in each if slow.service_ns is None), key=lambda slow: slow.at_ns)
            answered = slowest((slow for slow in each if slow.service_ns is not None), number)
            found += [(key, slow) for slow in (*timed_out[:number], *answered)]
        return found

    def received(self) -> tuple[ReceivedEvent, ...]:
        """Return the events that came unasked, the most frequent first."""
        parts = self._parts(lambda part: part.kind == RECEIVED)
        end_ns = max((received.report.window_end_ns or 0 for received in self.processes.values()), default=0)
        found = [
            ReceivedEvent(
                name=key.name,
                count=sum(part.ok for _, part in reports),
                received_bytes=sum(part.received_bytes for _, part in reports),
                per_s=rate_per_s(reports, end_ns),
            )
            for key, reports in parts.items()
        ]
        return tuple(sorted(found, key=lambda event: (-event.count, event.name)))

    def _parts(self, is_wanted: Callable[[OperationReport], bool]) -> Parts:
        """Return the parts of the rows that are wanted, with at most as many rows of each kind as a result may have."""
        parts: Parts = {}
        operation_of = self._operation_of()
        common_start_ns = self.window_start_ns
        for process, received in self.processes.items():
            report = received.report
            if process in self.late and common_start_ns is not None and (report.window_start_ns or 0) > common_start_ns:
                # The process has taken work over. Its rate is over all of the window, because others had the work
                # before it.
                report = report.model_copy(update={"window_start_ns": common_start_ns})
            for part in filter(is_wanted, report.operations):
                parts.setdefault(operation_of(report, part), []).append((report, part))
        return _most_frequent(parts)

    def scheduled(self) -> set[OperationKey]:
        """Return the operations with rows that a schedule of arrivals can want."""
        operation_of = self._operation_of()
        return {
            operation_of(received.report, part)
            for received in self.processes.values()
            for part in received.report.operations
            if part.kind in SCHEDULED_KINDS
        }

    def _operation_of(self) -> Callable[[Report, OperationReport], OperationKey]:
        """Return the rule that says to which row a part belongs."""
        anywhere = self.tasks()

        def operation_of(report: Report, part: OperationReport) -> OperationKey:
            if not part.task:
                return part.key
            return report.tasks.get(part.task) or anywhere.get(part.task, part.key)

        return operation_of

    def tasks(self) -> dict[str, OperationKey]:
        """Return the operation that each task begins with, by the task's key."""
        found: dict[str, OperationKey] = {}
        for process in sorted(self.processes):
            for task, operation in self.processes[process].report.tasks.items():
                found.setdefault(task, operation)
        return found

    def learnt(self) -> dict[str, OperationKey]:
        """Return the operation to whose row drops belong, by the name of the task to which they were booked at first.

        A name is left out if it is also that of an operation, or of tasks that begin with different operations.
        """
        operation_of = self._operation_of()
        found: dict[str, set[OperationKey]] = {}
        names: set[str] = set()
        for received in self.processes.values():
            for part in received.report.operations:
                if part.task:
                    found.setdefault(part.name, set()).add(operation_of(received.report, part))
                else:
                    names.add(part.name)
        return {
            name: next(iter(operations))
            for name, operations in found.items()
            if name not in names and len(operations) == 1 and operations != {OperationKey(name)}
        }

    @property
    def window_start_ns(self) -> int | None:
        """The time, since the run's start, at which the last process's window began.

        None if that of a process with users has not begun.
        """
        reports = {
            process: received.report
            for process, received in self.processes.items()
            if received.report.window_start_ns is not None or received.report.began
        }
        punctual = [report for process, report in reports.items() if process not in self.late]
        starts = [report.window_start_ns for report in punctual]
        if not starts:
            starts = [report.window_start_ns for report in reports.values() if report.window_start_ns is not None]
        if not starts or None in starts:
            return None
        return max(start for start in starts if start is not None)

    def second(self, number: int) -> SecondWork:
        """Return the work of all processes in a second of the run, by operation."""
        work, tasks = SecondWork(), self.tasks()
        for received in self.processes.values():
            received.add_second(number, work, tasks)
        return work

    def timeline(self, server_cpu_share: Mapping[int, float]) -> tuple[Second, ...]:
        """Return the run second by second, from 0 to the last in which anything was noted."""
        by_second: dict[int, list[SecondReport]] = {}
        for received in self.processes.values():
            for second, report in received.seconds.items():
                by_second.setdefault(second, []).append(report)
        if not by_second:
            return ()
        return tuple(second_row(t, by_second.get(t, []), server_cpu_share.get(t)) for t in range(max(by_second) + 1))

    def generator(self) -> Generator:
        """Return what the generator used, and whether it was saturated."""
        processes = [(received.report, received.seconds) for received in self.processes.values()]
        return generator(processes, self.round_trips_in_window())

    def stages(
        self, profile: RateProfile, go_s: float, end_s: float, timeline: Sequence[Second]
    ) -> tuple[StageFigures, ...]:
        """Return the figures of each stage of a rate whose schedule started at `go_s`: of the seconds wholly in it.

        Nothing was sent after `end_s`. What was sent in a stage and failed is of that stage, whenever it failed.
        """
        failed: Counter[float] = Counter()
        timeless: Counter[float] = Counter()
        for received in self.processes.values():
            for number, report in received.seconds.items():
                failed[number] += report.failed_of_intended
                timeless[number] += report.dropped_without_time
        found = []
        for stage in profile.stages:
            stage_s = go_s + stage.start_s
            until_s = min(end_s, stage_s + (stage.duration_s or math.inf))
            seconds = [second for second in timeline if second.t >= stage_s - 1e-6 and second.t + 1 <= until_s + 1e-6]
            if seconds:
                first_s, last_s = seconds[0].t - go_s, seconds[-1].t + 1 - go_s
                offered_per_s = (profile.expected(last_s) - profile.expected(first_s)) / (last_s - first_s)
                lost = sum(failed[second.t] for second in seconds)
                found.append(
                    stage_row(stage, seconds, offered_per_s, lost, sum(timeless[second.t] for second in seconds))
                )
        return tuple(found)

    def round_trips_in_window(self) -> int:
        """Return the number of replies received within the window: to round trips, and to HTTP requests."""
        return sum(
            operation.window_ok
            for received in self.processes.values()
            for operation in received.report.operations
            if operation.kind in REPLIED_KINDS
        )


def _restored(stored: StoredHistogram | None) -> Histogram:
    return Histogram() if stored is None else stored.restored()


def _distinct_steps(steps: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the jumps of clocks in order of time. Processes of one machine have all noticed the same jump."""
    found: list[tuple[int, int]] = []
    for at_ns, by_ns in sorted(steps):
        if not any(at_ns - at <= _SAME_STEP_WITHIN_NS and abs(by_ns - by) <= _SAME_STEP_NS for at, by in found):
            found.append((at_ns, by_ns))
    return found


def _most_frequent(parts: Parts) -> Parts:
    """Return the operations that have a row of their own, and all others of their kind together.

    Workers may not have named the same operations.
    """
    kept: Parts = {}
    for kind in dict.fromkeys(key.kind for key in parts):
        sent = {key: sum(part.ok for _, part in parts[key]) for key in parts if key.kind == kind}
        named = sorted(sent, key=lambda key: (key.name == OTHER_OPERATIONS, -sent[key]))
        own = named if len(named) <= MOST_OPERATIONS + 1 else named[:MOST_OPERATIONS]
        kept.update((key, parts[key]) for key in own)
        if len(own) < len(named):
            rest = [part for key in named[MOST_OPERATIONS:] for part in parts[key]]
            kept[OperationKey(OTHER_OPERATIONS, kind)] = rest
    return kept
