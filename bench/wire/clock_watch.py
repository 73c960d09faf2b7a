"""The clock of the kernel's receive times while something is measured: how well it is known, and whether it was set.

The kernel stamps messages by the clock of the day. A converter knows how far that is from the monotonic clock, and
notes when the distance jumps: somebody has set the clock. Whoever measures looks at the converter now and then, in the
same process. Plain values, so that tests can set the clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bench.timing.rates import NS_PER_S
from bench.wire.stamps import process_clock_reason, stamp_clock


class Converter(Protocol):
    """A converter of stamps, as far as a watch looks at it: see `bench.wire.stamps.StampClock`."""

    @property
    def bound_ns(self) -> int:
        """By how much a converted stamp may be wrong."""

    @property
    def offset_ns(self) -> int:
        """The distance between the clock of the day and the monotonic clock."""

    @property
    def steps(self) -> int:
        """The number of times that the clock of the day was set."""


@dataclass(frozen=True)
class SetClock:
    """A jump of the clock of the day, noticed at `at_ns` of `perf_counter_ns`, by `by_ns`, negative if put back."""

    at_ns: int
    by_ns: int


class ClockWatch:
    """The watch of one measurement in one process. `process_because` says why stamps are not used, if they are not."""

    def __init__(self, converter: Converter | None, process_because: str = "") -> None:
        self.process_because = process_because
        #: The jumps so far. Two between two looks are noted together, by their sum.
        self.steps: list[SetClock] = []
        self._converter = converter
        self._known_steps = 0 if converter is None else converter.steps
        self._offset_ns = 0 if converter is None else converter.offset_ns
        self._bound_ns = 0 if converter is None else converter.bound_ns

    @classmethod
    def here(cls) -> ClockWatch:
        """Return a watch of this process's receive times, from now on."""
        return cls(stamp_clock(), process_clock_reason())

    def look(self, now_ns: int) -> None:
        """Note whether the clock was set since the last look, and how well it is known."""
        if self._converter is None:
            return
        steps, offset_ns = self._converter.steps, self._converter.offset_ns
        self._bound_ns = max(self._bound_ns, self._converter.bound_ns)
        if steps != self._known_steps:
            if offset_ns == self._offset_ns:
                return  # another thread is in the middle of noting it
            self._known_steps = steps
            self.steps.append(SetClock(now_ns, offset_ns - self._offset_ns))
        self._offset_ns = offset_ns

    @property
    def bound_ns(self) -> int | None:
        """The most by which a converted stamp may have been wrong, in either direction; None without stamps."""
        return None if self._converter is None else self._bound_ns

    def steps_s(self, since_ns: int) -> list[tuple[float, float]]:
        """Return the jumps: the time since `since_ns`, and the size of each, in seconds."""
        return [((step.at_ns - since_ns) / NS_PER_S, step.by_ns / NS_PER_S) for step in self.steps]
