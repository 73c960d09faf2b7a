"""An event loop in which synchronous code runs coroutines until Ctrl-C ends them.

By default Python raises KeyboardInterrupt wherever the program happens to be. Here that is mostly inside somebody
else's task in the loop, and python-engineio and uvicorn swallow it there (`except:`, `except BaseException`). A run
would go on, or fail for another reason. So Ctrl-C cancels the coroutine that runs, and its caller gets
KeyboardInterrupt. A second Ctrl-C is raised at once, unless the earlier handler of SIGINT knows better (see `Patient`).
"""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self, TypeVar

from bench.machine.interrupts import Patient
from bench.machine.stops import counted_stops

T = TypeVar("T")


class InterruptibleLoop:
    """An event loop that Ctrl-C can interrupt: `run` runs a coroutine in `loop`, which stays alive between calls."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._running: asyncio.Task[Any] | None = None
        self._is_interrupted = False
        #: The earlier handler of SIGINT, if it decides which interrupt counts.
        self._patient: Patient | None = None

    @classmethod
    @contextmanager
    def open(cls, factory: Callable[[], asyncio.AbstractEventLoop]) -> Iterator[Self]:
        """Open a new loop that has SIGINT to itself. At the end, cancel what still runs in it, and close it.

        Meanwhile stops of the process are counted. For the main thread only, because only that receives signals.
        """
        with asyncio.Runner(loop_factory=factory) as runner, counted_stops():
            own = cls(runner.get_loop())
            before = signal.signal(signal.SIGINT, own._interrupt)
            own._patient = before if isinstance(before, Patient) else None
            try:
                yield own
            finally:
                signal.signal(signal.SIGINT, before)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine and return its result. Raises its error, or KeyboardInterrupt."""
        self._running = task = self.loop.create_task(coroutine)
        try:
            return self.loop.run_until_complete(task)
        finally:
            self._running = None
            if not task.cancel() and not task.cancelled():
                task.exception()  # nobody else will ask for it
            if self._is_interrupted:
                self._is_interrupted = False
                raise KeyboardInterrupt

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._patient is not None and not self._patient.accepts():
            return
        if self._running is None or self._is_interrupted:
            raise KeyboardInterrupt
        self._is_interrupted = True
        self.loop.call_soon_threadsafe(self._running.cancel)


@contextmanager
def gc_frozen() -> Iterator[None]:
    """Keep the garbage collector from searching the objects that are there now, which takes tens of milliseconds."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
