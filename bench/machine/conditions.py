"""Readings of the machine's state, from which disturbances are told.

Rules of this file: `Conditions.now` reads, and never fails. A value that cannot be read here (on another platform, in a
container) is None.
"""

import gc
import os
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, Field, NonNegativeInt

from bench.machine.cgroups import cpu_quota, throttling
from bench.machine.interpreter import debugging, is_optimised
from bench.machine.processes import (
    STORED,
    CoreTime,
    Seconds,
    affinity,
    core_time,
    fields_of,
    governor,
    load_average,
    processes_below,
    text_of,
)
from bench.machine.stops import stops

# JSON has no tuples: a list is taken for a tuple, but its items are as strict as the rest.
_Cores = Annotated[tuple[NonNegativeInt, ...], Field(strict=False)]
_Words = Annotated[tuple[str, ...], Field(strict=False)]
_Thresholds = Annotated[tuple[NonNegativeInt, ...], Field(strict=False)]


class GarbageCollection(BaseModel):
    """The settings of Python's garbage collector: thresholds of its generations, and how many objects it ignores."""

    model_config = STORED

    enabled: bool
    thresholds: _Thresholds
    frozen: NonNegativeInt


class Counters(BaseModel):
    """Counters that only rise, for the difference of two readings. A counter that cannot be read is None."""

    model_config = STORED

    cores: CoreTime | None = None
    #: The CPU time of this process and of all its descendants, living or reaped, in seconds.
    own_cpu_s: Seconds | None = None
    #: The pages that the same processes had to wait for, because they were read from a disk.
    major_faults: NonNegativeInt | None = None
    #: The pages that the whole machine read from its swap.
    swapped_in_pages: NonNegativeInt | None = None
    #: The time for which quotas stopped this process's control group and those above it, in microseconds.
    throttled_us: NonNegativeInt | None = None
    #: The number of periods in which they did.
    throttled_periods: NonNegativeInt | None = None
    #: The number of times that this process was stopped and went on; None in older results.
    stops: NonNegativeInt | None = None


class Conditions(BaseModel):
    """The machine's state under a measurement, at a moment. `cores` are those in use, `affinity` those it may use.

    `governor` and `load_average` (of a minute) are the machine's. Spinners count in the load average, so read it before
    they start. `cpu_quota` is in cores. `debugging` names what observes or checks this interpreter.
    """

    model_config = STORED

    cores: _Cores
    affinity: _Cores | None = None
    governor: str | None = None
    load_average: Seconds | None = None
    cpu_quota: Seconds | None = None
    garbage_collection: GarbageCollection
    python_optimised: bool | None = None
    debugging: _Words = ()
    counters: Counters

    @classmethod
    def now(cls, cores: Iterable[int], *, root: Path = Path("/")) -> Self:
        """Read the state of these cores and of all processes, which takes some milliseconds.

        `root` is the folder with /proc and /sys.
        """
        cores = tuple(sorted(set(cores)))
        processes = processes_below(root, os.getpid())
        throttled = throttling(root)
        return cls(
            cores=cores,
            affinity=affinity(),
            governor=governor(root, cores),
            load_average=load_average(),
            cpu_quota=cpu_quota(root),
            garbage_collection=GarbageCollection(
                enabled=gc.isenabled(), thresholds=gc.get_threshold(), frozen=gc.get_freeze_count()
            ),
            python_optimised=is_optimised(sysconfig.get_config_vars()),
            debugging=debugging(),
            counters=Counters(
                cores=core_time(text_of(root / "proc/stat"), cores),
                own_cpu_s=sum(process.cpu_s for process in processes) if processes else None,
                major_faults=sum(process.major_faults for process in processes) if processes else None,
                swapped_in_pages=fields_of(text_of(root / "proc/vmstat")).get("pswpin"),
                throttled_us=None if throttled is None else throttled.duration_us,
                throttled_periods=None if throttled is None else throttled.periods,
                stops=stops(),
            ),
        )
