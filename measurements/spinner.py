"""The share of a core that keeping it awake costs a process that is never idle, with and without its light group."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from bench.machine import idle
from bench.machine.cores import server_core

_BUSY = "import os, sys\nwhile os.getppid() == int(sys.argv[1]): pass\n"


def _share(seconds: float, *, is_light: bool) -> float:
    """Return the share of a core that the spinner took beside a busy process in a session of its own."""
    core = server_core() or 0
    make_light = idle._make_group_light
    if not is_light:
        idle._make_group_light = lambda pid: None
    busy = subprocess.Popen([sys.executable, "-c", _BUSY, str(os.getpid())], start_new_session=True)
    try:
        os.sched_setaffinity(busy.pid, {core})
        with idle.NoIdle([core]) as awake:
            (spinner,) = awake._spinners
            before = sum(psutil.Process(spinner.pid).cpu_times()[:2])
            time.sleep(seconds)
            return (sum(psutil.Process(spinner.pid).cpu_times()[:2]) - before) / seconds
    finally:
        idle._make_group_light = make_light
        busy.kill()
        busy.wait()


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m measurements.spinner", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each (10)")
    options = parser.parse_args()
    switch = Path("/proc/sys/kernel/sched_autogroup_enabled")
    groups = switch.read_text().strip() if switch.exists() else "absent"
    print(f"automatic groups (sched_autogroup_enabled): {groups}")
    for is_light, words in ((True, "the lowest weight"), (False, "its weight as it is")):
        print(f"a spinner's group has {words}: {_share(options.seconds, is_light=is_light):.1%} of the core")
    return 0


if __name__ == "__main__":
    sys.exit(main())
