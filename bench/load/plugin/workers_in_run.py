"""The workers of a master in one test: who is there, who has which share of the schedule, whose reports are awaited.

An object of this module is made when a test begins and dropped when it has ended. `bench.load.plugin.workers` has what
lasts longer: the workers' versions, and who is refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from time import perf_counter_ns
from typing import Any, Protocol

import gevent
from locust.runners import STATE_MISSING, STATE_RUNNING, STATE_SPAWNING

from bench.load.metrics.merge import Merger
from bench.load.metrics.report import Report
from bench.load.plugin.feeds import UniqueRows
from bench.load.plugin.messages import DRAIN, GO, Drain, Go
from bench.timing.rates import Share

#: The time before its start at which a message to start is sent, in nanoseconds.
GO_NOTICE_NS = 200_000_000

#: The time for what a drain does in addition to awaiting replies, and for the messages, in seconds.
_HANDSHAKE_MARGIN_S = 10.0

#: The time that workers always have to report, however often Ctrl-C is pressed, in seconds: a key may be held down.
_HURRIED_S = 2.0

_HAVE_USERS = (STATE_RUNNING, STATE_SPAWNING)


class Node(Protocol):
    """A worker as Locust's master knows it."""

    id: str
    state: str
    user_count: int


class Master(Protocol):
    """The part of Locust's master that a test needs."""

    spawning_completed: bool
    _users_dispatcher: Any

    @property
    def clients(self) -> Mapping[str, Node]:
        """The workers, by their ids."""

    def send_message(self, msg_type: str, data: dict[str, Any] | None = None, client_id: str | None = None) -> None:
        """Send a message to a worker."""


class WorkersInRun:
    """The workers of a master in one test, whose reports are put into `merger`. `refused` has those that do not count.

    A worker that was there when the test began, or has begun to spawn users since, is expected to report for the last
    time.
    """

    def __init__(self, master: Master, merger: Merger, refused: Collection[str]) -> None:
        self._master = master
        self._merger = merger
        self._refused = refused
        # A worker that is lost before it has sent anything is lost all the same.
        #: The workers that were there when the test began.
        self._early = {node.id for node in self._there() if node.id not in refused}
        #: The workers whose final report is awaited.
        self._expected = set(self._early)
        #: The reasons why workers were refused in this test.
        self.refusals: list[str] = []
        self._missed: set[str] = set()
        #: The workers that were missing for a while.
        self._came_back: set[str] = set()
        #: The workers that quit by themselves, with their final report.
        self._left: set[str] = set()
        self._silent_since_s: dict[str, float] = {}
        self._is_draining = False
        self._are_spawned = False
        #: The workers that have all of their users.
        self._ready: set[str] = set()
        #: The workers whose users only listen: no arrival could begin anything there.
        self._without_arrivals: set[str] = set()
        #: The workers among them whose steady window has begun.
        self._listening: set[str] = set()
        #: The workers that have a share of the schedule, in its order.
        self._sharing: list[str] = []
        #: The workers that had the shares, and since when, in nanoseconds of the schedule.
        self._handed_out: list[tuple[int, list[str]]] = []
        self._hurried = 0
        #: The rows of unique feeds that the workers' users have.
        self.rows = UniqueRows()

    # ------------------------------------------------------------------ who is there

    def note_spawned(self) -> None:
        """Note that Locust has told all workers of their users, and they have answered."""
        self._are_spawned = True

    def note_state(self, node: Node) -> bool:
        """Note whether a worker is there. Return true if it has just been lost, with a report still to come."""
        if node.state != STATE_MISSING:
            if node.id in self._missed:
                self._missed.remove(node.id)
                self._came_back.add(node.id)
            if not self._is_draining:  # Locust has it spawn users as soon as it is there
                self._expected.add(node.id)
        elif node.id in self._expected and node.id not in self._missed:
            self._missed.add(node.id)
            return not self._has_reported(node.id)
        return False

    def silent_s(self, worker: str, now_s: float) -> float:
        """Return for how long, in seconds, this has been asked of a worker."""
        return now_s - self._silent_since_s.setdefault(worker, now_s)

    def note_ready(self, worker: str, has_users: bool, takes_arrivals: bool = True) -> None:
        """Note that a worker has all of its users, or none any more, and if any of them takes arrivals."""
        if has_users:
            self._ready.add(worker)
        else:
            self._ready.discard(worker)
        if takes_arrivals:
            self._without_arrivals.discard(worker)
        else:
            self._without_arrivals.add(worker)

    def receive(self, worker: str, report: Report) -> None:
        """Take a worker's report."""
        self._expected.add(worker)
        if report.final and not self._is_draining:
            self._left.add(worker)
        self._merger.receive(worker, report)

    def refuse(self, worker: str, reason: str) -> None:
        """Note that a worker does not count any more."""
        self._expected.discard(worker)
        self._ready.discard(worker)
        self.refusals.append(reason)

    def _there(self) -> list[Node]:
        return [node for node in self._master.clients.values() if node.state != STATE_MISSING]

    # ------------------------------------------------------------------ the schedule

    def share_out(self, start_ns: int | None, decide_on_start: Callable[[], int]) -> None:
        """Tell the workers that have users which share of the schedule is theirs, where that has changed.

        As long as the schedule has not started (`start_ns` is None), only once all of them are ready:
        `decide_on_start` says when it does.
        """
        there = [node for node in self._there() if node.id not in self._refused]
        if start_ns is None and not (
            self._are_spawned and self._ready.issuperset(node.id for node in there if node.user_count)
        ):
            return
        ready = sorted(node.id for node in there if node.id in self._ready)
        sharing = [worker for worker in ready if worker not in self._without_arrivals]
        listening = {worker for worker in ready if worker in self._without_arrivals} - self._listening
        if not ready or (sharing == self._sharing and not listening):
            return
        if start_ns is None:
            start_ns = since_ns = decide_on_start()
        else:
            since_ns = max(start_ns, perf_counter_ns() + GO_NOTICE_NS)
        start_unix_ns = start_ns + time.time_ns() - perf_counter_ns()
        self._listening |= listening
        for worker in sorted(listening):
            go = Go(start_unix_ns=start_unix_ns, since_start_ns=since_ns - start_ns, index=0, count=1, has_share=False)
            self._master.send_message(GO, go.model_dump(), client_id=worker)
        if sharing == self._sharing:
            return
        self._sharing = sharing
        self._handed_out.append((since_ns - start_ns, sharing))
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

    # ------------------------------------------------------------------ the last reports

    def drain(self, patience_s: float) -> None:
        """Have all workers stop, and return when each has reported for the last time, or will not."""
        # No worker that connects or goes from now on may have Locust spawn users again.
        self._is_draining = True
        self._master._users_dispatcher = None
        self._master.spawning_completed = False
        self._expected |= {node.id for node in self._master.clients.values() if node.state in _HAVE_USERS}
        self._expected -= set(self._refused)
        started_s, heard = time.monotonic(), 0
        limit_s = patience_s + _HANDSHAKE_MARGIN_S
        self._ask_to_drain(abort=False)
        while self._waited_for():
            if self._hurried > heard:
                heard = self._hurried
                limit_s = min(limit_s, time.monotonic() - started_s + max(_HURRIED_S, _HANDSHAKE_MARGIN_S / heard**2))
            if time.monotonic() - started_s > limit_s:
                break
            gevent.sleep(0.02)

    def hurry(self) -> None:
        """Cut short what is being drained, and wait less each time."""
        self._hurried += 1
        self._ask_to_drain(abort=True)

    def missing(self) -> list[str]:
        """Return the workers whose final report stayed away."""
        return sorted(worker for worker in self._expected if not self._has_reported(worker))

    def came_back(self) -> list[str]:
        """Return the workers that did not answer for a while, and then went on. Meanwhile others had their shares."""
        return sorted(self._came_back)

    def not_throughout(self) -> set[str]:
        """Return the workers that were not there for all of the test: they joined, left, or were lost."""
        return (self._expected - self._early) | self._left | set(self.missing())

    def _ask_to_drain(self, abort: bool) -> None:
        for worker in self._waited_for():
            self._master.send_message(DRAIN, Drain(force=abort).model_dump(), client_id=worker)

    def _waited_for(self) -> set[str]:
        """Return the workers whose final report may still come."""
        there = {node.id for node in self._there()}
        return {worker for worker in self._expected & there if not self._has_reported(worker)}

    def _has_reported(self, worker: str) -> bool:
        return self._merger.final(worker)
