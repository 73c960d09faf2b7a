"""Disturbances: what may have spoilt a measurement, as one typed list.

Rules of this file: `disturbances_between` is pure. It compares two readings of the machine (conditions.py) with the thresholds
below; what is None is not judged. All that may make a figure say something else than what the service costs belongs
here, with words for whoever reads the result. What is a choice (settings of the garbage collector) is recorded and not
judged; a dirty tree is the commit's.

Theory of "load": of the time that the cores spent on processes, whatever did not go to this process and its descendants
(servers, workers, spinners) went to somebody else. Interrupts are left out, they serve either.
"""

from collections.abc import Collection, Iterator
from typing import Literal, Self

from pydantic import BaseModel, FiniteFloat, NonNegativeInt

from bench.machine.conditions import Conditions
from bench.machine.processes import STORED, Seconds

#: The kinds of spoiler, in the order in which they are listed.
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

#: From here on, one in a hundred moments was the host's: p99 may be the host's as well.
STEAL_SHARE = 0.01

#: Others delay a wake-up about as often as they are on the core. The kernel samples once per tick what a core is doing,
#: so over a run of some seconds 1 to 2 % is noise, and a desktop or an agent that ticks over is below this.
LOAD_SHARE = 0.05

#: Where only the load average is known. It looks a minute back, to what was there before the run: a mild judgement.
LOAD_PER_CORE = 0.5

#: Core time (all cores together) below which shares are not judged: one tick would be a percent.
JUDGED_FROM_S = 1.0

#: 1 MiB. Less is some process that nobody had asked for a long time; more is a machine that is short of memory.
SWAPPED_IN_PAGES = 256

#: Pages that our own processes had to wait for. A server that starts has some, of files that were not cached.
MAJOR_FAULTS = 100

_QUIETER = "measure on a quieter machine"


class Disturbance(BaseModel):
    """A thing that may have spoilt a measurement, in words.

    `value` is how much of it there was, if that has a measure. For "steal" and "load" it is the share of the cores'
    time, 0 to 1. If only the load average is known, "load" has it per core. For "throttled" it is the microseconds, for
    "swap" the pages, for "stopped" the number of stops.
    """

    model_config = STORED

    kind: DisturbanceKind
    text: str
    value: FiniteFloat | None = None


class Interference(BaseModel):
    """What others did between two readings. None where it cannot be told; shares are of the cores' time, 0 to 1."""

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
        """From readings of the same cores by the same process. Shares are None below `JUDGED_FROM_S`."""
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
    """What may have spoilt what was measured between two readings, in the order of `DisturbanceKind`.

    `pinned` says whether server and generator had cores of their own, `awake` which cores were kept from halting.
    """
    return (*_others(before, after), *_setting(before, after, pinned, awake), *_interpreter(before, after))


def _others(before: Conditions, after: Conditions) -> Iterator[Disturbance]:
    """What came from outside while it ran."""
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
    """What the machine is, and how it was used."""
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
    """What the Python that measures is, and what watches it."""
    if before.python_optimised is False:
        text = "this Python was built without profile-guided optimisation (--enable-optimizations): use one that was"
        yield Disturbance(kind="unoptimised python", text=text)
    debugging = list(dict.fromkeys(before.debugging + after.debugging))
    if debugging:
        yield Disturbance(kind="debug", text=f"slowed down by {', '.join(debugging)}: switch it off")


def _share(part_s: float, total_s: float) -> float:
    """Sums of ticks and of exact times differ a little, so a share may come out as slightly negative, or above 1."""
    return min(1.0, max(0.0, part_s / total_s))


def _rise(old: int | None, new: int | None) -> int | None:
    """None, too, if it fell: it is not the same counter."""
    return new - old if old is not None and new is not None and new >= old else None
