"""The operating system's reasons, as errors of connecting show them."""

import errno
import socket

import pytest

from bench.wire.errors import os_reason


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "name or service not known"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed"), "connection refused"),
        (OSError("of no number"), "of no number"),
    ],
)
def test_a_reason_has_no_number(error: OSError, said: str) -> None:
    assert os_reason(error) == said
