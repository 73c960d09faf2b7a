"""The interpreter: if it was built for speed, and tools that watch it."""

import asyncio
import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from bench.machine.conditions import Conditions
from bench.machine.interpreter import is_optimised


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


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring came with Python 3.12")
def test_monitoring_is_seen() -> None:
    monitoring: Any = sys.monitoring  # type: ignore[attr-defined, unused-ignore]
    monitoring.use_tool_id(4, "somebody")
    try:
        assert "sys.monitoring by somebody" in Conditions.now([0]).debugging
    finally:
        monitoring.free_tool_id(4)
