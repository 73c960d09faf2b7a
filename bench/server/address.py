"""The address of a server: the socket that it listens on, and the host as clients write it."""

import contextlib
import random
import socket
from collections import deque
from pathlib import Path

from bench.server.error import ServerError

PORT_LIMIT = 65535

#: The lowest port that `free_port` returns, and how often it tries.
_LOWEST_PORT, _ATTEMPTS = 20_000, 100

#: The ports that this process has given out last: the servers that are to take them may not listen yet.
_given_out: deque[int] = deque(maxlen=256)


def listen(host: str, port: int, backlog: int) -> socket.socket:
    """Return a socket that listens on the first address of `host`. Raises ServerError if that is not possible.

    It listens from the start, though nobody accepts before the app is up. If two sockets are only bound, the kernel
    gives the port to either, and uvloop does not notice that the other socket got it.
    """
    if not 0 <= port <= PORT_LIMIT:  # the resolver would take it modulo 65536
        raise ServerError(f"port {port} is none: choose one from 1 to {PORT_LIMIT}, or 0 for any free one")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as cause:
        raise _cannot_listen(host, port, cause) from cause
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(backlog)
    except OSError as cause:
        listener.close()
        raise _cannot_listen(host, port, cause) from cause
    return listener


def reachable(host: str) -> str:
    """Return `host` as clients on this machine write it in a URL: loopback for a wildcard, IPv6 in brackets."""
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{host}]" if ":" in host else host


def _cannot_listen(host: str, port: int, cause: Exception) -> ServerError:
    reason = getattr(cause, "strerror", None) or str(cause)
    return ServerError(f"cannot listen on {host} port {port}: {reason}; choose another port, or 0 for any free one")


def free_port(host: str) -> int:
    """Return a port of `host` on which nobody listens. Raises ServerError if there is none.

    If possible, the port is none of those that the system gives to outgoing connections: otherwise a client could take
    it before the server does.
    """
    try:
        lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        lowest = 0
    for _ in range(_ATTEMPTS):
        port = random.SystemRandom().randrange(_LOWEST_PORT, lowest) if lowest > _LOWEST_PORT else 0
        with contextlib.suppress(ServerError):
            with listen(host, port, backlog=1) as listener:
                port = int(listener.getsockname()[1])
            if port not in _given_out:
                _given_out.append(port)
                return port
    raise ServerError(f"no port of {host} is free: end some of the servers that run on this machine")
