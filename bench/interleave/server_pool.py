"""The server processes of a stack configuration: those of the service, the controls beside them, and the echo server.

Rules: `running` starts them once for all benchmarks of the configuration, several at a time. They stand idle while
another server is asked. Each comes up with a seed of its own: see process_seed.py.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Literal

from bench.interleave.process_seed import ProcessSeed
from bench.server import ServerError, ServerOptions, ServerProcess
from bench.targets.process import EchoProcess

LoopKind = Literal["asyncio", "uvloop"]

CONTROL = "bench.targets.control:app"
#: The folder that the control is imported from.
_HOME = Path(__file__).parents[2]

#: The number of processes that start at a time. Each takes up to a second of CPU time, and 50 MB.
_AT_ONCE = 10


@dataclass(frozen=True)
class PooledServer:
    """A server process and its seed."""

    server: ServerProcess
    seed: ProcessSeed

    @classmethod
    def of(cls, app: str, options: ServerOptions, directory: Path) -> PooledServer:
        """Return a server that is to be started. It is not pinned yet, because all cores share the work of starting."""
        seed = ProcessSeed.drawn()
        environment = {**options.environment, **seed.environment}
        unpinned = replace(options, core=None, environment=environment)
        server = ServerProcess(app, unpinned, directory=directory)
        return cls(server, seed)


@dataclass(frozen=True)
class ServerPool:
    """Running processes of the service, the same number of controls or none, and the echo server or none."""

    services: tuple[PooledServer, ...]
    controls: tuple[PooledServer, ...]
    bare: EchoProcess | None

    def check(self) -> None:
        """Raise ServerError if a process does not run any more."""
        for pooled in self.services:
            pooled.server.check()
        for pooled in self.controls:
            try:
                pooled.server.check()
            except ServerError as error:
                raise ServerError(f"of the control: {error}", error.detail) from error
        if self.bare is not None:
            self.bare.stats()


@contextmanager
def running(
    app: str, directory: Path, options: ServerOptions, *, processes: int, with_controls: bool, core: int | None
) -> Iterator[ServerPool]:
    """Run `processes` processes of the app, imported from `directory`, on `core` together with their controls.

    Raises ServerError if a process cannot be started. None is left behind, however the block ends.
    """
    plain = replace(options, environment={})  # the controls know nothing of the service's environment
    services = tuple(PooledServer.of(app, options, directory) for _ in range(processes))
    controls = tuple(PooledServer.of(CONTROL, plain, _HOME) for _ in range(processes if with_controls else 0))
    servers = [pooled.server for pooled in (*services, *controls)]
    with ExitStack() as stack:
        stack.callback(_stop, servers)
        _start(servers)
        bare = stack.enter_context(EchoProcess(core=core)) if with_controls else None
        if core is not None:
            for server in servers:
                server.pin(core)
        yield ServerPool(services, controls, bare)


def _start(servers: Sequence[ServerProcess]) -> None:
    waiting = iter(servers)
    try:
        while batch := list(islice(waiting, _AT_ONCE)):
            for server in batch:
                server.launch()
            for server in batch:
                server.start()
    except BaseException:
        # A server that is still starting may ignore a request to end, for as long as its app's import takes.
        for server in servers:
            if server.is_running:
                os.kill(server.pid, signal.SIGKILL)
        raise


def _stop(servers: Sequence[ServerProcess]) -> None:
    """Stop them at the same time: each takes some tenths of a second, and waits for most of it."""
    with ThreadPoolExecutor(len(servers)) as pool:
        list(pool.map(ServerProcess.stop, servers))
