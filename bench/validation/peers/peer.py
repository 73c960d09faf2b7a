"""The interface of a generator that takes part: the command that starts it, and its report when it has ended.

Rules of this file: the interface only. A peer starts nothing and waits for nothing: measuring.py does. Every reason
that a peer cannot take part is a `LeftOut`.
"""

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self, TypeVar

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
PROJECT = HERE.parents[2]


class LeftOut(Exception):
    """The generator cannot take part, or not to the end; the text says why, in one line."""


@dataclass(frozen=True)
class ClosedLoad:
    """The load that a generator makes until it is told to stop. `folder` is for this run only."""

    url: str
    connections: int
    folder: Path


@dataclass(frozen=True)
class PacedLoad:
    """The load of a generator that keeps to a rate, for some seconds. `folder` is for this run only."""

    url: str
    rate_per_s: float
    seconds: float
    timeout_s: float
    folder: Path


#: The kind of load that a generator makes.
Load = TypeVar("Load", contravariant=True)


@dataclass(frozen=True)
class Command:
    """The command that starts a generator, and the signal or file that makes it stop and report."""

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path = PROJECT
    stop: signal.Signals | Path = signal.SIGTERM


@dataclass(frozen=True)
class ToolReport:
    """The report of a generator when it ended, of its whole run. What it cannot tell is None, or left out.

    `times_us` has latencies in microseconds, by the names of figures such as p50 and max. `timeouts` is the number of
    replies that it gave up on.
    """

    times_us: Mapping[str, float] = field(default_factory=dict)
    round_trips: int | None = None
    timeouts: int | None = None

    @classmethod
    def of(cls, p50_us: float | None, p99_us: float | None, round_trips: int) -> Self:
        """Return the report of a generator that tells two percentiles."""
        told = {"p50": p50_us, "p99": p99_us}
        return cls({name: time_us for name, time_us in told.items() if time_us is not None}, round_trips)


class Peer(Protocol[Load]):
    """A load generator that makes one kind of load."""

    #: The name that selects it.
    name: str
    #: The name that tables show.
    title: str

    def prepare(self, folder: Path) -> str:
        """Make ready whatever a run needs, in a folder that outlives the runs; return its version. Raises LeftOut."""

    def command(self, load: Load) -> Command:
        """Return the command that makes this load."""

    def report(self, load: Load, output: str) -> ToolReport:
        """Return its report, from its output or from the files in the load's folder. Raises LeftOut."""
