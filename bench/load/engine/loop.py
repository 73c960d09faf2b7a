"""asyncio under Locust: one real thread per process that runs a uvloop loop, beside gevent's.

Rules. The engine's thread neither logs, nor fires Locust's events, nor touches a gevent object. Its news for the gevent
side crosses in `outbox`, a deque, whose append and popleft are atomic. `outbox_ready` is set through the kind of
gevent's watchers that is made for other threads. The other way goes through `submit`, which is the loop's own
`call_soon_threadsafe`. The thread is started with the test, not at import, because `--processes` forks.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
import warnings
from array import array
from collections import deque
from collections.abc import Callable
from functools import cache
from itertools import chain
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import gevent
import gevent.event
import greenlet
import uvloop
from gevent import monkey

from bench.load.engine.alarm import Alarm
from bench.load.metrics.exceptions import Exceptions, Raised, exception_kind, folded
from bench.load.metrics.recorder import Batch, LoopDelays, NotedKind, Recorder
from bench.places import place_in
from bench.results.load import MOST_OPERATIONS, OTHER_OPERATIONS, ROUND_TRIP

#: The time between two flushes, in seconds. Each flush is a millisecond or more in which the gevent side has the
#: interpreter, and often the core, to itself.
FLUSH_INTERVAL_S = 1.0

#: The number of users that begin in a turn of the loop.
#:
#: In each turn all that have begun take a step. If tens of thousands began at once, a turn would take so long that the
#: server gave up those that it pings meanwhile.
_BEGUN_AT_ONCE = 16

#: The mean time between two probes of the loop's lag, in nanoseconds.
_PROBE_INTERVAL_NS = 10_000_000

#: The mean time between two probes by the loop's own alarm while arrivals serve as probes, in nanoseconds.
#:
#: A probe wakes the loop, which on a core that halts costs more than to begin a task. The alarm of an arrival wakes it
#: anyway, and is late by the same.
_SELDOM_NS = 100_000_000

#: The number of probe intervals in which there has to be an arrival that serves as a probe, on average.
_MOST_INTERVALS = 4

#: The time after which a thread that wants the interpreter gets it, in seconds.
#:
#: The gevent side counts batches, and looks at figures, while the loop runs. CPython's default of 5 ms would be 5 ms of
#: lag in the loop.
SWITCH_INTERVAL_S = 0.0002

_start_new_thread: Callable[..., int] = monkey.get_original("_thread", "start_new_thread")
_get_ident: Callable[[], int] = monkey.get_original("_thread", "get_ident")


class Engine:
    """The thread, its loop, and the recorders of the operations that run in it."""

    def __init__(self) -> None:
        #: The news for the gevent side, oldest first: Batch, Raised, and what the sessions append.
        self.outbox: deque[Any] = deque()
        #: Set when there is something new in the outbox.
        self.outbox_ready = gevent.event.Event()
        self._watcher: Any = None
        #: True if replies tell when they were handled.
        self.breakdown = False
        #: True if the slowest round trips are to be named by their tokens.
        self.names_tokens = False
        #: The field of the data that has the trace context of each emission; None: there is none.
        self.trace_field: str | None = None
        #: The number of times that the loop has flushed; it grows for as long as the loop goes round.
        self.beats = 0
        #: The recorders by their operation's name, of each kind.
        self._recorders: dict[NotedKind, dict[str, Recorder]] = {ROUND_TRIP: {}}
        self._task_recorders: dict[str, Recorder] = {}
        self._exceptions = Exceptions()
        #: The last exception that asyncio lets out of the loop. It comes twice: as a task's end, and from the loop.
        self._escaped: BaseException | None = None
        self._thread: int | None = None
        self._greenlet: Any = None
        #: The `queueing` of recorder.LoopDelays; `waits`, below, is its `waits`.
        self.queueing: array[int] = array("q")
        self.waits: array[int] = array("q")
        self._loop_lag: array[int] = array("q")
        #: The `traffic` of recorder.LoopDelays, and how much of what the recorders have is in it.
        self._traffic: array[int] = array("q")
        self._noted_bytes = 0, 0
        self._probe: Alarm | None = None
        #: The time at which the probe's own alarm rings, and the time from which on another alarm serves as a probe.
        self._probe_ns = self._next_probe_ns = 0
        #: The time at which the probe's own alarm has last rung, and the number of others that served since then.
        self._probed_ns = self._served = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = False
        #: The beginnings that have not had their turn, and whether the loop will look at them.
        self._beginnings: deque[Callable[[], None]] = deque()
        self._are_beginning = False

    def start(self) -> None:
        """Start the thread, if it is not running yet."""
        if self._loop is not None:
            return
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        _note_missing_awaits()
        self._ended = False
        self._watcher = gevent.get_hub().loop.async_()
        self._watcher.start(self.outbox_ready.set)
        self._loop = uvloop.new_event_loop()
        self._loop.set_exception_handler(self._note_exception)
        self._loop.call_soon(self._flush_regularly)
        self._loop.call_soon(self._set_probe)
        _start_new_thread(self._run, (self._loop,))

    def stop(self, timeout_s: float = 5.0) -> bool:
        """End the thread and wait for it; return whether it has ended. Called from a greenlet."""
        if self._loop is None:
            return True
        self.submit(self._loop.stop)
        give_up_at = time.monotonic() + timeout_s
        while not self._ended and time.monotonic() < give_up_at:
            gevent.sleep(0.005)
        self._loop = None
        if self._ended:
            self._watcher.close()
            self._watcher = None
            if self._probe is not None:
                self._probe.close()
                self._probe = None
        return self._ended

    def submit(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Have the loop call a function soon. From any thread; the engine must be running."""
        assert self._loop is not None, "the engine is not running"
        self._loop.call_soon_threadsafe(function, *arguments)

    def begin(self, start: Callable[[], None]) -> None:
        """Have the loop call `start`, which begins a user, when it is its turn. From any thread."""
        self._beginnings.append(start)
        if not self._are_beginning:
            self._are_beginning = True
            self.submit(self._begin_some)

    def _begin_some(self) -> None:
        for _ in range(min(_BEGUN_AT_ONCE, len(self._beginnings))):
            self._beginnings.popleft()()
        self._are_beginning = False
        if self._beginnings:  # also those that have come since the flag was looked at
            self._are_beginning = True
            assert self._loop is not None
            self._loop.call_soon(self._begin_some)

    def post(self, *items: Any) -> None:
        """Put news for the gevent side into the outbox. In the engine's thread."""
        self.outbox.extend(items)
        if self._watcher is not None:
            self._watcher.send()

    def raised(self, error: BaseException, holder: Any = None) -> None:
        """Note that a user's own code has raised an exception. In the engine's thread.

        A flood of exceptions is counted here and handed over with the next flush: nobody could take them separately.
        """
        if isinstance(error, (SystemExit, KeyboardInterrupt)):
            if error is self._escaped:
                return
            self._escaped = error
        self._note_raised(exception_kind(error), error, holder)

    def recorder(self, operation: str, kind: NotedKind = ROUND_TRIP) -> Recorder:
        """Return the recorder of an operation, or of all others of its kind if there are too many of that kind.

        In the engine's thread.
        """
        recorders = self._recorders.get(kind)
        if recorders is None:
            recorders = self._recorders[kind] = {}
        recorder = recorders.get(operation)
        if recorder is None:
            if len(recorders) >= MOST_OPERATIONS and operation != OTHER_OPERATIONS:
                return self.recorder(OTHER_OPERATIONS, kind)
            recorder = recorders[operation] = Recorder(operation, kind=kind)
        return recorder

    def task_recorder(self, key: str, name: str) -> Recorder:
        """Return the recorder of a task, by its key, while its operation is not known yet. In the engine's thread."""
        recorder = self._task_recorders.get(key)
        if recorder is None:
            recorder = self._task_recorders[key] = Recorder(name, key)
        return recorder

    def flush(self) -> None:
        """Hand over what was noted so far. In the engine's thread; after `stop`, in any thread."""
        self._note_traffic(perf_counter_ns())
        self._noted_bytes = 0, 0
        of_kinds = (recorders.values() for recorders in self._recorders.values())
        recorders = chain(*of_kinds, self._task_recorders.values())
        batches = (recorder.flush() for recorder in recorders)
        items: list[Batch | LoopDelays | Raised] = [batch for batch in batches if batch is not None]
        items += self._exceptions.take()
        if self._loop_lag or self.queueing or self.waits or self._traffic:
            items.append(LoopDelays(self._loop_lag, self.queueing, self.waits, self._traffic))
            self._loop_lag, self.queueing, self.waits, self._traffic = (array("q") for _ in range(4))
        if items:
            self.post(*items)

    def place(self) -> str | None:
        """Return the place in the users' own code where the loop's thread is at the moment. From any thread."""
        frame = sys._current_frames().get(self._thread or 0)
        if self._greenlet is not None and self._greenlet.gr_frame is not None:
            frame = self._greenlet.gr_frame  # it sleeps as gevent does: another greenlet of the thread waits for that
        return place_in(frame)

    def _flush_regularly(self) -> None:
        self.beats += 1
        self.flush()
        assert self._loop is not None
        self._loop.call_later(FLUSH_INTERVAL_S, self._flush_regularly)

    def note_alarm(self, at_ns: int, now_ns: int) -> None:
        """Take an alarm of the loop, which was set to `at_ns` and has rung, as a probe, if a probe is due.

        In the engine's thread.
        """
        if at_ns >= self._next_probe_ns:
            self._served += 1
            self._next_probe_ns = at_ns + _probe_interval_ns(_PROBE_INTERVAL_NS)
            self._note_lag(at_ns, now_ns)

    def _set_probe(self) -> None:
        if self._probe is None:
            assert self._loop is not None
            self._probe = Alarm(self._loop, self._ring_probe)
        now_ns = perf_counter_ns()
        are_served = self._served * _MOST_INTERVALS * _PROBE_INTERVAL_NS >= now_ns - self._probed_ns
        self._probed_ns, self._served = now_ns, 0
        self._probe_ns = now_ns + _probe_interval_ns(_SELDOM_NS if are_served else _PROBE_INTERVAL_NS)
        self._probe.set(self._probe_ns)

    def _ring_probe(self) -> None:
        now_ns = perf_counter_ns()
        self._note_lag(self._probe_ns, now_ns)
        self._next_probe_ns = now_ns + _probe_interval_ns(_PROBE_INTERVAL_NS)
        self._set_probe()

    def _note_lag(self, at_ns: int, now_ns: int) -> None:
        self.beats += 1
        self._loop_lag.append(now_ns)
        self._loop_lag.append(now_ns - at_ns)
        self._note_traffic(now_ns)

    def _note_traffic(self, now_ns: int) -> None:
        """Note the bytes that the recorders have counted since the last time."""
        sent = received = 0
        for recorders in self._recorders.values():
            for recorder in recorders.values():
                sent += recorder.sent_bytes
                received += recorder.received_bytes
        sent_before, received_before = self._noted_bytes
        if sent != sent_before or received != received_before:
            self._traffic.extend((now_ns, sent - sent_before, received - received_before))
            self._noted_bytes = sent, received

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        self._thread, self._greenlet = _get_ident(), greenlet.getcurrent()
        _running[self._thread] = self
        asyncio.set_event_loop(loop)
        try:
            while True:
                try:
                    loop.run_forever()
                    break
                except BaseException as error:  # SystemExit, say, raised by a task that a user's task created
                    self.raised(error)
        finally:
            asyncio.set_event_loop(None)
            _running.pop(self._thread, None)
            self._ended = True

    def _note_exception(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if error is not None:
            self.raised(error)
        else:
            self._note_raised(folded(context.get("message", "")), None)

    def _note_raised(self, kind: str, error: BaseException | None, holder: Any = None) -> None:
        at_once = self._exceptions.note(kind, error, holder)
        if at_once is not None:
            self.post(at_once)


def _probe_interval_ns(mean_ns: int) -> int:
    """Return a random time to the next probe: probes at even intervals could keep step with what they look at."""
    return round(random.expovariate(1 / mean_ns))


class NotAwaited(Exception):
    """A coroutine that a user's own code has forgotten to await: nothing of it was performed."""


#: The running engines, by their threads.
_running: dict[int, Engine] = {}


@cache
def _note_missing_awaits() -> None:
    """Have what Python only warns of counted as an exception: a load lacks all that was not awaited."""
    warnings.filterwarnings("always", r"coroutine .* was never awaited", RuntimeWarning)
    show = warnings.showwarning

    def note(message: Warning | str, category: type[Warning], filename: str, lineno: int, *more: Any) -> None:
        engine = _running.get(_get_ident())
        if engine is None or not (issubclass(category, RuntimeWarning) and "was never awaited" in str(message)):
            show(message, category, filename, lineno, *more)
        else:
            engine.raised(NotAwaited(f"{message}: write `await` before it, {Path(filename).name}:{lineno}"))

    warnings.showwarning = note  # type: ignore[assignment]
