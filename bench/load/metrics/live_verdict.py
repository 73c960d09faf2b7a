"""The verdict on the generator while its load goes on: each second is judged once, when it is complete. Pure.

The rule is that of the result: see saturation. So the last verdict of a run is the one that its result has, but for
seconds that are not complete yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from bench.load.metrics.generator import whole_seconds
from bench.load.metrics.live import LiveProcess, complete_until_s
from bench.load.metrics.saturation import ORDER, Fault, Saturation, faults_of, saturation_by
from bench.results.receiving import ReceivedClock
from bench.timing.rates import NS_PER_S


@dataclass
class _Judged:
    """The seconds of one process that have been judged, in order."""

    faults: dict[int, tuple[Fault, ...]] = field(default_factory=dict)
    clocks: frozenset[ReceivedClock] = frozenset()
    standstill_ns: int = 0


class GeneratorWatch:
    """The verdict on a generator's processes, kept between two looks at them."""

    def __init__(self) -> None:
        self._judged: dict[str, _Judged] = {}

    @property
    def has_verdict(self) -> bool:
        """True if any second of the steady window has been judged."""
        return any(judged.faults for judged in self._judged.values())

    def look(self, processes: Mapping[str, LiveProcess]) -> Saturation | None:
        """Return why the generator is saturated, by all complete seconds so far; None if it is not.

        The reason is that of the process that was saturated first. What is spoilt is that of all of them.
        """
        found = []
        for name, process in processes.items():
            judged = self._judged.setdefault(name, _Judged())
            _judge(judged, process)
            saturation = saturation_by(judged.faults, process.is_open)
            if saturation is not None:
                # The text of a standstill has the length of all of them so far.
                now = faults_of(process.judged_second(saturation.since_s), judged.standstill_ns, judged.clocks)
                found.append(replace(saturation, reason=now[0].reason) if now else saturation)
        if not found:
            return None
        first = min(found, key=lambda saturation: saturation.since_s)
        spoilt = {name for saturation in found for name in saturation.spoils}
        return Saturation(first.reason, first.since_s, tuple(name for name in ORDER if name in spoilt))


def _judge(judged: _Judged, process: LiveProcess) -> None:
    start_ns, end_ns = process.window_ns()
    if start_ns is None:
        return
    until_ns = complete_until_s([process]) * NS_PER_S
    if end_ns is not None:
        until_ns = min(until_ns, end_ns)
    numbers = whole_seconds(start_ns, until_ns)
    _judge_all(judged, process, (number for number in numbers if number not in judged.faults))


def _judge_all(judged: _Judged, process: LiveProcess, numbers: Iterable[int]) -> None:
    seconds = [process.judged_second(number) for number in numbers]
    if not seconds:
        return
    judged.standstill_ns += sum(second.standstill_ns for second in seconds)
    clocks = judged.clocks.union(*(second.clocks for second in seconds))
    if clocks != judged.clocks and judged.faults:  # the clocks of all tell how each is judged
        earlier = [process.judged_second(number) for number in judged.faults]
        seconds = [*earlier, *seconds]
    judged.clocks = clocks
    for second in seconds:
        judged.faults[second.second] = faults_of(second, judged.standstill_ns, clocks)
