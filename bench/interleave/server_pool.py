"""The server processes of a stack configuration: those of the service, the controls beside them, and the echo server.

Rules: `running` starts them once for all benchmarks of the configuration, several at a time. They stand idle while
another server is asked. Each comes up with a seed of its own: see process_seed.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Literal

from bench.interleave.process_seed import ProcessSeed
from bench.server import OwnedServer, Served, ServedApp, ServerError, ServerOptions
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

    server: OwnedServer
    seed: ProcessSeed

    @classmethod
    def of(cls, served: Served, options: ServerOptions, log_file: Path | None = None) -> PooledServer:
        """Return a server that is to be started. It is not pinned yet, because all cores share the work of starting."""
        seed = ProcessSeed.drawn()
        environment = {**options.environment, **seed.environment}
        unpinned = replace(options, core=None, environment=environment)
        return cls(served.server(unpinned, log_file), seed)


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
    served: Served,
    options: ServerOptions,
    *,
    processes: int,
    with_controls: bool,
    core: int | None,
    log_file: Callable[[], Path | None] = lambda: None,
) -> Iterator[ServerPool]:
    """Run `processes` servers of the service on `core`, together with their controls.

    `log_file` returns the place for the log of the next server of the service; None is an unnamed file. Raises
    ServerError if a process cannot be started. None is left behind, however the block ends.
    """
    plain = replace(options, environment={})  # the controls know nothing of the service's environment
    services = tuple(PooledServer.of(served, options, log_file()) for _ in range(processes))
    control = ServedApp(CONTROL, _HOME)
    controls = tuple(PooledServer.of(control, plain) for _ in range(processes if with_controls else 0))
    servers = [pooled.server for pooled in (*services, *controls)]
    with ExitStack() as stack:
        stack.callback(_stop, servers)
        _start(servers)
        bare = stack.enter_context(EchoProcess(core=core)) if with_controls else None
        if core is not None:
            for server in servers:
                server.pin(core)
        yield ServerPool(services, controls, bare)


def _start(servers: Sequence[OwnedServer]) -> None:
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
            server.kill()
        raise


def _stop(servers: Sequence[OwnedServer]) -> None:
    """Stop them at the same time: each takes some tenths of a second, and waits for most of it."""
    with ThreadPoolExecutor(len(servers)) as pool:
        list(pool.map(lambda server: server.stop(), servers))
