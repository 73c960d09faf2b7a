"""The work so far of a load that goes on: as its processes see it, as the master sees it, and how it is judged."""

from array import array
from collections import Counter

import pytest

from bench.load.metrics.live import LiveProcess, operations_of, times_of
from bench.load.metrics.live_verdict import GeneratorWatch
from bench.load.metrics.merge import Merger
from bench.load.metrics.recorder import RECEIVED, TIMEOUT, LoopDelays, NotedKind, Recorder
from bench.load.metrics.report import Report
from bench.load.metrics.tally import Tally
from bench.results.load import CONNECT, OperationKey

MS = 1_000_000
S = 1_000_000_000
START = 5_000 * S
ECHO, BUY, ARRIVE = OperationKey("echo"), OperationKey("buy", "transaction"), OperationKey(CONNECT, CONNECT)


class Process:
    """A process whose operations are made up, second by second, and the master to which it reports."""

    def __init__(self, merger: Merger, name: str, is_open: bool = True) -> None:
        self.tally = Tally(START, is_open)
        self._is_open = is_open
        self._merger = merger
        self._name = name

    def replied(self, second: int, name: str = "echo", kind: NotedKind = "round trip", took_ns: int = 2 * MS) -> None:
        log = Recorder(name, kind=kind)
        at_ns = START + second * S + S // 2
        if self._is_open:
            log.answered(at_ns - MS, at_ns, at_ns + took_ns)
        else:
            log.succeeded(at_ns, at_ns + took_ns)
        self.take(log)

    def take(self, log: Recorder) -> None:
        batch = log.flush()
        assert batch is not None
        self.tally.add(batch)

    def lagged(self, second: int, lag_ns: int = MS) -> None:
        self.tally.note_delays(LoopDelays(array("q", (START + second * S + S // 2, lag_ns)), array("q"), array("q")))

    def report(self, unfinished: int = 0) -> None:
        report = self.tally.report(unfinished=Counter({ECHO: unfinished}), late=Counter())
        self._merger.receive(self._name, Report.model_validate(report.model_dump()))


def both(process: Process, merger: Merger) -> list[list[LiveProcess]]:
    return [[process.tally], list(merger.processes.values())]


@pytest.mark.parametrize("is_open", [True, False])
def test_times_so_far_are_those_of_the_whole_run_and_only_grow(is_open: bool) -> None:
    merger = Merger()
    process = Process(merger, "1", is_open)
    seen: Counter[OperationKey] = Counter()
    process.replied(0, CONNECT, CONNECT)
    for second in range(12):
        if second == 3:
            process.tally.open_window(START + 3 * S)
        process.replied(second)
        process.replied(second, "buy", "transaction")
        process.replied(second, "tick", RECEIVED)
        process.lagged(second)
        process.report()
        for processes in both(process, merger):
            found = {key: times.service.count for key, times in times_of(processes).items()}
            assert found == {ECHO: second + 1, BUY: second + 1, ARRIVE: 1}
            assert all(number >= seen[key] for key, number in found.items())
            assert times_of(processes)[ECHO].response.count == (second + 1 if is_open else 0)
            assert processes[0].unasked_so_far() == {"tick": second + 1}
        seen = Counter(found)


def test_a_second_that_grows_late_is_counted_once() -> None:
    merger = Merger()
    process = Process(merger, "1")
    for second in range(10):
        process.replied(second)
        process.report()
        (received,) = merger.processes.values()
        assert received.times_so_far()[ECHO].service.count == second + 1
    process.replied(2)  # it was noted when the process went on after a standstill
    process.report()
    (received,) = merger.processes.values()
    assert received.times_so_far()[ECHO].service.count == 11


def test_operations_so_far_have_what_the_result_would_have_but_for_what_is_in_flight() -> None:
    merger = Merger()
    process = Process(merger, "1")
    process.replied(0, CONNECT, CONNECT)
    process.replied(0)
    process.tally.open_window(START + S)
    process.replied(1)
    log = Recorder("echo")
    log.failed(START + S, START + 2 * S, TIMEOUT, START + S)
    log.failed(START + S, START + 2 * S, "wrong", START + S)
    log.drop(START + S, "no user was free")
    process.take(log)
    process.report(unfinished=5)
    for processes in both(process, merger):
        echo = operations_of(processes)[ECHO]
        assert (echo.ok, echo.timeouts, echo.errors, echo.failed, echo.dropped) == (2, 1, 1, 2, 1)
        assert (echo.shown.count, echo.censored) == (1, 3)
        assert echo.shown.percentile_ns(50, echo.censored) is None
        assert echo.has_response
        assert operations_of(processes)[ARRIVE].ok == 1


def test_the_work_of_all_processes_is_added_up() -> None:
    merger = Merger()
    for name in "123":
        process = Process(merger, name)
        process.tally.open_window(START)
        process.replied(1)
        process.report()
    (echo,) = operations_of(merger.processes.values()).values()
    assert (echo.ok, echo.times.service.count) == (3, 3)
    assert times_of(merger.processes.values())[ECHO].service.count == 3


@pytest.mark.parametrize("is_open", [True, False])
def test_what_is_not_in_the_window_has_the_times_of_the_whole_run_as_in_the_result(is_open: bool) -> None:
    merger = Merger()
    process = Process(merger, "1", is_open)
    process.replied(0, "log in")
    failed = Recorder("log in")
    failed.failed(START + S // 2, START + S, "wrong", START + S // 2)
    process.take(failed)
    process.report()
    for processes in both(process, merger):
        assert not operations_of(processes)[OperationKey("log in")].shown.count, "there is no window yet"
    process.tally.open_window(START + 2 * S)
    process.replied(3)
    process.report()
    for processes in both(process, merger):
        found = operations_of(processes)[OperationKey("log in")]
        assert (found.are_of_run, found.has_response, found.shown.count, found.censored) == (True, is_open, 1, 1)
        assert not operations_of(processes)[ECHO].are_of_run
    process.replied(4, "log in", took_ns=5 * MS)
    process.report()
    for processes in both(process, merger):
        found = operations_of(processes)[OperationKey("log in")]
        assert (found.are_of_run, found.shown.count, found.censored) == (False, 1, 0)


@pytest.mark.parametrize("is_of_master", [False, True])
def test_the_verdict_comes_with_the_second_bad_second_and_is_that_of_the_result(is_of_master: bool) -> None:
    merger = Merger()
    process = Process(merger, "1")
    process.tally.open_window(START + S)
    watch = GeneratorWatch()
    found = []
    for second in range(20):
        process.replied(second)
        process.lagged(second, 150 * MS if second in (11, 12, 15) else MS)
        process.report()
        processes: dict[str, LiveProcess] = dict(merger.processes) if is_of_master else {"1": process.tally}
        found.append(watch.look(processes))
        assert watch.has_verdict is (second >= 3)
    assert found[:14] == [None] * 14, "two seconds later it is complete"
    assert found[14] is not None
    process.tally.close_window(START + 18 * S)
    process.report()
    generator = merger.generator()
    last = watch.look(processes)
    assert last is not None
    assert (last.reason, last.since_s, last.spoils) == (generator.reason, generator.saturated_since_s, generator.spoils)
    assert last.since_s == 11
    assert last.reason == "its event loop stood still for 0.5 s", "all that is known by then"


def test_a_verdict_needs_a_steady_window() -> None:
    merger = Merger()
    process = Process(merger, "1")
    watch = GeneratorWatch()
    for second in range(9):
        process.lagged(second, 900 * MS)
        assert watch.look({"1": process.tally}) is None
    assert not watch.has_verdict
