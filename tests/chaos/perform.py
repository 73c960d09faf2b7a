"""The performance of a scenario: it starts service, proxy and generator, injects the faults, and notes what can be
seen."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.results.load import LoadResult
from bench.results.store import ResultError, load, machine_id
from bench.server import ServerError, ServerProcess
from tests.chaos.counts import Counts
from tests.chaos.generator import Generator, Process, children_of
from tests.chaos.judge import Applied, Observed
from tests.chaos.proxy import Proxy
from tests.chaos.scenario import CONNECT_TIMEOUT_S, REPLY_TIMEOUT_S, Fault, Scenario
from tests.support.folders import ROOT
from tests.support.ports import free_port

_APP = "tests.chaos.service:app"
_STARTING_LIMIT_S = 60.0
_WORKERS_END_WITHIN_S = 30.0
_GONE_WITHIN_S = 8.0
_TURN_S = 0.02
_ATTEMPTS = 5

_BEGUN = ("Ramping to", "Sending spawn jobs")
_LAUNCHED = "Starting Locust"
#: The words of the master about each worker that has come.
_READY = "reported as ready"


_FROM_THE_BEGINNING = ("full disk", "file in the way", "few descriptors")


@dataclass
class _Step:
    """The start of a fault, where it `begins`, or its end. In seconds since the test began."""

    at_s: float
    fault: Fault
    begins: bool


class _Performance:
    """A run while it goes on."""

    def __init__(self, scenario: Scenario, folder: Path, stack: ExitStack) -> None:
        self.scenario = scenario
        self.folder = folder
        self.results = folder / "results"
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.counts = Counts.create(folder / "counts")
        self._master_port = free_port()
        environment = {
            "CHAOS_COUNTS": str(folder / "counts"),
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(self.temporary),
            "REPLY_TIMEOUT": str(REPLY_TIMEOUT_S),
            "CONNECT_TIMEOUT": str(CONNECT_TIMEOUT_S),
            "WAIT": str(scenario.wait_s),
        }
        self.server: ServerProcess | None = None
        if not scenario.own_service:
            self.server = _started_server(environment)
            stack.callback(self.server.stop)
            stack.callback(self._continue_server)
        self.proxy: Proxy | None = None
        if scenario.proxied:
            assert self.server is not None, "a service of the generator's own has no proxy before it"
            drawn = f"{scenario.seed}/{scenario.number}/proxy"
            delays_s = scenario.delay_ms / 1000, scenario.jitter_ms / 1000
            self.proxy = stack.enter_context(Proxy(self.server.port, drawn, *delays_s))
        for fault in scenario.faults:
            if fault.kind in ("full disk", "file in the way"):
                stack.enter_context(_no_storage(self.results, mounted=fault.kind == "full disk"))
        self.generator = Generator(folder, uuid.uuid4().hex, environment)
        stack.callback(self.generator.kill_all)
        self.applied: list[Applied] = []
        self._under_way: dict[Fault, float] = {}
        self._victims: dict[Fault, list[int]] = {}
        self.stopped_for_good: set[int] = set()
        self._lock: int | None = None
        stack.callback(self._unlock)

    # ------------------------------------------------------------------ the generator

    def start(self) -> Process:
        """Start all that is there at the beginning; return the process that owns the run."""
        scenario = self.scenario
        arguments = [
            *(_USER_CLASSES[transport] for transport in scenario.transports),
            "--headless",
            "--only-summary",
            *("--results", str(self.results)),
            *("-u", str(scenario.users), "-r", f"{scenario.spawn_rate:g}", "-t", f"{scenario.run_time_s}s"),
            *("--seed", f"{scenario.seed}-{scenario.number}"),
        ]
        if scenario.rate_per_s is not None:
            arguments += ["--rate", str(scenario.rate_per_s), "--arrivals", scenario.arrivals]
        if self.server is not None:
            arguments += ["--host", self.proxy.url if self.proxy is not None else self.server.url]
        else:
            arguments += ["--app", _APP]
        port = str(self._master_port)
        if scenario.layout == "forked":
            arguments += ["--processes", "2", "--master-bind-port", port, "--master-port", port]
        if scenario.layout == "apart":
            arguments += ["--master", "--master-bind-port", port, "--expect-workers", "2"]
        few = scenario.fault("few descriptors")
        owner = self.generator.start(*arguments, descriptors=None if few is None else few.limit)
        now_s = time.time()
        self.applied += [Applied(fault, now_s, now_s) for fault in scenario.faults if fault.kind in _FROM_THE_BEGINNING]
        if scenario.layout == "apart":
            self._start_worker()
            self._start_worker()
        return owner

    def _start_worker(self) -> Process:
        classes = [_USER_CLASSES[transport] for transport in self.scenario.transports]
        return self.generator.start(*classes, "--worker", "--master-port", str(self._master_port))

    # ------------------------------------------------------------------ the run

    def follow(self, owner: Process) -> tuple[float | None, bool]:
        """Inject the faults; return when the test began, and whether the owner ended within its limit."""
        at_start = self.scenario.fault("interrupt at start")
        texts = _BEGUN if at_start is None else (_LAUNCHED,)
        if not _await_output(owner, texts, _STARTING_LIMIT_S):
            return None, owner.has_ended
        started_s = time.monotonic()
        began_s = time.time() if at_start is None else None
        steps = sorted(_steps(self.scenario), key=lambda step: step.at_s)
        given_up_at = started_s + self.scenario.limit_s
        while not owner.has_ended and time.monotonic() < given_up_at:
            while steps and time.monotonic() - started_s >= steps[0].at_s and not owner.has_ended:
                before_s = time.monotonic()
                self._do(steps.pop(0), owner)
                given_up_at += time.monotonic() - before_s
            time.sleep(_TURN_S)
        ended = owner.has_ended
        for step in steps:
            if not step.begins and step.fault in self._under_way:
                self._do(step, owner)
        if began_s is None and _has_begun(owner):
            began_s = time.time()
        return began_s, ended

    def _do(self, step: _Step, owner: Process) -> None:
        now_s = time.time()
        if step.begins:
            if self._begin(step.fault, owner):
                self._under_way[step.fault] = now_s
                if step.fault.for_s is None:
                    self._note(step.fault, now_s)
        elif step.fault in self._under_way:
            self._end(step.fault, owner)
            self._note(step.fault, time.time())

    def _note(self, fault: Fault, ended_s: float) -> None:
        self.applied.append(Applied(fault, self._under_way.pop(fault), ended_s, self.counts.read()[0]))

    def _begin(self, fault: Fault, owner: Process) -> bool:
        """Begin a fault; return whether there was something to do it to."""
        match fault.kind:
            case "kill server" | "restart server":
                return self._kill_server(owner)
            case "stop server" | "pause server":
                return self.server is not None and _send(self.server.pid, signal.SIGSTOP)
            case "kill worker" | "stop worker" | "pause worker" | "terminate worker" | "leave":
                return self._harm_worker(fault, owner)
            case "join":
                self._start_worker()
            case "interrupt" | "interrupt at start":
                for time_ in range(fault.times):
                    if time_:
                        time.sleep(0.3)
                    if fault.everybody:
                        owner.signal_group(signal.SIGINT)
                    elif not owner.has_ended:
                        owner.popen.send_signal(signal.SIGINT)
            case "pause generator":
                for process in self.generator.processes:
                    process.signal_group(signal.SIGSTOP)
            case "locked folder":
                self._lock_results()
            case "drop":
                return self.proxy is not None and self.proxy.drop(fault.share) > 0
            case "truncate":
                return self.proxy is not None and self.proxy.truncate(fault.share) > 0
            case "stall" if self.proxy is not None:
                self.proxy.stall()
            case "refuse" if self.proxy is not None:
                self.proxy.refuse()
            case _:
                return False
        return True

    def _end(self, fault: Fault, owner: Process) -> None:
        match fault.kind:
            case "restart server" if self.server is not None:
                self._restart_server()
            case "pause server":
                self._continue_server()
            case "pause worker":
                for victim in self._victims.pop(fault, []):
                    _send(victim, signal.SIGCONT)
            case "pause generator":
                for process in self.generator.processes:
                    process.signal_group(signal.SIGCONT)
            case "locked folder":
                self._unlock()
            case "stall" if self.proxy is not None:
                self.proxy.flow()
            case "refuse" if self.proxy is not None:
                self.proxy.accept()

    # ------------------------------------------------------------------ servers and workers

    def _kill_server(self, owner: Process) -> bool:
        if self.server is not None:
            return _send(self.server.pid, signal.SIGKILL)
        services = children_of(owner, services=True)
        return bool(services) and all(_send(pid, signal.SIGKILL) for pid in services)

    def _restart_server(self) -> None:
        assert self.server is not None
        self.server.stop()
        for _ in range(_ATTEMPTS - 1):
            try:
                self.server.start()
                return
            except ServerError:  # its port is still in use
                time.sleep(0.2)
        self.server.start()

    def _continue_server(self) -> None:
        if self.server is not None and self.server.is_running:
            _send(self.server.pid, signal.SIGCONT)

    def _harm_worker(self, fault: Fault, owner: Process) -> bool:
        apart = self.scenario.layout == "apart"
        workers = [process.pid for process in self.generator.processes[1:3] if not process.has_ended]
        victim = next(iter(workers if apart else children_of(owner, services=False)), None)
        if victim is None:
            return False
        sent = _send(victim, _SIGNALS[fault.kind])
        self._victims[fault] = [victim]
        if fault.kind == "stop worker":
            self.stopped_for_good.add(victim)
        return sent

    def _lock_results(self) -> None:
        folder = self.results / "load" / machine_id()
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # ------------------------------------------------------------------ what is left

    def left(self, owner: Process) -> Iterator[str]:
        """Return what is still there some seconds after the end, a line each."""
        # A worker that comes when the master has gone goes on to look for it, as Locust's workers do.
        too_late = max(0, len(self.generator.processes) - 1 - owner.output.count(_READY))
        give_up_at = time.monotonic() + _WORKERS_END_WITHIN_S
        while len(self._living_workers()) > too_late and time.monotonic() < give_up_at:
            time.sleep(_TURN_S)
        spared = {process.pid for process in self._living_workers()[-too_late:]} if too_late else set()
        give_up_at = time.monotonic() + _GONE_WITHIN_S
        while (left := self._left_processes(spared)) and time.monotonic() < give_up_at:
            time.sleep(5 * _TURN_S)
        for process in left:
            with contextlib.suppress(psutil.Error):
                yield f"process {process.pid}, {process.status()}: {' '.join(process.cmdline())[:200]}"
        if self.scenario.layout != "single" and _is_listening(self._master_port):
            yield f"a listener on the master's port {self._master_port}"
        rescued = self.rescued(owner)
        for path in [*self.temporary.rglob("*"), *self.results.glob("*/*/.*")]:
            if path not in rescued:
                yield f"file {path.relative_to(self.folder)}"

    def rescued(self, owner: Process) -> list[Path]:
        """Return the files of results that could not be stored, as far as the owner has said where they are."""
        output = owner.output
        return [path for path in sorted(self.temporary.glob("bench-*.json")) if f"so it is in {path}:" in output]

    def _living_workers(self) -> list[Process]:
        """Return the workers that were started by themselves and have not ended. A stopped one cannot."""
        workers = self.generator.processes[1:]
        return [worker for worker in workers if not worker.has_ended and worker.pid not in self.stopped_for_good]

    def _left_processes(self, spared: set[int]) -> list[psutil.Process]:
        for process in self.generator.processes:
            process.popen.poll()
        return [left for left in self.generator.marked() if left.pid not in spared | self.stopped_for_good]


_USER_CLASSES = {"websocket": "WebSocketUser", "polling": "PollingUser", "upgrade": "UpgradeUser"}

_SIGNALS = {
    "kill worker": signal.SIGKILL,
    "stop worker": signal.SIGSTOP,
    "pause worker": signal.SIGSTOP,
    "terminate worker": signal.SIGTERM,
    "leave": signal.SIGINT,
}


def perform(scenario: Scenario, folder: Path) -> Observed:
    """Perform a scenario in an empty folder. Its output and results stay there; nothing else of it is left."""
    launched_s = time.monotonic()
    with ExitStack() as stack:
        performance = _Performance(scenario, folder, stack)
        owner = performance.start()
        began_s, ended = performance.follow(owner)
        took_s = time.monotonic() - launched_s
        left = tuple(performance.left(owner)) if ended else ()
        if not ended:
            performance.generator.kill_all()
        results, unreadable = _read(sorted(performance.results.glob("load/*/*.json")))
        rescued, unreadable_too = _read(performance.rescued(owner))
        handled, replied, repeated = performance.counts.read()
        return Observed(
            scenario=scenario,
            exit_code=owner.popen.returncode if ended else None,
            output=performance.generator.output,
            began_s=began_s,
            took_s=took_s,
            applied=tuple(performance.applied),
            results=results,
            rescued=rescued,
            unreadable=(*unreadable, *unreadable_too),
            handled=handled,
            replied=replied,
            repeated=repeated,
            broken_connections=0 if performance.proxy is None else performance.proxy.broken.connections,
            left=left,
        )


def _started_server(environment: dict[str, str]) -> ServerProcess:
    """Return a service on a port that is its own, so that it can be started again there."""
    for _ in range(_ATTEMPTS - 1):
        server = ServerProcess(_APP, port=free_port(), core=None, directory=ROOT, environment=environment)
        with contextlib.suppress(ServerError):  # somebody else has taken the port meanwhile
            return server.start()
    return ServerProcess(_APP, port=free_port(), core=None, directory=ROOT, environment=environment).start()


def _steps(scenario: Scenario) -> Iterator[_Step]:
    for fault in scenario.faults:
        if fault.kind in _FROM_THE_BEGINNING:
            continue
        yield _Step(fault.at_s, fault, begins=True)
        if fault.for_s is not None:
            yield _Step(fault.at_s + fault.for_s, fault, begins=False)


def _read(paths: list[Path]) -> tuple[tuple[LoadResult, ...], tuple[str, ...]]:
    found: list[LoadResult] = []
    unreadable: list[str] = []
    for path in paths:
        try:
            result = load(path)
        except ResultError as error:
            unreadable.append(str(error))
            continue
        if isinstance(result, LoadResult):
            found.append(result)
    return tuple(found), tuple(unreadable)


@contextlib.contextmanager
def _no_storage(results: Path, mounted: bool) -> Iterator[None]:
    """Make sure that no result can be stored there: a full disk if it can be mounted, else a file in the way."""
    results.mkdir()
    if mounted and _mount_small(results):
        try:
            yield
        finally:
            subprocess.run(["umount", "--lazy", str(results)], check=True)
    else:
        (results / "load").write_text("no folder")
        yield


def _mount_small(folder: Path) -> bool:
    """Mount a file system of 8 kB there; return whether that is allowed."""
    if os.geteuid() != 0 or sys.platform != "linux":
        return False
    command = ["mount", "-t", "tmpfs", "-o", "size=8k", "chaos", str(folder)]
    return subprocess.run(command, capture_output=True).returncode == 0


def _await_output(process: Process, texts: tuple[str, ...], limit_s: float) -> bool:
    give_up_at = time.monotonic() + limit_s
    while time.monotonic() < give_up_at:
        if any(text in process.output for text in texts):
            return True
        if process.has_ended:
            return False
        time.sleep(_TURN_S)
    return False


def _has_begun(process: Process) -> bool:
    return any(text in process.output for text in _BEGUN)


def _send(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
