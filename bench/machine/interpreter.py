"""The Python that runs: whether it was built optimised, and what watches or debugs it."""

import asyncio
import os
import sys
import tracemalloc


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


def debugging() -> tuple[str, ...]:
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
