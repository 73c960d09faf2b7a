"""The poller in a process that importing Locust has patched for gevent, which takes `select.epoll` away."""

import subprocess
import sys

PROGRAM = """
import locust, select, asyncio, os
assert not hasattr(select, "epoll")
os.environ["BENCH_PURE"] = "1"
import uvloop
from bench.wire.poller import Poller
from bench.wire.sockets import ReadySet

async def watched():
    poller = Poller(asyncio.get_running_loop())
    assert isinstance(poller._ready_set, ReadySet)
    poller._close()
    return "watched"

print(uvloop.run(watched()), asyncio.run(watched()))
"""


def test_the_poller_has_its_epoll() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert ended.stdout == "watched watched\n", ended.stderr
