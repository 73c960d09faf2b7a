"""The services of the two revisions: started side by side, timed in alternation, and stopped.

Rules of this file: generator and launcher are those of this process, and only the service comes from the revision's
folder. Before any measurement, a trial checks this for each side, and checks that the service answers. Both servers
start anew for each restart, with fresh hash seeds and an environment of random size. Whatever was started is gone at
the end of a restart, however that comes.
"""

import contextlib
import os
import random
import re
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.ab.environments import versions
from bench.ab.errors import AbError, AbFailedError
from bench.ab.notes import listed
from bench.ab.origin import PythonProgram, check_app, check_python, python_program
from bench.ab.plan import AbPlan
from bench.ab.restart import BurstPlan, Figures, Side, SideError, compare
from bench.ab.source import Source
from bench.exchange.preparation import connect
from bench.exchange.requests import Exchange
from bench.interleave.loop import InterruptibleLoop
from bench.interleave.process_seed import ProcessSeed
from bench.machine.cores import generator_cores, server_core
from bench.machine.processes import affinity
from bench.results.ab import AbSide
from bench.results.provenance import installed
from bench.results.service_log import LogReader, ServiceLog
from bench.scenarios.tokens import tokens
from bench.server import (
    CommandProcess,
    OwnedServer,
    Served,
    ServedApp,
    ServedCommand,
    ServerError,
    ServerProcess,
    UnservableError,
)
from bench.server.error import EXIT_GRACE_S, exit_reason, with_last_words
from bench.timing.histogram import Histogram
from bench.timing.receive_times import ReceiveTimes
from bench.wire.client import FastClient
from bench.wire.errors import ClientError

#: The names of the two sides.
NAMES = ("A", "B")

#: The words of Node and of Python about a package that is not installed.
_MISSING_PACKAGE = re.compile(r"(Cannot find (module|package)|No module named) '")

#: The bursts of the trial, which shows that both services answer.
_TRIAL = BurstPlan(burst=5, pairs=2, in_flight=4, saturated_burst=8, saturated_pairs=2, warm_up=1)


@dataclass(frozen=True)
class Cores:
    """The cores of a comparison: that of both servers, and the generator's own; None where there is none to spare."""

    server: int | None
    generator: int | None

    @classmethod
    def divided(cls) -> "Cores":
        """Return the division of the cores that this process may use."""
        generators = generator_cores()
        return cls(server_core(), generators[0] if generators else None)

    @property
    def used(self) -> tuple[int, ...]:
        """The cores that a comparison runs on: all that this process may use if none is anybody's own."""
        return tuple(core for core in (self.generator, self.server) if core is not None) or affinity() or ()


class ServicePair:
    """The services of both sides, which run at the same time, restart by restart."""

    def __init__(
        self,
        plan: AbPlan,
        sources: tuple[Source, Source],
        checkout_root: Path,
        log_files: Sequence[Path],
        cores: Cores,
    ) -> None:
        self._plan = plan
        self._sources = sources
        #: The top folder of the user's checkout, which no code may come from.
        self._checkout_root = checkout_root
        self._log_files = log_files
        self._cores = cores
        #: The notes on the origin of the code, known after the trial.
        self.origin_notes: list[str] = []
        #: The interpreter of each side's command, known after the trial; None if the command is no Python program.
        self._programs: list[PythonProgram | None] = []
        self._random = random.Random(plan.seed)
        self._origin = secrets.token_hex(4)
        #: The number of restarts that are complete.
        self._restarts = 0
        #: The logs of both sides since the trial, which ended at `_tried_s`.
        self._logs: list[LogReader] = []
        self._tried_s = 0.0
        #: The receive times of both sides' replies, by benchmark's name, since the trial.
        self.received: dict[str, ReceiveTimes] = {}
        #: The service times of each side with one in flight, by benchmark's name.
        self.times: tuple[dict[str, Histogram], dict[str, Histogram]] = ({}, {})

    def try_out(self, loop: InterruptibleLoop) -> None:
        """Start both services, check where their code comes from, and that they answer. Raises AbError.

        Raises DifferentClocksError if the kernel tells the receive times of one side alone.
        """
        self._restart(loop, _TRIAL, first=0, is_trial=True)
        self.received.clear()
        for times in self.times:
            times.clear()
        self._logs = [LogReader(path) for path in self._log_files]
        self._tried_s = time.monotonic()

    def restart(self, loop: InterruptibleLoop, first: int) -> Figures:
        """Start both services anew, time them, and stop them; side `first` begins. Raises AbFailedError."""
        figures = self._restart(loop, self._plan.bursts, first)
        self._restarts += 1
        self._read_logs()
        return figures

    def service_logs(self) -> tuple[ServiceLog | None, ServiceLog | None]:
        """Return what both services wrote in all restarts; None for a side that wrote nothing."""
        a, b = (log.log(self._plan.hide) for log in self._logs)
        return a, b

    def _read_logs(self) -> None:
        """Read what both services wrote in the restart that has ended, while nothing is timed."""
        for log in self._logs:
            with contextlib.suppress(OSError):  # it says nothing of the figures
                log.begin_anew()
                log.read(time.monotonic() - self._tried_s)

    def described(self) -> tuple[AbSide, AbSide]:
        """Return both sides as they are stored. After `try_out`."""
        return self._described(0), self._described(1)

    def _restart(self, loop: InterruptibleLoop, bursts: BurstPlan, first: int, *, is_trial: bool = False) -> Figures:
        """Start both servers, time them, and stop them. Raises AbFailedError if a side fails."""
        # They start side by side, on a core each if there are two, in either order; then they share the server's core.
        own = self._cores.generator
        cores = [self._cores.server, own if own is not None else self._cores.server]
        if self._random.random() < 0.5:
            cores.reverse()
        with contextlib.ExitStack() as stack:
            servers = [self._server(side, core) for side, core in enumerate(cores)]
            for server in servers:
                stack.callback(server.stop)
            for server in servers:  # the last step of both sides comes first
                stack.callback(server.ask_to_stop)
            self._start(servers)
            for side, server in enumerate(servers):
                if isinstance(server, ServerProcess):
                    self._check_origin(server, side)
                elif isinstance(server, CommandProcess) and is_trial:
                    self._check_origin_of_command(server, side)
                if self._cores.server is not None:
                    server.pin(self._cores.server)
            try:
                return loop.run(self._exchange(servers, bursts, first))
            except SideError as error:
                server = servers[error.side]
                reason = exit_reason(server.check, EXIT_GRACE_S) or with_last_words(str(error), server.wrote_last)
                raise self._failure(error.side, reason) from error

    def _start(self, servers: Sequence[OwnedServer]) -> None:
        """Start the servers side by side. Raises AbFailedError, which also says if the other side started.

        Raises AbError if none was ever started, because a revision has no such app or program.
        """
        reasons: dict[int, ServerError] = {}
        with _interrupts_held_back():  # inside Popen, a Ctrl-C would leave a process that nobody knows of
            for side, server in enumerate(servers):
                try:
                    server.launch()
                except ServerError as error:
                    reasons[side] = error
        for side, server in enumerate(servers):
            try:
                if side not in reasons:
                    server.start()
            except ServerError as error:
                reasons[side] = error
        for side, reason in reasons.items():
            if isinstance(reason, UnservableError) and not self._restarts:
                raise AbError(f"{self._named(side)}: {reason}{self._empty_submodules(side)}")
        if len(reasons) > 1:
            raise AbFailedError(
                f"neither revision's service starts; {self._named(0)}: {reasons[0]}{self._missing_packages(reasons[0])}"
                f"{self._empty_submodules(0)}"
            )
        for side, reason in reasons.items():
            raise self._failure(side, f"{reason}; {NAMES[1 - side]} started")

    def _server(self, side: int, core: int | None) -> OwnedServer:
        source = self._sources[side]
        environment = ProcessSeed.drawn(self._random).environment
        if self._plan.app_directory is not None:
            inherited = os.environ.get("PYTHONPATH")
            folder = str(source.checkout.directory / self._plan.app_directory)
            environment["PYTHONPATH"] = f"{folder}{os.pathsep}{inherited}" if inherited else folder
        served_with = self._plan.server
        options = replace(served_with, core=core, environment={**served_with.environment, **environment})
        return self._served(source).server(options, self._log_files[side])

    def _served(self, source: Source) -> Served:
        plan, directory = self._plan, source.checkout.directory
        if plan.command is not None:
            return ServedCommand(replace(plan.command, directory=directory), plan.hide)
        return ServedApp(plan.app, directory, source.python, plan.start_timeout_s, plan.hide)

    def _check_origin(self, server: ServerProcess, side: int) -> None:
        """Check that the app is that of the side's revision. Raises AbError if it is not."""
        check_app(self._plan.app, server.app_file, server.files, *self._roots(side), self._named(side))

    def _check_origin_of_command(self, server: CommandProcess, side: int) -> None:
        """Check that the code of a command's service is that of its revision, as far as that can be told.

        Raises AbError if it is not.
        """
        program = python_program(server.listeners)
        self._programs.append(program)
        if program is None:
            note = "the origin of the code was not checked, because the command's service is no Python program"
            self.origin_notes = list(dict.fromkeys([*self.origin_notes, note]))
            return
        notes = check_python(program, *self._roots(side), self._named(side))
        self.origin_notes = list(dict.fromkeys([*self.origin_notes, *notes]))

    def _roots(self, side: int) -> tuple[Path, list[Path]]:
        """Return the folder of a side's revision, and the others that no code of it may come from."""
        root = self._sources[side].checkout.root
        every = [self._checkout_root, *(source.checkout.root for source in self._sources)]
        return root, [other for other in every if other != root]

    async def _exchange(self, servers: Sequence[OwnedServer], bursts: BurstPlan, first: int) -> Figures:
        settings = self._plan.chosen.connection
        clients = [FastClient(), FastClient()]
        connections: list[Side] = []
        try:
            for side, (client, server) in enumerate(zip(clients, servers, strict=True)):
                names = tokens(self._origin, 2 * self._restarts + side)
                exchange = Exchange(client, names, self._plan.reply_timeout_ns, settings.namespace)
                connections.append(Side(exchange, server.cpu_ns))
                try:
                    limit_s = self._plan.reply_timeout_ns / 1e9
                    await connect(client, server.url, settings, self._plan.chosen.file, limit_s, self._plan.known)
                except ClientError as error:
                    raise SideError(side, error) from error
            figures = await compare((connections[0], connections[1]), self._plan.benchmarks, bursts, first)
            for connection in connections:
                for name, notes in connection.received.items():
                    self.received.setdefault(name, ReceiveTimes()).merge(notes.times())
            for connection, times in zip(connections, self.times, strict=True):
                for name, found in connection.times.items():
                    times.setdefault(name, Histogram()).merge(found)
            return figures
        finally:
            for connection in connections:
                connection.exchange.close()
            for client in clients:
                with contextlib.suppress(ClientError):
                    await client.disconnect()

    def _failure(self, side: int, reason: str) -> AbFailedError:
        other = f" (it was fine {self._restarts} times before)" if self._restarts else ""
        return AbFailedError(f"{self._named(side)}: {reason}{other}{self._empty_submodules(side)}")

    def _missing_packages(self, reason: ServerError) -> str:
        """Return the tail of a message that says how a revision's folder gets packages, if its command misses some."""
        plan = self._plan
        if plan.command is None or plan.prepare is not None or plan.links or not _MISSING_PACKAGE.search(str(reason)):
            return ""
        return (
            "; a revision's folder has only what git has: install the rest with --prepare, as in --prepare 'npm ci', "
            "or share your own with --link, as in --link node_modules"
        )

    def _empty_submodules(self, side: int) -> str:
        """Return the tail of a message that names a possible cause: submodules that the user's checkout lacks, too."""
        empty = self._sources[side].checkout.empty_submodules
        names = listed(empty)
        return (
            f"; its submodules are empty ({names}), as in your checkout: `git submodule update --init`" if empty else ""
        )

    def _named(self, side: int) -> str:
        return f"{NAMES[side]}, {self._sources[side].label}"

    def _described(self, side: int) -> AbSide:
        source = self._sources[side]
        return AbSide(
            revision=source.checkout.revision.name,
            label=source.label,
            commit_info=source.checkout.commit_info,
            environment="shared" if source.python is None and self._plan.command is None else "own",
            packages=self._packages(side),
        )

    def _packages(self, side: int) -> dict[str, str]:
        """Return the versions of a side's Python and packages; empty if its service is no Python program."""
        python = self._sources[side].python
        if self._plan.command is not None:
            program = self._programs[side]
            if program is None:
                return {}
            python = program.interpreter
        try:
            return installed() if python is None else versions(python)
        except (OSError, subprocess.SubprocessError, ValueError):
            return {}


@contextlib.contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Hold a Ctrl-C back until the end of the block, which takes some milliseconds."""
    held: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: held.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if held:
        raise KeyboardInterrupt
