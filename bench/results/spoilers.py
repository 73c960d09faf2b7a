"""What may spoil a measurement, as one typed list, and the conditions that it is told from.

Rules of this file: `Conditions.now` reads, and never fails: what cannot be read here (another platform, a container) is
None. `spoilers` is pure: it compares two such readings with the thresholds below, and what is None is not judged. All
that may make a figure say something else than what the service costs belongs here, with words for whoever reads the
result. What is a choice (settings of the garbage collector) is recorded and not judged; a dirty tree is the commit's.

Theory of "load": of the time that the cores spent on processes, whatever did not go to this process and its descendants
(servers, workers, spinners) went to somebody else. Interrupts are left out, they serve either.
"""

import asyncio
import gc
import os
import sys
import sysconfig
import tracemalloc
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, NonNegativeInt

from bench.machine.stops import stops

STORED = ConfigDict(frozen=True, extra="forbid", strict=True)

SpoilerKind = Literal[
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
"""The kinds of spoiler, in the order in which they are listed."""

STEAL_SHARE = 0.01
"""From here on, one in a hundred moments was the host's: p99 may be the host's as well. A quiet one is below 0.2 %."""

LOAD_SHARE = 0.05
"""Others delay a wake-up about as often as they are on the core. The kernel samples once per tick what a core is doing,
so over a run of some seconds 1 to 2 % is noise, and a desktop or an agent that ticks over is below this."""

LOAD_PER_CORE = 0.5
"""Where only the load average is known. It looks a minute back, to what was there before the run: a mild judgement."""

JUDGED_FROM_S = 1.0
"""Core time (all cores together) below which shares are not judged: one tick would be a percent."""

SWAPPED_IN_PAGES = 256
"""1 MiB. Less is some process that nobody had asked for a long time; more is a machine that is short of memory."""

MAJOR_FAULTS = 100
"""Pages that our own processes had to wait for. A server that starts has some, of files that were not cached."""

_QUIETER = "measure on a quieter machine"


class Spoiler(BaseModel):
    """A thing that may have spoilt a measurement, in words.

    `value` is how much of it there was, if that has a measure. For "steal" and "load" it is the share of the cores'
    time, 0 to 1. If only the load average is known, "load" has it per core. For "throttled" it is the microseconds, for
    "swap" the pages, for "stopped" the number of stops.
    """

    model_config = STORED

    kind: SpoilerKind
    text: str
    value: FiniteFloat | None = None


# JSON has no tuples: a list is taken for one, but its items are as strict as the rest.
_Cores = Annotated[tuple[NonNegativeInt, ...], Field(strict=False)]
_Words = Annotated[tuple[str, ...], Field(strict=False)]
_Thresholds = Annotated[tuple[NonNegativeInt, ...], Field(strict=False)]
_Seconds = Annotated[FiniteFloat, Field(ge=0)]


class GarbageCollection(BaseModel):
    """The settings of Python's garbage collector: thresholds of its generations, and how many objects it ignores."""

    model_config = STORED

    enabled: bool
    thresholds: _Thresholds
    frozen: NonNegativeInt


class CoreTime(BaseModel):
    """What some cores have spent since boot: in all, on processes, and on other machines of the same host."""

    model_config = STORED

    total_s: _Seconds
    used_s: _Seconds
    stolen_s: _Seconds


class Counters(BaseModel):
    """What only rises; two readings tell what happened between them. None where it cannot be read."""

    model_config = STORED

    cores: CoreTime | None = None
    own_cpu_s: _Seconds | None = None
    """CPU time of this process and of all that descend from it, living or reaped."""
    major_faults: NonNegativeInt | None = None
    """Of the same processes: pages that had to be read from a disk."""
    swapped_in_pages: NonNegativeInt | None = None
    """Of the whole machine."""
    throttled_us: NonNegativeInt | None = None
    """Of this process's control group and those above it."""
    throttled_periods: NonNegativeInt | None = None
    stops: NonNegativeInt | None = None
    """The number of times that this process was stopped and went on; None in older results."""


class Conditions(BaseModel):
    """Under what a measurement runs, at one moment. `cores` are the ones that it uses, `affinity` those it may use.

    `governor` and `load_average` (of a minute) are the machine's; spinners count in the latter, so what is recorded
    should be read before they start. `debugging` is what observes or checks this interpreter, in words.
    """

    model_config = STORED

    cores: _Cores
    affinity: _Cores | None = None
    governor: str | None = None
    load_average: _Seconds | None = None
    cpu_quota: _Seconds | None = None
    garbage_collection: GarbageCollection
    python_optimised: bool | None = None
    debugging: _Words = ()
    counters: Counters

    @classmethod
    def now(cls, cores: Iterable[int], *, root: Path = Path("/")) -> Self:
        """Reads them (some milliseconds; it looks at every process). `root` is where /proc and /sys are."""
        cores = tuple(sorted(set(cores)))
        processes = _processes(root, os.getpid())
        throttling = _throttling(root)
        return cls(
            cores=cores,
            affinity=_affinity(),
            governor=_governor(root, cores),
            load_average=_load_average(),
            cpu_quota=cpu_quota(root),
            garbage_collection=GarbageCollection(
                enabled=gc.isenabled(), thresholds=gc.get_threshold(), frozen=gc.get_freeze_count()
            ),
            python_optimised=is_optimised(sysconfig.get_config_vars()),
            debugging=_debugging(),
            counters=Counters(
                cores=core_time(_text(root / "proc/stat"), cores),
                own_cpu_s=sum(process.cpu_s for process in processes) if processes else None,
                major_faults=sum(process.major_faults for process in processes) if processes else None,
                swapped_in_pages=_fields(_text(root / "proc/vmstat")).get("pswpin"),
                throttled_us=None if throttling is None else throttling.duration_us,
                throttled_periods=None if throttling is None else throttling.periods,
                stops=stops(),
            ),
        )


class Interference(BaseModel):
    """What others did between two readings. None where it cannot be told; shares are of the cores' time, 0 to 1."""

    model_config = STORED

    steal_share: _Seconds | None = None
    load_share: _Seconds | None = None
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


def spoilers(
    before: Conditions, after: Conditions, *, pinned: bool, awake: Collection[int] = ()
) -> tuple[Spoiler, ...]:
    """What may have spoilt what was measured between two readings, in the order of `SpoilerKind`.

    `pinned` says whether server and generator had cores of their own, `awake` which cores were kept from halting.
    """
    return (*_others(before, after), *_setting(before, after, pinned, awake), *_interpreter(before, after))


def _others(before: Conditions, after: Conditions) -> Iterator[Spoiler]:
    """What came from outside while it ran."""
    seen = Interference.between(before, after)
    if seen.steal_share is not None and seen.steal_share >= STEAL_SHARE:
        text = f"the host took {seen.steal_share:.1%} of the cores' time for other machines: {_QUIETER}"
        yield Spoiler(kind="steal", text=text, value=seen.steal_share)
    if seen.load_share is not None:
        if seen.load_share >= LOAD_SHARE:
            text = f"other processes took {seen.load_share:.1%} of the cores' time: {_QUIETER}"
            yield Spoiler(kind="load", text=text, value=seen.load_share)
    elif before.load_average is not None and before.cores:
        per_core = before.load_average / len(before.cores)
        if per_core >= LOAD_PER_CORE:
            text = f"the load average was {before.load_average:.2f} at the start: {_QUIETER}"
            yield Spoiler(kind="load", text=text, value=per_core)
    if seen.throttled_us or seen.throttled_periods:
        stopped_ms = (seen.throttled_us or 0) / 1e3
        text = f"the CPU quota stopped it for {stopped_ms:.1f} ms in {seen.throttled_periods or 0} periods: raise it"
        yield Spoiler(kind="throttled", text=text, value=seen.throttled_us)
    if seen.stops:
        text = f"this process was stopped {seen.stops} times, as by Ctrl-Z, and what was under way took longer for it"
        yield Spoiler(kind="stopped", text=text, value=seen.stops)
    if seen.swapped_in_pages is not None and seen.swapped_in_pages >= SWAPPED_IN_PAGES:
        text = f"{seen.swapped_in_pages} pages were swapped in: the machine is short of memory"
        yield Spoiler(kind="swap", text=text, value=seen.swapped_in_pages)
    elif seen.major_faults is not None and seen.major_faults >= MAJOR_FAULTS:
        text = f"{seen.major_faults} pages had to be read from a disk: measure again, now that they are in memory"
        yield Spoiler(kind="swap", text=text, value=seen.major_faults)


def _setting(before: Conditions, after: Conditions, pinned: bool, awake: Collection[int]) -> Iterator[Spoiler]:
    """What the machine is, and how it was used."""
    governors = [governor for governor in (before.governor, after.governor) if governor not in (None, "performance")]
    if governors:
        text = f"the frequency governor is {governors[0]}, so clocks follow the load: set it to performance"
        yield Spoiler(kind="governor", text=text)
    if len(before.cores) == 1:
        yield Spoiler(kind="single core", text="server and generator share one core, and wait for each other")
    elif not pinned:
        text = "server and generator are not kept to cores of their own: the scheduler moves them"
        yield Spoiler(kind="not pinned", text=text)
    halting = sorted(set(before.cores) - set(awake))
    if halting or not before.cores:
        which = f"cores {', '.join(map(str, halting))}" if halting else "the cores"
        text = f"{which} were not kept awake: waking them is part of every figure at low load"
        yield Spoiler(kind="cores halt", text=text)


def _interpreter(before: Conditions, after: Conditions) -> Iterator[Spoiler]:
    """What the Python that measures is, and what watches it."""
    if before.python_optimised is False:
        text = "this Python was built without profile-guided optimisation (--enable-optimizations): use one that was"
        yield Spoiler(kind="unoptimised python", text=text)
    debugging = list(dict.fromkeys(before.debugging + after.debugging))
    if debugging:
        yield Spoiler(kind="debug", text=f"slowed down by {', '.join(debugging)}: switch it off")


def _share(part_s: float, total_s: float) -> float:
    """Sums of ticks and of exact times differ a little, so a share may come out as slightly negative, or above 1."""
    return min(1.0, max(0.0, part_s / total_s))


def _rise(old: int | None, new: int | None) -> int | None:
    """None, too, if it fell: it is not the same counter."""
    return new - old if old is not None and new is not None and new >= old else None


# --- the machine ----------------------------------------------------------------------------------------------------


def core_time(stat: str | None, cores: Collection[int]) -> CoreTime | None:
    """What these cores (all of them where none is given) have spent, from the text of /proc/stat (proc(5)).

    None if it does not have them all. Time in guests is in the time of the processes that run them, and not added.
    """
    found: list[list[int]] = []
    for line in (stat or "").splitlines():
        name, *values = line.split() or [""]
        core = name.removeprefix("cpu")
        if name.startswith("cpu") and core.isdecimal() and (not cores or int(core) in cores):
            found.append([int(value) for value in values[:8]])
    if not found or len(found) < len(cores) or any(len(values) < 8 for values in found):
        return None
    user, nice, system, idle, waiting, irq, softirq, stolen = map(sum, zip(*found, strict=True))
    per_s = _ticks_per_s()
    return CoreTime(
        total_s=(user + nice + system + idle + waiting + irq + softirq + stolen) / per_s,
        used_s=(user + nice + system) / per_s,
        stolen_s=stolen / per_s,
    )


class _Process(NamedTuple):
    parent: int
    cpu_s: float
    major_faults: int


def _process(stat: str) -> _Process:
    """From the text of /proc/PID/stat (proc(5)), with what its reaped children had used.

    What is counted so stays in the sum over a tree when one of its processes ends and is reaped.
    """
    fields = stat.rpartition(")")[2].split()  # from the third on: the second is a name, and may hold anything
    return _Process(
        parent=int(fields[1]),
        cpu_s=sum(map(int, fields[11:15])) / _ticks_per_s(),
        major_faults=int(fields[9]) + int(fields[10]),
    )


def _processes(root: Path, pid: int) -> list[_Process]:
    """That process and all that descend from it; empty where they cannot be read."""
    children: dict[int, list[int]] = {}
    found: dict[int, _Process] = {}
    for path in (root / "proc").glob("[0-9]*/stat"):
        stat = _text(path)
        if not stat:  # it has ended
            continue
        number, process = int(path.parent.name), _process(stat)
        found[number] = process
        children.setdefault(process.parent, []).append(number)
    if pid not in found:
        return []
    family = [pid]
    for member in family:
        family += children.get(member, [])
    return [found[member] for member in family]


def _affinity() -> tuple[int, ...] | None:
    return tuple(sorted(os.sched_getaffinity(0))) if sys.platform == "linux" else None


def _load_average() -> float | None:
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def _governor(root: Path, cores: Collection[int]) -> str | None:
    """Of these cores (all where none is given), with commas where they differ."""
    folder = root / "sys/devices/system/cpu"
    folders = [folder / f"cpu{core}" for core in cores] or sorted(folder.glob("cpu[0-9]*"))
    governors = {text.strip() for core in folders if (text := _text(core / "cpufreq/scaling_governor"))}
    return ", ".join(sorted(governors)) or None


# --- control groups -------------------------------------------------------------------------------------------------


def cpu_quota(root: Path = Path("/")) -> float | None:
    """To how many cores' time this process's control group, or one above it, limits it; None if none does.

    Version 2 has it in cpu.max, version 1 in cpu.cfs_quota_us. `root` is where /proc and /sys are.
    """
    quotas: list[float] = []
    for group in _groups(root):
        texts = [_text(group / name) for name in ("cpu.max", "cpu.cfs_quota_us", "cpu.cfs_period_us")]
        values = " ".join(text for text in texts if text).split()
        if len(values) == 2 and all(value.isdecimal() for value in values) and int(values[1]):  # neither "max" nor -1
            quotas.append(int(values[0]) / int(values[1]))
    return min(quotas, default=None)


class _Throttling(NamedTuple):
    duration_us: int
    periods: int


def _throttling(root: Path) -> _Throttling | None:
    """How often, and for how long, the quotas of this process's groups stopped what is in them; None if none says."""
    found: list[_Throttling] = []
    for group in _groups(root):
        values = _fields(_text(group / "cpu.stat"))
        if "nr_throttled" in values:
            # version 2 in microseconds, version 1 in nanoseconds
            duration_us = values.get("throttled_usec", values.get("throttled_time", 0) // 1000)
            found.append(_Throttling(duration_us, values["nr_throttled"]))
    if not found:
        return None
    return _Throttling(sum(each.duration_us for each in found), sum(each.periods for each in found))


def _groups(root: Path) -> list[Path]:
    """The folders of this process's groups that may have to do with CPU, and of those above them."""
    found = group_folders(_text(root / "proc/self/cgroup"), _text(root / "proc/self/mountinfo"))
    return [root / folder.relative_to("/") for folder in found]


def group_folders(cgroup: str | None, mountinfo: str | None) -> list[PurePosixPath]:
    """The same from the texts of /proc/PID/cgroup (cgroups(7)) and /proc/PID/mountinfo (proc(5)), of either version.

    A container may see its own group as the root, or a path that leads out of what is mounted: then it is the mount.
    """
    paths: dict[str, str] = {}  # version 2 has no controllers in this file: its path is that of ""
    for line in filter(None, (cgroup or "").splitlines()):
        _, controllers, path = line.split(":", 2)
        paths |= dict.fromkeys(controllers.split(","), path)
    folders: list[PurePosixPath] = []
    for line in filter(None, (mountinfo or "").splitlines()):
        before, _, after = line.partition(" - ")
        top, mount = (_unescaped(field) for field in before.split()[3:5])
        kind, _, options = after.split(" ", 2)
        if kind == "cgroup2":
            own = paths.get("")
        elif kind == "cgroup" and "cpu" in options.split(","):
            own = paths.get("cpu")
        else:
            continue
        if own is None:
            continue
        group = PurePosixPath(own)
        is_inside = group.is_relative_to(top) and ".." not in group.parts
        folder = PurePosixPath(mount)
        folders.append(folder)
        for part in group.relative_to(top).parts if is_inside else ():
            folder /= part
            folders.append(folder)
    return folders


def _unescaped(field: str) -> str:
    """As mountinfo has it: blanks and the like are octal."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(code, character)
    return field


# --- the interpreter ------------------------------------------------------------------------------------------------


def is_optimised(built: dict[str, object]) -> bool | None:
    """Whether a Python was built with profile-guided optimisation, from its sysconfig variables; None if they are mute.

    Debian optimises by other means than --enable-optimizations and removes every trace of them, also the flag that a
    plain build names without using it; by that absence it is told.
    """
    arguments = built.get("CONFIG_ARGS")
    if not isinstance(arguments, str):
        return None
    if "--enable-optimizations" in arguments or "-fprofile-" in arguments:
        return True
    return False if built.get("PGO_PROF_USE_FLAG") else None


def _debugging() -> tuple[str, ...]:
    """What observes or checks this interpreter, or the loop that this is called in; at some cost for each call."""
    variables = {} if sys.flags.ignore_environment else os.environ
    found = {
        "a debug build of Python": hasattr(sys, "gettotalrefcount"),
        "Python's development mode": sys.flags.dev_mode,
        "asyncio's debug mode": bool(variables.get("PYTHONASYNCIODEBUG")) or _is_loop_debugged(),
        "a trace function (coverage or a debugger)": sys.gettrace() is not None,
        "a profile function": sys.getprofile() is not None,
        "tracemalloc": tracemalloc.is_tracing(),
    } | {f"sys.monitoring by {tool}": True for tool in _monitoring_tools()}
    return tuple(name for name, is_active in found.items() if is_active)


def _is_loop_debugged() -> bool:
    try:
        return asyncio.get_running_loop().get_debug()
    except RuntimeError:
        return False


def _monitoring_tools() -> list[str]:
    """Names of those that use sys.monitoring, which Python has from 3.12 on."""
    monitoring = getattr(sys, "monitoring", None)
    if monitoring is None:
        return []
    return [name for tool in range(6) if (name := monitoring.get_tool(tool)) is not None]


# --- reading --------------------------------------------------------------------------------------------------------


def _text(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return None


def _fields(text: str | None) -> dict[str, int]:
    """A file of lines of a name and a number."""
    pairs = (line.split() for line in (text or "").splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}


def _ticks_per_s() -> int:
    return os.sysconf("SC_CLK_TCK")
