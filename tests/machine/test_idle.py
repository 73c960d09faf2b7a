"""Cores that can be kept from idling, and the reasons if they cannot."""

import os
import sys
from pathlib import Path

import psutil
import pytest

from bench.machine.idle import NoIdle, NoIdleError, idle_reason

if sys.platform != "linux":
    pytest.skip("cores are kept awake on Linux only", allow_module_level=True)

CORES = tuple(sorted(os.sched_getaffinity(0)))


def test_cores_are_sorted_and_each_counts_once() -> None:
    assert NoIdle([2, 0, 2]).cores == (0, 2)


def test_without_cores_there_is_nothing_to_do() -> None:
    children = psutil.Process().children()
    with NoIdle(()) as nothing:
        assert psutil.Process().children() == children
        assert nothing.is_running


def test_a_core_that_this_process_may_not_use() -> None:
    assert idle_reason([CORES[0], 4000]) == f"this process may not use core 4000 (only {', '.join(map(str, CORES))})"
    with pytest.raises(NoIdleError, match="cannot keep cores awake: this process may not use core 4000"):
        NoIdle([CORES[0], 4000]).start()


@pytest.mark.skipif(len(CORES) < 2, reason="needs two cores")
def test_a_process_that_is_kept_to_a_core_does_not_spin_on_others() -> None:
    os.sched_setaffinity(0, {CORES[0]})
    try:
        assert idle_reason(CORES[:1]) is None
        assert "may not use" in (idle_reason(CORES) or "")
    finally:
        os.sched_setaffinity(0, CORES)


@pytest.mark.parametrize(
    ("limit", "reason"),
    [("max 100000", None), ("50000 100000", "CPU quota of 0.5 cores"), (f"{(os.cpu_count() or 1)}00000 100000", None)],
)
def test_a_cpu_quota(tmp_path: Path, limit: str, reason: str | None) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/a/b\n")
    (tmp_path / "proc/self/mountinfo").write_text("29 23 0:26 / /cg rw - cgroup2 cgroup2 rw\n")
    (tmp_path / "cg/a/b").mkdir(parents=True)
    (tmp_path / "cg/a/cpu.max").write_text(limit + "\n")
    found = idle_reason(CORES, root=tmp_path)
    assert (reason is None and found is None) or (reason is not None and reason in (found or ""))


def test_another_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.delattr(os, "SCHED_IDLE")
    found = idle_reason(CORES), idle_reason(())
    monkeypatch.undo()
    assert found == ("darwin has no SCHED_IDLE", None)
