"""A real Locust process, driven as a user would drive it from a shell. (In this process locust is never imported.)"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import psutil

from bench.results.load import LoadResult, Operation
from bench.results.store import load
from tests.support.folders import ROOT
from tests.support.ports import free_port
from tests.support.processes import command_of

LOCUST = Path(sys.executable).with_name("locust")
LOCUSTFILE = ROOT / "locustfile.py"
CONNECT = "connect"

LIMIT_S = 120.0


class LocustProcess:
    """A `locust -f … <arguments>` in a session of its own, its results below `folder`. Ends with the `with` block."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        locustfile: Path = LOCUSTFILE,
        headless: bool = True,
        directory: Path = ROOT,
        stdout: IO[Any] | None = None,
    ) -> None:
        self.folder = folder
        self._log = (folder / f"locust-{time.monotonic_ns()}.log").open("w+b")
        command = [str(LOCUST), "-f", str(locustfile), "--results", str(folder / "results"), *arguments]
        if "--processes" in arguments:  # not Locust's own port: two tests may run at once
            port = str(free_port())
            command += ["--master-bind-port", port, "--master-port", port]
        if headless:
            command += ["--headless", "--only-summary"]
        self.process = subprocess.Popen(
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=self._log if stdout is None else stdout,
            stderr=self._log,
            start_new_session=True,
            env=os.environ | {"COLUMNS": "140"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.process.poll() is None or self._group_exists():  # a worker that was stopped outlives its master
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        if kind is not None:
            sys.stderr.write(self.output)
        self._log.close()

    @property
    def output(self) -> str:
        """Everything that it has printed so far."""
        return Path(self._log.name).read_text(errors="replace")

    def wait(self) -> int:
        """Return its exit code, once it has ended, with every process that it had started."""
        code = self.process.wait(LIMIT_S)
        wait_until(lambda: not self._group_exists(), "the processes of Locust have ended")
        return code

    def wait_for_output(self, text: str) -> None:
        """Return once it has printed `text`."""
        wait_until(lambda: text in self.output or self.process.poll() is not None, f"Locust prints {text!r}")
        assert text in self.output, self.output

    def interrupt(self, everybody: bool = True) -> None:
        """Ctrl-C: to the whole group, as a terminal does, or to the first process alone."""
        if everybody:
            os.killpg(self.process.pid, signal.SIGINT)
        else:
            self.process.send_signal(signal.SIGINT)

    def workers(self) -> list[int]:
        """Process ids of the workers that --processes has forked."""
        return [child.pid for child in psutil.Process(self.process.pid).children() if not _is_service(child)]

    def services(self) -> list[int]:
        """Process ids of the services that it has started."""
        return [child.pid for child in psutil.Process(self.process.pid).children() if _is_service(child)]

    def results(self) -> list[LoadResult]:
        """Return the results that it has stored, oldest first."""
        loaded = [load(path) for path in sorted((self.folder / "results").glob("load/*/*.json"))]
        assert all(isinstance(result, LoadResult) for result in loaded)
        return [result for result in loaded if isinstance(result, LoadResult)]

    def result(self) -> LoadResult:
        """Return the one result that it has stored."""
        (result,) = self.results()
        return result

    def _group_exists(self) -> bool:
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        return True


def _is_service(process: psutil.Process) -> bool:
    return any("server" in Path(argument).parts for argument in command_of(process))


def run(folder: Path, *arguments: str, locustfile: Path = LOCUSTFILE) -> tuple[int, LocustProcess]:
    """Run Locust to its end; its exit code, and the process to ask for output and results."""
    with LocustProcess(folder, *arguments, locustfile=locustfile) as locust:
        return locust.wait(), locust


def operation(result: LoadResult, name: str = "FOO→BAR to sender") -> Operation:
    """Return the row of an operation."""
    return next(row for row in result.operations if row.name == name)


def is_up(url: str) -> bool:
    """Return true if a server answers at that URL."""
    try:
        _fetched(url)
    except OSError:
        return False
    return True


def health(url: str) -> dict[str, int]:
    """Return the FOO→BAR service's own counts."""
    counts: dict[str, int] = json.loads(_fetched(f"{url}/health"))
    return counts


def answered(url: str) -> int:
    """Return the number of FOOs that the service itself says it has answered."""
    return health(url)["answered"]


def _fetched(url: str) -> bytes:
    # A client of httpx takes 20 ms of a core to make. Tests ask as often as that, beside the load that they wait for.
    with urllib.request.urlopen(url, timeout=LIMIT_S) as answer:
        content: bytes = answer.read()
    return content


def wait_until(condition: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> None:
    """Return once the condition holds; fails where it does not within the limit."""
    give_up_at = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < give_up_at, f"not within {limit_s:g} s: {what}"
        time.sleep(0.02)


def json_lines(output: str) -> list[dict[str, Any]]:
    """Return the JSON objects among the lines of an output."""
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]
