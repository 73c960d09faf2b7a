"""The cost of a look at a load that goes on, to the process that generates it: CPU time, and how late that makes it."""

from __future__ import annotations

import argparse
import sys
import time
from array import array
from collections import Counter
from collections.abc import Callable, Mapping
from statistics import median

import numpy as np
from gevent import monkey

from bench.load.engine.loop import SWITCH_INTERVAL_S
from bench.load.metrics.figures import LoadFigures, SoFar
from bench.load.metrics.live import Interval, LiveProcess
from bench.load.metrics.live_verdict import GeneratorWatch
from bench.load.metrics.merge import Merger
from bench.load.metrics.objectives import surely_missed
from bench.load.metrics.recorder import LoopDelays, Recorder
from bench.load.metrics.seconds import LoadSeconds
from bench.load.metrics.steadiness import precisions
from bench.load.metrics.tally import Tally
from bench.load.plugin.giving_way import GiveWay
from bench.load.plugin.live_view import LiveTest, LiveView
from bench.load.plugin.openmetrics import exposition
from bench.objectives.parsing import parse_objectives
from bench.objectives.precision import parse_precisions
from bench.results.load import GeneratorHealth, OperationKey, Window
from bench.results.service_loss import ServiceLoss
from measurements.load_drift import one_run

_NS_PER_S = 1_000_000_000

# Those of threads, not of greenlets.
_start_new_thread: Callable[..., int] = monkey.get_original("_thread", "start_new_thread")
_sleep: Callable[[float], None] = monkey.get_original("time", "sleep")

#: The rate of the load that is looked at, and the looks of which the median is shown.
_PER_S, _LOOKS = 500, 9

_TIMEOUT_S = 5.0

#: The options of the real runs, by what is said of them. None of these ends a run.
_WATCHED: Mapping[str, list[str]] = {
    "nobody looks": [],
    "--slo-abort": ["--slo", "p99 < 50 ms; errors < 1 %; throughput > 1/s", "--slo-abort"],
    "--until": ["--until", "p99 ± 0.1 %"],
}


class _Load:
    """A load as its own process has counted it: `operations` of them share 500 arrivals a second."""

    ended_s = None
    is_ending = False
    is_steady = True
    elapsed_ns = 0

    def __init__(self, operations: int) -> None:
        self._random = np.random.default_rng(1)
        self._operations = operations
        self.seconds = 0
        self.tally = Tally(0, is_open=True)
        self.tally.open_window(_NS_PER_S)

    def go_on(self) -> None:
        """Add a second."""
        start_ns = self.seconds * _NS_PER_S
        self.seconds += 1
        sent = start_ns + np.sort(self._random.integers(0, _NS_PER_S, self._random.poisson(_PER_S)))
        of = self._random.integers(0, self._operations, len(sent))
        for number in range(self._operations):
            log = Recorder(f"say {number}")
            for sent_ns in sent[of == number].tolist():
                log.answered(sent_ns - 50_000, sent_ns, sent_ns + int(self._random.lognormal(14.5, 0.6)))
            if (batch := log.flush()) is not None:
                self.tally.add(batch)
        delays = array("q")
        for at_ns in range(start_ns, start_ns + _NS_PER_S, _NS_PER_S // 90):
            delays.extend((at_ns, int(self._random.exponential(50_000))))
        self.tally.note_delays(LoopDelays(delays, array("q"), array("q")))
        self.tally.note_users(start_ns, 50)
        self.tally.note_cpu(start_ns, 0.2)

    def processes(self) -> Mapping[str, LiveProcess]:
        """Return the process."""
        return {"local": self.tally}

    def in_flight(self) -> Counter[OperationKey]:
        """Return nothing."""
        return Counter()

    def duration_s(self) -> float | None:
        """Return nothing: it has no end."""
        return None

    def service_loss(self) -> ServiceLoss | None:
        """Return nothing: the service is there."""
        return None

    def phase(self) -> str:
        """Return nothing."""
        return ""

    def offered_per_s(self, of: Interval) -> float | None:
        """Return the rate."""
        return _PER_S


class _Looks:
    """The looks at a load, each of which goes on from its last."""

    def __init__(self, load: _Load, operations: int) -> None:
        self._load = load
        names = [f"say {number}: " for number in range(operations)] if operations > 1 else [""]
        self._held = parse_objectives(f"{name}p99 < 50 ms" for name in names)
        # By these objectives nothing is missed, but each of them needs its interval.
        self._near = parse_objectives(f"{name}p99 < 7.95 ms" for name in names)
        self._precisions = parse_precisions(f"{name}p99 ± 0.1 %" for name in names)
        self._seconds = {name: LoadSeconds() for name in ("--slo-abort", "--slo-abort, near its limit", "--until")}
        self._generator = GeneratorWatch()
        self._view = LiveView()
        self._view.test = LiveTest(1, load, _TIMEOUT_S * 1e6, objectives=self._held, kept_s=0)

    def by_name(self) -> dict[str, Callable[[], object]]:
        """Return them."""
        return {
            "no look": lambda: _sleep(0.01),
            "--slo-abort": lambda: surely_missed(self._held, self._figures("--slo-abort"), self._health(), GiveWay()),
            "--slo-abort, near its limit": lambda: surely_missed(
                self._near, self._figures("--slo-abort, near its limit"), self._health(), GiveWay()
            ),
            "--until": lambda: precisions(self._precisions, self._figures("--until"), GiveWay()),
            "the tab": self._view.page,
            "/metrics": lambda: exposition(self._view, "application/openmetrics-text"),
        }

    def _figures(self, name: str) -> LoadFigures:
        until_s = self._load.seconds - 2
        merger = Merger()
        merger.receive("local", self._load.tally.counts(tasks={}, began=50))
        so_far = SoFar(until_s, self._load.processes(), self._seconds[name])
        return LoadFigures(merger, Window(start_s=1, end_s=until_s, warmup_s=0), _TIMEOUT_S * 1e6, so_far)

    def _health(self) -> GeneratorHealth:
        self._generator.look(self._load.processes())
        return GeneratorHealth()


class _HeldUp:
    """A thread that wants to do a little each half of a millisecond, as the engine's thread does for an arrival."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._is_over = False
        _start_new_thread(self._run, ())

    def stop(self) -> None:
        """End the thread."""
        self._is_over = True

    def _run(self) -> None:
        while not self._is_over:
            due_s = time.perf_counter() + 0.0005
            _sleep(0.0005)
            self.longest_s = max(self.longest_s, time.perf_counter() - due_s)


def _costs(seconds: int, operations: int) -> dict[str, tuple[float, float]]:
    """Return the CPU time of each look, and how late another thread was meanwhile, in seconds: medians."""
    load = _Load(operations)
    looks = _Looks(load, operations)
    while load.seconds < seconds - _LOOKS:
        load.go_on()
        if load.seconds > 3 and load.seconds % 20 == 0:  # later in a run it is looked at less often
            for look in looks.by_name().values():
                look()
    found: dict[str, list[tuple[float, float]]] = {}
    held_up = _HeldUp()
    while load.seconds < seconds:
        load.go_on()
        for name, look in looks.by_name().items():
            _sleep(0.005)
            held_up.longest_s = 0.0
            before_s = time.thread_time()
            look()
            cpu_s = time.thread_time() - before_s
            _sleep(0.002)  # the other thread may still wait for its turn
            found.setdefault(name, []).append((cpu_s, held_up.longest_s))
    held_up.stop()
    return {name: (median(cpu for cpu, _ in costs), median(late for _, late in costs)) for name, costs in found.items()}


def _real_runs(rounds: int, seconds: int) -> None:
    """Run the same load with and without looks, in turn, and print how late its emissions left."""
    late_ms: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, options in _WATCHED.items():
            load = ["--users", "50", "--spawn-rate", "50", "--rate", str(_PER_S), "--run-time", f"{seconds}s"]
            lateness = one_run([*load, *options]).generator.send_lateness_us
            if lateness is not None:
                late_ms.setdefault(name, []).append(lateness.p99 / 1e3)
    for name, found in late_ms.items():
        each = ", ".join(f"{value:.2f}" for value in found)
        print(f"{name:28} send lateness p99 {median(found):.2f} ms ({each})")


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m measurements.looks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=4, help="of real runs; 0: none (4)")
    parser.add_argument("--seconds", type=int, default=60, help="of each real run (60)")
    options = parser.parse_args()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    print(f"{'':28} {'seconds':>8} {'operations':>11} {'CPU':>9} {'another thread late':>20}")
    for seconds, operations in ((60, 1), (600, 1), (60, 50), (600, 50)):
        for name, (cpu_s, late_s) in _costs(seconds, operations).items():
            print(f"{name:28} {seconds:8} {operations:11} {cpu_s * 1e3:6.1f} ms {late_s * 1e3:17.2f} ms", flush=True)
    _real_runs(options.rounds, options.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
