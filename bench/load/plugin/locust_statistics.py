"""Samples into Locust's own statistics, by the batch.

Locust logs one request at a time, which costs more than the round trip itself. A batch becomes a `StatsEntry` with the
same counts, buckets and seconds that logging each of its samples would have left. It extends the entry and the total,
as Locust's master does with its workers' reports. So the terminal, the web page, CSV, HTML and the exit code are
Locust's. Where something else listens to `events.request`, each sample is fired instead, for everybody: the batch
beside it would count twice. Runs on the gevent side.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from locust import stats as locust_stats
from locust.env import Environment
from locust.event import EventHook
from locust.stats import RequestStats, StatsEntry, StatsError
from numpy.typing import NDArray

from bench.load.metrics.exceptions import MOST_KINDS, OTHER_ERRORS
from bench.load.metrics.recorder import RECEIVED, UNSCHEDULED, Batch
from bench.results.load import OperationKey
from bench.timing.histogram import counted

#: The types of our operations, as Locust shows them.
REQUEST_TYPE, EMISSION_TYPE, TRANSACTION_TYPE, HTTP_TYPE = "SIO", "EMIT", "TRANS", "HTTP"

_TYPES: dict[str, str] = {"emission": EMISSION_TYPE, "transaction": TRANSACTION_TYPE, "http": HTTP_TYPE}
_OWN_TYPES = frozenset((REQUEST_TYPE, *_TYPES.values()))

logger = logging.getLogger(__name__)

_FIRING_SHARE = 0.8

#: The share of this process's time that listeners may take on average, and the seconds that they may take at once.
_MOST_FIRING_S = 1.0

_LOOK_EACH = 16

_NS_PER_MS = 1_000_000
_NS_PER_S = 1_000_000_000
_locusts_bucket = locust_stats.bucket_response_time


class OperationFailed(Exception):
    """A failure as it appears in Locust's error report."""

    def __repr__(self) -> str:
        return str(self)


class FiringTime:
    """The time that listeners to requests may take: nearly all of the time, or the run would end long after its load.

    A sample that is not fired is in the statistics all the same.
    """

    def __init__(self) -> None:
        self._left_s = _MOST_FIRING_S
        self._since_s = time.monotonic()
        self._is_told = False

    def is_left(self) -> bool:
        """Return whether there is time to fire another sample."""
        now_s = time.monotonic()
        self._left_s = min(_MOST_FIRING_S, self._left_s + _FIRING_SHARE * (now_s - self._since_s))
        self._since_s = now_s
        return self._left_s > 0

    def took(self, seconds: float) -> None:
        """Note the time that firing took."""
        self._left_s -= seconds

    def tell(self) -> None:
        """Log once that there was too little time."""
        if not self._is_told:
            self._is_told = True
            logger.warning(
                "listeners of events.request are slower than the load: they do not hear of all requests, which are in "
                "the statistics all the same"
            )


def log_batch(environment: Environment, batch: Batch, firing_time: FiringTime | None = None) -> None:
    """Put a batch into the statistics of `environment`, or fire its samples to whoever listens, if there is time.

    Locust has no place for events that came unasked. A transaction is made of what is in the total already, so it is in
    a row of its own alone.
    """
    if batch.kind == RECEIVED or not (batch.completed or batch.failures or batch.dropped):
        return
    listeners = _other_listeners(environment)
    if listeners and batch.kind == "transaction":
        hook = EventHook()
        hook._handlers = listeners
        _fire(hook, batch, firing_time)
        _extend(environment.stats, batch)
    elif listeners:
        fired = _fire(environment.events.request, batch, firing_time)
        if fired < len(batch.completed) // 2 + len(batch.failures) + sum(map(len, batch.dropped.values())):
            _extend(environment.stats, _without(batch, fired))
    else:
        _extend(environment.stats, batch)
    if batch.failures:
        bound_errors(environment.stats)


def bound_errors(stats: RequestStats) -> None:
    """Keep the most frequent errors of each operation of this package, and put the rest together.

    A worker starts anew with each report, so a master has to bound the sum of all reports.
    """
    kinds: dict[tuple[str, str], list[str]] = {}
    for key, error in stats.errors.items():
        if error.method in _OWN_TYPES:
            kinds.setdefault((error.name, error.method), []).append(key)
    for (operation, request_type), keys in kinds.items():
        if len(keys) <= 2 * MOST_KINDS:
            continue
        keys.sort(key=lambda key: stats.errors[key].occurrences, reverse=True)
        rest = sum(stats.errors.pop(key).occurrences for key in keys[MOST_KINDS:])
        _error(stats, operation, request_type, OTHER_ERRORS).occurrences += rest


def _other_listeners(environment: Environment) -> list[Any]:
    # Each runner registers one listener, which does nothing but log to these statistics.
    return [
        handler
        for handler in environment.events.request._handlers
        if getattr(handler, "__qualname__", "") != "Runner.__init__.<locals>.on_request"
    ]


def _without(batch: Batch, fired: int) -> Batch:
    """Return the batch without its first samples: successes, failures, and what was dropped, in this order."""
    succeeded = len(batch.completed) // 2
    failed = max(0, fired - succeeded)
    left = max(0, failed - len(batch.failures))
    dropped = {}
    for reason, times_ns in batch.dropped.items():
        if left < len(times_ns):
            dropped[reason] = times_ns[left:]
        left = max(0, left - len(times_ns))
    return batch._replace(
        completed=batch.completed[2 * fired :],
        intended=batch.intended[fired:],
        failures=batch.failures[failed:],
        dropped=dropped,
    )


def _fire(request: EventHook, batch: Batch, firing_time: FiringTime | None) -> int:
    """Fire the samples in turn, as long as there is time; return how many were fired."""
    wall_offset_ns = time.time_ns() - time.perf_counter_ns()
    began, ended = _times(batch)
    kinds = [""] * (len(batch.completed) // 2) + [failure.kind for failure in batch.failures]
    ends: list[int | None] = [None] * len(began) if batch.kind == "emission" else ended.tolist()
    samples = list(zip(began.tolist(), ends, kinds, strict=True))
    for reason, times_ns in batch.dropped.items():
        samples += [(wanted_ns, None, f"dropped: {reason}") for wanted_ns in times_ns]
    started_s = time.monotonic()
    for fired, (began_ns, ended_ns, kind) in enumerate(samples):
        if firing_time is not None and not fired % _LOOK_EACH:
            now_s = time.monotonic()
            firing_time.took(now_s - started_s)
            started_s = now_s
            if not firing_time.is_left():
                firing_time.tell()
                return fired
        request.fire(
            request_type=request_type(batch.kind),
            name=batch.operation,
            response_time=None if ended_ns is None else (ended_ns - began_ns) / _NS_PER_MS,
            response_length=0,
            exception=OperationFailed(kind) if kind else None,
            context={},
            start_time=(began_ns + wall_offset_ns) / _NS_PER_S,
            response=None,
            url=None,
        )
    if firing_time is not None:
        firing_time.took(time.monotonic() - started_s)
    return len(samples)


def _times(batch: Batch) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return when each emission began and ended: successes, then failures. In an open load it begins when intended."""
    times = np.frombuffer(batch.completed, dtype=np.int64)
    failures = batch.failures
    sent = np.concatenate((times[0::2], np.array([failure.sent_ns for failure in failures], dtype=np.int64)))
    ended = np.concatenate((times[1::2], np.array([failure.ended_ns for failure in failures], dtype=np.int64)))
    if not batch.intended and not failures:
        return sent, ended
    successes = batch.intended or [UNSCHEDULED] * (len(times) // 2)
    intended = np.array([*successes, *(failure.intended_ns for failure in failures)], dtype=np.int64)
    return np.where(intended == UNSCHEDULED, sent, intended), ended


def _extend(stats: RequestStats, batch: Batch) -> None:
    failures, dropped = batch.failures, sum(map(len, batch.dropped.values()))
    began, ended = _times(batch)
    wall_offset_ns = time.time_ns() - time.perf_counter_ns()
    wanted = [np.frombuffer(times_ns, dtype=np.int64) for times_ns in batch.dropped.values()]
    ended_ns = np.concatenate((ended, *wanted)) + wall_offset_ns
    ended_s = ended_ns // _NS_PER_S
    took_ms = (ended - began) / _NS_PER_MS

    has_times = len(took_ms) > 0 and batch.kind != "emission"
    entry = StatsEntry(stats, batch.operation, request_type(batch.kind))
    entry.num_requests = len(took_ms) + dropped
    entry.num_none_requests = dropped if has_times else entry.num_requests
    if has_times:
        entry.total_response_time = float(took_ms.sum())  # type: ignore[assignment]  # an int by its type alone
        entry.min_response_time = float(took_ms.min())  # type: ignore[assignment]
        entry.max_response_time = float(took_ms.max())  # type: ignore[assignment]
        entry.response_times = _counted(_buckets(took_ms))
    entry.num_reqs_per_sec = _counted(ended_s)
    # Locust takes the time of logging for these. The batch's is up to a second too late.
    entry.start_time = float(np.concatenate((began, *wanted)).min() + wall_offset_ns) / _NS_PER_S
    entry.last_request_timestamp = float(ended_ns.max()) / _NS_PER_S
    entry.num_failures = len(failures) + dropped
    entry.num_fail_per_sec = _counted(ended_s[len(batch.completed) // 2 :])
    stats.entries[(batch.operation, entry.method)].extend(entry)
    if batch.kind != "transaction":
        stats.total.extend(entry)

    kinds = Counter(failure.kind for failure in failures)
    kinds.update({f"dropped: {reason}": len(times_ns) for reason, times_ns in batch.dropped.items()})
    for kind, number in kinds.items():
        _error(stats, batch.operation, entry.method, kind).occurrences += number


def request_type(kind: str) -> str:
    """Return the type under which Locust shows the operations of a kind."""
    return _TYPES.get(kind, REQUEST_TYPE)


def rename(stats: RequestStats, names: Mapping[str, OperationKey]) -> None:
    """Add what was logged under a task's name to the operation that the task begins with."""
    for name, (real_name, kind) in names.items():
        real_type = request_type(kind)
        entry = stats.entries.pop((name, REQUEST_TYPE), None)
        if entry is not None:
            stats.entries[(real_name, real_type)].extend(entry)
        for key, logged in list(stats.errors.items()):
            if (logged.name, logged.method) == (name, REQUEST_TYPE):
                del stats.errors[key]
                _error(stats, real_name, real_type, str(logged.error)).occurrences += logged.occurrences


def _error(stats: RequestStats, operation: str, shown_type: str, kind: str) -> StatsError:
    error = OperationFailed(kind)
    key = StatsError.create_key(shown_type, operation, error)
    known = stats.errors.get(key)
    if known is None:
        known = stats.errors[key] = StatsError(shown_type, operation, error)
    return known


def _buckets(took_ms: NDArray[np.float64]) -> NDArray[np.int64]:
    """Round as Locust does, to two digits; ask a bucketing that a locustfile put in its place value by value."""
    if locust_stats.bucket_response_time is not _locusts_bucket:
        return np.array([locust_stats.bucket_response_time(value) for value in took_ms.tolist()], dtype=np.int64)
    if took_ms.max() < 100:
        return np.rint(took_ms).astype(np.int64)
    step = np.select([took_ms < 100, took_ms < 1000, took_ms < 10000], [1.0, 10.0, 100.0], 1000.0)
    rounded: NDArray[np.int64] = (np.rint(took_ms / step) * step).astype(np.int64)
    return rounded


def _counted(values: NDArray[np.int64]) -> dict[int, int]:
    distinct, counts = counted(values)
    return dict(zip(distinct.tolist(), counts.tolist(), strict=True))
