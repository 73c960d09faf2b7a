"""The counts that a server of this package keeps for itself, so that nobody has to believe a generator."""

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
