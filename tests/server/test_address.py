"""The ports that servers are given: free, and none of those that outgoing connections take."""

import socket
from pathlib import Path

from bench.server.address import free_port

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def test_ports_are_free_and_different() -> None:
    ports = [free_port("127.0.0.1") for _ in range(20)]
    assert len(set(ports)) == 20
    listeners = [socket.create_server(("127.0.0.1", port)) for port in ports]
    for listener in listeners:
        listener.close()


def test_ports_are_given_out_again_after_a_while() -> None:
    assert all(free_port("127.0.0.1") for _ in range(300))


def test_no_client_can_take_them_before() -> None:
    lowest, highest = map(int, RANGE.read_text().split()) if RANGE.exists() else (0, 0)
    if lowest > 20_000:
        assert not any(lowest <= free_port("127.0.0.1") <= highest for _ in range(20))
