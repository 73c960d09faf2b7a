"""A master shares the schedule out among its workers, and awaits their reports. The master is made up."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Any

from locust.runners import STATE_INIT, STATE_MISSING, STATE_RUNNING

from bench.load.metrics.merge import Merger
from bench.load.metrics.report import Report
from bench.load.metrics.tally import Tally
from bench.load.plugin.messages import DRAIN, GO
from bench.load.plugin.workers_in_run import WorkersInRun
from bench.timing.rates import Share

S = 1_000_000_000


@dataclass
class FakeNode:
    id: str
    state: str = STATE_RUNNING
    user_count: int = 1


@dataclass
class FakeMaster:
    """A master that keeps what it sends. Its workers answer as `answers` says."""

    clients: dict[str, FakeNode]
    spawning_completed: bool = True
    _users_dispatcher: Any = "dispatcher"
    sent: list[tuple[str, str | None, dict[str, Any]]] = field(default_factory=list)
    answers: Any = None

    def send_message(self, msg_type: str, data: dict[str, Any] | None = None, client_id: str | None = None) -> None:
        self.sent.append((msg_type, client_id, data or {}))
        if self.answers is not None:
            self.answers(msg_type, client_id, data)

    def shares(self) -> dict[str | None, tuple[int, int]]:
        """Return the shares that were sent since the last call, by worker."""
        shares = {worker: (data["index"], data["count"]) for kind, worker, data in self.sent if kind == GO}
        self.sent.clear()
        return shares


def a_test(*names: str, refused: tuple[str, ...] = ()) -> tuple[FakeMaster, WorkersInRun]:
    master = FakeMaster({name: FakeNode(name) for name in names})
    return master, WorkersInRun(master, Merger(), refused)


def a_report(final: bool) -> Report:
    return Tally(0).report(unfinished=Counter(), late=Counter(), final=final)


def decided() -> int:
    return 10 * S


def never() -> int:
    raise AssertionError("the schedule has started already")


def test_the_schedule_starts_when_all_are_ready() -> None:
    master, test = a_test("a", "b")
    test.note_ready("a", True)
    test.share_out(None, decided)
    test.note_ready("b", True)
    test.share_out(None, decided)
    assert master.sent == [], "Locust is still spawning"
    test.note_spawned()
    test.share_out(None, decided)
    assert master.shares() == {"a": (0, 2), "b": (1, 2)}
    test.share_out(10 * S, never)
    assert master.sent == [], "nothing has changed"


def test_who_has_no_users_is_not_waited_for() -> None:
    master, test = a_test("a", "b", "c")
    master.clients["b"].user_count = 0
    master.clients["c"].state = STATE_MISSING
    test.note_spawned()
    test.note_ready("a", True)
    test.share_out(None, decided)
    assert master.shares() == {"a": (0, 1)}


def test_who_only_listens_begins_with_the_others_and_has_no_share() -> None:
    master, test = a_test("a", "b", "c")
    test.note_spawned()
    for name in "abc":
        test.note_ready(name, True, takes_arrivals=name != "b")
    test.share_out(None, decided)
    begun = {worker: data["has_share"] for kind, worker, data in master.sent if kind == GO}
    assert begun == {"a": True, "b": False, "c": True}
    assert {worker: share for worker, share in master.shares().items() if worker != "b"} == {"a": (0, 2), "c": (1, 2)}
    test.share_out(10 * S, never)
    assert master.sent == [], "nothing has changed"
    test.note_ready("b", True, takes_arrivals=True)
    test.note_ready("c", True, takes_arrivals=False)
    test.share_out(10 * S, never)
    assert [(worker, data["has_share"]) for _, worker, data in master.sent] == [("c", False), ("a", True), ("b", True)]
    test.note_ready("a", False)
    test.note_ready("b", True, takes_arrivals=False)
    master.sent.clear()
    test.share_out(10 * S, never)
    assert master.sent == [], "nobody takes arrivals any more, and the window of b has begun"


def test_others_have_the_share_of_who_goes() -> None:
    master, test = a_test("a", "b", "c")
    test.note_spawned()
    for name in "abc":
        test.note_ready(name, True)
    test.share_out(None, decided)
    master.sent.clear()
    test.note_ready("b", False)
    test.share_out(10 * S, never)
    assert master.shares() == {"a": (0, 2), "c": (1, 2)}
    master.clients["a"].state = STATE_MISSING
    test.share_out(10 * S, never)
    assert master.shares() == {"c": (0, 1)}
    master.clients["a"].state = STATE_RUNNING
    test.share_out(10 * S, never)
    assert master.shares() == {"a": (0, 2), "c": (1, 2)}


def test_a_refused_worker_has_no_share() -> None:
    master, test = a_test("a", "b", refused=("b",))
    test.note_spawned()
    test.note_ready("a", True)
    test.note_ready("b", True)
    test.refuse("b", "worker b is refused: it sends too much")
    test.share_out(None, decided)
    assert master.shares() == {"a": (0, 1)}
    assert test.refusals == ["worker b is refused: it sends too much"]


def every_second(share: Share) -> Iterator[int]:
    return iter([second * S for second in range(share.index, 1000, share.count)])


def test_the_arrivals_of_a_worker_are_those_of_all_its_shares() -> None:
    _master, test = a_test("a", "b")
    test.note_spawned()
    test.note_ready("a", True)
    test.note_ready("b", True)
    start_ns = perf_counter_ns() - 100 * S
    test.share_out(None, lambda: start_ns)
    assert list(test.arrivals_of("b", every_second, 6 * S)) == [1 * S, 3 * S, 5 * S]
    test.note_ready("a", False)
    test.share_out(start_ns, never)  # 100 s later
    of_b = list(test.arrivals_of("b", every_second, 104 * S))
    assert of_b[:2] == [1 * S, 3 * S]
    assert of_b[-3:] == [101 * S, 102 * S, 103 * S], "all of the schedule is its own now"
    assert max(test.arrivals_of("a", every_second, 104 * S)) == 100 * S
    assert list(test.arrivals_of("c", every_second, 104 * S)) == []


# ---------------------------------------------------------------------------------------------- the last reports


def test_a_drain_ends_when_all_have_reported() -> None:
    master, test = a_test("a", "b")
    master.answers = lambda _kind, worker, _data: test.receive(worker, a_report(final=True))
    test.drain(patience_s=60)
    assert sorted((kind, worker, data["force"]) for kind, worker, data in master.sent) == [
        (DRAIN, "a", False),
        (DRAIN, "b", False),
    ]
    assert (test.missing(), test.not_throughout()) == ([], set())
    assert (master.spawning_completed, master._users_dispatcher) == (False, None), "Locust spawns no users any more"


def test_a_worker_that_is_lost_is_missing() -> None:
    master, test = a_test("a", "b")
    master.answers = lambda _kind, worker, _data: test.receive(worker, a_report(final=True))
    test.receive("b", a_report(final=False))
    master.clients["b"].state = STATE_MISSING
    assert test.note_state(master.clients["b"]), "it is lost"
    assert not test.note_state(master.clients["b"]), "it was lost before"
    test.drain(patience_s=60)
    assert (test.missing(), test.not_throughout()) == (["b"], {"b"})


def test_a_worker_that_comes_back() -> None:
    master, test = a_test("a")
    master.clients["a"].state = STATE_MISSING
    test.note_state(master.clients["a"])
    master.clients["a"].state = STATE_RUNNING
    test.note_state(master.clients["a"])
    assert test.came_back() == ["a"]


def test_who_joins_or_leaves_is_not_there_throughout() -> None:
    master, test = a_test("a", "b")
    test.receive("b", a_report(final=True))
    master.clients["c"] = FakeNode("c", STATE_INIT)
    test.note_state(master.clients["c"])
    master.answers = lambda _kind, worker, _data: test.receive(worker, a_report(final=True))
    test.drain(patience_s=60)
    assert test.not_throughout() == {"b", "c"}


def test_who_hurries_has_what_is_in_flight_aborted() -> None:
    master, test = a_test("a")

    def answer(_kind: str, worker: str, data: dict[str, Any]) -> None:
        if data["force"]:
            test.receive(worker, a_report(final=True))
        else:
            test.hurry()

    master.answers = answer
    test.drain(patience_s=60)
    assert [data["force"] for _, _, data in master.sent] == [False, True]
    assert test.missing() == []


def test_silence_counts_from_the_first_look() -> None:
    _master, test = a_test("a")
    assert [test.silent_s("a", now_s) for now_s in (3.0, 4.0, 10.0)] == [0, 1, 7]
