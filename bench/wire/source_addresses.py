"""The local addresses from which this process connects, if the system shall not choose them.

A machine has some 28,000 ports for connections from one address to one server. So many connections need several local
addresses. They belong to the machine and not to the service, so no `Connection` has them. A process is told of them
once, before it connects. From then on its connections take them in turn. It begins at a random address, so that several
processes use all of them alike.

Linux chooses a port as late as `connect`, where it is asked to (IP_BIND_ADDRESS_NO_PORT). Then two connections to
different servers may have the same port. Chosen in `bind`, a port would serve one connection alone.
"""

from __future__ import annotations

import contextlib
import errno
import random
import socket
from _socket import socket as plain_socket  # in a process that is patched for gevent, that of `socket` is gevent's
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from itertools import chain, cycle
from typing import Any

#: The greatest number of source addresses.
MOST_ADDRESSES = 4096

_EXAMPLE = "127.0.0.1-127.0.0.4, 10.0.0.5,10.0.0.6 or 10.0.0.8/29"

# linux/in.h
_IP_BIND_ADDRESS_NO_PORT = 24

Address = IPv4Address | IPv6Address

_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


class SourceAddressError(ValueError):
    """Source addresses that cannot be used. The text says why, in one line."""


class _SourceAddresses:
    """The addresses of this process, by family, and whose turn it is."""

    def __init__(self, addresses: Sequence[Address] = ()) -> None:
        begin = random.randrange(len(addresses)) if addresses else 0
        turned = [*addresses[begin:], *addresses[:begin]]
        self._turns = {
            family: cycle([str(address) for address in turned if address.version == version])
            for version, family in _FAMILIES.items()
        }
        self.are_given = bool(addresses)

    def next_of(self, family: int) -> str:
        """Return the address of this family whose turn it is. Raises OSError if there is none."""
        address = next(self._turns[socket.AddressFamily(family)], None) if family in self._turns else None
        if address is None:
            kind = "IPv6" if family == socket.AF_INET6 else "IPv4"
            raise OSError(f"no source address is one of {kind}, as the server's is: give one with --source-addresses")
        return address


_present = _SourceAddresses()


def parse_source_addresses(text: str) -> tuple[Address, ...]:
    """Return the addresses that a text names, each once: single ones, ranges and networks, with commas between them.

    Raises SourceAddressError.
    """
    found: dict[Address, None] = {}
    for address in chain.from_iterable(map(_addresses_of, filter(None, map(str.strip, text.split(","))))):
        if address.is_unspecified or address.is_multicast:
            raise SourceAddressError(f"{address} is no address that a connection can come from")
        found[address] = None
        if len(found) > MOST_ADDRESSES:
            raise SourceAddressError(f"{text!r:.80} is more than {MOST_ADDRESSES:,} addresses, which is the limit")
    if not found:
        raise SourceAddressError(f"{text!r:.80} names no address: expected something like {_EXAMPLE}")
    return tuple(found)


def check_source_addresses(addresses: Iterable[Address]) -> None:
    """Look whether this machine has all of these addresses. Raises SourceAddressError."""
    for address in addresses:
        try:
            with contextlib.closing(plain_socket(_FAMILIES[address.version], socket.SOCK_STREAM)) as probe:
                _bind(probe, str(address))
        except OSError as error:
            raise SourceAddressError(f"{address} {_refusal(error)}") from None


def use_source_addresses(addresses: Sequence[Address]) -> None:
    """Connect from these addresses from now on; from the address that the system chooses if there are none."""
    global _present
    _present = _SourceAddresses(addresses)


def bind_to_source(connection: Any) -> None:
    """Bind a new socket to the source address whose turn it is; do nothing if there are no source addresses.

    Raises OSError, also if there is no address of the socket's family.
    """
    if not _present.are_given:
        return
    address = _present.next_of(connection.family)
    try:
        _bind(connection, address)
    except OSError as error:
        raise OSError(f"{address} {_refusal(error)}") from None


def socket_options() -> dict[str, Any]:
    """Return the keywords by which aiohttp makes its sockets: none, which is its own way, without source addresses.

    aiohttp before 3.12 knows no such keyword, so that its connector refuses source addresses, and nothing else.
    """
    return {"socket_factory": _bound_socket} if _present.are_given else {}


def _bound_socket(address_info: tuple[Any, ...]) -> socket.socket:
    family, kind, protocol, *_ = address_info
    connection = socket.socket(family, kind, protocol)
    try:
        bind_to_source(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _bind(connection: Any, address: str) -> None:
    with contextlib.suppress(OSError):  # this system chooses the port at once
        connection.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
    connection.bind((address, 0))


def _addresses_of(part: str) -> Iterator[Address]:
    """Yield the addresses of a part of the text between two commas. Raises SourceAddressError."""
    try:
        if "/" in part:
            yield from ip_network(part, strict=False).hosts()
            return
        first, dash, last = (end.strip() for end in part.partition("-"))
        low, high = ip_address(first), ip_address(last if dash else first)
    except ValueError:
        raise SourceAddressError(f"{part!r:.80} is no address: expected something like {_EXAMPLE}") from None
    if low.version != high.version or int(low) > int(high):
        raise SourceAddressError(f"{part!r:.80} is no range: expected the lower address first, as in {_EXAMPLE}")
    if low == high:
        yield low
        return
    for number in range(int(low), int(high) + 1):
        yield type(low)(number)


def _refusal(error: OSError) -> str:
    if error.errno == errno.EADDRNOTAVAIL:
        return "is no address of this machine: `ip address` shows those that it has"
    if error.errno == errno.EAFNOSUPPORT:
        return "cannot be used: this machine has no IPv6"
    return f"cannot be connected from: {(error.strerror or str(error)).lower()}"
