"""The limit of open files: it is named, and some are kept in reserve."""

import errno
import os
from pathlib import Path

import pytest

from bench.machine.descriptors import (
    Reserve,
    file_limit_reason,
    is_limit_reason,
    limit_reason_in,
    local_ports,
    port_limit_reason,
)
from bench.wire.errors import os_reason


def test_the_limit_is_named() -> None:
    reason = os_reason(OSError(errno.EMFILE, "Too many open files"))
    assert reason == file_limit_reason(errno.EMFILE)
    assert reason.startswith("this process may open no more than ")
    assert reason.endswith(" files: raise `ulimit -n`")
    assert is_limit_reason(f"http://host cannot be reached: {reason}")
    assert limit_reason_in(f"http://host cannot be reached: {reason}") == reason
    assert "fs.file-max" in os_reason(OSError(errno.ENFILE, "File table overflow"))


@pytest.mark.parametrize(
    ("sockets", "said"),
    [
        (
            "TCP: inuse 14110 orphan 0 tw 20 alloc 9 mem 1",
            "left for another connection to that address, of 28,232 (from ",
        ),
        (
            "TCP: inuse 20 orphan 0 tw 14200 alloc 9 mem 1",
            "32768 to 60999): widen the sysctl net.ipv4.ip_local_port_range",
        ),
        ("TCP: inuse 20 orphan 0 tw 30 alloc 9 mem 1", None),  # an address that this machine does not have
        ("", "left for another connection to that address: end other runs"),
    ],
)
def test_the_end_of_the_ports_is_named(tmp_path: Path, sockets: str, said: str | None) -> None:
    (tmp_path / "sys/net/ipv4").mkdir(parents=True)
    (tmp_path / "net").mkdir()
    (tmp_path / "sys/net/ipv4/ip_local_port_range").write_text("32768\t60999\n")
    (tmp_path / "net/sockstat").write_text(f"sockets: used 9\n{sockets}\nUDP: inuse 1\n")
    assert local_ports(tmp_path) == 28_232
    assert local_ports(tmp_path / "nothing") == 16_384
    reason = port_limit_reason(tmp_path)
    assert (reason is None) == (said is None)
    if reason is not None and said is not None:
        assert said in reason
        assert limit_reason_in(f"http://host cannot be reached: {reason}") == reason


def test_a_reserve_keeps_places() -> None:
    def opened() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    before = opened()
    reserve = Reserve(5).hold()
    assert opened() == before + 5
    reserve.hold()
    assert opened() == before + 5
    reserve.release()
    assert opened() == before
