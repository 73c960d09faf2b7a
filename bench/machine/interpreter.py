"""The Python that runs: the optimisation of its build, the tools that watch or debug it, and what has patched it."""

import asyncio
import os
import sys
import tracemalloc


def is_optimised(built: dict[str, object]) -> bool | None:
    """Return true if a Python was built with profile-guided optimisation; None if its sysconfig variables do not tell.

    Debian optimises by other means than --enable-optimizations, and removes every trace of them. It also removes the
    flag that a plain build names without using it. The absence of that flag tells Debian's build.
    """
    arguments = built.get("CONFIG_ARGS")
    if not isinstance(arguments, str):
        return None
    if "--enable-optimizations" in arguments or "-fprofile-" in arguments:
        return True
    return False if built.get("PGO_PROF_USE_FLAG") else None


def debugging() -> tuple[str, ...]:
    """Return the names of all that observes or checks this interpreter, or the loop, at a cost for each call."""
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


def gevent_reason() -> str | None:
    """Return why latency cannot be measured in this process, if gevent has patched it; None if it can.

    asyncio is far slower on gevent's selector (docs/measurements.md).
    """
    monkey = sys.modules.get("gevent.monkey")
    if "locust" not in sys.modules and (monkey is None or not monkey.is_anything_patched()):
        return None
    return (
        "this process is patched for gevent (importing locust does that), which makes asyncio slower: "
        "measure latency in a process that does not import locust"
    )


def _is_loop_debugged() -> bool:
    try:
        return asyncio.get_running_loop().get_debug()
    except RuntimeError:
        return False


def _monitoring_tools() -> list[str]:
    """Return the names of the tools that use sys.monitoring, which Python has from 3.12 on."""
    monitoring = getattr(sys, "monitoring", None)
    if monitoring is None:
        return []
    return [name for tool in range(6) if (name := monitoring.get_tool(tool)) is not None]
