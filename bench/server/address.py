"""Where a server listens: the socket that it is given, and the host as clients write it."""

import socket

from bench.server.error import ServerError


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to the first address of `host`, not listening yet. Raises ServerError if that is not possible."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, OverflowError, UnicodeError) as cause:
        raise cannot_listen(host, port, cause) from cause
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except (OSError, OverflowError) as cause:
        listener.close()
        raise cannot_listen(host, port, cause) from cause
    return listener


def cannot_listen(host: str, port: int, cause: Exception) -> ServerError:
    """The error for an address that is taken, is not this machine's, or is none."""
    reason = getattr(cause, "strerror", None) or str(cause)
    return ServerError(f"cannot listen on {host} port {port}: {reason}; choose another port, or 0 for any free one")


def reachable(host: str) -> str:
    """`host` as clients on this machine write it in a URL: a wildcard is the loopback, IPv6 goes into brackets."""
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{host}]" if ":" in host else host
