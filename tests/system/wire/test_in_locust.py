"""The fast client inside Locust: where the process is patched for gevent, and the server is hostile."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.server import ServerProcess
from tests.support.folders import ROOT
from tests.support.locust_process import CONNECT, operation, run, wait_until

# What the engine of the load does: a thread that gevent does not know, and a loop of uvloop's in it.
PATCHED = """
import asyncio, json, sys, time
from gevent import monkey
monkey.patch_all()
import gevent, uvloop
from bench.wire.client import FastClient

told = []

async def use(transports, url):
    client = FastClient()
    await client.connect(url, transports=transports)
    answer = await client.call("FOO", {"name": "a", "to": "sender"}, timeout=60)
    await client.disconnect()
    told.append([*transports, answer])

async def use_all():
    async with asyncio.timeout(60):
        for transports in (("websocket",), ("polling",), ("polling", "websocket")):
            await use(transports, sys.argv[1])

def work():
    try:
        uvloop.run(use_all())
    except BaseException as error:
        told.append(repr(error))
    told.append("end")

monkey.get_original("_thread", "start_new_thread")(work, ())
while "end" not in told:
    gevent.sleep(0.01)
print(json.dumps(told))
"""


def test_every_transport_in_a_thread_beside_gevent() -> None:
    """By name: asyncio's own resolver would need a thread of the patched kind, and wait for ever."""
    with ServerProcess() as server:
        url = server.url.replace("127.0.0.1", "localhost")
        command = [sys.executable, "-c", PATCHED, url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False)
    assert done.stderr == ""
    foo = {"foo": "a"}
    assert json.loads(done.stdout) == [
        ["websocket", foo],
        ["polling", foo],
        ["polling", "websocket", foo],
        "end",
    ]


@pytest.fixture
def hostile_url(tmp_path: Path) -> Iterator[str]:
    """A server that breaks the protocol at each client's first event."""
    port_file = tmp_path / "port"
    with subprocess.Popen([sys.executable, "-m", "tests.support.hostile_server", str(port_file)], cwd=ROOT) as process:
        wait_until(lambda: port_file.exists() and bool(port_file.read_text()), "the hostile server listens")
        yield f"http://127.0.0.1:{port_file.read_text()}"
        process.kill()


def test_a_hostile_server_is_counted_as_errors(tmp_path: Path, hostile_url: str) -> None:
    code, locust = run(tmp_path, "--host", hostile_url, "-u", "5", "-r", "5", "-t", "3s")
    assert code == 1
    assert "Traceback" not in locust.output
    result = locust.result()
    row = operation(result)
    assert row.ok == 0
    assert row.sent == row.error_count >= 5
    assert set(row.errors) == {"connection lost: the server sent a broken packet"}
    assert operation(result, CONNECT).ok == row.sent
