"""What a master and its workers say to each other besides Locust's own messages, and what the master makes of it.

    READY   worker to master   all of its users are there, or none is any more
    GO      master to worker   when the schedule starts, and which share of it is the worker's
    REPORT  worker to master   its account so far; the last one is final
    DRAIN   master to worker   stop all sessions, then report for the last time

A schedule starts when all workers that have users are ready. From then on it is shared among those that have users:
where that changes, they get other shares at once, because Locust itself would know seconds later.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from time import perf_counter_ns

import gevent
from locust.rpc import Message
from locust.runners import STATE_RUNNING, STATE_SPAWNING, MasterRunner
from pydantic import ValidationError

from bench.load.account import Report
from bench.load.merge import Merger

logger = logging.getLogger(__name__)

READY = "bench_ready"
GO = "bench_go"
REPORT = "bench_report"
DRAIN = "bench_drain"

GO_NOTICE_NS = 200_000_000
"""How long before its time a message to go is sent."""

_HANDSHAKE_MARGIN_S = 10.0
"""For what a drain does besides awaiting replies, and for the messages."""


def own_clock_ns(unix_ns: int) -> int:
    """A wall time as this process's perf_counter tells it: which is another on another machine."""
    return perf_counter_ns() + unix_ns - time.time_ns()


class Workers:
    """The workers of a master, in one test after the other.

    `changed` is called where one has all of its users, or none any more; `invalid` where one knows that the figures
    are wrong.
    """

    def __init__(self, master: MasterRunner, changed: Callable[[], None], invalid: Callable[[], None]) -> None:
        self._master = master
        self._changed = changed
        self._invalid = invalid
        self._merger: Merger | None = None
        self._expected: set[str] = set()
        """Whose final report is awaited."""
        self._are_spawned = False
        self._ready: set[str] = set()
        self._shares: list[str] = []
        """The workers that have a share of the schedule, in its order."""
        self._hurried = False
        master.register_message(REPORT, self._on_report)
        master.register_message(READY, self._on_ready)

    def begin(self, merger: Merger) -> int:
        """A test begins, whose reports are put into `merger`. Returns how many workers there are."""
        self._merger = merger
        self._expected, self._ready, self._shares = set(), set(), []
        self._are_spawned = self._hurried = False
        return max(1, len(self._master.clients.ready))

    def spawned(self) -> None:
        """Locust has told all workers of their users, and they have told of them."""
        self._are_spawned = True

    # ------------------------------------------------------------------ the schedule

    def share_out(self, go_ns: int | None, decide_on_go: Callable[[], int]) -> None:
        """Tell the workers that have users which share of the schedule is theirs, where that has changed.

        As long as the schedule has not started (`go_ns` is None), only once all of them are ready: `decide_on_go` says
        when it does.
        """
        there = [node for node in self._master.clients.values() if node.state != "missing"]
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
        unix_ns = time.time_ns() - perf_counter_ns()
        for index, worker in enumerate(sharing):
            go = {"start_unix_ns": start_ns + unix_ns, "since_start_ns": since_ns - start_ns}
            self._master.send_message(GO, {**go, "index": index, "count": len(sharing)}, client_id=worker)

    def _on_ready(self, msg: Message, **_: object) -> None:
        if msg.data["users"]:
            self._ready.add(msg.node_id)
        else:
            self._ready.discard(msg.node_id)
        self._changed()

    # ------------------------------------------------------------------ reports, and the last one

    def drain(self, patience_s: float) -> None:
        """Have all workers stop, and return when each has reported for the last time, or will not."""
        assert self._merger is not None, "a test has begun"
        self._expected = {
            node.id for node in self._master.clients.values() if node.state in (STATE_RUNNING, STATE_SPAWNING)
        } | set(self._merger.processes)
        started = time.monotonic()
        limit_s = patience_s + _HANDSHAKE_MARGIN_S
        self._ask_to_drain(force=False)
        while self._waited_for():
            if self._hurried:
                limit_s = min(limit_s, time.monotonic() - started + _HANDSHAKE_MARGIN_S)
                self._hurried = False
            if time.monotonic() - started > limit_s:
                break
            gevent.sleep(0.02)

    def hurry(self) -> None:
        """Cut short what is being drained."""
        self._hurried = True
        self._ask_to_drain(force=True)

    def missing(self) -> list[str]:
        """The workers whose final report stayed away."""
        return sorted(worker for worker in self._expected if not self._has_reported(worker))

    def end(self) -> None:
        """The test is over: what still comes is of no use."""
        self._merger = None

    def _ask_to_drain(self, force: bool) -> None:
        for worker in self._waited_for():
            self._master.send_message(DRAIN, {"force": force}, client_id=worker)

    def _waited_for(self) -> set[str]:
        """The workers whose final report may still come."""
        there = {node.id for node in self._master.clients.values() if node.state != "missing"}
        return {worker for worker in self._expected & there if not self._has_reported(worker)}

    def _has_reported(self, worker: str) -> bool:
        return self._merger is not None and self._merger.final(worker)

    def _on_report(self, msg: Message, **_: object) -> None:
        try:
            report = Report.model_validate(msg.data)
        except ValidationError as error:
            logger.error("a report of worker %s cannot be read: %s", msg.node_id, error.errors()[0]["msg"])
            return
        if self._merger is not None:
            self._merger.receive(msg.node_id, report)
            if report.invalid_reason is not None:
                self._invalid()
