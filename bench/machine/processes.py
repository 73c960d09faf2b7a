"""The cores' times, and the times, cores and faults of this process and its descendants, as the kernel counts them.

This module reads /proc itself, because psutil lacks two things. It does not tell a core's number if another core is
offline. It does not tell the major faults of a process and of the children that it has reaped.
"""

import os
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from bench.machine.system import can_pin

STORED = ConfigDict(frozen=True, extra="forbid", strict=True)

Seconds = Annotated[FiniteFloat, Field(ge=0)]


class CoreTime(BaseModel):
    """The time of some cores since boot, in seconds: in all, on processes, and on other machines of the same host."""

    model_config = STORED

    total_s: Seconds
    used_s: Seconds
    stolen_s: Seconds


def core_time(stat: str | None, cores: Collection[int]) -> CoreTime | None:
    """Return the time of these cores (of all, if none is given) from the text of /proc/stat (proc(5)).

    Return None if the text lacks a core. The time of guests is in that of the processes that run them, and not added.
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
    """Return a process from the text of /proc/PID/stat (proc(5)), with the use of its reaped children.

    So the sum over a tree does not fall when a process in it ends and is reaped.
    """
    fields = stat.rpartition(")")[2].split()  # from the third on: the second is a name, and may hold anything
    return _Process(
        parent=int(fields[1]),
        cpu_s=sum(map(int, fields[11:15])) / _ticks_per_s(),
        major_faults=int(fields[9]) + int(fields[10]),
    )


def processes_below(root: Path, pid: int) -> list[_Process]:
    """Return that process and all its descendants; empty if they cannot be read."""
    children: dict[int, list[int]] = {}
    found: dict[int, _Process] = {}
    for path in (root / "proc").glob("[0-9]*/stat"):
        stat = text_of(path)
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


def affinity() -> tuple[int, ...] | None:
    """Return the cores that this thread may use, None if the system does not tell."""
    return tuple(sorted(os.sched_getaffinity(0))) if can_pin() else None


def load_average() -> float | None:
    """Return the load average of the last minute, None if the system does not tell."""
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def governor(root: Path, cores: Collection[int]) -> str | None:
    """Return the frequency governor of these cores (of all, if none is given), with commas if they differ."""
    folder = root / "sys/devices/system/cpu"
    folders = [folder / f"cpu{core}" for core in cores] or sorted(folder.glob("cpu[0-9]*"))
    governors = {text.strip() for core in folders if (text := text_of(core / "cpufreq/scaling_governor"))}
    return ", ".join(sorted(governors)) or None


def text_of(path: Path) -> str | None:
    """Return the text of a file of the kernel, None if it cannot be read."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return None


def fields_of(text: str | None) -> dict[str, int]:
    """Return the numbers by name, from the text of a file with a name and a number on each line."""
    pairs = (line.split() for line in (text or "").splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}


def _ticks_per_s() -> int:
    return os.sysconf("SC_CLK_TCK")
