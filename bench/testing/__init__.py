"""Tests of an async Socket.IO application: its server, clients of it, and round trips, inside the test's event loop.

The fixtures of `pytest_socketio_bench` hand these out. A test imports from here what it names itself: the classes for
annotations, and the errors for `pytest.raises`.
"""

from bench.exchange.outcomes import Answer, ConnectionLost, ReplyTimeout, RoundTripFailed, WrongReply
from bench.scenarios.model import RoundTrip
from bench.server.error import ServerError
from bench.server.in_loop import UvicornTestServer
from bench.testing.client import EventTimeout, ReceivedEvent, SocketIOTestClient
from bench.testing.openings import OpenClient, OpenServer
from bench.testing.round_trip import round_trip
from bench.wire.connection import Connection
from bench.wire.errors import CallTimeout, ConnectFailed, Disconnected

__all__ = [
    "Answer",
    "CallTimeout",
    "ConnectFailed",
    "Connection",
    "ConnectionLost",
    "Disconnected",
    "EventTimeout",
    "OpenClient",
    "OpenServer",
    "ReceivedEvent",
    "ReplyTimeout",
    "RoundTrip",
    "RoundTripFailed",
    "ServerError",
    "SocketIOTestClient",
    "UvicornTestServer",
    "WrongReply",
    "round_trip",
]
