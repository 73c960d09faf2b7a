"""The CPU time of one process: the share of a core in each second, and the time in the steady window.

Pure: the times of the clocks are passed in. Wall times are nanoseconds of `time.perf_counter_ns`.
"""

from __future__ import annotations

from bench.timing.rates import NS_PER_S


class CpuUse:
    """The CPU time of one process in one test, which started when the process had used `cpu_ns`."""

    def __init__(self, started_ns: int, cpu_ns: int) -> None:
        self._started_ns = started_ns
        #: The time, and the CPU time, from which the share of the present second is counted.
        self._since = started_ns, cpu_ns
        #: The time, and the CPU time, at which the counting for the window began.
        self._window: tuple[int, int] | None = None

    def second(self, now_ns: int, cpu_ns: int, is_last: bool) -> tuple[int, float] | None:
        """Return when the second began that is over now, and the share of a core in it; None if none is over.

        `is_last` says that no other second follows, so the present second ends early.
        """
        since_ns, cpu_since_ns = self._since
        if now_ns - since_ns < NS_PER_S and not is_last:
            return None
        whole_seconds = (now_ns - self._started_ns) // NS_PER_S
        self._since = self._started_ns + whole_seconds * NS_PER_S, cpu_ns
        return since_ns, (cpu_ns - cpu_since_ns) / max(1, now_ns - since_ns)

    def note_window(self, now_ns: int, cpu_ns: int, window_start_ns: int | None) -> None:
        """Begin to count for the window, once that has begun."""
        if self._window is None and window_start_ns is not None and now_ns >= window_start_ns:
            self._window = now_ns, cpu_ns

    def in_window(self, now_ns: int, cpu_ns: int, window_start_ns: int | None) -> int | None:
        """Return the CPU time of the window, which ends now, in nanoseconds; None if none was counted for it."""
        if self._window is None or window_start_ns is None:
            return None
        since_ns, cpu_since_ns = self._window
        share = (cpu_ns - cpu_since_ns) / max(1, now_ns - since_ns)
        return round(share * (now_ns - window_start_ns))
