"""The standstill of an engine's loop: for how long it has not gone round, because a task does not give control back.

Pure: the engine counts its loop's beats, and the time, in seconds of `time.monotonic`, is passed in.
"""

from __future__ import annotations

from typing import Protocol

#: The longest usual time between two looks at the loop, in seconds. After a longer time the whole process, or machine,
#: stood still.
_MOST_BETWEEN_LOOKS_S = 1.0

#: The standstill from which on a loop is surely blocked, in seconds.
_SURELY_BLOCKED_S = 1.0


class BeatingLoop(Protocol):
    """An engine, as far as the beats of its loop are concerned."""

    beats: int

    def place(self) -> str | None:
        """Return the place in the users' own code where the loop's thread is at the moment."""


class Standstill:
    """The time for which a loop has stood still while this side did not."""

    def __init__(self, engine: BeatingLoop, now_s: float) -> None:
        self._engine = engine
        self._beats = engine.beats
        self._since_s = self._looked_at_s = now_s

    def seconds(self, now_s: float) -> float:
        """Return how long the loop has stood still, in seconds."""
        if self._engine.beats != self._beats:
            self._beats, self._since_s = self._engine.beats, now_s
        elif now_s - self._looked_at_s > _MOST_BETWEEN_LOOKS_S:
            self._since_s += now_s - self._looked_at_s
        self._looked_at_s = now_s
        return now_s - self._since_s

    def reason(self, now_s: float) -> str | None:
        """Return how long the loop has been blocked, and where; None if it is not blocked."""
        blocked_s = self.seconds(now_s)
        if blocked_s < _SURELY_BLOCKED_S:
            return None
        place = self._engine.place()
        where = "" if place is None else f": {place}"
        return f"the engine's event loop has been blocked for {blocked_s:.0f} s by a task{where}"
