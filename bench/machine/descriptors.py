"""The limits of connections: the files that this process may open at once, and the ports of this machine.

Connections are files, and the end of a run needs files, too. A process starts with a soft limit, often 1,024, and may
raise it to its hard limit. Each connection to the same address and port needs a port of its own on this side. This
module imports the standard library alone, because server processes import it in environments that are not this
project's.
"""

import contextlib
import errno
import os
from pathlib import Path
from typing import Self

try:
    import resource
except ImportError:  # this system has no such limits
    resource = None  # type: ignore[assignment]

#: The limits that `raise_file_limit` asks for, in turn. More than the first is too many: some programs go through all
#: numbers up to their limit. A system may refuse what its hard limit allows, as macOS does for "unlimited".
_ASKED_FOR = (1 << 20, 1 << 16, 10_240)

#: The error numbers for the limit of open files: of a process, and of a system.
OUT_OF_FILES = (errno.EMFILE, errno.ENFILE)

#: The ports for connections where the system does not tell: those of IANA (RFC 6335).
_USUAL_PORTS = 49_152, 65_535

_OWN_LIMIT = "this process may open no more than "
_PORT_LIMIT = "this machine has no port left for another connection"

#: The share of the ports that have to be in use before their end is given as the reason: some systems say the same of
#: an address that they do not have, such as that of IPv6.
_PORTS_IN_USE = 0.5


def raise_file_limit() -> int | None:
    """Raise the soft limit towards the hard limit, as far as the system lets us.

    Return the new soft limit; None if there is no limit. Child processes inherit it.
    """
    if resource is None:
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return None
    for most in _ASKED_FOR:
        wanted = most if hard == resource.RLIM_INFINITY else min(hard, most)
        if soft >= wanted:
            break
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            return wanted
    return soft


def file_limit_reason(number: int) -> str:
    """Return why no more files can be opened, for an error number of OUT_OF_FILES."""
    if number == errno.ENFILE:
        return "this system has as many files open as it may: raise the sysctl fs.file-max"
    if resource is None:
        return "this process has as many files open as it may"
    return f"{_OWN_LIMIT}{resource.getrlimit(resource.RLIMIT_NOFILE)[0]} files: raise `ulimit -n`"


def local_ports(root: Path = Path("/proc")) -> int:
    """Return how many ports there are for connections from one of this machine's addresses to one server."""
    low, high = _port_range(root) or _USUAL_PORTS
    return high - low + 1


def port_limit_reason(root: Path = Path("/proc")) -> str | None:
    """Return why no port is left for a connection that could not be made (EADDRNOTAVAIL); None if ports are left."""
    ports = _port_range(root)
    try:
        (tcp,) = (line.split() for line in (root / "net/sockstat").read_text().splitlines() if line.startswith("TCP:"))
    except (OSError, ValueError):
        ports = None
    if ports is None:
        return f"{_PORT_LIMIT} to that address: end other runs, or spread the load over several machines"
    low, high = ports
    counts = dict(zip(tcp[1::2], map(int, tcp[2::2]), strict=False))
    if counts.get("inuse", 0) + counts.get("tw", 0) < (high - low + 1) * _PORTS_IN_USE:
        return None
    return (
        f"{_PORT_LIMIT} to that address, of {high - low + 1:,} (from {low} to {high}): widen the sysctl "
        "net.ipv4.ip_local_port_range, or connect from several addresses of this machine with --source-addresses"
    )


def _port_range(root: Path) -> tuple[int, int] | None:
    """Return the first and the last port that connections of this machine have; None if the system does not tell."""
    try:
        low, high = map(int, (root / "sys/net/ipv4/ip_local_port_range").read_text().split())
    except (OSError, ValueError):
        return None
    return low, high


def is_limit_reason(text: str) -> bool:
    """Return true if `text` contains what `file_limit_reason` says of a process, or what `port_limit_reason` says."""
    return _OWN_LIMIT in text or _PORT_LIMIT in text


def is_file_limit(text: str) -> bool:
    """Return true if `text` contains what `file_limit_reason` says of a process."""
    return _OWN_LIMIT in text


def limit_reason_in(text: str) -> str:
    """Return the part of `text` that begins with the reason of a limit."""
    return text[text.index(_OWN_LIMIT if _OWN_LIMIT in text else _PORT_LIMIT) :]


class Reserve:
    """Descriptors that stay open until something needs their places. There may be fewer: opening never fails."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._held: list[int] = []

    def hold(self) -> Self:
        """Open the descriptors that are missing."""
        with contextlib.suppress(OSError):
            while len(self._held) < self._count:
                self._held.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        return self

    def release(self) -> None:
        """Close all of them, so that the same number of files can be opened now."""
        while self._held:
            os.close(self._held.pop())
