"""The reports of processes on their way to the master: counts and histograms, validated as they arrive.

A `Report` is the whole tally so far, not what came since the last report. A report that arrives replaces the report
before it, so the loss of a report loses nothing.
"""

from __future__ import annotations

from typing import Annotated, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt

from bench.load.metrics.recorder import NotedKind
from bench.load.metrics.slowest import MOST_SLOWEST, Slow
from bench.results.load import ROUND_TRIP, OperationKey, OperationKind
from bench.results.service_loss import ServiceLoss
from bench.timing.histogram import Histogram
from bench.timing.rates import NS_PER_S
from bench.timing.receive_times import ReceiveTimes

#: The number of jumps of the clock that a process tells of: where it is set all the time, the first are enough.
MOST_STEPS = 100

#: The number of parts of a second in which emissions are counted: 20 ms each.
#:
#: Random arrivals that a generator holds back for that long come in bunches.
BINS = 50

#: The number of characters of the reason why a process has no times of the kernel's.
LONGEST_REASON = 400


def _readable(encoded: str) -> str:
    """Refuse a histogram that cannot be read as soon as it arrives: at the end of the run it would spoil all others."""
    Histogram.decode(encoded)
    return encoded


class StoredHistogram(BaseModel):
    """A histogram on its way between processes: HdrHistogram V2, and what that form lacks. Nanoseconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    encoded: Annotated[str, AfterValidator(_readable)]
    min_ns: int | None
    max_ns: int | None
    sum_ns: int

    @classmethod
    def of(cls, histogram: Histogram) -> StoredHistogram:
        """Return the stored form of a histogram."""
        return cls.model_construct(  # this skips the check of whether it can be read
            encoded=histogram.encode(), min_ns=histogram.min_ns, max_ns=histogram.max_ns, sum_ns=histogram.sum_ns
        )

    @classmethod
    def empty(cls) -> StoredHistogram:
        """Return the stored form of a histogram without any value."""
        return cls.of(Histogram())

    def restored(self) -> Histogram:
        """Return the histogram again."""
        return Histogram.decode(self.encoded, min_ns=self.min_ns, max_ns=self.max_ns, sum_ns=self.sum_ns)


class StoredReceiveTimes(BaseModel):
    """The receive times of replies on their way between processes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    exact: int
    bounded: int
    unstamped: int
    errors: StoredHistogram
    reading: StoredHistogram

    @classmethod
    def of(cls, times: ReceiveTimes) -> StoredReceiveTimes | None:
        """Return the form in which they go to the master; None of nothing."""
        if times.are_kernels is None:
            return None
        return cls.model_construct(
            exact=times.exact,
            bounded=times.bounded,
            unstamped=times.unstamped,
            errors=StoredHistogram.of(times.errors),
            reading=StoredHistogram.of(times.reading),
        )

    def restored(self) -> ReceiveTimes:
        """Return the receive times again."""
        times = ReceiveTimes()
        times.exact, times.bounded, times.unstamped = self.exact, self.bounded, self.unstamped
        times.errors, times.reading = self.errors.restored(), self.reading.restored()
        return times


class OperationReport(BaseModel):
    """The tally of one operation in one process. `window_…` are of the steady window, all else of the whole run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: NotedKind = ROUND_TRIP
    ok: int
    timeouts: int
    #: The counts of the most frequent errors.
    errors: dict[str, int]
    other_errors: int = 0
    other_error_texts: int = 0
    unfinished: int
    late: int
    error_replies: int = 0
    unexpected: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0
    #: Replies received within the window: the throughput's numerator.
    window_ok: int
    #: Emissions intended within the window that were sent and did not succeed: the censored share of its times.
    window_failed: int
    dropped: int
    #: The number of dropped emissions, by reason.
    dropped_because: dict[str, int] = {}
    #: Arrivals due in the window that were never sent: censored response times, in addition to `window_failed`.
    window_dropped: int
    service: StoredHistogram
    #: The response times; None in a closed load.
    response: StoredHistogram | None
    #: The service times outside of the window, if nothing of the operation lies within it, or it is in no second.
    outside: StoredHistogram | None = None
    outside_response: StoredHistogram | None = None
    #: The receive times of the replies of which `service` has the times; None if there are none.
    received: StoredReceiveTimes | None = None
    #: The same of `outside`.
    outside_received: StoredReceiveTimes | None = None
    #: The times to the handler, in it, and from it, of replies that tell them; else empty.
    breakdown: list[StoredHistogram]
    #: The slowest round trips, and the first that timed out, by their tokens.
    slowest: Annotated[list[Slow], Field(max_length=2 * MOST_SLOWEST)] = []
    #: The key of a task whose operation this process did not know when it dropped these arrivals. The name is then that
    #: of the task. The arrivals belong to the operation's row.
    task: str = ""

    @property
    def key(self) -> OperationKey:
        """The name and the kind."""
        return OperationKey(self.name, cast(OperationKind, self.kind))

    @classmethod
    def empty(cls, key: OperationKey) -> OperationReport:
        """Return the report of an open load's operation that was neither sent nor dropped so far."""
        return cls(
            name=key.name,
            kind=key.kind,
            ok=0,
            timeouts=0,
            errors={},
            unfinished=0,
            late=0,
            window_ok=0,
            window_failed=0,
            dropped=0,
            window_dropped=0,
            service=StoredHistogram.empty(),
            response=StoredHistogram.empty(),
            breakdown=[],
        )


class SecondOperation(BaseModel):
    """The times of the replies to one operation that were received in one second."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: NotedKind = ROUND_TRIP
    service: StoredHistogram
    response: StoredHistogram | None

    @property
    def key(self) -> OperationKey:
        """The name and the kind."""
        return OperationKey(self.name, cast(OperationKind, self.kind))


class SecondLoss(BaseModel):
    """The emissions of one operation that were intended in one second, and failed or were dropped.

    `task` is the key of a task whose operation was not known then; the name is that of the task.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: NotedKind = ROUND_TRIP
    task: str = ""
    timeouts: NonNegativeInt = 0
    errors: NonNegativeInt = 0
    dropped: NonNegativeInt = 0


class SecondReport(BaseModel):
    """The work of one process in one second, `second` whole seconds after the run's start.

    Only the kinds of operations that a schedule can want are in it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    second: int
    users: int
    sent: int
    ok: int
    failed: int
    #: The number of the most frequent kinds of failures, and of all others together.
    errors: dict[str, int] = {}
    other_errors: int = 0
    dropped: int
    #: The emissions intended in this second that were sent and failed, however much later.
    failed_of_intended: int
    #: The number of `dropped` that would have had no time: emissions that await no reply.
    dropped_without_time: int = 0
    #: The sizes of the messages of all operations, and of the events that came unasked.
    sent_bytes: int = 0
    received_bytes: int = 0
    cpu_share: float | None
    #: The part of the second in which the loop stood still: see saturation.STANDSTILL_NS.
    #:
    #: The loop notes it afterwards.
    standstill_ns: int
    #: The send lateness of what was sent in this second because the schedule wanted it, then or long before.
    #:
    #: None in a closed load. The time in which no user was free for an arrival is taken off. Nothing could have been
    #: sent in it, however fast the generator is. `waits` has that time.
    send_lateness: StoredHistogram | None
    loop_lag: StoredHistogram
    queueing: StoredHistogram
    #: The receive times of all replies to round trips of this second; None if there are none.
    received: StoredReceiveTimes | None = None
    #: The number of HTTP requests and transactions that ended in this second: the process's own clock times these.
    timed_by_process: int = 0
    #: The number of arrivals that were intended in this second and could have to wait for a free user.
    arrivals: int = 0
    #: The time in which no user was free, for those of the arrivals that had to wait.
    waits: StoredHistogram | None = None
    #: The number of scheduled emissions that were sent in each `BINS`th of this second; empty if there were none.
    sent_in: Annotated[list[NonNegativeInt], Field(max_length=BINS)] = []
    operations: list[SecondOperation]
    #: The emissions that were intended in this second and failed, however much later, or were dropped: by operation.
    lost: list[SecondLoss] = []

    @classmethod
    def empty(cls, second: int) -> SecondReport:
        """Return the report of a second of an open load in which nothing happened."""
        return cls(
            second=second,
            users=0,
            sent=0,
            ok=0,
            failed=0,
            dropped=0,
            failed_of_intended=0,
            cpu_share=None,
            standstill_ns=0,
            send_lateness=StoredHistogram.empty(),
            loop_lag=StoredHistogram.empty(),
            queueing=StoredHistogram.empty(),
            operations=[],
        )


class ClockReport(BaseModel):
    """The clock of a process's receive times. `steps` has its jumps: when, since the run's start, and by how much.

    `process_because` says why the kernel's times are not used; it is empty where they are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bound_ns: NonNegativeInt | None = None
    steps: Annotated[list[tuple[int, int]], Field(max_length=MOST_STEPS)] = []
    process_because: Annotated[str, Field(max_length=LONGEST_REASON)] = ""


class LostService(BaseModel):
    """The service as a process lost it: all its connections ended, the last at `lost_ns`, and none came up again.

    `failed_attempts` is the number of attempts to connect that have failed since, and `because` the last one's error.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    lost_ns: NonNegativeInt
    failed_attempts: PositiveInt
    because: Annotated[str, Field(max_length=LONGEST_REASON)]

    @property
    def stored(self) -> ServiceLoss:
        """The loss as a result has it."""
        return ServiceLoss(
            t=round(self.lost_ns / NS_PER_S, 1),
            how="unreachable",
            failed_attempts=self.failed_attempts,
            reason=self.because or None,
        )


class Report(BaseModel):
    """The tally of one process, in nanoseconds since the run's start; `seconds` contains only those that changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    final: bool
    forced: bool
    window_start_ns: int | None
    window_end_ns: int | None
    window_cpu_ns: int | None
    is_open: bool
    #: The operation that each task begins with, by the task's key, for the tasks whose operation this process knows.
    tasks: dict[str, OperationKey] = {}
    #: The reason why the figures are wrong.
    invalid_reason: str | None = None
    operations: list[OperationReport]
    seconds: list[SecondReport]
    #: The counts of the most frequent exceptions that users' own code raised.
    exceptions: dict[str, int] = {}
    other_exceptions: int = 0
    other_exception_texts: int = 0
    #: The reason why sessions did not end, if some did not.
    cut_off: str | None = None
    #: The number of users that have begun in this process.
    began: NonNegativeInt = 0
    #: The number of arrivals of the schedule that have ended, well or not, or were dropped.
    arrivals: NonNegativeInt = 0
    #: The steps that this process failed at, each in one line: its figures are not whole.
    troubles: list[str] = []
    #: The clock of the receive times; None if the process does not tell.
    clock: ClockReport | None = None
    #: True if any user of this process was connected when the process reported; at the end, when it was to stop.
    is_connected: bool = False
    #: The loss of the service, if it is lost to all users of this process.
    lost: LostService | None = None

    @classmethod
    def empty(cls) -> Report:
        """Return the report of an open load's process that has not reported anything yet."""
        return cls(
            final=False,
            forced=False,
            window_start_ns=None,
            window_end_ns=None,
            window_cpu_ns=None,
            is_open=True,
            operations=[],
            seconds=[],
        )
