"""The tally of one process: what its sessions noted, counted.

Counts cover the whole run; histograms and the throughput cover the steady window; each second has its own line. The
operation that connects is apart. It happens while users arrive, before the window. So its histogram covers the whole
run. Only the kinds of operations that a schedule can want have a part in the seconds: a transaction is no work of its
own. Pure: batches and times in, reports out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from bench.load.metrics.exceptions import MOST_KINDS_OF_A_SECOND, KindCounts, Raised
from bench.load.metrics.live import LiveOperation, LiveSecond, OperationTimes
from bench.load.metrics.recorder import RECEIVED, TIMEOUT, UNSCHEDULED, Batch, Failure, LoopDelays, NotedKind
from bench.load.metrics.report import (
    BINS,
    ClockReport,
    OperationReport,
    Report,
    SecondLoss,
    SecondOperation,
    SecondReport,
    StoredHistogram,
    StoredReceiveTimes,
)
from bench.load.metrics.saturation import STANDSTILL_NS, JudgedSecond
from bench.load.metrics.seconds import SecondWork
from bench.load.metrics.slowest import Slow, Slowest
from bench.results.load import (
    CONNECT,
    MOST_OPERATIONS,
    OTHER_OPERATIONS,
    REPLIED_KINDS,
    ROUND_TRIP,
    SCHEDULED_KINDS,
    OperationKey,
    OperationKind,
)
from bench.timing.histogram import Histogram, buckets_of, counted
from bench.timing.rates import NS_PER_S
from bench.timing.receive_times import ReceiveTimes

Times = NDArray[np.int64]

_RowKey = tuple[str, NotedKind]

#: The key of a row of which perhaps only the task is known: its name, its kind, and the task's key or an empty text.
_TaskRowKey = tuple[str, NotedKind, str]

#: The kinds of which an end has no time: what was sent without awaiting a reply, and what came unasked.
_KINDS_WITHOUT_TIMES: frozenset[str] = frozenset(("emission", RECEIVED))

#: The kinds that this process alone times, of those that contain work of the service: a late process makes them longer.
_TIMED_BY_PROCESS: frozenset[str] = frozenset(("http", "transaction"))


class _Operation:
    def __init__(self, name: str, kind: NotedKind, task: str, slowest: int = 0) -> None:
        self.name = name
        self.kind = kind
        self.task = task
        self.sent_bytes = 0
        self.received_bytes = 0
        self.ok = 0
        self.timeouts = 0
        self.errors = KindCounts()
        #: The number of dropped emissions, by reason.
        self.dropped: Counter[str] = Counter()
        self.error_replies = 0
        self.window_ok = 0
        self.window_failed = 0
        self.window_dropped = 0
        self.service = Histogram()
        self.response = Histogram()
        self.outside = Histogram()
        self.outside_response = Histogram()
        #: The receive times of the replies whose times are in `service`, and of those in `outside`.
        self.received = ReceiveTimes()
        self.outside_received = ReceiveTimes()
        self.breakdown = [Histogram(), Histogram(), Histogram()]
        self.slowest = Slowest(slowest)


class _Second:
    def __init__(self) -> None:
        #: How often it was changed.
        self.version = 0
        self.users = 0
        self.sent = 0
        self.ok = 0
        self.failed = 0
        self.dropped = 0
        self.failed_of_intended = 0
        self.dropped_without_time = 0
        self.sent_bytes = 0
        self.received_bytes = 0
        self.cpu_share: float | None = None
        self.standstill_ns = 0
        self.send_lateness = Histogram()
        self.loop_lag = Histogram()
        self.queueing = Histogram()
        self.received = ReceiveTimes()
        self.timed_by_process = 0
        self.arrivals = 0
        self.waits = Histogram()
        #: The number of scheduled emissions that were sent in each part of it; None if there were none.
        self.sent_in: Times | None = None
        #: The histograms of the service times and of the response times, by operation.
        self.times: dict[_RowKey, tuple[Histogram, Histogram]] = {}
        #: What failed in it, by kind; None if nothing did.
        self.errors: KindCounts | None = None
        #: The numbers of timeouts, errors and drops that were intended in it, by operation and task.
        self.lost: dict[_TaskRowKey, list[int]] = {}

    def add_lost(self, operation: _Operation, timeouts: int = 0, errors: int = 0, dropped: int = 0) -> None:
        lost = self.lost.setdefault((operation.name, operation.kind, operation.task), [0, 0, 0])
        lost[0] += timeouts
        lost[1] += errors
        lost[2] += dropped

    def settle(self) -> None:
        own = (self.send_lateness, self.loop_lag, self.queueing, self.waits)
        for histogram in (*own, self.received.errors, self.received.reading, *chain(*self.times.values())):
            histogram.settle()


class _Notes(NamedTuple):
    """The counts that a process keeps elsewhere, by the names and kinds of rows."""

    unfinished: Mapping[_RowKey, int]
    late: Mapping[_RowKey, int]
    unexpected: Mapping[_RowKey, int]


_NO_NOTES = _Notes({}, {}, {})

_NO_TIMES = StoredHistogram.empty()


class Tally:
    """The counts of a process's batches. All times given are on this process's clock, as the run's start `started_ns`.

    In an open load (`is_open`) each emission belongs to the moment for which it was intended. In a closed load it
    belongs to the moment at which it was sent. `slowest` is how many of the slowest of each operation are named.
    """

    def __init__(self, started_ns: int, is_open: bool = False, slowest: int = 0) -> None:
        self.is_open = is_open
        self._slowest = slowest
        self.started_ns = started_ns
        self.window_start_ns: int | None = None
        self.window_end_ns: int | None = None
        self._arrivals = 0
        #: The rows, by the operation's name and kind; where only the task is known, by the task's name and key.
        self._operations: dict[_TaskRowKey, _Operation] = {}
        #: The number of rows of each kind.
        self._rows: Counter[NotedKind] = Counter()
        self._exceptions = KindCounts()
        self._seconds: dict[int, _Second] = {}
        self._changed: set[int] = set()
        self._unsettled: set[int] = set()
        #: The newest second in which the loop has noted its own delay.
        self._newest_noted = -1

    def add(self, batch: Batch) -> None:
        """Count what happened to an operation."""
        operation = self._operation(batch.operation, batch.kind, batch.task)
        times = np.frombuffer(batch.completed, dtype=np.int64)
        sent, received = times[0::2], times[1::2]
        service = received - sent
        operation.ok += len(sent)
        if batch.failures:
            kinds = Counter(failure.kind for failure in batch.failures)
            operation.timeouts += kinds.pop(TIMEOUT, 0)
            operation.errors.add(kinds)
        operation.error_replies += batch.error_replies
        operation.sent_bytes += batch.sent_bytes
        operation.received_bytes += batch.received_bytes
        if batch.kind == CONNECT:
            operation.service.record(service)
            operation.window_failed += len(batch.failures)
            return
        # What a batch lacks, as most do, is passed over: the engine's thread waits for the interpreter meanwhile.
        if len(sent):
            self._add_successes(operation, batch, sent, received, service)
        if batch.failures:
            self._add_failures(operation, batch.failures)
        for reason, times_ns in batch.dropped.items():
            dropped = np.frombuffer(times_ns, dtype=np.int64)
            operation.dropped[reason] += len(dropped)
            self._arrivals += len(dropped) if self.is_open else 0
            operation.window_dropped += int(np.count_nonzero(self._in_window(dropped)))
            for second, number in self._per_second(dropped):
                entry = self._second(second)
                entry.dropped += number
                entry.dropped_without_time += number if batch.kind in _KINDS_WITHOUT_TIMES else 0
                entry.add_lost(operation, dropped=number)
        self._settle_earlier()

    def _add_successes(self, operation: _Operation, batch: Batch, sent: Times, received: Times, service: Times) -> None:
        operation.window_ok += int(np.count_nonzero(self._in_window(received)))
        is_in_timeline = batch.kind in SCHEDULED_KINDS
        has_times, has_response = batch.kind not in _KINDS_WITHOUT_TIMES, self.is_open and batch.kind in REPLIED_KINDS
        buckets = buckets_of(service) if has_times else service
        intended, response, response_buckets = sent, service, buckets
        if self.is_open and is_in_timeline:
            scheduled = np.frombuffer(batch.intended, dtype=np.int64)
            waits = np.frombuffer(batch.waits, dtype=np.int64)
            waited = np.zeros(len(sent), dtype=np.int64)
            waited[waits[0::2]] = waits[1::2]
            self._add_lateness(sent, scheduled, waited)
            intended = np.where(scheduled == UNSCHEDULED, sent, scheduled)
        if has_response:
            response = received - intended
            response_buckets = buckets_of(response)
        in_window = self._in_window(intended)
        if has_times:
            operation.service.record(service[in_window], buckets[in_window])
            if has_response:
                operation.response.record(response[in_window], response_buckets[in_window])
            if not in_window.all():
                outside = ~in_window
                operation.outside.record(service[outside], buckets[outside])
                if has_response:
                    operation.outside_response.record(response[outside], response_buckets[outside])
        if batch.kind == ROUND_TRIP:
            self._add_receive_times(operation, batch, received, service, in_window)
        elif batch.kind in _TIMED_BY_PROCESS:
            for second, number in self._per_second(received):
                self._second(second).timed_by_process += number
        if batch.tokens and len(batch.tokens) == len(sent):  # a loop that was cut off may have stopped between them
            response_ns = response if has_response else None
            operation.slowest.add(intended - self.started_ns, service, response_ns, batch.tokens, in_window)
        if batch.handled:
            handled = np.frombuffer(batch.handled, dtype=np.int64).reshape(-1, 4)
            # The same replies as those of the service times: an emission of the window may be sent after its end.
            legs = np.diff(handled[np.isin(handled[:, 0], sent[in_window])])
            for leg, histogram in enumerate(operation.breakdown):
                histogram.record(legs[:, leg])
        if not is_in_timeline:
            return
        for second, number in self._per_second(sent):
            self._second(second).sent += number
        received_in = (received - self.started_ns) // NS_PER_S
        for second, number in _numbers(received_in):
            entry = self._second(second)
            entry.ok += number
            if not has_times:
                continue
            then = received_in == second
            services, responses = entry.times.setdefault((operation.name, batch.kind), (Histogram(), Histogram()))
            services.record(service[then], buckets[then])
            if has_response:
                responses.record(response[then], response_buckets[then])

    def _add_receive_times(
        self, operation: _Operation, batch: Batch, received: Times, service: Times, in_window: NDArray[np.bool_]
    ) -> None:
        """Count whose the receive times are, and how long the replies waited to be read.

        No reply was received before its emission was sent: the service time is a limit to the error, too.
        """
        if not batch.reads:
            number = int(np.count_nonzero(in_window))
            operation.received.record_unstamped(number)
            operation.outside_received.record_unstamped(len(received) - number)
            for second, number in self._per_second(received):
                self._second(second).received.record_unstamped(number)
            return
        pairs = np.frombuffer(batch.reads, dtype=np.int64)
        reading, errors = pairs[0::2], np.minimum(pairs[1::2], np.maximum(service, 0))
        buckets = buckets_of(reading)
        operation.received.record(reading[in_window], errors[in_window], buckets[in_window])
        if not in_window.all():
            outside = ~in_window
            operation.outside_received.record(reading[outside], errors[outside], buckets[outside])
        received_in = (received - self.started_ns) // NS_PER_S
        for second, _ in _numbers(received_in):
            then = received_in == second
            self._second(second).received.record(reading[then], errors[then], buckets[then])

    def _add_failures(self, operation: _Operation, failures: Sequence[Failure]) -> None:
        sent = np.array([failure.sent_ns for failure in failures], dtype=np.int64)
        intended = sent
        is_in_timeline = operation.kind in SCHEDULED_KINDS
        if self.is_open and is_in_timeline:
            scheduled = np.array([failure.intended_ns for failure in failures], dtype=np.int64)
            waited = np.array([failure.waited_ns for failure in failures], dtype=np.int64)
            self._add_lateness(sent, scheduled, waited)
            intended = np.where(scheduled == UNSCHEDULED, sent, scheduled)
        in_window = self._in_window(intended)
        operation.window_failed += int(np.count_nonzero(in_window))
        if self._slowest:
            for failure, at_ns, is_inside in zip(failures, intended.tolist(), in_window.tolist(), strict=True):
                if failure.kind == TIMEOUT and failure.token and is_inside:
                    operation.slowest.add_timeout(at_ns - self.started_ns, failure.token)
        if not is_in_timeline:
            return
        for second, number in self._per_second(sent):
            self._second(second).sent += number
        for second, number in self._per_second(np.array([failure.ended_ns for failure in failures], dtype=np.int64)):
            self._second(second).failed += number
        ends = Counter(((failure.ended_ns - self.started_ns) // NS_PER_S, failure.kind) for failure in failures)
        for (second, kind), number in ends.items():
            entry = self._second(second)
            entry.errors = entry.errors or KindCounts()
            entry.errors.add({kind: number})
        are_timeouts = np.array([failure.kind == TIMEOUT for failure in failures], dtype=np.bool_)
        timeouts_in = Counter(dict(self._per_second(intended[are_timeouts])))
        for second, number in self._per_second(intended):
            entry = self._second(second)
            entry.failed_of_intended += number
            entry.add_lost(operation, timeouts_in[second], number - timeouts_in[second])

    def _add_lateness(self, sent: Times, scheduled: Times, waited: Times) -> None:
        wanted = scheduled != UNSCHEDULED
        if not wanted.all():
            sent, scheduled, waited = sent[wanted], scheduled[wanted], waited[wanted]
        self._arrivals += len(sent)
        lateness = sent - scheduled - waited
        sent_in = (sent - self.started_ns) // NS_PER_S
        for second, _ in _numbers(sent_in):
            entry, then = self._second(second), sent_in == second
            entry.send_lateness.record(lateness[then])
            places = (sent[then] - self.started_ns) % NS_PER_S * BINS // NS_PER_S
            counts = np.bincount(places, minlength=BINS)
            entry.sent_in = counts if entry.sent_in is None else entry.sent_in + counts

    def add_exceptions(self, raised: Raised) -> None:
        """Count what users' own code raised."""
        if raised.texts:
            self._exceptions.add_rest(raised.count, raised.texts)
        else:
            self._exceptions.add({raised.kind: raised.count})

    def note_delays(self, delays: LoopDelays) -> None:
        """Count how late the loop itself was."""
        for times_ns, of in ((delays.loop_lag, "loop_lag"), (delays.queueing, "queueing")):
            pairs = np.frombuffer(times_ns, dtype=np.int64)
            when, late = pairs[0::2], pairs[1::2]
            noted_in = (when - self.started_ns) // NS_PER_S
            for second, _ in _numbers(noted_in):
                histogram: Histogram = getattr(self._second(second), of)
                histogram.record(late[noted_in == second])
        if delays.loop_lag:
            # All that was noted before has been counted: the delays come last.
            self._newest_noted = max(self._newest_noted, (delays.loop_lag[-2] - self.started_ns) // NS_PER_S)
        self._note_standstills(np.frombuffer(delays.loop_lag, dtype=np.int64))
        pairs = np.frombuffer(delays.waits, dtype=np.int64)
        intended, waited = pairs[0::2], pairs[1::2]
        intended_in = (intended - self.started_ns) // NS_PER_S
        for second, number in _numbers(intended_in):
            entry = self._second(second)
            entry.arrivals += number
            entry.waits.record(waited[(intended_in == second) & (waited > 0)])
        for noted_ns, sent_bytes, received_bytes in (
            np.frombuffer(delays.traffic, dtype=np.int64).reshape(-1, 3).tolist()
        ):
            entry = self._second((noted_ns - self.started_ns) // NS_PER_S)
            entry.sent_bytes += sent_bytes
            entry.received_bytes += received_bytes
        self._settle_earlier()

    def _note_standstills(self, loop_lag: Times) -> None:
        """Count each long delay in all seconds through which it lasted, not only in the second in which it ended."""
        for ended_ns, lag_ns in loop_lag.reshape(-1, 2)[loop_lag[1::2] >= STANDSTILL_NS].tolist():
            until_ns = ended_ns - self.started_ns
            since_ns = max(0, until_ns - lag_ns)
            for second in range(since_ns // NS_PER_S, until_ns // NS_PER_S + 1):
                overlap_ns = min(until_ns, (second + 1) * NS_PER_S) - max(since_ns, second * NS_PER_S)
                self._second(second).standstill_ns += overlap_ns

    def note_users(self, now_ns: int, users: int) -> None:
        """Note how many users there are; a second keeps the most that it saw."""
        entry = self._second((now_ns - self.started_ns) // NS_PER_S)
        entry.users = max(entry.users, users)

    def note_cpu(self, time_ns: int, share: float) -> None:
        """Note which share of a core this process took in the second that contains `time_ns`."""
        self._second((time_ns - self.started_ns) // NS_PER_S).cpu_share = share

    def open_window(self, now_ns: int) -> None:
        """Begin the window, the steady part of the run."""
        self.window_start_ns = now_ns

    def close_window(self, now_ns: int) -> None:
        """End the window: nothing is sent any more. A window that has not begun yet never will."""
        if self.window_start_ns is not None and self.window_start_ns > now_ns:
            self.window_start_ns = None
        self.window_end_ns = now_ns

    def report(
        self,
        *,
        unfinished: Mapping[OperationKey, int],
        late: Mapping[str, int],
        unexpected: Mapping[str, int] | None = None,
        tasks: Mapping[str, OperationKey] | None = None,
        window_cpu_ns: int | None = None,
        final: bool = False,
        forced: bool = False,
        cut_off: str | None = None,
        invalid_reason: str | None = None,
        began: int = 0,
        clock: ClockReport | None = None,
    ) -> Report:
        """Return the tally so far. `unfinished` is what was begun, by operation, and whose end nobody knows (yet).

        `late` and `unexpected` are replies to round trips, by their names. `tasks` has the operation that each task, by
        its key, begins with.
        """
        notes = _Notes(
            self._by_row(unfinished),
            self._by_row({OperationKey(name): number for name, number in late.items()}),
            self._by_row({OperationKey(name): number for name, number in (unexpected or {}).items()}),
        )
        changed, self._changed = self._changed, set()
        exceptions, other_exceptions, other_exception_texts = self._exceptions.most_frequent()
        return Report(
            final=final,
            forced=forced,
            window_start_ns=self._since_start(self.window_start_ns),
            window_end_ns=self._since_start(self.window_end_ns),
            window_cpu_ns=window_cpu_ns,
            is_open=self.is_open,
            tasks=dict(tasks or {}),
            invalid_reason=invalid_reason,
            operations=[
                self._operation_report(operation, _NO_NOTES if operation.task else notes)
                for operation in self._operations.values()
            ],
            seconds=[self._second_report(second) for second in sorted(changed)],
            exceptions=exceptions,
            other_exceptions=other_exceptions,
            other_exception_texts=other_exception_texts,
            cut_off=cut_off,
            began=began,
            arrivals=self._arrivals,
            clock=clock,
        )

    def counts(self, *, tasks: Mapping[str, OperationKey], began: int) -> Report:
        """Return the counts so far, without any time and without seconds: a look has those from the tally itself.

        `tasks` are those of `report`. To encode all histograms would take milliseconds, again and again.
        """
        return Report(
            final=False,
            forced=False,
            window_start_ns=self._since_start(self.window_start_ns),
            window_end_ns=self._since_start(self.window_end_ns),
            window_cpu_ns=None,
            is_open=self.is_open,
            tasks=dict(tasks),
            operations=[self._counts_of(operation) for operation in self._operations.values()],
            seconds=[],
            began=began,
            arrivals=self._arrivals,
        )

    def newest_second(self) -> int:
        """Return the newest second in which the loop has noted its own delay; -1 if there is none."""
        return self._newest_noted

    def live_second(self, number: int) -> LiveSecond | None:
        """Return the work in a second, as far as it is noted; None if nothing is."""
        entry = self._seconds.get(number)
        if entry is None:
            return None
        times = Histogram.union(response if self.is_open else service for service, response in entry.times.values())
        replies = {
            OperationKey(name, cast(OperationKind, kind)): service.count
            for (name, kind), (service, _) in entry.times.items()
        }
        return LiveSecond(entry, times, replies, entry.send_lateness)

    def version_of_second(self, number: int) -> int:
        """Return a number that changes whenever anything in a second does; 0 of a second in which nothing was noted."""
        entry = self._seconds.get(number)
        return 0 if entry is None else entry.version

    def add_second(self, number: int, work: SecondWork, tasks: Mapping[str, OperationKey]) -> None:
        """Add the work in a second. `tasks` has the operation that each task begins with, by the task's key."""
        entry = self._seconds.get(number)
        if entry is None:
            return
        work.ok += entry.ok
        if entry.sent_in is not None:
            work.add_sent(entry.sent_in.tolist())
        for key, (service, response) in entry.times.items():
            # Who reads it may give way meanwhile, and this second go on.
            work.add_times(key, (response if self.is_open else service).copy())
        for (name, kind, task), (timeouts, errors, dropped) in entry.lost.items():
            work.add_lost((tasks.get(task) if task else None) or (name, kind), timeouts, errors, dropped)

    def window_ns(self) -> tuple[int | None, int | None]:
        """Return when the window begins and ends, in ns since the run's start; None for what is not known."""
        return self._since_start(self.window_start_ns), self._since_start(self.window_end_ns)

    def judged_second(self, number: int) -> JudgedSecond:
        """Return what tells how this process was in a second."""
        entry = self._seconds.get(number)
        if entry is None:
            return JudgedSecond.unnoted(number, self.is_open)
        return JudgedSecond(
            second=number,
            cpu_share=entry.cpu_share,
            send_lateness=entry.send_lateness,
            loop_lag=entry.loop_lag,
            queueing=entry.queueing,
            service=Histogram.union(service for service, _ in entry.times.values()),
            standstill_ns=entry.standstill_ns if entry.loop_lag.count else NS_PER_S,
            is_open=self.is_open,
            is_short_of_users=bool(entry.waits.count),
            received=entry.received,
            timed_by_process=entry.timed_by_process,
        )

    def live_operations(self) -> dict[OperationKey, LiveOperation]:
        """Return the work on each operation so far."""
        found: dict[OperationKey, LiveOperation] = {}
        for operation in self._operations.values():
            if operation.kind == RECEIVED:
                continue
            row = LiveOperation(
                ok=operation.ok,
                timeouts=operation.timeouts,
                errors=operation.errors.total,
                dropped=operation.dropped.total(),
                window_failed=operation.window_failed,
                window_dropped=operation.window_dropped,
                times=_merged(operation.service, operation.response),
            )
            if self._is_outside_alone(operation):
                row.outside.merge(_merged(operation.outside, operation.outside_response))
            found.setdefault(OperationKey(operation.name, operation.kind), LiveOperation()).add(row)
        return found

    def times_so_far(self) -> dict[OperationKey, OperationTimes]:
        """Return all times from the start of the run on."""
        found: dict[OperationKey, OperationTimes] = {}
        for operation in self._operations.values():
            if operation.kind != RECEIVED and operation.kind not in _KINDS_WITHOUT_TIMES:
                times = found.setdefault(OperationKey(operation.name, operation.kind), OperationTimes())
                times.merge(_merged(operation.service, operation.response))
                times.merge(_merged(operation.outside, operation.outside_response))
        return found

    def slowest_so_far(self) -> dict[OperationKey, list[Slow]]:
        """Return the slowest round trips that were answered, the slowest first, where the run was asked for them."""
        return {
            OperationKey(operation.name): operation.slowest.slow
            for operation in self._operations.values()
            if operation.slowest.slow
        }

    def unasked_so_far(self) -> dict[str, int]:
        """Return how many events came unasked, by their names."""
        return {operation.name: operation.ok for operation in self._operations.values() if operation.kind == RECEIVED}

    def failures_so_far(self) -> int:
        """Return how many operations have failed or were dropped. A transaction fails with what is in it."""
        return sum(
            operation.timeouts + operation.errors.total + operation.dropped.total()
            for operation in self._operations.values()
            if operation.kind != "transaction"
        )

    def _is_outside_alone(self, operation: _Operation) -> bool:
        """Return True if there is a window, and nothing of the operation lies within it."""
        return self.window_start_ns is not None and not (
            operation.service.count or operation.window_failed or operation.window_dropped
        )

    def _counts_of(self, operation: _Operation) -> OperationReport:
        return OperationReport.model_construct(  # to check what we counted takes milliseconds
            **_counts(operation),
            unfinished=0,
            late=0,
            window_failed=operation.window_failed,
            service=_NO_TIMES,
            response=_NO_TIMES if self.is_open and operation.kind in REPLIED_KINDS else None,
            breakdown=[],
        )

    def _operation_report(self, operation: _Operation, notes: _Notes) -> OperationReport:
        has_response = self.is_open and operation.kind in REPLIED_KINDS
        outside_alone = self._is_outside_alone(operation)
        # Of what is in no second, nothing else tells the master these times while the run goes on.
        tells_outside = outside_alone or operation.kind not in SCHEDULED_KINDS
        key = operation.name, operation.kind
        unfinished = notes.unfinished.get(key, 0)
        return OperationReport(
            **_counts(operation),
            unfinished=unfinished,
            late=notes.late.get(key, 0),
            error_replies=operation.error_replies,
            unexpected=notes.unexpected.get(key, 0),
            sent_bytes=operation.sent_bytes,
            received_bytes=operation.received_bytes,
            # When the unfinished were sent is not known. They are the last of the run, or of its window if it had a
            # window.
            window_failed=operation.window_failed + (unfinished if self.window_start_ns is not None else 0),
            service=StoredHistogram.of(operation.service),
            response=StoredHistogram.of(operation.response) if has_response else None,
            outside=StoredHistogram.of(operation.outside) if tells_outside and operation.outside.count else None,
            outside_response=StoredHistogram.of(operation.outside_response)
            if outside_alone and operation.outside_response.count
            else None,
            received=StoredReceiveTimes.of(operation.received),
            outside_received=StoredReceiveTimes.of(operation.outside_received) if outside_alone else None,
            breakdown=[StoredHistogram.of(leg) for leg in operation.breakdown if leg.count],
            slowest=[*operation.slowest.slow, *operation.slowest.timed_out],
        )

    def _operation(self, name: str, kind: NotedKind = ROUND_TRIP, task: str = "") -> _Operation:
        """Return the row of an operation, or the row of all others of its kind if there are too many operations."""
        operation = self._operations.get((name, kind, task))
        if operation is None:
            if self._rows[kind] >= MOST_OPERATIONS and name != OTHER_OPERATIONS and not task:
                return self._operation(OTHER_OPERATIONS, kind)
            operation = self._operations[name, kind, task] = _Operation(name, kind, task, self._slowest)
            self._rows[kind] += 1
        return operation

    def _by_row(self, counts: Mapping[OperationKey, int]) -> Counter[_RowKey]:
        """Return the counts by the names and kinds of rows, and make each of these rows."""
        by_row: Counter[_RowKey] = Counter()
        for (name, kind), number in counts.items():
            if number:
                by_row[self._operation(name, kind).name, kind] += number
        return by_row

    def _second_report(self, second: int) -> SecondReport:
        entry = self._seconds[second]
        errors: dict[str, int] = {}
        other_errors = 0
        if entry.errors is not None:
            errors, other_errors, _ = entry.errors.most_frequent(MOST_KINDS_OF_A_SECOND)
        return SecondReport(
            second=second,
            users=entry.users,
            sent=entry.sent,
            ok=entry.ok,
            failed=entry.failed,
            errors=errors,
            other_errors=other_errors,
            dropped=entry.dropped,
            failed_of_intended=entry.failed_of_intended,
            dropped_without_time=entry.dropped_without_time,
            sent_bytes=entry.sent_bytes,
            received_bytes=entry.received_bytes,
            cpu_share=entry.cpu_share,
            standstill_ns=entry.standstill_ns,
            send_lateness=StoredHistogram.of(entry.send_lateness) if self.is_open else None,
            loop_lag=StoredHistogram.of(entry.loop_lag),
            queueing=StoredHistogram.of(entry.queueing),
            received=StoredReceiveTimes.of(entry.received),
            timed_by_process=entry.timed_by_process,
            arrivals=entry.arrivals,
            waits=StoredHistogram.of(entry.waits) if entry.waits.count else None,
            sent_in=[] if entry.sent_in is None else entry.sent_in.tolist(),
            operations=[
                SecondOperation(
                    name=name,
                    kind=kind,
                    service=StoredHistogram.of(service),
                    response=StoredHistogram.of(response) if self.is_open else None,
                )
                for (name, kind), (service, response) in entry.times.items()
            ],
            lost=[
                SecondLoss(name=name, kind=kind, task=task, timeouts=timeouts, errors=errors, dropped=dropped)
                for (name, kind, task), (timeouts, errors, dropped) in entry.lost.items()
            ],
        )

    def _second(self, second: int) -> _Second:
        second = max(0, second)  # another machine's clock may be a little behind
        self._changed.add(second)
        self._unsettled.add(second)
        entry = self._seconds.get(second)
        if entry is None:
            entry = self._seconds[second] = _Second()
        entry.version += 1
        return entry

    def _settle_earlier(self) -> None:
        """Keep all seconds but the newest in less memory: little more will come of them."""
        newest = max(self._unsettled, default=0)
        for second in self._unsettled - {newest}:
            self._seconds[second].settle()
        self._unsettled &= {newest}

    def _per_second(self, times_ns: Times) -> list[tuple[int, int]]:
        """Return the seconds of the run in which the times lie, and how many lie in each."""
        return _numbers((times_ns - self.started_ns) // NS_PER_S)

    def _in_window(self, times_ns: Times) -> NDArray[np.bool_]:
        if self.window_start_ns is None:
            return np.zeros(len(times_ns), dtype=np.bool_)
        inside = times_ns >= self.window_start_ns
        return inside if self.window_end_ns is None else inside & (times_ns <= self.window_end_ns)

    def _since_start(self, time_ns: int | None) -> int | None:
        return None if time_ns is None else time_ns - self.started_ns


def _counts(operation: _Operation) -> dict[str, Any]:
    """Return the counts of an operation that a report has at any time, by the names of its fields."""
    errors, other_errors, other_error_texts = operation.errors.most_frequent()
    return {
        "name": operation.name,
        "kind": operation.kind,
        "task": operation.task,
        "ok": operation.ok,
        "timeouts": operation.timeouts,
        "errors": errors,
        "other_errors": other_errors,
        "other_error_texts": other_error_texts,
        "window_ok": operation.window_ok,
        "dropped": operation.dropped.total(),
        "dropped_because": dict(operation.dropped),
        "window_dropped": operation.window_dropped,
    }


def _merged(service: Histogram, response: Histogram) -> OperationTimes:
    """Return times that stay as they are while the tally goes on counting."""
    times = OperationTimes()
    times.service.merge(service)
    times.response.merge(response)
    return times


def _numbers(seconds: Times) -> list[tuple[int, int]]:
    """Return the different seconds, and how often each is there."""
    distinct, numbers = counted(seconds)
    return list(zip(distinct.tolist(), numbers.tolist(), strict=True))
