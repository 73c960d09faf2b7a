"""The conditions of a machine: those of this one, of one made of files, and of one that tells nothing."""

import gc
import os
import signal
import sys
from pathlib import Path

import pytest

from bench.machine.conditions import Conditions, Counters
from bench.machine.disturbances import (
    Interference,
)
from bench.machine.processes import CoreTime, core_time
from bench.machine.stops import counted_stops, stops

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")


@linux_only
def test_this_machine() -> None:
    now = Conditions.now(os.sched_getaffinity(0))
    assert now.affinity == now.cores == tuple(sorted(os.sched_getaffinity(0)))
    assert now.garbage_collection.enabled is gc.isenabled()
    assert now.garbage_collection.thresholds == gc.get_threshold()
    assert now.load_average is not None
    assert now.counters.cores is not None
    assert now.counters.cores.total_s > now.counters.cores.used_s > now.counters.cores.stolen_s


def test_where_there_is_nothing_to_read(tmp_path: Path) -> None:
    now = Conditions.now([0, 1], root=tmp_path)
    assert now.counters == Counters(stops=now.counters.stops)
    assert now.governor is None
    assert now.cpu_quota is None
    assert Interference.between(now, now) == Interference(stops=0)


@pytest.mark.skipif(not hasattr(signal, "SIGCONT"), reason="needs SIGCONT")
def test_stops_are_counted_while_somebody_measures() -> None:
    before = stops()
    with counted_stops():
        signal.raise_signal(signal.SIGCONT)
        assert stops() == before + 1
    signal.raise_signal(signal.SIGCONT)
    assert stops() == before + 1


def test_core_time() -> None:
    text = """cpu  100 200 300 4000 50 60 70 80 1000 2000
cpu0 60 100 150 2000 25 30 35 50 1000 1000
cpu1 40 100 150 2000 25 30 35 30 0 1000
cpu11 1 1 1 1 1 1 1 1 0 0
intr 1 2 3
"""
    ticks_per_s = os.sysconf("SC_CLK_TCK")
    assert core_time(text, [1]) == CoreTime(
        total_s=2410 / ticks_per_s, used_s=290 / ticks_per_s, stolen_s=30 / ticks_per_s
    )
    both, every = core_time(text, [0, 1]), core_time(text, [])
    assert both is not None
    assert every is not None
    assert (both.used_s, both.stolen_s) == (600 / ticks_per_s, 80 / ticks_per_s)
    assert every.used_s == 603 / ticks_per_s
    assert core_time(text, [0, 2]) is None
    assert core_time("cpu0 1 2 3 4\n", [0]) is None  # before Linux 2.6.11
    assert core_time(None, [0]) is None


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_a_machine_of_files(tmp_path: Path) -> None:
    """Read processes: a name that looks like the fields behind it, a process of others, and grandchildren."""
    ours, ticks_per_s = os.getpid(), os.sysconf("SC_CLK_TCK")

    def process(pid: int, name: str, parent: int, faults: int, ticks: int) -> dict[str, str]:
        used = " ".join([str(ticks)] * 4)
        return {f"proc/{pid}/stat": f"{pid} ({name}) S {parent} 1 1 0 -1 4194560 900 800 {faults} {faults} {used} 20"}

    root = tree(
        tmp_path,
        process(1, "init", 0, 1000, 1000)
        | process(ours, "a) S 1 2 (3", 1, 1, 10)
        | process(ours + 2, "child", ours, 2, 20)
        | process(ours + 1, "grandchild", ours + 2, 4, 40)
        | process(ours + 3, "other", 1, 1000, 1000)
        | {
            "proc/vmstat": "pgpgin 5\npswpin 7\npswpout 9\n",
            "proc/stat": "cpu0 1 2 3 4 5 6 7 8 0 0\n",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "schedutil\n",
            "sys/devices/system/cpu/cpu1/cpufreq/scaling_governor": "performance\n",
        },
    )
    now = Conditions.now([0], root=root)
    assert now.counters.own_cpu_s == pytest.approx(4 * 70 / ticks_per_s)
    assert now.counters.major_faults == 2 * 7
    assert now.counters.swapped_in_pages == 7
    assert now.governor == "schedutil"
    assert Conditions.now([0, 1], root=root).governor == "performance, schedutil"
