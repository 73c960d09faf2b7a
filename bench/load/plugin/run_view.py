"""A test as those see it who show how it goes on: its processes, its part of the run, and the rate that is offered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter_ns

from bench.load.metrics.live import Interval, LiveProcess
from bench.load.plugin.owned_run import OwnedRun
from bench.results.load import OperationKey
from bench.results.service_loss import ServiceLoss
from bench.results.steadiness import Precision
from bench.timing.durations import span_text
from bench.timing.rates import NS_PER_S


class RunView:
    """A test that goes on. `users` returns how many users there are, and how many are asked for."""

    def __init__(self, test: OwnedRun, users: Callable[[], tuple[int, int]]) -> None:
        self._test = test
        self._users = users

    @property
    def elapsed_ns(self) -> int:
        """The time since the test began."""
        return perf_counter_ns() - self._test.started_ns

    @property
    def ended_s(self) -> int | None:
        """The second in which the test was stopped; None before."""
        stopped_ns = self._test.stopped_ns
        return None if stopped_ns is None else (stopped_ns - self._test.started_ns) // NS_PER_S

    @property
    def load_start_s(self) -> int | None:
        """The second in which the schedule starts, or has started; None if there is none so far."""
        started_ns = self._test.load_started_ns
        return None if started_ns is None else (started_ns - self._test.started_ns) // NS_PER_S

    @property
    def is_ending(self) -> bool:
        """True if the test has been stopped, and its last replies are awaited."""
        return self._test.ending is not None

    @property
    def is_steady(self) -> bool:
        """True if the steady window has begun."""
        start_ns = self._window_start_ns
        return start_ns is not None and start_ns <= self.elapsed_ns

    def processes(self) -> Mapping[str, LiveProcess]:
        """Return the processes of the load, by their names."""
        if self._test.process is not None:
            return {"local": self._test.process.live}
        return dict(self._test.merger.processes)

    def in_flight(self) -> Counter[OperationKey]:
        """Return what has begun and not ended, by operation; of workers, when they reported last."""
        if self._test.process is not None:
            return self._test.process.unfinished()
        found: Counter[OperationKey] = Counter()
        for received in self._test.merger.processes.values():
            for part in received.report.operations:
                if part.unfinished:
                    found[part.key] += part.unfinished
        return found

    def duration_s(self) -> float | None:
        """Return the time after which the test ends; None if nothing but its user ends it."""
        asked = getattr(self._test.prepared.asked, "run_time", None)
        profile, started_ns = self._test.prepared.open_load.profile, self._test.load_started_ns
        ends = [float(asked)] if asked else []
        if profile is not None and profile.duration_s is not None and started_ns is not None:
            ends.append(profile.duration_s + (started_ns - self._test.started_ns) / NS_PER_S)
        return min(ends, default=None)

    @property
    def precisions(self) -> Sequence[Precision]:
        """The precisions that the run is to reach, as they were when they were looked at last."""
        return self._test.precisions

    def phase(self) -> str:
        """Return in which part the run is; an empty text in the steady window of a load that does not change."""
        if self.is_ending:
            return "stopping, awaiting replies"
        elapsed_ns, window_start_ns = self.elapsed_ns, self._window_start_ns
        there, asked = self._users()
        if window_start_ns is None:
            return f"users arrive, {there:,} of {asked:,}"
        if window_start_ns > elapsed_ns:
            return f"warm-up, {span_text(-(-(window_start_ns - elapsed_ns) // NS_PER_S))} left"
        return self._stage(elapsed_ns)

    def _stage(self, elapsed_ns: int) -> str:
        """Return the stage of the rate, if it has several or changes."""
        profile, started_ns = self._test.prepared.open_load.profile, self._test.load_started_ns
        if profile is None or started_ns is None:
            return ""
        since_s = (self._test.started_ns + elapsed_ns - started_ns) / NS_PER_S
        number = sum(since_s >= stage.start_s for stage in profile.stages)
        stage = profile.stages[max(0, number - 1)]
        kind = "ramp" if stage.is_ramp else "stage"
        of = f" {number} of {len(profile.stages)}" if len(profile.stages) > 1 else ""
        return f"{kind}{of}, {stage}" if of or stage.is_ramp else ""

    def service_loss(self) -> ServiceLoss | None:
        """Return the loss of the service, as far as it is known by now; None if it is there."""
        return self._test.service_loss()

    def offered_per_s(self, of: Interval) -> float | None:
        """Return the rate that the schedule asked for in an interval; None where there is no schedule."""
        profile, started_ns = self._test.prepared.open_load.profile, self._test.load_started_ns
        if profile is None or started_ns is None:
            return None
        since_s = of.first_s - (started_ns - self._test.started_ns) / NS_PER_S
        return (profile.expected(since_s + of.seconds) - profile.expected(since_s)) / of.seconds

    @property
    def _window_start_ns(self) -> int | None:
        test = self._test
        return test.merger.window_start_ns if test.process is None else test.process.window_start_ns
