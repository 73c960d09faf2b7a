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
    yield Step(("bench", "show", "latency/latest"), "latency of chat:app")
    yield Step(("bench", "show", "load/latest"), "say")
    # Two short runs on whatever machine this is: that they can be compared is what counts.
    yield Step(("bench", "compare", "--force", "latency/1", "latency/2"), "say[", (0, 1))
    yield Step(("bench", "trend"), "say")
    yield Step(("bench", "ab", "--help"), "REV_A")


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
