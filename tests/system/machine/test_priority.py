"""Precedence: what is started meanwhile has it where that is allowed, and nothing has it afterwards."""

import os
import resource
import subprocess
import sys

import pytest

from bench.machine.priority import high_priority

_NICE = [sys.executable, "-c", "import os; print(os.getpriority(os.PRIO_PROCESS, 0))"]


def nice_of_a_child() -> int:
    return int(subprocess.check_output(_NICE))


def test_children_have_it_meanwhile() -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    with high_priority() as nice:
        assert nice_of_a_child() == nice
    assert nice_of_a_child() == os.getpriority(os.PRIO_PROCESS, 0) == before


def test_an_error_ends_it_too() -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    with pytest.raises(RuntimeError), high_priority():
        raise RuntimeError
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


def test_where_it_is_not_allowed_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() == 0 or resource.getrlimit(resource.RLIMIT_NICE)[0] >= 40:

        def refuse(*_: int) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "setpriority", refuse)
    before = os.getpriority(os.PRIO_PROCESS, 0)
    with high_priority() as nice:
        assert nice == before == nice_of_a_child()
