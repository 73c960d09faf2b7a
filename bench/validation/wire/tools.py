"""The tools that the observer watches: their commands, and their own reports of what it sees.

Ours is client.py, compiled and plain, with the kernel's time of receiving and with the process's own. The others are
the peers of `bench peers`. A program that this project wrote for a peer notes each round trip in the file that
`RECORDS` names. The others report percentiles of their whole run.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from bench.compiled import PURE, is_enabled
from bench.validation.peers.aiolocust import AioLocust
from bench.validation.peers.artillery import Artillery
from bench.validation.peers.async_client import AsyncClient
from bench.validation.peers.epoll_loop import EpollLoop
from bench.validation.peers.k6 import K6
from bench.validation.peers.node_loop import NodeLoop
from bench.validation.peers.ours import Ours
from bench.validation.peers.peer import ClosedLoad, Command, LeftOut, Peer
from bench.validation.wire.differences import Record, records_in
from bench.validation.wire.locust_calls import LocustCalls
from bench.validation.wire.model import Load
from bench.wire.stamps import PROCESS_CLOCK, ReceivedClock

_RECORDS = "records"


@dataclass(frozen=True)
class Asked:
    """The load that a tool is asked for, for so many seconds: at a rate, or (None) one emission after the other."""

    url: str
    load: Load
    rate_per_s: float | None
    seconds: float
    folder: Path

    @property
    def records(self) -> Path:
        """The file in which a program notes its round trips."""
        return self.folder / _RECORDS


@dataclass(frozen=True)
class Reported:
    """The report of a tool: each of its round trips, or percentiles in µs. What it cannot tell is None or empty."""

    records: Sequence[Record] = ()
    times_us: Mapping[str, float] = field(default_factory=dict)
    rate_per_s: float | None = None
    cpu_share: float | None = None
    send_us: float | None = None
    received_clock: ReceivedClock | None = None


class Tool(Protocol):
    """A tool that is watched. It starts nothing: measuring.py does."""

    #: The name that selects it.
    name: str
    #: The name that tables show.
    title: str
    #: The clock of received messages that it is asked for; None: no clock is asked for.
    asked_clock: ReceivedClock | None
    #: True for ours.
    is_ours: bool
    #: True if the command ends after the asked time.
    ends_by_itself: bool

    def prepare(self, folder: Path) -> str:
        """Make ready whatever a run needs, in a folder that outlives the runs; return its version. Raises LeftOut."""

    def command(self, asked: Asked) -> Command:
        """Return the command that makes this load."""

    def report(self, asked: Asked, output: str) -> Reported:
        """Return its report after its end. Raises LeftOut."""


class OurClient:
    """This project's client and exchange; see client.py."""

    is_ours = True
    ends_by_itself = True

    def __init__(self, *, is_plain: bool, clock: ReceivedClock) -> None:
        self.asked_clock: ReceivedClock | None = clock
        self.name = "ours" + ("-python" if is_plain else "") + ("-process" if clock == "process" else "")
        engine = "plain Python" if is_plain or not is_enabled() else "compiled"
        self.title = f"this project, {engine}, the {clock}'s time"
        self._environment = ({PURE: "1"} if is_plain else {}) | ({PROCESS_CLOCK: "1"} if clock == "process" else {})

    def prepare(self, folder: Path) -> str:
        """Return nothing: the commit tells the version."""
        return ""

    def command(self, asked: Asked) -> Command:
        """Return the command, which ends by itself."""
        arguments = [sys.executable, "-P", "-m", "bench.validation.wire.client", asked.url, str(asked.records)]
        arguments += ["--connections", str(asked.load.connections), "--in-flight", str(asked.load.in_flight)]
        arguments += ["--seconds", f"{asked.seconds:g}", "--rate", f"{asked.rate_per_s or 0:.3f}"]
        return Command(arguments, self._environment)

    def report(self, asked: Asked, output: str) -> Reported:
        """Return each of its round trips. Raises LeftOut."""
        try:
            told = json.loads((output.strip().splitlines() or [""])[-1])
            return Reported(
                records=records_in(asked.records.read_text().splitlines()),
                rate_per_s=told["rate_per_s"],
                cpu_share=told["cpu_share"],
                send_us=None if told["send_ns"] is None else told["send_ns"] / 1000,
                received_clock=told["received_clock"],
            )
        except (OSError, ValueError, KeyError, TypeError):
            last = (output.strip().splitlines() or ["nothing"])[-1]
            raise LeftOut(f"it reported nothing; it wrote last: {last:.200}") from None


class OtherTool:
    """A peer of `bench peers`. At a rate, each connection sends no earlier than a period after it sent last."""

    ends_by_itself = False
    asked_clock: ReceivedClock | None = None

    def __init__(self, peer: Peer[ClosedLoad], *, is_ours: bool = False) -> None:
        self.name, self.title, self.is_ours = peer.name, peer.title, is_ours
        self._peer = peer

    def prepare(self, folder: Path) -> str:
        """Make the peer ready; return its version. Raises LeftOut."""
        return self._peer.prepare(folder)

    def command(self, asked: Asked) -> Command:
        """Return the peer's command. Its program finds in the environment where to note its round trips."""
        command = self._peer.command(_closed(asked))
        environment = {**command.environment, "RECORDS": str(asked.records)}
        if asked.rate_per_s is not None:
            environment["PERIOD_US"] = f"{asked.load.connections / asked.rate_per_s * 1e6:.3f}"
        return replace(command, environment=environment)

    def report(self, asked: Asked, output: str) -> Reported:
        """Return each of its round trips if it noted them, else its percentiles. Raises LeftOut."""
        times_us = self._peer.report(_closed(asked), output).times_us
        if not asked.records.exists():
            return Reported(times_us=times_us)
        try:
            return Reported(records=records_in(asked.records.read_text().splitlines()))
        except ValueError:
            raise LeftOut("what it noted of its round trips cannot be read") from None


class InLocust(OtherTool):
    """This project's users in Locust; at a rate, the load is open."""

    def __init__(self) -> None:
        super().__init__(Ours(), is_ours=True)
        self.name = "ours-locust"

    def command(self, asked: Asked) -> Command:
        """Return the command, with the rate."""
        command = super().command(asked)
        if asked.rate_per_s is None:
            return command
        return replace(command, arguments=[*command.arguments, "--rate", f"{asked.rate_per_s:.3f}"])


def _closed(asked: Asked) -> ClosedLoad:
    return ClosedLoad(asked.url, asked.load.connections, asked.folder)


def all_tools() -> list[Tool]:
    """Return all tools, ours first."""
    kinds = (False, True) if is_enabled() else (False,)
    clocks: tuple[ReceivedClock, ...] = ("kernel", "process")
    ours: list[Tool] = [OurClient(is_plain=is_plain, clock=clock) for is_plain in kinds for clock in clocks]
    peers: list[Peer[ClosedLoad]] = [LocustCalls(), AioLocust(), AsyncClient(), K6(), Artillery(), NodeLoop()]
    return [*ours, InLocust(), *map(OtherTool, peers), OtherTool(EpollLoop())]


def chosen(only: Sequence[str], with_peers: bool) -> list[Tool]:
    """Return the tools of these names, all where none is named. Raises ValueError for an unknown name."""
    tools = all_tools()
    names = [tool.name for tool in tools]
    for name in only:
        if name not in names:
            raise ValueError(f"{name}: there is no tool of that name; there are {', '.join(names)}")
    return [tool for tool in tools if (tool.name in only if only else with_peers or tool.is_ours)]
