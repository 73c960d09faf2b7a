"""The disturbances that may have spoilt a measurement, as a typed list.

Rules of this file: `disturbances_between` is pure. It compares two readings of the machine (conditions.py) with the
thresholds below, and does not judge a value that is None. Anything that makes a figure differ from the service's cost
belongs here, with words for the reader of the result. A choice, such as the settings of the garbage collector, is
recorded and not judged. A dirty tree belongs to the commit.

The word for them in stored results is `spoilers`, the field's name from the first version on.

Theory of "load": the cores spend their time on this process and its descendants (servers, workers, spinners), or on
other processes. Interrupts are left out, because they serve both.
"""

from collections.abc import Collection, Iterator
from typing import Literal, Self

from pydantic import BaseModel, FiniteFloat, NonNegativeInt

from bench.machine.conditions import Conditions
from bench.machine.processes import STORED, Seconds

#: The kinds of disturbance, in the order in which they are listed.
DisturbanceKind = Literal[
    "steal",
    "load",
    "throttled",
    "stopped",
    "swap",
    "governor",
    "single core",
    "not pinned",
    "cores halt",
    "unoptimised python",
    "debug",
]

#: The least share of steal, 0 to 1, that is a disturbance: a moment in a hundred decides the p99.
STEAL_SHARE = 0.01

#: The least share of other processes, 0 to 1, that is a disturbance. They delay a wake-up about as often as they are on
#: the core. The kernel samples once per tick what a core is doing, so over some seconds 1 to 2 % is noise. An idle
#: desktop or agent stays below this.
LOAD_SHARE = 0.05

#: The least load average per core that is a disturbance, used if only the load average is known. It looks a minute
#: back, to before the run, so the judgement is mild.
LOAD_PER_CORE = 0.5

#: The core time (all cores together), in seconds, below which shares are not judged: a tick would be a percent.
JUDGED_FROM_S = 1.0

#: The least number of pages swapped in that is a disturbance: 1 MiB. A process that was idle for long causes less; more
#: means that the machine is short of memory.
SWAPPED_IN_PAGES = 256

#: The least number of pages that our own processes waited for that is a disturbance. A server that starts waits for
#: some, of files that were not cached.
MAJOR_FAULTS = 100

_QUIETER = "measure on a quieter machine"


class Disturbance(BaseModel):
    """A disturbance that may have spoilt a measurement, in words.

    `value` is how much of it there was, if that has a measure. For "steal" and "load" it is the share of the cores'
    time, 0 to 1. If only the load average is known, "load" has it per core. For "throttled" it is the microseconds, for
    "swap" the pages, for "stopped" the number of stops.
    """

    model_config = STORED

    kind: DisturbanceKind
    text: str
    value: FiniteFloat | None = None


class Interference(BaseModel):
    """The work of others between two readings. Unknown values are None; shares are of the cores' time, 0 to 1."""

    model_config = STORED

    steal_share: Seconds | None = None
    load_share: Seconds | None = None
    throttled_us: NonNegativeInt | None = None
    throttled_periods: NonNegativeInt | None = None
    stops: NonNegativeInt | None = None
    swapped_in_pages: NonNegativeInt | None = None
    major_faults: NonNegativeInt | None = None

    @classmethod
    def between(cls, before: Conditions, after: Conditions) -> Self:
        """Return it from readings of the same cores by the same process. Shares are None below `JUDGED_FROM_S`."""
        old, new = before.counters, after.counters
        steal_share = load_share = None
        if old.cores is not None and new.cores is not None and new.cores.total_s - old.cores.total_s >= JUDGED_FROM_S:
            total_s = new.cores.total_s - old.cores.total_s
            steal_share = _share(new.cores.stolen_s - old.cores.stolen_s, total_s)
            if old.own_cpu_s is not None and new.own_cpu_s is not None:
                used_s, own_s = new.cores.used_s - old.cores.used_s, new.own_cpu_s - old.own_cpu_s
                load_share = _share(used_s - own_s, total_s)
        return cls(
            steal_share=steal_share,
            load_share=load_share,
            throttled_us=_rise(old.throttled_us, new.throttled_us),
            throttled_periods=_rise(old.throttled_periods, new.throttled_periods),
            stops=_rise(old.stops, new.stops),
            swapped_in_pages=_rise(old.swapped_in_pages, new.swapped_in_pages),
            major_faults=_rise(old.major_faults, new.major_faults),
        )


def disturbances_between(
    before: Conditions, after: Conditions, *, pinned: bool, awake: Collection[int] = ()
) -> tuple[Disturbance, ...]:
    """Return the disturbances of a measurement between two readings, in the order of `DisturbanceKind`.

    `pinned` means that server and generator had cores of their own. `awake` are the cores that were kept from halting.
    """
    return (*_others(before, after), *_setting(before, after, pinned, awake), *_interpreter(before, after))


def _others(before: Conditions, after: Conditions) -> Iterator[Disturbance]:
    """Yield the disturbances that came from outside during the measurement."""
    seen = Interference.between(before, after)
    if seen.steal_share is not None and seen.steal_share >= STEAL_SHARE:
        text = f"the host took {seen.steal_share:.1%} of the cores' time for other machines: {_QUIETER}"
        yield Disturbance(kind="steal", text=text, value=seen.steal_share)
    if seen.load_share is not None:
        if seen.load_share >= LOAD_SHARE:
            text = f"other processes took {seen.load_share:.1%} of the cores' time: {_QUIETER}"
            yield Disturbance(kind="load", text=text, value=seen.load_share)
    elif before.load_average is not None and before.cores:
        per_core = before.load_average / len(before.cores)
        if per_core >= LOAD_PER_CORE:
            text = f"the load average was {before.load_average:.2f} at the start: {_QUIETER}"
            yield Disturbance(kind="load", text=text, value=per_core)
    if seen.throttled_us or seen.throttled_periods:
        stopped_ms = (seen.throttled_us or 0) / 1e3
        text = f"the CPU quota stopped it for {stopped_ms:.1f} ms in {seen.throttled_periods or 0} periods: raise it"
        yield Disturbance(kind="throttled", text=text, value=seen.throttled_us)
    if seen.stops:
        text = f"this process was stopped {seen.stops} times, as by Ctrl-Z, and what was under way took longer for it"
        yield Disturbance(kind="stopped", text=text, value=seen.stops)
    if seen.swapped_in_pages is not None and seen.swapped_in_pages >= SWAPPED_IN_PAGES:
        text = f"{seen.swapped_in_pages} pages were swapped in: the machine is short of memory"
        yield Disturbance(kind="swap", text=text, value=seen.swapped_in_pages)
    elif seen.major_faults is not None and seen.major_faults >= MAJOR_FAULTS:
        text = f"{seen.major_faults} pages had to be read from a disk: measure again, now that they are in memory"
        yield Disturbance(kind="swap", text=text, value=seen.major_faults)


def _setting(before: Conditions, after: Conditions, pinned: bool, awake: Collection[int]) -> Iterator[Disturbance]:
    """Yield the disturbances of the machine, and of the way in which it was used."""
    governors = [governor for governor in (before.governor, after.governor) if governor not in (None, "performance")]
    if governors:
        text = f"the frequency governor is {governors[0]}, so clocks follow the load: set it to performance"
        yield Disturbance(kind="governor", text=text)
    if len(before.cores) == 1:
        yield Disturbance(kind="single core", text="server and generator share one core, and wait for each other")
    elif not pinned:
        text = "server and generator are not kept to cores of their own: the scheduler moves them"
        yield Disturbance(kind="not pinned", text=text)
    halting = sorted(set(before.cores) - set(awake))
    if halting or not before.cores:
        which = f"cores {', '.join(map(str, halting))}" if halting else "the cores"
        text = f"{which} were not kept awake: waking them is part of every figure at low load"
        yield Disturbance(kind="cores halt", text=text)


def _interpreter(before: Conditions, after: Conditions) -> Iterator[Disturbance]:
    """Yield the disturbances of the Python that measures, and of tools that watch it."""
    if before.python_optimised is False:
        text = "this Python was built without profile-guided optimisation (--enable-optimizations): use one that was"
        yield Disturbance(kind="unoptimised python", text=text)
    debugging = list(dict.fromkeys(before.debugging + after.debugging))
    if debugging:
        yield Disturbance(kind="debug", text=f"slowed down by {', '.join(debugging)}: switch it off")


def _share(part_s: float, total_s: float) -> float:
    """Return the share, kept within 0 to 1: sums of ticks and of exact times differ a little."""
    return min(1.0, max(0.0, part_s / total_s))


def _rise(old: int | None, new: int | None) -> int | None:
    """Return the counter's rise; None if a reading is unknown, or if it fell, because it is another counter then."""
    return new - old if old is not None and new is not None and new >= old else None
