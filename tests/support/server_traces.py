"""The traces that a server could leave behind, as a set of lines: equal before and after means that it left none."""

import asyncio
import contextlib
import logging
import signal
import threading
from pathlib import Path

import psutil


def traces() -> set[str]:
    """Threads, tasks, open files and sockets, child processes, signal handlers, uvicorn's loggers."""
    found = {f"thread {thread.name} {thread.ident}" for thread in threading.enumerate()}
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            found.add(f"file {descriptor.name} {descriptor.readlink()}")
        except FileNotFoundError:  # the one that lists the directory
            continue
    found |= {f"process {child.pid} {child.name()}" for child in psutil.Process().children(recursive=True)}
    found |= {f"handler of {number}: {id(signal.getsignal(number))}" for number in (signal.SIGINT, signal.SIGTERM)}
    for name in ("", "uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi"):
        logger = logging.getLogger(name)
        found.add(f"logger {name}: {logger.level} {logger.handlers} {logger.propagate} {logger.disabled}")
    with contextlib.suppress(RuntimeError):  # no loop, no tasks
        found |= {f"task {task.get_name()} {task.get_coro()}" for task in asyncio.all_tasks()}
    return found
