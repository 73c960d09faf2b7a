"""Spoilers: what is read of this machine is what is there, what cannot be read is not judged, and thresholds hold."""

import asyncio
import gc
import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from types import FrameType
from typing import Any, get_args

import pydantic
import pytest

from bench.machine.cgroups import cpu_quota, group_folders
from bench.machine.conditions import Conditions, Counters, GarbageCollection
from bench.machine.disturbances import (
    LOAD_PER_CORE,
    LOAD_SHARE,
    MAJOR_FAULTS,
    STEAL_SHARE,
    SWAPPED_IN_PAGES,
    Interference,
    Spoiler,
    SpoilerKind,
    spoilers,
)
from bench.machine.interpreter import is_optimised
from bench.machine.processes import CoreTime, core_time
from bench.machine.stops import counted_stops, stops

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")

QUIET = Counters(
    cores=CoreTime(total_s=1000, used_s=400, stolen_s=1),
    own_cpu_s=50,
    major_faults=10,
    swapped_in_pages=10,
    throttled_us=10,
    throttled_periods=10,
    stops=1,
)


def conditions(seconds: float = 0, *, counters: dict[str, Any] | None = None, **changed: Any) -> Conditions:
    """Of two quiet cores after so many seconds; `counters` is what they have besides."""
    risen = QUIET.model_dump() | {"cores": core(seconds)} | (counters or {})
    values: dict[str, Any] = {
        "cores": (0, 1),
        "affinity": (0, 1),
        "load_average": 9.0,
        "garbage_collection": GarbageCollection(enabled=True, thresholds=(700, 10, 10), frozen=0),
        "python_optimised": True,
        "counters": Counters(**risen),
    }
    return Conditions(**(values | changed))


def core(seconds: float, used_s: float = 0, stolen_s: float = 0) -> CoreTime:
    return CoreTime(total_s=1000 + 2 * seconds, used_s=400 + used_s, stolen_s=1 + stolen_s)


def judged(before: Conditions, after: Conditions) -> tuple[Spoiler, ...]:
    """Pinned and awake."""
    return spoilers(before, after, pinned=True, awake=(0, 1))


# Judging


def test_a_quiet_run_has_none() -> None:
    assert judged(conditions(), conditions(10)) == ()


LEAST: dict[str, tuple[SpoilerKind, float, Conditions]] = {
    "steal": ("steal", STEAL_SHARE, conditions(10, counters={"cores": core(10, stolen_s=20.001 * STEAL_SHARE)})),
    "load": ("load", LOAD_SHARE, conditions(10, counters={"cores": core(10, used_s=20.001 * LOAD_SHARE)})),
    "throttled": ("throttled", 1, conditions(10, counters={"throttled_us": 11, "throttled_periods": 11})),
    "stopped": ("stopped", 2, conditions(10, counters={"stops": 3})),
    "swap": ("swap", SWAPPED_IN_PAGES, conditions(10, counters={"swapped_in_pages": 10 + SWAPPED_IN_PAGES})),
    "faults": ("swap", MAJOR_FAULTS, conditions(10, counters={"major_faults": 10 + MAJOR_FAULTS})),
}


@pytest.mark.parametrize(("kind", "value", "after"), LEAST.values(), ids=LEAST)
def test_from_the_threshold_on(kind: SpoilerKind, value: float, after: Conditions) -> None:
    (spoiler,) = judged(conditions(), after)
    assert spoiler.kind == kind
    assert spoiler.value == pytest.approx(value, rel=1e-3)
    assert spoiler.text
    assert "\n" not in spoiler.text


JUST_BELOW = {
    "steal": {"cores": core(10, stolen_s=20 * STEAL_SHARE - 0.01)},
    "load": {"cores": core(10, used_s=20 * LOAD_SHARE - 0.01)},
    "swap": {"swapped_in_pages": 9 + SWAPPED_IN_PAGES},
    "faults": {"major_faults": 9 + MAJOR_FAULTS},
    "counters that fell": {"swapped_in_pages": 0, "major_faults": 0, "throttled_us": 0, "throttled_periods": 0},
}


@pytest.mark.parametrize("counters", JUST_BELOW.values(), ids=JUST_BELOW)
def test_below_it(counters: dict[str, Any]) -> None:
    assert judged(conditions(), conditions(10, counters=counters)) == ()


def test_what_the_run_itself_used_is_no_load() -> None:
    busy = {"cores": core(10, used_s=19), "own_cpu_s": 50 + 18.5}
    assert Interference.between(conditions(), conditions(10, counters=busy)).load_share == pytest.approx(0.025)
    assert judged(conditions(), conditions(10, counters=busy)) == ()
    more_than_there_was = busy | {"own_cpu_s": 50 + 19.5}  # sums of ticks are not exact
    assert Interference.between(conditions(), conditions(10, counters=more_than_there_was)).load_share == 0


@pytest.mark.parametrize(("load_average", "kinds"), [(2 * LOAD_PER_CORE - 0.01, []), (2 * LOAD_PER_CORE, ["load"])])
def test_the_load_average_counts_where_nothing_better_is_known(load_average: float, kinds: list[str]) -> None:
    before = conditions(counters={"cores": None}, load_average=load_average)
    assert [spoiler.kind for spoiler in judged(before, conditions(10))] == kinds


def test_shares_of_next_to_no_time_say_nothing() -> None:
    after = conditions(0.4, counters={"cores": core(0.4, stolen_s=0.8)})
    assert Interference.between(conditions(), after).steal_share is None


@pytest.mark.parametrize("unread", list(Counters.model_fields))
def test_what_was_not_read_is_not_judged(unread: str) -> None:
    everything = {
        "cores": core(10, used_s=5, stolen_s=5),
        "major_faults": 9999,
        "swapped_in_pages": 9999,
        "throttled_us": 9999,
        "throttled_periods": 9999,
    }
    after = conditions(10, counters=everything)
    all_kinds = {spoiler.kind for spoiler in judged(conditions(load_average=0.0), after)}
    assert all_kinds == {"steal", "load", "throttled", "swap"}
    for blind in (
        judged(conditions(load_average=0.0, counters={unread: None}), after),
        judged(conditions(load_average=0.0), conditions(10, counters=everything | {unread: None})),
    ):
        lost = all_kinds - {spoiler.kind for spoiler in blind}
        assert lost == {"cores": {"steal", "load"}, "own_cpu_s": {"load"}}.get(unread, set())


def test_how_it_was_placed() -> None:
    def kinds(cores: tuple[int, ...], pinned: bool, awake: tuple[int, ...]) -> list[str]:
        before, after = conditions(cores=cores), conditions(10, cores=cores)
        return [spoiler.kind for spoiler in spoilers(before, after, pinned=pinned, awake=awake)]

    assert kinds((0, 1), True, (0, 1)) == []
    assert kinds((0, 1), False, (0, 1)) == ["not pinned"]
    assert kinds((0, 1), True, (0,)) == ["cores halt"]
    assert kinds((0,), False, ()) == ["single core", "cores halt"]
    assert kinds((), False, ()) == ["not pinned", "cores halt"]
    (halting,) = spoilers(conditions(), conditions(10), pinned=True, awake=(0,))
    assert halting.text.startswith("cores 1 were not kept awake")


def test_what_is_judged_of_both_ends() -> None:
    plain: dict[str, Any] = {"governor": "performance"}
    slow: dict[str, Any] = {"governor": "powersave"}
    traced: dict[str, Any] = {"debugging": ("tracemalloc",)}
    assert judged(conditions(**plain), conditions(10, **plain)) == ()
    for one, other in ((slow, plain), (plain, slow)):
        (spoiler,) = judged(conditions(**one), conditions(10, **other))
        assert (spoiler.kind, "powersave" in spoiler.text) == ("governor", True)
    for one, other in ((traced, plain), (plain, traced), (traced, traced)):
        (spoiler,) = judged(conditions(**one), conditions(10, **other))
        assert (spoiler.kind, spoiler.text.count("tracemalloc")) == ("debug", 1)


def test_a_python_that_was_built_without_profile() -> None:
    for optimised, kinds in ((True, []), (None, []), (False, ["unoptimised python"])):
        before, after = conditions(python_optimised=optimised), conditions(10, python_optimised=optimised)
        assert [spoiler.kind for spoiler in judged(before, after)] == kinds


def test_every_kind_can_arise_and_they_come_in_order() -> None:
    found: list[str] = []
    for cores in ((0, 1), (0,)):
        before = conditions(governor="powersave", python_optimised=False, debugging=("tracemalloc",), cores=cores)
        worst = {"cores": core(10, used_s=9, stolen_s=9), "throttled_us": 99, "swapped_in_pages": 9999, "stops": 9}
        kinds = [each.kind for each in spoilers(before, conditions(10, counters=worst), pinned=False)]
        assert kinds == [kind for kind in get_args(SpoilerKind) if kind in kinds]
        found += kinds
    assert set(found) == set(get_args(SpoilerKind))


# Stored


def test_it_is_stored_as_json_and_comes_back() -> None:
    now = Conditions.now([0])
    spoiler = Spoiler(kind="steal", text="much", value=0.5)
    during = Interference.between(now, Conditions.now([0]))
    for each in (now, spoiler, during):
        assert type(each).model_validate_json(each.model_dump_json()) == each
        assert type(each).model_validate(json.loads(each.model_dump_json())) == each


@pytest.mark.parametrize(
    "wrong", [{"kind": "gremlins"}, {"value": "1"}, {"value": float("nan")}, {"since": 1}, {"text": None}]
)
def test_what_is_stored_is_strict(wrong: dict[str, Any]) -> None:
    right = {"kind": "steal", "text": "much"}
    Spoiler.model_validate(right)
    with pytest.raises(pydantic.ValidationError):
        Spoiler.model_validate(right | wrong)


# Reading


def burn(seconds: float) -> None:
    until_ns = time.process_time_ns() + int(seconds * 1e9)
    while time.process_time_ns() < until_ns:
        pass


@linux_only
def test_this_machine() -> None:
    now = Conditions.now(os.sched_getaffinity(0))
    assert now.affinity == now.cores == tuple(sorted(os.sched_getaffinity(0)))
    assert now.garbage_collection.enabled is gc.isenabled()
    assert now.garbage_collection.thresholds == gc.get_threshold()
    assert now.load_average is not None
    assert now.counters.cores is not None
    assert now.counters.cores.total_s > now.counters.cores.used_s > now.counters.cores.stolen_s


@linux_only
def test_cpu_time_of_children_is_ours_while_they_live_and_after() -> None:
    def own_s() -> float:
        seconds = Conditions.now([0]).counters.own_cpu_s
        assert seconds is not None
        return seconds

    start_s = own_s()
    burn(0.1)
    after_own_s = own_s()
    assert after_own_s >= start_s + 0.05
    program = "import time\nwhile time.process_time() < 0.2: pass\nprint(flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        with_child_s = own_s()
        assert with_child_s >= after_own_s + 0.15
        child.stdin.write(b"\n")
    assert own_s() >= with_child_s


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
    """With a process whose name looks like the fields behind it, one that is not ours, and grandchildren."""
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


V2 = {
    "proc/self/cgroup": "0::/user.slice/bench\n",
    "proc/self/mountinfo": "22 1 8:1 / / rw - ext4 /dev/sda rw\n"
    "29 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 none rw\n",
}
V1 = {
    "proc/self/cgroup": "3:cpuset:/\n2:cpu,cpuacct:/bench\n1:name=systemd:/x\n0::/y\n",
    "proc/self/mountinfo": "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "33 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n",
}


def test_control_groups_of_version_2(tmp_path: Path) -> None:
    group = "sys/fs/cgroup/user.slice"
    limits = {f"{group}/cpu.max": "150000 100000\n", f"{group}/bench/cpu.max": "max 100000\n"}
    stats = {
        "sys/fs/cgroup/cpu.stat": "usage_usec 9\n",
        f"{group}/cpu.stat": "usage_usec 9\nnr_periods 9\nnr_throttled 2\nthrottled_usec 3000\n",
        f"{group}/bench/cpu.stat": "usage_usec 9\nnr_periods 9\nnr_throttled 1\nthrottled_usec 500\n",
    }
    now = Conditions.now([0], root=tree(tmp_path, V2 | limits | stats))
    assert now.cpu_quota == 1.5
    assert (now.counters.throttled_us, now.counters.throttled_periods) == (3500, 3)


def test_control_groups_of_version_1(tmp_path: Path) -> None:
    group = "sys/fs/cgroup/cpu,cpuacct"
    limits = {
        f"{group}/cpu.cfs_quota_us": "-1\n",
        f"{group}/cpu.cfs_period_us": "100000\n",
        f"{group}/bench/cpu.cfs_quota_us": "25000\n",
        f"{group}/bench/cpu.cfs_period_us": "50000\n",
    }
    stats = {f"{group}/bench/cpu.stat": "nr_periods 9\nnr_throttled 4\nthrottled_time 7000000\n"}
    now = Conditions.now([0], root=tree(tmp_path, V1 | limits | stats))
    assert now.cpu_quota == 0.5
    assert (now.counters.throttled_us, now.counters.throttled_periods) == (7000, 4)


@pytest.mark.parametrize("version", [V1, V2], ids=["1", "2"])
def test_without_a_quota_there_is_none(tmp_path: Path, version: dict[str, str]) -> None:
    assert cpu_quota(tree(tmp_path, version)) is None


@pytest.mark.parametrize(
    ("path", "top", "folders"),
    [
        ("/", "/", ["/cg"]),
        ("/docker/abc", "/docker/abc", ["/cg"]),
        ("/docker/abc/x", "/docker/abc", ["/cg", "/cg/x"]),
        ("/../other", "/", ["/cg"]),
        ("/docker/abc", "/elsewhere", ["/cg"]),
    ],
)
def test_a_container_sees_groups_from_within(path: str, top: str, folders: list[str]) -> None:
    found = group_folders(f"0::{path}\n", f"29 23 0:26 {top} /cg rw - cgroup2 cgroup2 rw\n")
    assert found == [PurePosixPath(folder) for folder in folders]


def test_a_mount_point_with_a_blank() -> None:
    assert group_folders("0::/\n", "1 2 0:3 / /c\\040g rw - cgroup2 c rw\n") == [PurePosixPath("/c g")]


# The interpreter


@pytest.mark.parametrize(
    ("built", "optimised"),
    [
        ({"CONFIG_ARGS": "'--enable-optimizations' '--with-lto'", "PGO_PROF_USE_FLAG": "-fprofile-use"}, True),
        ({"CONFIG_ARGS": "'CFLAGS=-fprofile-use'"}, True),
        ({"CONFIG_ARGS": "'--enable-shared'", "PGO_PROF_USE_FLAG": "-fprofile-use -fprofile-correction"}, False),
        ({"CONFIG_ARGS": "'--enable-shared'", "PGO_PROF_USE_FLAG": ""}, None),  # Debian's
        ({}, None),  # Windows
    ],
)
def test_whether_a_python_is_optimised(built: dict[str, object], optimised: bool | None) -> None:
    assert is_optimised(built) is optimised


DEBUGGING: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "a profile function": (lambda: sys.setprofile(lambda *_: None), lambda: sys.setprofile(None)),
    "tracemalloc": (tracemalloc.start, tracemalloc.stop),
}


@pytest.mark.parametrize("what", DEBUGGING)
def test_what_watches_the_interpreter_is_seen(what: str) -> None:
    assert what not in Conditions.now([0]).debugging
    start, stop = DEBUGGING[what]
    start()
    try:
        assert what in Conditions.now([0]).debugging
    finally:
        stop()


def test_a_trace_function_is_seen() -> None:
    def trace(frame: FrameType, event: str, argument: Any) -> None:
        return None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        assert "a trace function (coverage or a debugger)" in Conditions.now([0]).debugging
    finally:
        sys.settrace(before)


async def test_a_loop_in_debug_mode_is_seen() -> None:
    assert "asyncio's debug mode" not in Conditions.now([0]).debugging
    asyncio.get_running_loop().set_debug(True)
    assert "asyncio's debug mode" in Conditions.now([0]).debugging


@pytest.mark.parametrize(
    ("arguments", "variables", "found"),
    [
        ([], {}, []),
        (["-X", "dev"], {}, ["Python's development mode"]),
        ([], {"PYTHONASYNCIODEBUG": "1"}, ["asyncio's debug mode"]),
        (["-E"], {"PYTHONASYNCIODEBUG": "1"}, []),
    ],
)
def test_how_the_interpreter_was_started(arguments: list[str], variables: dict[str, str], found: list[str]) -> None:
    program = "from bench.machine.conditions import Conditions; print(*Conditions.now([0]).debugging, sep=';')"
    ended = subprocess.run(
        [sys.executable, *arguments, "-c", program],
        env=os.environ | {"PYTHONDEVMODE": "", "PYTHONASYNCIODEBUG": ""} | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.strip() == ";".join(found)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring came with Python 3.12")
def test_monitoring_is_seen() -> None:
    monitoring: Any = sys.monitoring  # type: ignore[attr-defined, unused-ignore]
    monitoring.use_tool_id(4, "somebody")
    try:
        assert "sys.monitoring by somebody" in Conditions.now([0]).debugging
    finally:
        monitoring.free_tool_id(4)
