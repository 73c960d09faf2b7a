"""Other processes as a test sees them, any of which may end while it looks."""

import psutil


def command_of(process: psutil.Process) -> list[str]:
    """Return its command line; empty once it has ended, reaped or not."""
    try:
        return list(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []
