"""The counts that a server of this package keeps for itself, so that nobody has to believe a generator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass
class Stats:
    """The counts of a server since its start.

    A heartbeat is `missed` if no pong came within the ping timeout. The server then closes the connection, as the
    official server does. `slowest_pong_ms` is the longest time that an answered ping was under way.
    """

    answered: int = 0
    #: The clients that are connected now: the server answered their Socket.IO CONNECT.
    connections: int = 0
    #: The clients that have ever connected.
    connected: int = 0
    pings: int = 0
    pongs: int = 0
    missed: int = 0
    slowest_pong_ms: float = 0.0
    cpu_ns: int = 0

    @classmethod
    def of_all(cls, counts: Sequence[Stats]) -> Stats:
        """Return the counts of several servers together."""
        return cls(
            answered=sum(each.answered for each in counts),
            connections=sum(each.connections for each in counts),
            connected=sum(each.connected for each in counts),
            pings=sum(each.pings for each in counts),
            pongs=sum(each.pongs for each in counts),
            missed=sum(each.missed for each in counts),
            slowest_pong_ms=max((each.slowest_pong_ms for each in counts), default=0.0),
            cpu_ns=sum(each.cpu_ns for each in counts),
        )
