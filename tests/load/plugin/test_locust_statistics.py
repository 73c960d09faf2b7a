"""A batch leaves in Locust's statistics what its samples would have left one by one."""

from array import array

import numpy as np
import pytest
from locust import stats as locust_stats
from locust.env import Environment
from locust.stats import RequestStats

from bench.load.metrics.exceptions import MOST_KINDS
from bench.load.metrics.recorder import TIMEOUT, Batch, Recorder
from bench.load.plugin.locust_statistics import REQUEST_TYPE, _buckets, _times, bound_errors, log_batch, rename
from bench.results.load import OperationKey

MS = 1_000_000


def a_batch(*took_ms: float, operation: str = "echo") -> Batch:
    """Return successes that took so long, two timeouts of 5 ms, and two arrivals that were dropped."""
    recorder = Recorder(operation)
    for number, took in enumerate(took_ms):
        recorder.succeeded(number * MS, number * MS + round(took * MS))
    for _ in range(2):
        recorder.failed(MS, 6 * MS, TIMEOUT)
        recorder.drop(MS, "no user was free")
    batch = recorder.flush()
    assert batch is not None
    return batch


SHORT_MS = [0.2, 0.5, 1.5, 2.5, 99.4]
TIMES_MS = [*SHORT_MS, 99.6, 100.0, 105.0, 115.0, 994.9, 995.0, 1004.0, 9949.0, 9950.0, 10_500.0, 11_500.0]


@pytest.mark.parametrize("times_ms", [TIMES_MS, SHORT_MS, [0.0]])
def test_buckets_are_locusts(times_ms: list[float]) -> None:
    assert _buckets(np.array(times_ms)).tolist() == [
        int(locust_stats.bucket_response_time(time_ms)) for time_ms in times_ms
    ]


def test_a_bucketing_of_the_users_own_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locust_stats, "bucket_response_time", lambda time_ms: round(time_ms / 7) * 7)
    assert _buckets(np.array([1.0, 10.0, 20.0])).tolist() == [0, 7, 21]


def test_times_of_a_closed_load_begin_when_it_was_sent() -> None:
    began, ended = _times(a_batch(2.0, 3.0))
    assert began.tolist() == [0, MS, MS, MS]
    assert ended.tolist() == [2 * MS, 4 * MS, 6 * MS, 6 * MS]


def test_times_of_an_open_load_begin_when_it_was_intended() -> None:
    recorder = Recorder("echo")
    recorder.answered(1 * MS, 2 * MS, 3 * MS)
    recorder.answered(0, 5 * MS, 6 * MS)  # which no schedule wanted
    recorder.failed(7 * MS, 9 * MS, "lost", intended_ns=4 * MS)
    batch = recorder.flush()
    assert batch is not None
    began, ended = _times(batch)
    assert began.tolist() == [1 * MS, 5 * MS, 4 * MS]
    assert ended.tolist() == [3 * MS, 6 * MS, 9 * MS]


def test_a_batch_without_failures_has_its_times() -> None:
    batch = Batch("echo", array("q", [1, 3]), array("q"), [], {}, array("q"), array("q"), "")
    began, ended = _times(batch)
    assert (began.tolist(), ended.tolist()) == ([1], [3])


def test_a_batch_is_what_its_samples_are_one_by_one() -> None:
    extended, fired = Environment(), Environment()
    heard: list[float] = []

    def log(request_type: str, name: str, response_time: float, exception: Exception | None, **_: object) -> None:
        heard.append(response_time)
        fired.stats.log_request(request_type, name, response_time, 0)  # type: ignore[arg-type]
        if exception is not None:
            fired.stats.log_error(request_type, name, exception)

    fired.events.request.add_listener(log)  # so each sample is fired by itself
    batch = a_batch(*TIMES_MS)
    log_batch(extended, batch)
    log_batch(fired, batch)
    assert len(heard) == len(TIMES_MS) + 4
    ours, theirs = (environment.stats.get("echo", REQUEST_TYPE) for environment in (extended, fired))
    assert ours.response_times == theirs.response_times
    for entry in (ours, theirs):
        assert (entry.num_requests, entry.num_failures, entry.num_none_requests) == (len(TIMES_MS) + 4, 4, 2)
    assert ours.total_response_time == pytest.approx(theirs.total_response_time)
    assert (ours.min_response_time, ours.max_response_time) == (theirs.min_response_time, theirs.max_response_time)
    assert errors(extended.stats) == errors(fired.stats) == {"timeout": 2, "dropped: no user was free": 2}


def errors(stats: RequestStats) -> dict[str, int]:
    return {str(error.error): error.occurrences for error in stats.errors.values()}


def test_errors_are_bounded() -> None:
    environment = Environment()
    for number in range(3 * MOST_KINDS):
        recorder = Recorder("echo")
        for _ in range(2 if number == 7 else 1):
            recorder.failed(0, MS, f"kind {number}")
        batch = recorder.flush()
        assert batch is not None
        log_batch(environment, batch)
    bound_errors(environment.stats)
    found = errors(environment.stats)
    assert len(found) <= 2 * MOST_KINDS
    assert sum(found.values()) == 3 * MOST_KINDS + 1
    assert found["kind 7"] == 2


def test_what_was_logged_under_a_task_belongs_to_its_operation() -> None:
    environment = Environment()
    log_batch(environment, a_batch(1.0, operation="first_task"))
    log_batch(environment, a_batch(1.0, 2.0, operation="echo"))
    rename(environment.stats, {"first_task": OperationKey("echo"), "never": OperationKey("echo")})
    assert list(environment.stats.entries) == [("echo", REQUEST_TYPE)]
    assert environment.stats.get("echo", REQUEST_TYPE).num_requests == 11
    assert errors(environment.stats) == {"timeout": 4, "dropped: no user was free": 4}
