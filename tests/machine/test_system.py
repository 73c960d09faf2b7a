"""Tests of what this system offers for a measurement, and of the words for what it lacks."""

import os
import sys
import time
from collections.abc import Iterator

import pytest

from bench.machine import system


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    """Forget the answer that is kept."""
    system.has_process_clocks.cache_clear()
    yield
    system.has_process_clocks.cache_clear()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems lack something")
def test_linux_has_all_of_it() -> None:
    assert system.missing() is None
    assert system.unsupported() is None


def test_what_is_missing_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_setaffinity")
    monkeypatch.setattr(time, "clock_gettime_ns", refuse)
    monkeypatch.setattr(system, "has_kernel_timers", lambda: False)
    found = system.missing()
    assert found is not None
    assert found.startswith("this system cannot pin processes to cores, keep cores awake, tell a server's CPU time")
    assert "keep a schedule to the microsecond" in found
    assert "\n" not in found


def refuse(_: int) -> int:
    raise OSError(22, "Invalid argument")


def test_only_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "SCHED_IDLE")
    assert system.missing() == "this system cannot keep cores awake: its figures are coarser"


@pytest.mark.parametrize(("platform", "is_refused"), [("win32", True), ("cygwin", True), ("darwin", False)])
def test_windows_alone_is_refused(monkeypatch: pytest.MonkeyPatch, platform: str, is_refused: bool) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    found = system.unsupported()
    monkeypatch.undo()
    assert (found is not None) == is_refused
    assert found is None or found.endswith(f"({platform})")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such clocks")
def test_the_clock_of_a_process_is_its_own() -> None:
    before_ns = time.process_time_ns()
    read_ns = time.clock_gettime_ns(system.process_clock(os.getpid()))
    assert before_ns <= read_ns <= time.process_time_ns()
