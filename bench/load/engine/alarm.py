"""An alarm: a callback in an event loop at a time to the microsecond.

uvloop's own timers (libuv's) count whole milliseconds, which is more than most round trips take. A schedule kept with
them would be late by half a millisecond on average. On Linux the kernel's timerfd wakes the loop as a socket does; its
clock is that of `time.perf_counter_ns`. Elsewhere the loop's timers have to do, and the send lateness shows it.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import Callable
from time import perf_counter_ns

from bench.machine.system import has_kernel_timers

_NS_PER_S = 1_000_000_000

# linux/time.h, linux/timerfd.h
_CLOCK_MONOTONIC = 1
_TFD_NONBLOCK = 0o4000
_TFD_CLOEXEC = 0o2000000
_TFD_TIMER_ABSTIME = 1


class _Timespec(ctypes.Structure):
    _fields_ = (("sec", ctypes.c_long), ("nsec", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class Alarm:
    """A timer that calls `callback` once, at the time set last or as soon as the loop can. In the loop's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
        self._loop = loop
        self._callback = callback
        self._is_set = False
        self._descriptor: int | None = None
        self._handle: asyncio.TimerHandle | None = None
        if has_kernel_timers():
            libc = ctypes.PyDLL(None)  # which keeps the interpreter's lock: the calls are short
            descriptor = libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK | _TFD_CLOEXEC)
            if descriptor >= 0:
                self._descriptor = descriptor
                self._spec = _Itimerspec()
                self._spec_pointer = ctypes.byref(self._spec)
                self._set_time = libc.timerfd_settime
                self._set_time.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
                loop.add_reader(descriptor, self._ring)

    def set(self, at_ns: int | None) -> None:
        """Ring at `at_ns` of `perf_counter_ns`, at once where that is past; None: not at all."""
        self._is_set = at_ns is not None
        if self._descriptor is not None:
            value = self._spec.value
            # A time of 0 would disarm it.
            value.sec, value.nsec = (0, 0) if at_ns is None else divmod(max(1, at_ns), _NS_PER_S)
            self._set_time(self._descriptor, _TFD_TIMER_ABSTIME, self._spec_pointer, None)
            return
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if at_ns is not None:
            self._handle = self._loop.call_later(max(0, at_ns - perf_counter_ns()) / _NS_PER_S, self._ring)

    def close(self) -> None:
        """Never ring again."""
        self.set(None)
        if self._descriptor is not None:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None

    def _ring(self) -> None:
        self._is_set = False
        try:
            self._callback()
        finally:
            if not self._is_set and self._descriptor is not None:
                self.set(None)  # or the descriptor would stay readable
