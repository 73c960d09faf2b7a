"""What a generator has to be able to do to take part: say how it is started, and what it reported when it ended.

Rules of this file: the interface only. A peer starts nothing and waits for nothing, that is measuring.py's; whatever
makes it impossible to take part is one `LeftOut`.
"""

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
PROJECT = HERE.parents[2]


class LeftOut(Exception):
    """The generator cannot take part, or not to the end; the text says why, in one line."""


@dataclass(frozen=True)
class ClosedLoad:
    """What a generator is to do, until it is told to stop. `folder` is its own, for this one run."""

    url: str
    connections: int
    folder: Path


@dataclass(frozen=True)
class Command:
    """How a generator is started, and what makes it stop and report: a signal, or a file that appears."""

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path = PROJECT
    stop: signal.Signals | Path = signal.SIGTERM


@dataclass(frozen=True)
class ToolReport:
    """What a generator said itself when it ended: latencies in microseconds, round trips of its whole run."""

    p50_us: float | None = None
    p99_us: float | None = None
    round_trips: int | None = None


class Peer(Protocol):
    """A load generator."""

    #: The name that selects it.
    name: str
    #: The name that tables show.
    title: str

    def prepare(self, folder: Path) -> str:
        """Make ready whatever a run needs, in a folder that outlives the runs; returns its version. Raises LeftOut."""

    def command(self, load: ClosedLoad) -> Command:
        """How it is started for this work."""

    def report(self, load: ClosedLoad, output: str) -> ToolReport:
        """What it said when it ended: from its output, or from what it left in the work's folder. Raises LeftOut."""
