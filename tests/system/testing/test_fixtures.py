"""The fixtures as a project of somebody's own has them, under each plugin that runs async tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.results.latency import LatencyResult
from bench.results.store import load
from tests.support.folders import ROOT

PYTEST = Path(sys.executable).with_name("pytest")

CHAT = """
import socketio

sio = socketio.AsyncServer(async_mode="asgi")
app = socketio.ASGIApp(sio, on_shutdown=sio.shutdown)
other = socketio.ASGIApp(socketio.AsyncServer(async_mode="asgi"))

@sio.on("say")
async def say(sid, data):
    if "id" not in data or sid in let_in:
        await sio.emit("said", {**data, "text": data["text"].upper()}, to=sid)

let_in = set()

@sio.on("let me in")
async def let_me_in(sid, word):
    if word == "please" and tokens.pop(sid) == "secret":
        let_in.add(sid)

tokens = {}

@sio.event
async def connect(sid, environ, auth):
    tokens[sid] = (auth or {}).get("token")
"""

#: The tests of a project. MARK is what its plugin needs at each test, FIXTURE at each fixture.
TESTS = """
import socket

import pytest
{IMPORT}

def is_open(url):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) == 0

left = []

{FIXTURE}
async def client(socketio_server, socketio_client):
    async with socketio_server() as server, socketio_client(server) as client:
        yield client

{MARK}
async def test_a_round_trip(socketio_server, socketio_client, round_trip):
    async with socketio_server() as server, socketio_client(server) as client:
        assert await round_trip(client, "say", {{"text": "hi"}}, reply="said") == {{"text": "HI"}}

{MARK}
async def test_a_fixture_of_its_own(client, round_trip):
    assert await round_trip(client, "say", {{"text": "hi"}}, reply="said") == {{"text": "HI"}}

{MARK}
@pytest.mark.socketio_app("chat:other")
async def test_a_marked_app(socketio_server, socketio_app):
    async with socketio_server() as server:
        import chat
        assert server.app is chat.other and socketio_app == "chat:other"

{MARK}
async def test_something_left_open(socketio_server, socketio_client):
    server = await socketio_server().__aenter__()
    client = await socketio_client(server).__aenter__()
    left.append(server.url)

{MARK}
async def test_something_left_open_by_a_failure(socketio_server):
    async with socketio_server() as server:
        left.append(server.url)
        assert False, "on purpose"

def test_it_was_closed():
    assert len(left) == 2 and not any(map(is_open, left))
"""

ONE_LOOP = "asyncio_default_test_loop_scope = session\nasyncio_default_fixture_loop_scope = session\n"

ASYNCIO = {"MARK": "@pytest.mark.asyncio", "FIXTURE": "@pytest_asyncio.fixture", "IMPORT": "import pytest_asyncio"}
AUTO = {"MARK": "", "FIXTURE": "@pytest.fixture", "IMPORT": ""}
ANYIO = {
    "MARK": "@pytest.mark.anyio",
    "FIXTURE": "@pytest.fixture",
    "IMPORT": "@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'",
}


def run(project: Path, *command: str | Path, **added: str) -> tuple[int, str]:
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTEST_ADDOPTS")}
    variables |= added
    ended = subprocess.run(
        list(map(str, command)), cwd=project, env=variables, capture_output=True, text=True, timeout=120, check=False
    )
    return ended.returncode, ended.stdout + ended.stderr


def write(project: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)


@pytest.mark.parametrize(
    ("settings", "words", "options"),
    [
        ("asyncio_mode = strict\n", ASYNCIO, ()),
        (f"asyncio_mode = auto\n{ONE_LOOP}", AUTO, ()),
        ("", ANYIO, ("-p", "no:asyncio")),
    ],
    ids=["strict", "auto, one loop", "anyio"],
)
def test_fixtures_under_each_plugin(
    tmp_path: Path, settings: str, words: dict[str, str], options: tuple[str, ...]
) -> None:
    """The app is in the project's folder, which `pytest` does not import from by itself."""
    settings = f"[pytest]\nsocketio_app = chat:app\naddopts = --strict-markers --strict-config\n{settings}"
    write(tmp_path, {"pytest.ini": settings, "chat.py": CHAT, "tests/test_chat.py": TESTS.format_map(words)})
    code, shown = run(tmp_path, PYTEST, "-q", *options)
    assert code == pytest.ExitCode.TESTS_FAILED, shown
    assert "1 failed, 5 passed" in shown, shown
    assert "on purpose" in shown
    assert shown.count("PytestWarning: left open, and closed now: ") == 2
    assert "left open, and closed now: socketio_server of chat:app; open it by `async with`" in shown
    assert "left open, and closed now: socketio_client of http://127.0.0.1:" in shown
    assert "was destroyed but it is pending" not in shown


TEST = """
async def test_say(socketio_server, socketio_client, round_trip):
    async with socketio_server() as server, socketio_client(server) as client:
        assert await round_trip(client, "say", {"text": "hi"}, reply="said") == {"text": "HI"}
"""


def test_a_project_with_a_package_bench_and_a_package_app_of_its_own(tmp_path: Path) -> None:
    """Its tests run as before, and only a test that uses a fixture of ours says that it cannot."""
    write(
        tmp_path,
        {
            "pytest.ini": "[pytest]\nasyncio_mode = auto\nsocketio_app = app.chat:app\n",
            "app/__init__.py": "",
            "app/chat.py": CHAT,
            "bench/__init__.py": "SPEED = 7\n",
            "tests/test_own.py": "from app import chat\nfrom bench import SPEED\n\ndef test_own(): assert SPEED == 7\n",
        },
    )
    code, shown = run(tmp_path, sys.executable, "-m", "pytest", "-q")
    assert (code, "1 passed" in shown) == (0, True), shown
    write(tmp_path, {"tests/test_chat.py": TEST})
    code, shown = run(tmp_path, sys.executable, "-m", "pytest", "-q")
    assert (code, "1 passed, 1 error" in shown) == (1, True), shown
    assert f"{tmp_path / 'bench'} hides the installed package bench" in shown
    # `pytest` looks first where packages are installed, so nothing is hidden there.
    (site := tmp_path / "site").mkdir()
    for name in ("bench", "pytest_socketio_bench.py"):
        (site / name).symlink_to(ROOT / name)
    code, shown = run(tmp_path, PYTEST, "-q", "tests/test_chat.py", PYTHONPATH=str(site))
    assert (code, "1 passed" in shown) == (0, True), shown


BENCHMARK = """
import pytest
from bench import RoundTrip

say = RoundTrip("say", emit="say", data={"text": "hello"}, reply="said")

def test_figures(socketio_benchmark):
    figures = socketio_benchmark(say, effort="quick")
    assert figures.details.service == "chat:app"
    assert figures.stats.rounds and len(figures.processes) == 2 and figures.ratio_to("same-stack") > 0

def test_who_has_logged_in(socketio_benchmark):
    say_more = RoundTrip("say more", emit="say", data={"text": "hello", "id": "{token}"}, reply="said")
    figures = socketio_benchmark(say_more, scenarios="scenarios.py", effort="quick")
    assert figures.details.event == "say" and figures.details.scenario.file == "scenarios.py"

def test_a_failing_handler(socketio_benchmark):
    socketio_benchmark(RoundTrip("say", emit="say", data={"txt": ""}, reply="said"), effort="quick", timeout=2)

async def test_in_a_loop(socketio_benchmark):
    socketio_benchmark(say)

def test_an_object(socketio_server, request):
    import chat
    request.node.add_marker(pytest.mark.socketio_app(chat.app))
    request.getfixturevalue("socketio_benchmark")(say)
"""


SCENARIOS = """
from bench import Connection, RoundTrip

connection = Connection(auth={"token": "secret"})
say = RoundTrip("say", emit="say", data={"text": "hello", "id": "{token}"}, reply="said")

async def setup(client):
    await client.emit("let me in", "please")
"""


@pytest.mark.slow
def test_a_benchmark_in_a_test_of_the_users_own(tmp_path: Path) -> None:
    """The sources are in a folder that only pytest's settings name."""
    settings = "[pytest]\nasyncio_mode = auto\nsocketio_app = chat:app\npythonpath = src\n"
    files = {"pytest.ini": settings, "src/chat.py": CHAT, "scenarios.py": SCENARIOS, "tests/test_speed.py": BENCHMARK}
    write(tmp_path, files)
    code, shown = run(tmp_path, PYTEST, "-q", "--benchmark-json", "figures.json", "--benchmark-autosave")
    assert (code, "3 failed, 2 passed" in shown) == (1, True), shown
    assert "test_figures" in shown
    assert "ratio to control" in shown
    assert "test_a_failing_handler: sent say {'txt': ''}, no said within 2 s" in shown
    assert "KeyError: 'text'" in shown
    assert "socketio_benchmark has an event loop of its own: call it in a plain function" in shown
    assert "give it as module:attribute, not as an object of type ASGIApp" in shown
    assert '"fullname": "tests/test_speed.py::test_figures"' in (tmp_path / "figures.json").read_text()
    # It is a latency result as well, since pytest-benchmark was to save it.
    (stored,) = (tmp_path / "results" / "latency").glob("*/0001_*.json")
    assert f"stored in {stored.relative_to(tmp_path)}\nnext: " in shown
    result = load(stored)
    assert isinstance(result, LatencyResult)
    assert [each.fullname.partition("::")[2] for each in result.benchmarks] == [
        "test_figures",
        "test_who_has_logged_in",
    ]
    assert '"data"' not in stored.read_text()
    code, shown = run(tmp_path, PYTEST.with_name("bench"), "show", "latency/latest")
    assert (code, "latency of chat:app at unversioned: 2 benchmarks" in shown) == (0, True), shown
    code, shown = run(tmp_path, PYTEST, "-q", "--benchmark-disable", "--benchmark-autosave", "-k", "failing or figures")
    assert len(list((tmp_path / "results" / "latency").glob("*/*.json"))) == 1
    assert "AttributeError: 'NoneType' object has no attribute 'details'" in shown  # it measures nothing then
    assert "no said within 2 s" in shown
