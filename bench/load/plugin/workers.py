"""The master's view of its workers: their messages (`bench.load.plugin.messages`), and their silence.

A schedule starts when all workers that have users are ready. From then on it is shared among those that have users. If
these change, or Locust misses a worker's heartbeat, the workers get other shares at once.

A worker that was there when a test began, or has begun to spawn users since, is expected to report for the last time. A
worker of another version is refused, and a worker that sends too much or what cannot be read. The master gives it no
share, counts nothing more that it sends, and asks it to quit.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from time import perf_counter_ns

import gevent
from gevent.event import Event
from locust.rpc import Message
from locust.runners import STATE_RUNNING, STATE_SPAWNING, MasterRunner

from bench.load.metrics.merge import Merger
from bench.load.plugin.locust_guard import Complaints, early_hellos
from bench.load.plugin.messages import (
    DRAIN,
    GO,
    HELLO,
    READY,
    REPORT,
    Drain,
    Go,
    MessageError,
    Ready,
    Version,
    own_version,
    read,
    read_report,
    shown,
)
from bench.timing.rates import Share

logger = logging.getLogger(__name__)

GO_NOTICE_NS = 200_000_000
"""How long before its time a message to go is sent."""

_HANDSHAKE_MARGIN_S = 10.0
"""For what a drain does besides awaiting replies, and for the messages."""
_HURRIED_S = 2.0
"""The time that workers always have to report, however often Ctrl-C is pressed: a key may be held down."""
_WATCH_INTERVAL_S = 1.0
"""The time between two looks at the workers' states, in seconds: Locust has no event for a worker that it misses."""
_HAVE_USERS = (STATE_RUNNING, STATE_SPAWNING)
_SILENCE_S = 15.0
"""The time that a worker may take from its connecting to the first message of this package, in seconds."""
_SHARING_INTERVAL_S = 0.02
"""The shortest time between two looks, in seconds, however many messages ask for them."""
_MESSAGES, _MESSAGES_PER_S = 200, 25
"""The number of messages of this package that a worker may send in a test, and the number that each second adds."""


def own_clock_ns(unix_ns: int) -> int:
    """A wall time as this process's perf_counter tells it: which is another on another machine."""
    return perf_counter_ns() + unix_ns - time.time_ns()


class Workers:
    """The workers of a master, in one test after the other.

    `changed` is called when a worker has all of its users, or none any more, or is missing, and also regularly.
    `refused` is called when a worker is refused while no test is on; `invalid` when a worker knows that the figures are
    wrong.
    """

    def __init__(
        self,
        master: MasterRunner,
        changed: Callable[[], None],
        refused: Callable[[], None],
        invalid: Callable[[], None],
    ) -> None:
        self._master = master
        self._changed = changed
        self._tell_of_refusal = refused
        self._invalid = invalid
        self._versions: dict[str, Version] = {}
        self._merger: Merger | None = None
        self._began_at = time.monotonic()
        self._numbers: Counter[str] = Counter()
        """The number of messages that each worker has sent in this test."""
        self._expected: set[str] = set()
        """Whose final report is awaited."""
        self._early: set[str] = set()
        """The workers that were there when the test began."""
        self._refused: dict[str, str] = {}
        """The reason why a worker was refused, in this test or before it."""
        self._refused_in_test: list[str] = []
        self._missed: set[str] = set()
        self._came_back: set[str] = set()
        """The workers that were missing for a while."""
        self._left: set[str] = set()
        """The workers that quit by themselves, with their final report."""
        self._silent_since: dict[str, float] = {}
        self._is_draining = False
        self._are_spawned = False
        self._ready: set[str] = set()
        self._shares: list[str] = []
        """The workers that have a share of the schedule, in its order."""
        self._handed_out: list[tuple[int, list[str]]] = []
        """The workers that had the shares, and since when, in nanoseconds of the schedule."""
        self._hurried = 0
        self._woken = Event()
        self._watching: gevent.Greenlet | None = None
        self._complaints = Complaints()
        early = early_hellos(master)
        master.register_message(HELLO, self._on_hello)
        master.register_message(REPORT, self._on_report)
        master.register_message(READY, self._on_ready)
        for hello in early:
            self._on_hello(hello)

    def begin(self, merger: Merger) -> int:
        """A test begins, whose reports are put into `merger`. Returns how many workers there are."""
        self._merger = merger
        self._began_at, self._numbers = time.monotonic(), Counter()
        # A worker that is lost before it has sent anything is lost all the same.
        self._early = {
            node.id
            for node in self._master.clients.values()
            if node.state != "missing" and node.id not in self._refused
        }
        self._expected, self._ready, self._missed = set(self._early), set(), set()
        self._came_back, self._left = set(), set()
        self._shares, self._handed_out = [], []
        self._refused_in_test = []
        self._are_spawned, self._is_draining, self._hurried = False, False, 0
        self._silent_since = {}
        if self._watching is None:
            self._watching = gevent.spawn(self._watch)
        return max(1, len(self._master.clients.ready))

    def spawned(self) -> None:
        """Locust has told all workers of their users, and they have told of them."""
        self._are_spawned = True

    def _watch(self) -> None:
        while True:
            self._woken.wait(_WATCH_INTERVAL_S)
            self._woken.clear()
            if self._merger is None:
                continue
            for node in list(self._master.clients.values()):
                if node.id in self._refused:
                    continue
                if node.state != "missing":
                    if node.id in self._missed:
                        self._missed.remove(node.id)
                        self._came_back.add(node.id)
                    if not self._is_draining:  # Locust has it spawn users as soon as it is there
                        self._expected.add(node.id)
                    if node.id not in self._versions:
                        self._bear_with(node.id)
                elif node.state == "missing" and node.id in self._expected and node.id not in self._missed:
                    self._missed.add(node.id)
                    if not self._has_reported(node.id):
                        logger.error("worker %s is lost: it no longer answers", shown(node.id))
            self._changed()
            gevent.sleep(_SHARING_INTERVAL_S)

    def _bear_with(self, worker: str) -> None:
        """Refuse a worker that has users and has sent no message of this package for too long."""
        since = self._silent_since.setdefault(worker, time.monotonic())
        if time.monotonic() - since > _SILENCE_S:
            self._refuse(worker, f"it does not say which version it is, and this master is version {own_version()}")

    # ------------------------------------------------------------------ the schedule

    def share_out(self, go_ns: int | None, decide_on_go: Callable[[], int]) -> None:
        """Tell the workers that have users which share of the schedule is theirs, where that has changed.

        As long as the schedule has not started (`go_ns` is None), only once all of them are ready: `decide_on_go` says
        when it does.
        """
        there = [
            node for node in self._master.clients.values() if node.state != "missing" and node.id not in self._refused
        ]
        if go_ns is None and not (
            self._are_spawned and self._ready.issuperset(node.id for node in there if node.user_count)
        ):
            return
        sharing = sorted(node.id for node in there if node.id in self._ready)
        if not sharing or sharing == self._shares:
            return
        if go_ns is None:
            start_ns = since_ns = decide_on_go()
        else:
            start_ns, since_ns = go_ns, max(go_ns, perf_counter_ns() + GO_NOTICE_NS)
        self._shares = sharing
        self._handed_out.append((since_ns - start_ns, sharing))
        start_unix_ns = start_ns + time.time_ns() - perf_counter_ns()
        for index, worker in enumerate(sharing):
            go = Go(start_unix_ns=start_unix_ns, since_start_ns=since_ns - start_ns, index=index, count=len(sharing))
            self._master.send_message(GO, go.model_dump(), client_id=worker)

    def arrivals_of(self, worker: str, schedule: Callable[[Share], Iterator[int]], until_ns: int) -> Iterator[int]:
        """Yield the arrivals of the shares that the worker has had, up to `until_ns` of the schedule."""
        for number, (since_ns, sharing) in enumerate(self._handed_out):
            if worker not in sharing:
                continue
            end_ns = until_ns
            if number + 1 < len(self._handed_out):
                end_ns = min(end_ns, self._handed_out[number + 1][0])
            for arrival_ns in schedule(Share(sharing.index(worker), len(sharing))):
                if arrival_ns >= end_ns:
                    break
                if arrival_ns >= since_ns:
                    yield arrival_ns

    # ------------------------------------------------------------------ what workers say

    def _on_hello(self, msg: Message, **_: object) -> None:
        if not self._is_heard(msg.node_id):
            return
        try:
            theirs = read(Version, msg.data)
        except MessageError as error:
            self._refuse(msg.node_id, f"it does not say which version it is: {error}")
            return
        self._master.send_message(HELLO, own_version().model_dump(), client_id=msg.node_id)
        if theirs != own_version():
            self._refuse(msg.node_id, f"it is version {theirs}, and this master is version {own_version()}")
        self._versions[msg.node_id] = theirs

    def _on_ready(self, msg: Message, **_: object) -> None:
        if not self._is_heard(msg.node_id, may_be_first=False):
            return
        try:
            has_users = read(Ready, msg.data).users
        except MessageError as error:
            self._complaints.note(f"{READY} of worker {shown(msg.node_id)} cannot be read", error)
            return
        if has_users:
            self._ready.add(msg.node_id)
        else:
            self._ready.discard(msg.node_id)
        self._woken.set()

    def _on_report(self, msg: Message, **_: object) -> None:
        if self._merger is None or not self._is_heard(msg.node_id, may_be_first=False):
            return
        try:
            report = read_report(msg.data, time.monotonic() - self._began_at)
        except MessageError as error:
            self._refuse(msg.node_id, f"its report cannot be read: {error}")
            return
        self._expected.add(msg.node_id)
        if report.final and not self._is_draining:
            self._left.add(msg.node_id)
        self._merger.receive(msg.node_id, report)
        if report.invalid_reason is not None:
            self._invalid()

    def _is_heard(self, worker: str, may_be_first: bool = True) -> bool:
        """Return whether the worker's messages count: it is known, of the same version, and does not send too much."""
        if worker in self._refused:
            return False
        if worker not in self._master.clients:
            self._complaints.note(f"{shown(worker)} sends messages and is no worker of this master")
            return False
        self._numbers[worker] += 1
        if self._numbers[worker] > _MESSAGES + _MESSAGES_PER_S * (time.monotonic() - self._began_at):
            self._refuse(worker, f"it has sent {self._numbers[worker]} messages, far more than a worker does")
            return False
        if not may_be_first and worker not in self._versions:
            self._refuse(worker, f"it does not say which version it is, and this master is version {own_version()}")
            return False
        return True

    def _refuse(self, worker: str, why: str) -> None:
        if worker in self._refused:
            return
        reason = f"worker {shown(worker)} is refused: {why}"
        self._refused[worker] = reason
        self._expected.discard(worker)
        self._ready.discard(worker)
        logger.error("%s", reason)
        if self._merger is not None:
            self._refused_in_test.append(reason)
        else:
            self._tell_of_refusal()
        gevent.spawn(self._send_away, worker)

    def _send_away(self, worker: str) -> None:
        """Ask a worker to quit, and have Locust give its users to the others, as if it had quit by itself."""
        self._master.send_message("quit", client_id=worker)
        self._master.handle_message(worker, Message("quit", None, worker))

    # ------------------------------------------------------------------ reports, and the last one

    def drain(self, patience_s: float) -> None:
        """Have all workers stop, and return when each has reported for the last time, or will not."""
        assert self._merger is not None, "a test has begun"
        # No worker that connects or goes from now on may have Locust spawn users again.
        self._is_draining = True
        self._master._users_dispatcher = None
        self._master.spawning_completed = False
        self._expected |= {node.id for node in self._master.clients.values() if node.state in _HAVE_USERS}
        self._expected -= set(self._refused)
        started, heard = time.monotonic(), 0
        limit_s = patience_s + _HANDSHAKE_MARGIN_S
        self._ask_to_drain(force=False)
        while self._waited_for():
            if self._hurried > heard:
                heard = self._hurried
                limit_s = min(limit_s, time.monotonic() - started + max(_HURRIED_S, _HANDSHAKE_MARGIN_S / heard**2))
            if time.monotonic() - started > limit_s:
                break
            gevent.sleep(0.02)

    def hurry(self) -> None:
        """Cut short what is being drained, and wait less each time."""
        self._hurried += 1
        self._ask_to_drain(force=True)

    def missing(self) -> list[str]:
        """The workers whose final report stayed away."""
        return sorted(worker for worker in self._expected if not self._has_reported(worker))

    def refusals(self) -> list[str]:
        """Return the reasons why workers were refused in this test."""
        return list(self._refused_in_test)

    def came_back(self) -> list[str]:
        """Return the workers that did not answer for a while, and then went on. Meanwhile others had their shares."""
        return sorted(self._came_back)

    def not_throughout(self) -> set[str]:
        """Return the workers that were not there for all of the test: they joined, left, or were lost."""
        return (self._expected - self._early) | self._left | set(self.missing())

    @property
    def number(self) -> int:
        """The number of workers that are not missing."""
        return len([node for node in self._master.clients.values() if node.state != "missing"])

    def send_all_away(self) -> None:
        """Ask all workers to quit: the master is about to."""
        for worker in self._master.clients:
            self._master.send_message("quit", client_id=worker)

    def end(self) -> None:
        """The test is over: what still comes is of no use."""
        self._merger = None

    def _ask_to_drain(self, force: bool) -> None:
        for worker in self._waited_for():
            self._master.send_message(DRAIN, Drain(force=force).model_dump(), client_id=worker)

    def _waited_for(self) -> set[str]:
        """The workers whose final report may still come."""
        there = {node.id for node in self._master.clients.values() if node.state != "missing"}
        return {worker for worker in self._expected & there if not self._has_reported(worker)}

    def _has_reported(self, worker: str) -> bool:
        return self._merger is not None and self._merger.final(worker)
