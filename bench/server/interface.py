"""The servers that their owner starts: their common interface, and what there is to serve.

Owners (`pytest bench`, `bench ab`, a load) need not know which kind of server they have.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from bench.server.options import ServerOptions


@dataclass(frozen=True)
class ServerUsage:
    """The use of a server so far: CPU time of all its processes and threads, and memory now and at most.

    Memory that several processes share counts for each of them.
    """

    cpu_ns: int
    rss_bytes: int
    rss_peak_bytes: int


class OwnedServer(Protocol):
    """A server in processes of its own. It can be started again after it was stopped. Every failure is a ServerError.

    `start` waits until it serves. `launch` is the first half of it, and `ask_to_stop` the first half of `stop`: so
    several servers can come up, or go down, at the same time. After any error, no process is left behind.
    """

    core: int | None

    def launch(self) -> Self:
        """Start its process."""
        ...

    def start(self) -> Self:
        """Start it if it was not launched; return when it serves."""
        ...

    def ask_to_stop(self) -> None:
        """Ask it to end, and do not wait."""
        ...

    def stop(self) -> None:
        """End it, in order or else by force; do nothing if it is not there."""
        ...

    def kill(self) -> None:
        """End it by force; do nothing if it is not there. `stop` is still to be called."""
        ...

    def check(self) -> None:
        """Raise ServerError if it does not run, with its exit code and the end of its log."""
        ...

    def pin(self, core: int) -> None:
        """Move all its processes and threads to that core."""
        ...

    def usage(self) -> ServerUsage:
        """Return its use since its start."""
        ...

    def cpu_ns(self) -> int:
        """Return the CPU time that it has used since its start, in nanoseconds."""
        ...

    @property
    def url(self) -> str:
        """The URL for clients on this machine."""
        ...

    @property
    def pid(self) -> int:
        """The id of its first process, kept after that ended."""
        ...

    @property
    def is_running(self) -> bool:
        """True while it lives."""
        ...

    @property
    def exit_status(self) -> int | None:
        """The exit code of its first process, negative for a signal; None if it lives, or if nobody knows it."""
        ...

    @property
    def log(self) -> str:
        """Its standard output and error since the last start; at most the last MiB of them."""
        ...

    @property
    def wrote_last(self) -> str:
        """The end of its log in one line; empty if it wrote nothing."""
        ...

    @property
    def wrote_at_ns(self) -> int:
        """The time at which it last wrote to its log, in nanoseconds of Unix time; 0 if it has no log."""
        ...

    @property
    def is_uvicorn(self) -> bool:
        """True if our launcher serves it, so that the options of uvicorn are true of it."""
        ...


class Served(Protocol):
    """Something that can be served, any number of times: an app, or a command."""

    @property
    def shown(self) -> str:
        """Its name in outputs and results."""
        ...

    def server(self, options: ServerOptions, log_file: Path | None = None) -> OwnedServer:
        """Return a server of it that is to be started. Its log is written to `log_file`, or to an unnamed file."""
        ...
