"""The addresses that connections come from: their texts, whose turn it is, and who uses them."""

import socket
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import socketio

from bench.server import UvicornTestServer
from bench.wire.client import FastClient
from bench.wire.connection import Connection
from bench.wire.errors import ConnectFailed
from bench.wire.host_http import HostHttp
from bench.wire.source_addresses import (
    MOST_ADDRESSES,
    SourceAddressError,
    bind_to_source,
    check_source_addresses,
    parse_source_addresses,
    socket_options,
    use_source_addresses,
)

THREE = "127.0.0.2-127.0.0.4"


@pytest.fixture
def three() -> Iterator[set[str]]:
    use_source_addresses(parse_source_addresses(THREE))
    yield {"127.0.0.2", "127.0.0.3", "127.0.0.4"}
    use_source_addresses(())


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("127.0.0.1", ["127.0.0.1"]),
        (" 127.0.0.1 - 127.0.0.3 ", ["127.0.0.1", "127.0.0.2", "127.0.0.3"]),
        ("10.0.0.5,10.0.0.6,,10.0.0.5", ["10.0.0.5", "10.0.0.6"]),
        ("10.0.0.255-10.0.1.1", ["10.0.0.255", "10.0.1.0", "10.0.1.1"]),
        ("10.0.0.9/30", ["10.0.0.9", "10.0.0.10"]),  # not the network's own address, nor its broadcast
        ("::1,fd00::1-fd00::2", ["::1", "fd00::1", "fd00::2"]),
        ("::1,127.0.0.1", ["::1", "127.0.0.1"]),
    ],
)
def test_the_texts_of_addresses(text: str, addresses: list[str]) -> None:
    assert [str(address) for address in parse_source_addresses(text)] == addresses


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'' names no address"),
        ("localhost", "'localhost' is no address: expected something like 127.0.0.1-127.0.0.4"),
        ("127.0.0.1-4", "'127.0.0.1-4' is no address"),
        ("127.0.0.4-127.0.0.1", "'127.0.0.4-127.0.0.1' is no range: expected the lower address first"),
        ("127.0.0.1-::2", "'127.0.0.1-::2' is no range"),
        ("10.0.0.0/8", f"'10.0.0.0/8' is more than {MOST_ADDRESSES:,} addresses"),
        ("::1-ffff::", "'::1-ffff::' is more than"),
        ("0.0.0.0", "0.0.0.0 is no address that a connection can come from"),
    ],
)
def test_texts_that_name_no_addresses(text: str, said: str) -> None:
    with pytest.raises(SourceAddressError) as refused:
        parse_source_addresses(text)
    assert str(refused.value).startswith(said)


def test_addresses_of_other_machines_are_refused() -> None:
    check_source_addresses(parse_source_addresses(THREE))
    with pytest.raises(SourceAddressError, match=r"^192\.0\.2\.1 is no address of this machine: `ip address` shows"):
        check_source_addresses(parse_source_addresses("127.0.0.1,192.0.2.1"))


def test_each_address_has_its_turn(three: set[str]) -> None:
    used: list[str] = []
    for _ in range(6):
        with socket.socket() as connection:
            bind_to_source(connection)
            used.append(connection.getsockname()[0])
    assert used[:3] == used[3:]
    assert set(used) == three


def test_without_source_addresses_the_system_chooses() -> None:
    with socket.socket() as connection:
        bind_to_source(connection)
        assert connection.getsockname() == ("0.0.0.0", 0)


async def test_all_that_a_user_opens_comes_from_them(three: set[str]) -> None:
    seen: dict[str, Counter[str]] = {"websocket": Counter(), "polling": Counter(), "http": Counter()}
    sio = socketio.AsyncServer(async_mode="asgi")
    answers = socketio.ASGIApp(sio)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            kind = "polling" if b"transport=polling" in scope["query_string"] else scope["type"]
            seen[kind][scope["client"][0]] += 1
        await answers(scope, receive, send)

    async with UvicornTestServer(app) as server:
        for connection in (Connection(), Connection(transports=("polling",))):
            clients = [FastClient() for _ in range(3)]
            for client in clients:
                await client.connect(server.url, connection)
            for client in clients:
                await client.disconnect()
        for _ in range(3):
            async with HostHttp(server.url, None, 5.0) as http:
                await http.get("/nothing")
    assert {kind: set(addresses) for kind, addresses in seen.items()} == dict.fromkeys(seen, three)


async def test_a_server_of_another_family_is_one_clear_line() -> None:
    use_source_addresses(parse_source_addresses("::1"))
    try:
        with pytest.raises(ConnectFailed, match="no source address is one of IPv4, as the server's is"):
            await FastClient().connect("http://127.0.0.1:9")
    finally:
        use_source_addresses(())


def test_without_source_addresses_aiohttp_is_told_nothing_of_its_sockets() -> None:
    """Its versions before 3.12 have no such keyword."""
    assert socket_options() == {}
