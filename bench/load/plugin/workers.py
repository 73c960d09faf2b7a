"""The master's view of its workers: their messages (`bench.load.plugin.messages`), and their silence.

A schedule starts when all workers that have users are ready. From then on it is shared among those that have users. If
these change, or Locust misses a worker's heartbeat, the workers get other shares at once.

A worker of another version is refused, and a worker that sends too much or what cannot be read. The master gives it no
share, counts nothing more that it sends, and asks it to quit. What belongs to one test is in a `WorkersInRun`.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from time import perf_counter_ns

import gevent
from gevent.event import Event
from locust.rpc import Message
from locust.runners import STATE_MISSING, MasterRunner

from bench.load.metrics.merge import Merger
from bench.load.plugin.locust_guard import Complaints, early_hellos
from bench.load.plugin.messages import (
    HELLO,
    READY,
    REPORT,
    ROWS,
    MessageError,
    Ready,
    RowsWanted,
    Version,
    own_version,
    read,
    read_report,
    shown,
)
from bench.load.plugin.workers_in_run import WorkersInRun

logger = logging.getLogger(__name__)

#: The time between two looks at the workers' states, in seconds: Locust has no event for a worker that it misses.
_WATCH_INTERVAL_S = 1.0

#: The time that a worker may take from its connecting to the first message of this package, in seconds.
_SILENCE_S = 15.0

#: The shortest time between two looks, in seconds, however many messages ask for them.
_SHARING_INTERVAL_S = 0.02

#: The number of messages of this package that a worker may send in a test, and the number that each second adds.
_MESSAGES, _MESSAGES_PER_S = 200, 25


def own_clock_ns(unix_ns: int) -> int:
    """Return a wall time as this process's perf_counter tells it: which is another on another machine."""
    return perf_counter_ns() + unix_ns - time.time_ns()


class MessageBudget:
    """The number of messages that each worker may send, which grows from `since_s` on (of `time.monotonic`)."""

    def __init__(self, since_s: float) -> None:
        self.since_s = since_s
        self._numbers: Counter[str] = Counter()

    def too_many(self, worker: str, now_s: float) -> int | None:
        """Count a message. Return how many the worker has sent if these are too many; else None."""
        self._numbers[worker] += 1
        number = self._numbers[worker]
        return number if number > _MESSAGES + _MESSAGES_PER_S * (now_s - self.since_s) else None


class Workers:
    """The workers of a master, through all of its tests.

    `changed` is called when a worker has all of its users, or none any more, or is missing, and also regularly.
    `refused` is called when a worker is refused while no test is on; `unsupported` when a worker knows that the figures
    are wrong.
    """

    def __init__(
        self,
        master: MasterRunner,
        changed: Callable[[], None],
        refused: Callable[[], None],
        unsupported: Callable[[], None],
    ) -> None:
        self._master = master
        self._changed = changed
        self._on_refusal = refused
        self._on_unsupported_task = unsupported
        self._versions: dict[str, Version] = {}
        #: The reason why a worker was refused, in any test or before it.
        self._refused: dict[str, str] = {}
        self._test: WorkersInRun | None = None
        self._budget = MessageBudget(time.monotonic())
        self._woken = Event()
        self._watching: gevent.Greenlet | None = None
        self._complaints = Complaints()
        early = early_hellos(master)
        master.register_message(HELLO, self._on_hello)
        master.register_message(REPORT, self._on_report)
        master.register_message(READY, self._on_ready)
        master.register_message(ROWS, self._on_rows_wanted)
        for hello in early:
            self._on_hello(hello)

    def begin(self, merger: Merger) -> WorkersInRun:
        """Begin a test, whose reports are put into `merger`."""
        self._budget = MessageBudget(time.monotonic())
        self._test = WorkersInRun(self._master, merger, self._refused.keys())
        if self._watching is None:
            self._watching = gevent.spawn(self._watch)
        return self._test

    def end(self) -> None:
        """End the test: what still comes is of no use."""
        self._test = None

    @property
    def number(self) -> int:
        """The number of workers that are not missing."""
        return len([node for node in self._master.clients.values() if node.state != STATE_MISSING])

    @property
    def number_ready(self) -> int:
        """The number of workers that are free for a test, at least 1."""
        return max(1, len(self._master.clients.ready))

    def places(self) -> dict[str, int]:
        """Return the place, from 0, of each worker that is free for a test: in Locust's order of giving them users.

        So the worker that gets a user more, because the number does not divide, is a worker with a row of a feed more.
        """
        of_hosts: Counter[str] = Counter()
        ordered = []
        for worker in sorted(node.id for node in self._master.clients.ready):
            host = worker.split("_")[0]
            ordered.append((of_hosts[host], worker))
            of_hosts[host] += 1
        return {worker: place for place, (_, worker) in enumerate(sorted(ordered))}

    def send_all_away(self) -> None:
        """Ask all workers to quit: the master is about to."""
        for worker in self._master.clients:
            self._master.send_message("quit", client_id=worker)

    def _watch(self) -> None:
        while True:
            self._woken.wait(_WATCH_INTERVAL_S)
            self._woken.clear()
            test = self._test
            if test is None:
                continue
            for node in list(self._master.clients.values()):
                if node.id in self._refused:
                    continue
                if test.note_state(node):
                    logger.error("worker %s is lost: it no longer answers", shown(node.id))
                if node.state != STATE_MISSING and node.id not in self._versions:
                    self._bear_with(test, node.id)
            self._changed()
            gevent.sleep(_SHARING_INTERVAL_S)

    def _bear_with(self, test: WorkersInRun, worker: str) -> None:
        """Refuse a worker that has users and has sent no message of this package for too long."""
        if test.silent_s(worker, time.monotonic()) > _SILENCE_S:
            self._refuse(worker, f"it does not say which version it is, and this master is version {own_version()}")

    # ------------------------------------------------------------------ messages of workers

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
            ready = read(Ready, msg.data)
        except MessageError as error:
            self._complaints.note(f"{READY} of worker {shown(msg.node_id)} cannot be read", error)
            return
        if self._test is not None:
            self._test.note_ready(msg.node_id, ready.users, ready.takes_arrivals)
        self._woken.set()

    def _on_rows_wanted(self, msg: Message, **_: object) -> None:
        if self._test is None or not self._is_heard(msg.node_id, may_be_first=False):
            return
        try:
            wanted = read(RowsWanted, msg.data)
        except MessageError as error:
            self._complaints.note(f"{ROWS} of worker {shown(msg.node_id)} cannot be read", error)
            return
        self._master.send_message(ROWS, self._test.rows.give(wanted).model_dump(), client_id=msg.node_id)

    def _on_report(self, msg: Message, **_: object) -> None:
        if self._test is None or not self._is_heard(msg.node_id, may_be_first=False):
            return
        try:
            report = read_report(msg.data, time.monotonic() - self._budget.since_s)
        except MessageError as error:
            self._refuse(msg.node_id, f"its report cannot be read: {error}")
            return
        self._test.receive(msg.node_id, report)
        if report.invalid_reason is not None:
            self._on_unsupported_task()

    def _is_heard(self, worker: str, may_be_first: bool = True) -> bool:
        """Return whether the worker's messages count: it is known, of the same version, and does not send too much."""
        if worker in self._refused:
            return False
        if worker not in self._master.clients:
            self._complaints.note(f"{shown(worker)} sends messages and is no worker of this master")
            return False
        number = self._budget.too_many(worker, time.monotonic())
        if number is not None:
            self._refuse(worker, f"it has sent {number} messages, far more than a worker does")
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
        logger.error("%s", reason)
        if self._test is not None:
            self._test.refuse(worker, reason)
        else:
            self._on_refusal()
        gevent.spawn(self._send_away, worker)

    def _send_away(self, worker: str) -> None:
        """Ask a worker to quit, and have Locust give its users to the others, as if it had quit by itself."""
        self._master.send_message("quit", client_id=worker)
        self._master.handle_message(worker, Message("quit", None, worker))
