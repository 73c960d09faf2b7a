"""The address of a server: the socket that it listens on, and the host as clients write it."""

import socket

from bench.server.error import ServerError

PORT_LIMIT = 65535


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
