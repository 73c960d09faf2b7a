"""The control groups of this process: the CPU time that they allow, and how often they throttled it."""

from pathlib import Path, PurePosixPath
from typing import NamedTuple

from bench.machine.processes import fields_of, text_of


def cpu_quota(root: Path = Path("/")) -> float | None:
    """Return the CPU time that this process's control groups allow it, in cores; None if they set no limit.

    The smallest limit of the group and of those above it counts. Version 2 has it in cpu.max, version 1 in
    cpu.cfs_quota_us. `root` is the folder with /proc and /sys.
    """
    quotas: list[float] = []
    for group in _groups(root):
        texts = [text_of(group / name) for name in ("cpu.max", "cpu.cfs_quota_us", "cpu.cfs_period_us")]
        values = " ".join(text for text in texts if text).split()
        if len(values) == 2 and all(value.isdecimal() for value in values) and int(values[1]):  # neither "max" nor -1
            quotas.append(int(values[0]) / int(values[1]))
    return min(quotas, default=None)


class Throttling(NamedTuple):
    """The time for which the kernel stopped this control group, and the number of periods in which it did."""

    duration_us: int
    periods: int


def throttling(root: Path) -> Throttling | None:
    """Return for how long, and how often, quotas stopped this process's groups; None if no group tells.

    `root` is the folder with /proc and /sys.
    """
    found: list[Throttling] = []
    for group in _groups(root):
        values = fields_of(text_of(group / "cpu.stat"))
        if "nr_throttled" in values:
            # version 2 in microseconds, version 1 in nanoseconds
            duration_us = values.get("throttled_usec", values.get("throttled_time", 0) // 1000)
            found.append(Throttling(duration_us, values["nr_throttled"]))
    if not found:
        return None
    return Throttling(sum(each.duration_us for each in found), sum(each.periods for each in found))


def _groups(root: Path) -> list[Path]:
    """Return the folders of this process's groups that may limit CPU time, and of the groups above them."""
    found = group_folders(text_of(root / "proc/self/cgroup"), text_of(root / "proc/self/mountinfo"))
    return [root / folder.relative_to("/") for folder in found]


def group_folders(cgroup: str | None, mountinfo: str | None) -> list[PurePosixPath]:
    """Return these folders from the texts of /proc/PID/cgroup (cgroups(7)) and /proc/PID/mountinfo (proc(5)).

    Both versions of control groups are read. A container may see its own group as the root, or a path that leads out of
    the mounted folder. Then the group is the mount.
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
    """Return a field of mountinfo, in which blanks and other separators are octal, as text."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(code, character)
    return field
