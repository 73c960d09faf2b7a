"""The phase that a Locust process is in, which decides what an interrupt does to it. Pure: the clock is passed in."""

from __future__ import annotations

from enum import Enum

#: The time in which interrupts are ignored once a run has ended, in seconds. Locust's master takes half a second to
#: leave.
LEAVING_S = 5.0


class Reaction(Enum):
    """The effect of an interrupt."""

    IGNORE = "ignore it"
    END_TEST = "end the test, and Locust with it"
    EXIT = "exit: no test has begun"


class _Stage(Enum):
    WAITING = 0
    BEGINNING = 1
    BEGUN = 2
    QUITTING = 3


class Phase:
    """The phase of a process: no test has begun yet, a test is about to begin, has begun, or Locust is quitting."""

    def __init__(self) -> None:
        self._stage = _Stage.WAITING
        self._is_interrupted = False
        self._leaves_until_s = 0.0

    @property
    def is_waiting(self) -> bool:
        """True if no test has begun in this process."""
        return self._stage is _Stage.WAITING

    @property
    def is_quitting(self) -> bool:
        """True if Locust is quitting."""
        return self._stage is _Stage.QUITTING

    @property
    def has_run(self) -> bool:
        """True if a test has begun, or was refused when it was about to begin."""
        return self._stage not in (_Stage.WAITING, _Stage.BEGINNING)

    def begin(self) -> None:
        """Note that a test is about to begin: there is nothing yet that could be ended."""
        self._stage, self._is_interrupted = _Stage.BEGINNING, False

    def begun(self) -> bool:
        """Note that a test has begun, or never will. Return false if it must not, for there was an interrupt."""
        if self._stage is _Stage.BEGINNING and self._is_interrupted:
            self._stage = _Stage.WAITING
            return False
        if self._stage is not _Stage.QUITTING:
            self._stage = _Stage.BEGUN
        return True

    def leave(self, now_s: float) -> None:
        """Note that the result is stored: a late interrupt would only print a traceback, but the end may hang."""
        self._leaves_until_s = now_s + LEAVING_S

    def quit(self) -> None:
        """Note that all that is left is to exit."""
        self._stage = _Stage.QUITTING

    def interrupt(self, now_s: float, is_headless: bool) -> Reaction:
        """Return what an interrupt does."""
        if self._stage is _Stage.BEGINNING:
            self._is_interrupted = True
            return Reaction.IGNORE
        if self._stage is _Stage.QUITTING or now_s < self._leaves_until_s:
            return Reaction.IGNORE
        if self._stage is _Stage.BEGUN or not is_headless:
            return Reaction.END_TEST
        return Reaction.EXIT  # Locust expects no KeyboardInterrupt before a test has begun
