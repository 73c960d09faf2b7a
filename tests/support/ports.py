"""Ports for servers that a test starts."""

from bench.server import address


def free_port() -> int:
    """Return a port that nobody listens on at the moment, and that no outgoing connection gets from the system."""
    return address.free_port("127.0.0.1")
