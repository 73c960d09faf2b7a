"""The tally of one process: what its sessions noted, counted.

Counts cover the whole run; histograms and the throughput cover the steady window; each second has its own line. The
operation that connects is apart. It happens while users arrive, before the window. So its histogram covers the whole
run, and it has no part in the seconds. Pure: batches and times in, reports out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from bench.load.metrics.exceptions import KindCounts, Raised
from bench.load.metrics.recorder import TIMEOUT, UNSCHEDULED, Batch, Failure, LoopDelays
from bench.load.metrics.report import OperationReport, Report, SecondOperation, SecondReport, StoredHistogram
from bench.load.metrics.saturation import STANDSTILL_NS
from bench.results.load import MOST_OPERATIONS, OTHER_OPERATIONS
from bench.timing.histogram import Histogram, buckets_of, counted
from bench.timing.rates import NS_PER_S

Times = NDArray[np.int64]

_NONE: Counter[str] = Counter()


class _Operation:
    def __init__(self, name: str, task: str) -> None:
        self.name = name
        self.task = task
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
        self.breakdown = [Histogram(), Histogram(), Histogram()]


class _Second:
    def __init__(self) -> None:
        self.users = 0
        self.sent = 0
        self.ok = 0
        self.failed = 0
        self.dropped = 0
        self.failed_of_intended = 0
        self.cpu_share: float | None = None
        self.standstill_ns = 0
        self.send_lateness = Histogram()
        self.loop_lag = Histogram()
        self.queueing = Histogram()
        self.arrivals = 0
        self.waits = Histogram()
        #: The histograms of the service times and of the response times, by operation.
        self.times: dict[str, tuple[Histogram, Histogram]] = {}

    def settle(self) -> None:
        own = (self.send_lateness, self.loop_lag, self.queueing, self.waits)
        for histogram in (*own, *chain(*self.times.values())):
            histogram.settle()


class Tally:
    """The counts of a process's batches. All times given are on this process's clock, as the run's start `started_ns`.

    `connect_operation` is the operation that connects. In an open load (`is_open`) each emission belongs to the moment
    for which it was intended. In a closed load it belongs to the moment at which it was sent.
    """

    def __init__(self, started_ns: int, connect_operation: str, is_open: bool = False) -> None:
        self.is_open = is_open
        self.started_ns = started_ns
        self.window_start_ns: int | None = None
        self.window_end_ns: int | None = None
        self._arrivals = 0
        self._connect_operation = connect_operation
        #: The rows, by the operation's name; where only the task is known, by the task's name and key.
        self._operations: dict[tuple[str, str], _Operation] = {}
        self._exceptions = KindCounts()
        self._seconds: dict[int, _Second] = {}
        self._changed: set[int] = set()
        self._unsettled: set[int] = set()

    def add(self, batch: Batch) -> None:
        """Count what happened to an operation."""
        operation = self._operation(batch.operation, batch.task)
        times = np.frombuffer(batch.completed, dtype=np.int64)
        sent, received = times[0::2], times[1::2]
        service = received - sent
        operation.ok += len(sent)
        if batch.failures:
            kinds = Counter(failure.kind for failure in batch.failures)
            operation.timeouts += kinds.pop(TIMEOUT, 0)
            operation.errors.add(kinds)
        operation.error_replies += batch.error_replies
        if batch.operation == self._connect_operation:
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
                self._second(second).dropped += number
        self._settle_earlier()

    def _add_successes(self, operation: _Operation, batch: Batch, sent: Times, received: Times, service: Times) -> None:
        buckets = buckets_of(service)
        intended, response, response_buckets = sent, service, buckets
        if self.is_open:
            scheduled = np.frombuffer(batch.intended, dtype=np.int64)
            waits = np.frombuffer(batch.waits, dtype=np.int64)
            waited = np.zeros(len(sent), dtype=np.int64)
            waited[waits[0::2]] = waits[1::2]
            self._add_lateness(sent, scheduled, waited)
            intended = np.where(scheduled == UNSCHEDULED, sent, scheduled)
            response = received - intended
            response_buckets = buckets_of(response)
        in_window = self._in_window(intended)
        operation.service.record(service[in_window], buckets[in_window])
        if self.is_open:
            operation.response.record(response[in_window], response_buckets[in_window])
        if not in_window.all():
            outside = ~in_window
            operation.outside.record(service[outside], buckets[outside])
            if self.is_open:
                operation.outside_response.record(response[outside], response_buckets[outside])
        operation.window_ok += int(np.count_nonzero(self._in_window(received)))
        if batch.handled:
            handled = np.frombuffer(batch.handled, dtype=np.int64).reshape(-1, 4)
            legs = np.diff(handled[self._in_window(handled[:, 0])])
            for leg, histogram in enumerate(operation.breakdown):
                histogram.record(legs[:, leg])
        for second, number in self._per_second(sent):
            self._second(second).sent += number
        received_in = (received - self.started_ns) // NS_PER_S
        for second, number in _numbers(received_in):
            entry = self._second(second)
            entry.ok += number
            then = received_in == second
            services, responses = entry.times.setdefault(batch.operation, (Histogram(), Histogram()))
            services.record(service[then], buckets[then])
            if self.is_open:
                responses.record(response[then], response_buckets[then])

    def _add_failures(self, operation: _Operation, failures: Sequence[Failure]) -> None:
        sent = np.array([failure.sent_ns for failure in failures], dtype=np.int64)
        intended = sent
        if self.is_open:
            scheduled = np.array([failure.intended_ns for failure in failures], dtype=np.int64)
            waited = np.array([failure.waited_ns for failure in failures], dtype=np.int64)
            self._add_lateness(sent, scheduled, waited)
            intended = np.where(scheduled == UNSCHEDULED, sent, scheduled)
        operation.window_failed += int(np.count_nonzero(self._in_window(intended)))
        for second, number in self._per_second(sent):
            self._second(second).sent += number
        for second, number in self._per_second(np.array([failure.ended_ns for failure in failures], dtype=np.int64)):
            self._second(second).failed += number
        for second, number in self._per_second(intended):
            self._second(second).failed_of_intended += number

    def _add_lateness(self, sent: Times, scheduled: Times, waited: Times) -> None:
        wanted = scheduled != UNSCHEDULED
        if not wanted.all():
            sent, scheduled, waited = sent[wanted], scheduled[wanted], waited[wanted]
        self._arrivals += len(sent)
        lateness = sent - scheduled - waited
        sent_in = (sent - self.started_ns) // NS_PER_S
        for second, _ in _numbers(sent_in):
            self._second(second).send_lateness.record(lateness[sent_in == second])

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
        self._note_standstills(np.frombuffer(delays.loop_lag, dtype=np.int64))
        pairs = np.frombuffer(delays.waits, dtype=np.int64)
        intended, waited = pairs[0::2], pairs[1::2]
        intended_in = (intended - self.started_ns) // NS_PER_S
        for second, number in _numbers(intended_in):
            entry = self._second(second)
            entry.arrivals += number
            entry.waits.record(waited[(intended_in == second) & (waited > 0)])
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
        unfinished: Counter[str],
        late: Counter[str],
        unexpected: Counter[str] | None = None,
        tasks: Mapping[str, str] | None = None,
        window_cpu_ns: int | None = None,
        final: bool = False,
        forced: bool = False,
        cut_off: str | None = None,
        invalid_reason: str | None = None,
        began: int = 0,
    ) -> Report:
        """Return the tally so far. `unfinished` are the emissions, by operation, whose end nobody knows (yet).

        `tasks` has the operation that each task, by its key, begins with.
        """
        unfinished, late, unexpected = (self._by_row(counts) for counts in (unfinished, late, unexpected or Counter()))
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
                self._operation_report(operation, _NONE, _NONE, _NONE)
                if operation.task
                else self._operation_report(operation, unfinished, late, unexpected)
                for operation in self._operations.values()
            ],
            seconds=[self._second_report(second) for second in sorted(changed)],
            exceptions=exceptions,
            other_exceptions=other_exceptions,
            other_exception_texts=other_exception_texts,
            cut_off=cut_off,
            began=began,
            arrivals=self._arrivals,
        )

    def _operation_report(
        self, operation: _Operation, all_unfinished: Counter[str], late: Counter[str], unexpected: Counter[str]
    ) -> OperationReport:
        outside_alone = self.window_start_ns is not None and not (
            operation.service.count or operation.window_failed or operation.window_dropped
        )
        errors, other_errors, other_error_texts = operation.errors.most_frequent()
        unfinished = all_unfinished[operation.name]
        return OperationReport(
            name=operation.name,
            task=operation.task,
            ok=operation.ok,
            timeouts=operation.timeouts,
            errors=errors,
            other_errors=other_errors,
            other_error_texts=other_error_texts,
            unfinished=unfinished,
            late=late[operation.name],
            error_replies=operation.error_replies,
            unexpected=unexpected[operation.name],
            window_ok=operation.window_ok,
            # When the unfinished were sent is not known. They are the last of the run, or of its window if it had a
            # window.
            window_failed=operation.window_failed + (unfinished if self.window_start_ns is not None else 0),
            dropped=operation.dropped.total(),
            dropped_because=dict(operation.dropped),
            window_dropped=operation.window_dropped,
            service=StoredHistogram.of(operation.service),
            response=StoredHistogram.of(operation.response) if self.is_open else None,
            outside=StoredHistogram.of(operation.outside) if outside_alone and operation.outside.count else None,
            outside_response=StoredHistogram.of(operation.outside_response)
            if outside_alone and operation.outside_response.count
            else None,
            breakdown=[StoredHistogram.of(leg) for leg in operation.breakdown if leg.count],
        )

    def _operation(self, name: str, task: str = "") -> _Operation:
        """Return the row of an operation, or the row of all others if there are too many operations."""
        operation = self._operations.get((name, task))
        if operation is None:
            if len(self._operations) >= MOST_OPERATIONS and name != OTHER_OPERATIONS and not task:
                return self._operation(OTHER_OPERATIONS)
            operation = self._operations[name, task] = _Operation(name, task)
        return operation

    def _by_row(self, counts: Counter[str]) -> Counter[str]:
        """Return the counts by the names of rows, and make each of these rows."""
        by_row: Counter[str] = Counter()
        for name, number in counts.items():
            if number:
                by_row[self._operation(name).name] += number
        return by_row

    def _second_report(self, second: int) -> SecondReport:
        entry = self._seconds[second]
        return SecondReport(
            second=second,
            users=entry.users,
            sent=entry.sent,
            ok=entry.ok,
            failed=entry.failed,
            dropped=entry.dropped,
            failed_of_intended=entry.failed_of_intended,
            cpu_share=entry.cpu_share,
            standstill_ns=entry.standstill_ns,
            send_lateness=StoredHistogram.of(entry.send_lateness) if self.is_open else None,
            loop_lag=StoredHistogram.of(entry.loop_lag),
            queueing=StoredHistogram.of(entry.queueing),
            arrivals=entry.arrivals,
            waits=StoredHistogram.of(entry.waits) if entry.waits.count else None,
            operations=[
                SecondOperation(
                    name=name,
                    service=StoredHistogram.of(service),
                    response=StoredHistogram.of(response) if self.is_open else None,
                )
                for name, (service, response) in entry.times.items()
            ],
        )

    def _second(self, second: int) -> _Second:
        second = max(0, second)  # another machine's clock may be a little behind
        self._changed.add(second)
        self._unsettled.add(second)
        entry = self._seconds.get(second)
        if entry is None:
            entry = self._seconds[second] = _Second()
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


def _numbers(seconds: Times) -> list[tuple[int, int]]:
    """Return the different seconds, and how often each is there."""
    distinct, numbers = counted(seconds)
    return list(zip(distinct.tolist(), numbers.tolist(), strict=True))
