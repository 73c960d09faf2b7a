"""Signals that end a process, turned into exceptions after which Python code can tidy up.

The module also covers Ctrl-C while modules are imported, and when it comes twice. Python's KeyboardInterrupt would only
make a mess then.

The module imports little of the standard library: entry points import it before the modules that load slowly.
"""

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

#: The exit code after an interrupt: 128 + SIGINT, as a shell reports it.
INTERRUPTED = 130

#: The time after the first interrupt, in seconds, in which another counts as the same: a held key, or two sent at once.
HASTE_S = 1.0

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Handler = Callable[[int, FrameType | None], object]


@contextmanager
def interrupts_end_the_process() -> Iterator[None]:
    """End the process at once, without a word, if Ctrl-C comes meanwhile.

    It is for when nothing has begun that has to be ended.
    """
    is_ours = take_interrupts(_end)
    try:
        yield
    finally:
        if is_ours:
            give_interrupts_back()


def take_interrupts(handler: Handler) -> bool:
    """Have `handler` called on SIGINT; return false if somebody else has it, or ignores it as `nohup` does."""
    if threading.current_thread() is not threading.main_thread():
        return False
    if signal.getsignal(signal.SIGINT) not in (signal.default_int_handler, _end, _leave):
        return False
    signal.signal(signal.SIGINT, handler)
    return True


def give_interrupts_back() -> None:
    """Undo `take_interrupts`."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)


def interrupts_leave() -> bool:
    """Have Ctrl-C raise SystemExit until SIGINT is taken, so that the functions registered with `atexit` run."""
    return take_interrupts(_leave)


def is_starting() -> bool:
    """Return true after `interrupts_leave` or `interrupts_end`, until somebody else takes SIGINT."""
    return signal.getsignal(signal.SIGINT) in (_leave, _end)


def interrupts_end() -> bool:
    """Have Ctrl-C end the process at once from now on, until SIGINT is taken."""
    return take_interrupts(_end)


def ignore_interrupts_at_exit() -> None:
    """Ignore Ctrl-C once Python comes to its end: what was to be tidied up is, and the exit code stands.

    Python gives SIGINT back to the system first and frees its modules then. A signal would end the process meanwhile,
    as if it had been killed.
    """
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)


def _end(number: int, frame: FrameType | None) -> None:
    os._exit(INTERRUPTED)


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(INTERRUPTED)


class Patient:
    """A handler of SIGINT. The first signal raises KeyboardInterrupt; a later signal, unless hasty, ends the process.

    A second signal that was sent with the first does not disturb the tidying up that the first has begun.
    """

    def __init__(self) -> None:
        self._first_s: float | None = None

    def accepts(self) -> bool:
        """Return true for the first interrupt, false for an ignored one. For a later interrupt, end the process."""
        if self._first_s is None:
            self._first_s = time.monotonic()
            return True
        if time.monotonic() - self._first_s < HASTE_S:
            return False
        print("interrupted again: ended at once", file=sys.stderr, flush=True)  # noqa: T201
        os._exit(INTERRUPTED)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Take a signal."""
        if self.accepts():
            raise KeyboardInterrupt


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Take SIGTERM and SIGHUP as Ctrl-C: CI cancels by the first, a terminal that closes by the second.

    For the main thread only, because only that receives signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: object) -> None:
        signal.raise_signal(signal.SIGINT)

    wanted = [number for number in _ENDING[1:] if signal.getsignal(number) is not signal.SIG_IGN]  # nohup
    before = {number: signal.signal(number, interrupt) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ignore the signals that end a process meanwhile: for tidying up, which takes a moment.

    gevent takes signals below Python, so that its handlers could not be put back. It calls them only where code waits.
    """
    if threading.current_thread() is not threading.main_thread() or "gevent.signal" in sys.modules:
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
