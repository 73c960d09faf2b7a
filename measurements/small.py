"""Small figures that explain a decision in the code, each measured within seconds."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter_ns
from typing import NamedTuple

import psutil

from bench.interleave.loop import gc_frozen
from bench.results.provenance import machine_info
from bench.server import ServerProcess


class _Named(NamedTuple):
    token: str
    definition: object
    sent_ns: int
    future: object


class _Slotted:
    __slots__ = ("definition", "future", "sent_ns", "token")

    def __init__(self, token: str, definition: object, sent_ns: int, future: object) -> None:
        self.token = token
        self.definition = definition
        self.sent_ns = sent_ns
        self.future = future


def _ns(make: Callable[[], object], number: int = 100_000) -> float:
    durations = []
    for _ in range(5):
        started_ns = perf_counter_ns()
        for _ in range(number):
            make()
        durations.append((perf_counter_ns() - started_ns) / number)
    return median(durations)


def _collection_ms() -> float:
    durations = []
    for _ in range(5):
        started_ns = perf_counter_ns()
        gc.collect()
        durations.append((perf_counter_ns() - started_ns) / 1e6)
    return median(durations)


def main() -> int:
    """Print the figures."""
    nothing = None
    print(f"an emission as a plain tuple: {_ns(lambda: ('token', nothing, 0, nothing)):.0f} ns")
    print(f"an emission as a named tuple: {_ns(lambda: _Named('token', nothing, 0, nothing)):.0f} ns")
    print(f"an emission as an object with slots: {_ns(lambda: _Slotted('token', nothing, 0, nothing)):.0f} ns")
    import bench.conftest
    import bench.latency.conftest  # noqa: F401 - all that `pytest bench` imports

    print(f"a full garbage collection of what pytest bench has imported: {_collection_ms():.0f} ms")
    with gc_frozen():
        print(f"the same, spared: {_collection_ms():.1f} ms")
    started_ns = perf_counter_ns()
    machine_info()
    print(f"describing the machine: {(perf_counter_ns() - started_ns) / 1e6:.0f} ms")
    with ServerProcess() as server:
        print(f"memory of a server process: {psutil.Process(server.pid).memory_info().rss / 1e6:.0f} MB")
    command = [sys.executable, "-X", "importtime", "-c", "import locust"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stderr.splitlines()[-1]
    print(f"importing locust: {int(told.split('|')[1]) / 1e3:.0f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
