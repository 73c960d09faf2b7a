"""The end of what a test opens in its event loop: a server, a client.

A test closes what it opens, by `async with`. What it leaves open has to end all the same, before its loop is gone. The
plugins that run the loop end it in different ways:

- Some close it after the test's fixtures. A fixture's own end comes too late, because the loop was mostly made after
  it. So each open thing adds a finalizer of its own when it is opened, which runs before that.
- Others close it with the test's function, and cancel all tasks before. So each open thing has a guard, a task that
  waits for this, and then closes the thing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from bench.server.error import ServerError

#: The time that a thing that was left open has to close, in seconds.
CLOSING_TIMEOUT_S = 10.0


class NoAsyncioLoop(RuntimeError):
    """The lack of a running asyncio loop, in one line that says what to do."""

    def __init__(self, opening: str) -> None:
        super().__init__(
            f"{opening} needs a running asyncio loop, and there is none: make the test `async def`, run it by "
            'pytest-asyncio or anyio, and with anyio on asyncio alone (its fixture `anyio_backend` returns "asyncio"; '
            "trio is not supported)"
        )


class Guard:
    """The guard of one open thing, in the loop that is running. Raises NoAsyncioLoop.

    `opening` is what opens it, for people. `close(loop_ends)` closes the thing; if the loop ends, all its tasks have
    been cancelled already.
    """

    def __init__(self, opening: str, close: Callable[[bool], Awaitable[None]]) -> None:
        __tracebackhide__ = True
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            raise NoAsyncioLoop(opening) from None
        #: The name of the open thing, for people.
        self.name = opening
        self.is_released = False
        self._close = close
        self._loop_ends = True
        self._task = self._loop.create_task(self._watch(), name=f"guard of {opening}")

    async def release(self) -> None:
        """Guard no longer: the thing is closed."""
        self.is_released = True
        self._task.cancel()
        await asyncio.wait({self._task})

    def close(self) -> None:
        """Close the thing, if it is open, from outside its loop, if that is still there and does not run."""
        if self.is_released or self._task.done() or self._loop.is_closed() or self._loop.is_running():
            return
        self._loop_ends = False
        self._task.cancel()
        self._loop.run_until_complete(asyncio.wait({self._task}, timeout=CLOSING_TIMEOUT_S))

    async def _watch(self) -> None:
        try:
            await self._loop.create_future()  # until the task is cancelled
        finally:
            if not self.is_released:
                await self._close_quietly()

    async def _close_quietly(self) -> None:
        # Its other tasks were cancelled with this one, so it may call itself dead: that is no news.
        try:
            async with asyncio.timeout(CLOSING_TIMEOUT_S):
                await self._close(self._loop_ends)
        except (TimeoutError, ServerError):
            pass


class Guards:
    """The guards of all that a test opened.

    `at_end` takes a function to call at the end of the test. What it is given last it calls first.
    """

    def __init__(self, at_end: Callable[[Callable[[], None]], None] | None = None) -> None:
        self._guards: list[Guard] = []
        self._at_end = at_end

    def add(self, opening: str, close: Callable[[bool], Awaitable[None]]) -> Guard:
        """Return a guard of a thing that is about to be opened. Raises NoAsyncioLoop."""
        __tracebackhide__ = True
        guard = Guard(opening, close)
        self._guards.append(guard)
        if self._at_end is not None:
            self._at_end(guard.close)
        return guard

    def close(self) -> list[str]:
        """Close what was left open, the last first; return its names in the order of opening."""
        left = [guard for guard in self._guards if not guard.is_released]
        for guard in reversed(left):
            guard.close()
        self._guards.clear()
        return [guard.name for guard in left]
