"""A small service in a project of its own, and what its owner does with the installed suite: a real round, short."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.wheel import without_ours

FILES = {
    "chat.py": """
import socketio

sio = socketio.AsyncServer(async_mode="asgi")
app = socketio.ASGIApp(sio, on_shutdown=sio.shutdown)


@sio.on("say")
async def say(sid, data):
    await sio.emit("said", {"text": data["text"].upper(), "id": data["id"]}, to=sid)
""",
    "chat_scenarios.py": """
from bench import RoundTrip

say = RoundTrip("say", emit="say", data={"id": "{token}", "text": "hello"}, reply="said")


async def before_connect(http):
    async with http.get("/"):
        pass
""",
    "chat_load.py": """
from bench import SocketIOUser, task
from chat_scenarios import say


class ChatUser(SocketIOUser):
    @task
    async def talk(self):
        await self.round_trip(say)
""",
    "scraped.py": """
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

with socket.create_server(("127.0.0.1", 0)) as chosen:
    port = chosen.getsockname()[1]
bench = Path(sys.executable).with_name("bench")
with subprocess.Popen([bench, *sys.argv[1:], "--metrics", f"127.0.0.1:{port}"]) as load:
    text = ""
    while 'outcome="ok"' not in text and load.poll() is None:
        time.sleep(0.1)
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
                text = answer.read().decode()
        except OSError:
            pass
names = ("socketio_bench_operations_total", "socketio_bench_service_time_seconds_bucket")
print("scraped" if all(name in text for name in names) else f"not scraped: {text}")
sys.exit(load.returncode)
""",
    "pyproject.toml": """
[tool.pytest.ini_options]
asyncio_mode = "auto"
asyncio_default_fixture_loop_scope = "function"
""",
    "test_chat.py": """
import pytest


@pytest.mark.socketio_app("chat:app")
async def test_say(socketio_server, socketio_client, round_trip):
    async with socketio_server() as server, socketio_client(server) as client:
        reply = await round_trip(client, "say", {"text": "hi", "id": 1}, reply="said")
        assert reply == {"text": "HI", "id": 1}
""",
}

_LIMIT_S = 180

_SERVED = ("--app", "chat:app")
_LATENCY = (*_SERVED, "--scenarios", "chat_scenarios.py", "--effort", "quick", "-k", "uvloop and process")
_LOAD = ("-f", "chat_load.py", *_SERVED, "--headless", "--only-summary", "-u", "5", "-r", "5", "-t", "3s")

#: The extras that pages and metrics need.
EXTRAS = ("charts", "metrics")


class RoundFailedError(Exception):
    """A step that did not end as it should: the command, and its output."""


@dataclass(frozen=True)
class Step:
    """A command, the exit codes that it may have, and a text that its output has to contain."""

    command: tuple[str, ...]
    shows: str
    codes: tuple[int, ...] = (0,)


def write(folder: Path) -> None:
    """Write the project's files."""
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text.lstrip("\n"))


def steps() -> Iterator[Step]:
    """Yield the steps of a round."""
    yield Step(("bench", "--help"), "Commands:")
    yield Step(("pytest", "-q", "test_chat.py"), "1 passed")
    for _ in range(2):
        yield Step(("bench", "latency", *_LATENCY), "stored in")
    yield Step(("bench", "load", *_LOAD), "stored in")
    yield Step(("bench", "load", *_LOAD, "--processes", "2"), "stored in")
    yield Step(("bench", "show", "latency/latest"), "latency of chat:app")
    yield Step(("bench", "show", "load/latest"), "say")
    # Two short runs on whatever machine this is: that they can be compared is what counts.
    yield Step(("bench", "compare", "--force", "latency/1", "latency/2"), "say[", (0, 1))
    yield Step(("bench", "trend"), "say")
    yield Step(("bench", "ab", "--help"), "REV_A")
    yield Step(("bench", "report", "load/latest", "--output", "tables.html"), "tables.html")
    yield Step(_in_file("tables.html"), "socketio-bench[charts]")
    yield Step(("bench", "show", "load/latest", "--format", "svg", "--output", "none"), "socketio-bench[charts]", (2,))
    yield Step(("bench", "load", *_LOAD, "--metrics", "127.0.0.1:9"), "socketio-bench[metrics]", (2,))


def steps_with_extras() -> Iterator[Step]:
    """Yield the steps that the extras are for."""
    yield Step(("bench", "report", "load/latest", "latency/latest", "--output", "charts.html"), "charts.html")
    yield Step(_in_file("charts.html"), "vega")
    yield Step(("bench", "show", "load/latest", "--format", "svg,png", "--output", "pictures"), ".png")
    yield Step(("bench", "compare", "--force", "latency/1", "latency/2", "--chart", "chart.svg"), "say[", (0, 1))
    yield Step(("python", "scraped.py", "load", *_LOAD), "scraped\n")


def _in_file(name: str) -> tuple[str, ...]:
    return ("python", "-c", f"print(open({name!r}).read())")


def perform(step: Step, scripts: Path, folder: Path) -> None:
    """Run a command of that environment in the project's folder. Raises RoundFailedError."""
    program, *arguments = step.command
    try:
        ended = subprocess.run(
            [scripts / program, *arguments], cwd=folder, env=without_ours(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=_LIMIT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        raise RoundFailedError(f"{' '.join(step.command)}: not done after {_LIMIT_S} s\n{late.output}") from None
    if ended.returncode not in step.codes or step.shows not in ended.stdout or "Traceback" in ended.stdout:
        raise RoundFailedError(f"{' '.join(step.command)}: exit code {ended.returncode}\n{ended.stdout}")
