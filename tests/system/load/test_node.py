"""The same locustfile against a Socket.IO server that others wrote: the official one, on Node."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.locust_process import CONNECT, answered, operation, run
from tests.support.node_process import node_server


@pytest.fixture(scope="module")
def node_service() -> Iterator[str]:
    """The URL of the FOO→BAR service on Node."""
    with node_server("foo_bar.js") as server:
        yield server.url
        assert server.process.stdin is not None
        server.process.stdin.close()
        assert server.process.wait(10) == 0


@pytest.mark.parametrize(("user", "name"), [("EchoUser", "FOO→BAR to sender"), ("BroadcastUser", "FOO→BAR")])
def test_the_official_server_under_load(tmp_path: Path, node_service: str, user: str, name: str) -> None:
    before = answered(node_service)
    code, locust = run(tmp_path, user, "--host", node_service, "-u", "10", "-r", "10", "-t", "2s")
    assert code == 0
    result = locust.result()
    row = operation(result, name)
    assert row.ok == answered(node_service) - before > 0
    assert (row.timeouts, row.error_count, row.unfinished) == (0, 0, 0)
    assert operation(result, CONNECT).ok == 10
    assert result.server is None, "it is not ours"
