"""The service that a run without --host starts for itself, on the process that writes the result, until `quit`."""

from __future__ import annotations

import contextlib
import os
from bisect import bisect_left
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from bench.machine.cores import generator_cores
from bench.machine.system import can_pin
from bench.results.load import Server
from bench.server import Served, ServedApp, ServerError, ServerOptions, ServerProcess
from bench.timing.rates import NS_PER_S


class Service:
    """The service's process, and what it has used at which time."""

    def __init__(self, served: Served, options: ServerOptions, log_file: Path) -> None:
        self._served = served
        self._process = served.server(options, log_file)
        self._cores = generator_cores()
        #: CPU time used so far, in nanoseconds, by the time of reading it; ascending.
        self._used: list[tuple[int, int]] = []
        self._rss_peak_bytes = 0

    @property
    def url(self) -> str:
        """The URL at which clients on this machine reach it."""
        return self._process.url

    @property
    def app(self) -> ServedApp | None:
        """The app that is served; None if a command serves."""
        return self._served if isinstance(self._served, ServedApp) else None

    @property
    def shown(self) -> str:
        """Its name in outputs and results."""
        return self._served.shown

    @property
    def wrote_last(self) -> str:
        """The end of its log in one line; empty if it wrote nothing."""
        return self._process.wrote_last

    @property
    def cores(self) -> tuple[int, ...]:
        """The cores that are left for the generator; empty where the service is not pinned."""
        return self._cores if self._process.core is not None else ()

    def start(self) -> None:
        """Start it. Raises ServerError."""
        self._process.start()

    def stop(self) -> None:
        """Stop it, if it runs."""
        self._process.stop()

    def check(self) -> None:
        """Raise ServerError, which says how it ended, where it does not run."""
        self._process.check()

    @property
    def exit_status(self) -> int | None:
        """The exit code with which it ended, negative for a signal; None if it runs, or if nobody knows it."""
        return self._process.exit_status

    def begin(self) -> None:
        """Forget what was read before, because a test starts."""
        self._used.clear()
        self._rss_peak_bytes = 0
        self.read()

    def read(self) -> None:
        """Read what it has used. A service that died has used nothing more."""
        # Its memory is in files, and the process may have no more files to open. The peak so far is then the last that
        # was read.
        with contextlib.suppress(ServerError):
            self._used.append((perf_counter_ns(), self._process.cpu_ns()))
            self._rss_peak_bytes = max(self._rss_peak_bytes, self._process.usage().rss_peak_bytes)

    def shares(self, started_ns: int) -> dict[int, float]:
        """Return the share of a core that it took in each second since `started_ns`."""
        if not self._used:
            return {}
        seconds = range((self._used[-1][0] - started_ns) // NS_PER_S)
        return {
            second: self._cpu_ns(started_ns + second * NS_PER_S, started_ns + (second + 1) * NS_PER_S) / NS_PER_S
            for second in seconds
        }

    def described(self, window_start_ns: int, window_end_ns: int, round_trips: int) -> Server:
        """Return how it was started, and what it used in a window in which it answered that many round trips."""
        duration_ns = window_end_ns - window_start_ns
        cpu_ns = self._cpu_ns(window_start_ns, window_end_ns)
        return Server(
            **self._stored(),
            cpu_us_per_round_trip=cpu_ns / round_trips / 1000 if round_trips else None,
            cpu_share=cpu_ns / duration_ns if duration_ns else None,
            rss_peak_bytes=self._rss_peak_bytes or None,
        )

    def _stored(self) -> dict[str, Any]:
        """Return how it was started; nothing of uvicorn if a command started it."""
        process = self._process
        if isinstance(process, ServerProcess):
            return {"app": process.command.app, **process.command.options.stored}
        return {"app": None, "command": self.shown, "core": process.core}

    def _cpu_ns(self, from_ns: int, to_ns: int) -> float:
        return max(0.0, self._used_by(to_ns) - self._used_by(from_ns))

    def _used_by(self, time_ns: int) -> float:
        """Return the CPU time used by then: read often, and interpolated between two readings."""
        if not self._used:
            return 0.0
        after = bisect_left(self._used, (time_ns, 0))
        if after == 0:
            return float(self._used[0][1])
        if after == len(self._used):
            return float(self._used[-1][1])
        (left_ns, left), (right_ns, right) = self._used[after - 1], self._used[after]
        return left + (right - left) * (time_ns - left_ns) / (right_ns - left_ns)


def pin_generator(cores: tuple[int, ...]) -> None:
    """Keep this process, and the threads that it starts from now on, away from the service's core."""
    if cores and can_pin():
        os.sched_setaffinity(0, cores)


def machine_identity() -> str:
    """Return what is the same for all processes of a machine: the kernel's boot id if the kernel has any."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return os.uname().nodename
