"""The server processes of one stack configuration: those of the service, the controls beside them, and the echo server.

Rules: they are started once for all benchmarks of the configuration, several at a time, and stand idle while another
one is asked. Each comes up with a hash seed and a size of its environment of its own, drawn anew: both decide where
things lie in memory, which biases what is measured for as long as the process lives (Mytkowicz et al. 2009, "Producing
wrong data without doing anything obviously wrong!", ASPLOS). The size is drawn as hyperfine does it
(randomized_environment_offset.rs).
"""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Literal

from bench.server import ServerError, ServerOptions, ServerProcess
from bench.targets.process import EchoProcess

LoopKind = Literal["asyncio", "uvloop"]

CONTROL = "bench.targets.control:app"
_HOME = Path(__file__).parents[2]  # where the control is imported from

_LARGEST_HASH_SEED = 2**32 - 1
_PADDING_LIMIT_BYTES = 4096
_PADDING = "BENCH_ENVIRONMENT_OFFSET"
_AT_ONCE = 10  # starting processes; each takes up to a second of CPU time, and 50 MB


@dataclass(frozen=True)
class Layout:
    """What is drawn for a process: its hash seed, and by how many bytes its environment is larger."""

    hash_seed: int
    environment_bytes: int

    @classmethod
    def drawn(cls) -> Layout:
        """A new one. (Seed 0 would switch Python's randomisation off.)"""
        return cls(1 + secrets.randbelow(_LARGEST_HASH_SEED), secrets.randbelow(_PADDING_LIMIT_BYTES))

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make it so."""
        return {"PYTHONHASHSEED": str(self.hash_seed), _PADDING: "x" * self.environment_bytes}


@dataclass(frozen=True)
class Replica:
    """A server process and its layout."""

    server: ServerProcess
    layout: Layout

    @classmethod
    def of(cls, app: str, options: ServerOptions, directory: Path) -> Replica:
        """One that is to be started. Not pinned: starting up is done by all cores."""
        layout = Layout.drawn()
        environment = {**options.environment, **layout.environment}
        unpinned = replace(options, core=None, environment=environment)
        server = ServerProcess(app, unpinned, directory=directory)
        return cls(server, layout)


@dataclass(frozen=True)
class Replicas:
    """Running processes of the service, as many controls or none, and the echo server or none."""

    services: tuple[Replica, ...]
    controls: tuple[Replica, ...]
    bare: EchoProcess | None

    def check(self) -> None:
        """Raises ServerError if one of them does not run any more."""
        for replica in self.services:
            replica.server.check()
        for replica in self.controls:
            try:
                replica.server.check()
            except ServerError as error:
                raise ServerError(f"of the control: {error}", error.detail) from error
        if self.bare is not None:
            self.bare.stats()


@contextmanager
def running(
    app: str, directory: Path, options: ServerOptions, *, processes: int, with_controls: bool, core: int | None
) -> Iterator[Replicas]:
    """That many processes of the app, imported from `directory`, on that core together with their controls.

    Raises ServerError if one of them cannot be started; none is left behind, however it ends.
    """
    plain = replace(options, environment={})  # the controls know nothing of the service's environment
    services = tuple(Replica.of(app, options, directory) for _ in range(processes))
    controls = tuple(Replica.of(CONTROL, plain, _HOME) for _ in range(processes if with_controls else 0))
    servers = [replica.server for replica in (*services, *controls)]
    with ExitStack() as stack:
        stack.callback(_stop, servers)
        _start(servers)
        bare = stack.enter_context(EchoProcess(core=core)) if with_controls else None
        if core is not None:
            for server in servers:
                server.pin(core)
        yield Replicas(services, controls, bare)


def _start(servers: Sequence[ServerProcess]) -> None:
    waiting = iter(servers)
    try:
        while batch := list(islice(waiting, _AT_ONCE)):
            for server in batch:
                server.launch()
            for server in batch:
                server.start()
    except BaseException:
        # One that is still starting may be deaf to a request to end, for as long as its app's import takes.
        for server in servers:
            if server.is_running:
                os.kill(server.pid, signal.SIGKILL)
        raise


def _stop(servers: Sequence[ServerProcess]) -> None:
    """All at the same time: each takes some tenths of a second, most of which it waits."""
    with ThreadPoolExecutor(len(servers)) as pool:
        list(pool.map(ServerProcess.stop, servers))
