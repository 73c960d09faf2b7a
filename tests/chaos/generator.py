"""The processes of one run's generator: started with a mark in their environment, so that each can be found again."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from tests.support.folders import LOCUSTFILES, ROOT

LOCUST = Path(sys.executable).with_name("locust")
LOCUSTFILE = LOCUSTFILES / "three_transports.py"

_MARK = "CHAOS_RUN"
_OUTPUT_READ_BYTES = 3_000_000
_SERVICE = "bench/server/__main__.py"


class Process:
    """A `locust` process in a session of its own, its output in a file."""

    def __init__(self, popen: subprocess.Popen[bytes], log: Path) -> None:
        self.popen = popen
        self.log = log

    @property
    def pid(self) -> int:
        """The process id."""
        return self.popen.pid

    @property
    def has_ended(self) -> bool:
        """True if the process has ended; it is reaped then."""
        return self.popen.poll() is not None

    @property
    def output(self) -> str:
        """The text that it has printed so far, at most the first megabytes of it."""
        with self.log.open("rb") as log:
            return log.read(_OUTPUT_READ_BYTES).decode(errors="replace")

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to it and to what it has forked; what it has put into another session stays unharmed."""
        if not self.has_ended:
            os.killpg(self.pid, number)


class Generator:
    """The processes of a run's generator. They share a mark, an environment and a folder for their output."""

    def __init__(self, folder: Path, mark: str, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._mark = f"{_MARK}={mark}".encode()
        self._environment = os.environ | environment | {_MARK: mark, "COLUMNS": "140"}
        self.processes: list[Process] = []

    def start(self, *arguments: str, descriptors: int | None = None) -> Process:
        """Start `locust` with these arguments, and with that hard limit of file descriptors."""
        log = self._folder / f"locust-{len(self.processes)}.log"
        with log.open("wb") as output:
            popen = subprocess.Popen(
                [str(LOCUST), "-f", str(LOCUSTFILE), *arguments],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=self._environment,
                preexec_fn=None if descriptors is None else _limit(descriptors),
            )
        process = Process(popen, log)
        self.processes.append(process)
        return process

    @property
    def output(self) -> str:
        """The text that all of them have printed."""
        return "".join(process.output for process in self.processes)

    def marked(self) -> list[psutil.Process]:
        """Return all living processes with the mark, whoever started them."""
        return [process for process in psutil.process_iter() if self._is_marked(process)]

    def kill_all(self) -> None:
        """Kill what is left of it, and reap what this process has started."""
        give_up_at = time.monotonic() + 10
        while (left := self.marked()) and time.monotonic() < give_up_at:
            for marked in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    marked.kill()
            for process in self.processes:
                process.popen.poll()
            time.sleep(0.05)
        for process in self.processes:
            process.popen.wait()

    def _is_marked(self, process: psutil.Process) -> bool:
        try:
            environment = Path(f"/proc/{process.pid}/environ").read_bytes()
            return self._mark in environment.split(b"\0") and process.status() != psutil.STATUS_ZOMBIE
        except (OSError, psutil.Error):  # it has just ended, or belongs to another user
            return False


def children_of(process: Process, services: bool) -> list[int]:
    """Return the ids of the services that it started, or of the workers that it forked; lowest first."""
    try:
        children = psutil.Process(process.pid).children()
    except psutil.NoSuchProcess:
        return []
    return sorted(child.pid for child in children if _is_service(child) is services)


def _is_service(process: psutil.Process) -> bool:
    try:
        return any(argument.endswith(_SERVICE) for argument in process.cmdline())
    except psutil.Error:
        return False


def _limit(descriptors: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
