"""A user's file of scenarios in `pytest bench` and `bench ab`, against a service that takes no other connection."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.server import ServerProcess

ROOT = Path(__file__).parents[3]
BENCH = (sys.executable, "-c", "from bench.cli import main; main()")
LIMIT_S = 100
SECRET = "hunter22"

SERVICE = f"""
import socketio

sio = socketio.AsyncServer(async_mode="asgi", namespaces=["/chat"])
app = socketio.ASGIApp(sio, socketio_path="ws/socket.io", on_shutdown=sio.shutdown)


@sio.on("connect", namespace="/chat")
async def connect(sid, environ, auth):
    if auth != {{"token": "{SECRET}"}}:
        raise socketio.exceptions.ConnectionRefusedError("who are you?")


@sio.on("say", namespace="/chat")
async def say(sid, data):
    await sio.emit("said", data, to=sid, namespace="/chat")


@sio.on("shout", namespace="/chat")
async def shout(sid, data):
    await sio.emit("shouted", {{"all": [data]}}, to=sid, namespace="/chat")


@sio.on("join", namespace="/chat")
async def join(sid, room, seat):
    return [room, seat]
"""

SCENARIOS = f"""
from bench import Connection, RoundTrip

connection = Connection(namespaces="/chat", auth={{"token": "{SECRET}"}}, socketio_path="ws/socket.io")

say = RoundTrip("say", emit="say", data={{"id": "{{token}}", "text": "hello"}}, reply="said")
shout = RoundTrip("shout", emit="shout", data={{"id": "{{token}}"}}, reply="shouted")
join = RoundTrip("join", emit="join", data=("lobby", 7))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository with the service, and beside it the file."""
    folder = tmp_path / "service"
    folder.mkdir()
    (folder / "chat.py").write_text(SERVICE)
    (tmp_path / "chat_scenarios.py").write_text(SCENARIOS)
    git = ["git", "-c", "user.name=nobody", "-c", "user.email=nobody@example"]
    for arguments in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "first"]):
        subprocess.run([*git, *arguments], cwd=folder, check=True)
    return folder


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S)
    assert SECRET not in ended.stdout + ended.stderr
    return ended


def pytest_bench(folder: Path, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    quick = ("--effort=quick", "--benchmark-max-time=0.05", "--benchmark-min-rounds=5", "-p", "no:cacheprovider")
    command = [str(Path(sys.executable).with_name("pytest")), str(ROOT / "bench"), *quick]
    return run([*command, f"--benchmark-storage={folder.parent / 'stored'}", *arguments], cwd or folder)


def stored(folder: Path) -> list[dict[str, Any]]:
    texts = [path.read_text() for path in sorted((folder.parent / "stored").rglob("*.json"))]
    assert not any(SECRET in text for text in texts)
    return [json.loads(text) for text in texts]


@pytest.mark.slow
def test_pytest_bench_measures_each_scenario_of_the_file_over_its_connection(folder: Path) -> None:
    ended = pytest_bench(folder, "--scenarios", "../chat_scenarios.py", "--app", "chat:app", "-k", "process-uvloop")
    assert ended.returncode == 0, ended.stdout
    (result,) = stored(folder)
    told = {benchmark["name"]: benchmark["extra_info"] for benchmark in result["benchmarks"]}
    kinds = ("websocket", "polling", "websocket-fast")
    assert told.keys() == {
        f"{name}[{reply}-{kind}-process-uvloop]"
        for name, reply in (("say", "event"), ("shout", "event"), ("join", "acknowledged"))
        for kind in kinds
    }
    for name, info in told.items():
        scenario = name.partition("[")[0]
        # Two of them are answered by an event: each is measured by its own.
        assert (info["event"], info["reply"]) == {
            "say": ("say", "said"), "shout": ("shout", "shouted"), "join": ("join", None),
        }[scenario]  # fmt: skip
        assert info["controls"]["same-stack"]["rounds"] > 0
        assert info["scenario"]["file"] == "chat_scenarios.py"
    assert len({info["scenario"]["sha256"] for info in told.values()}) == 1
    assert len({info["scenario"]["definition"] for info in told.values()}) == 3


@pytest.mark.slow
def test_a_wrong_reply_fails_its_benchmark_in_one_line(folder: Path) -> None:
    (folder.parent / "checked.py").write_text(
        SCENARIOS
        + "def in_the_lobby(given):\n    return None if given[1] == 7 else f'not {given[0]}, seat {given[1]}'\n\n"
        + "seated = RoundTrip('seated', emit='join', data=('lobby', 7), check=in_the_lobby)\n"
        + "stands = RoundTrip('stands', emit='join', data=('lobby', 8), check=in_the_lobby)\n"
        + "asked = RoundTrip('asked', emit='join', data=('lobby', 8), check=lambda given: given[1] == 7)\n"
    )
    options = ("--scenarios", "../checked.py", "--app", "chat:app", "-k", "fast-process-uvloop and not (say or shout)")
    ended = pytest_bench(folder, *options)
    assert ended.returncode == 1
    said = [line for line in ended.stdout.splitlines() if not line.startswith("FAILED ")]  # which pytest adds in CI
    failures = [line for line in said if "-fast-process-uvloop]: " in line and ": p50 " not in line]
    lines = {line.partition("[")[0]: line for line in failures if "::" not in line}
    assert lines["stands"].endswith(
        "]: sent join ('lobby', 8), acknowledged with ['lobby', 8]: wrong reply: not lobby, seat 8"
    )
    assert "the check returned False: it has to return None, or the reason as a text" in lines["asked"]
    assert lines.keys() == {"stands", "asked"}
    assert "Traceback" not in ended.stdout + ended.stderr
    (result,) = stored(folder)
    assert {benchmark["name"].partition("[")[0] for benchmark in result["benchmarks"]} == {"join", "seated"}


@pytest.mark.slow
def test_results_of_another_definition_are_not_compared(folder: Path) -> None:
    options = ("--app", "chat:app", "-k", "fast-process-uvloop and (say or join)", "--scenarios", "chat_scenarios.py")
    for text in ("hello", "good evening"):
        (folder / "chat_scenarios.py").write_text(SCENARIOS.replace("hello", text))
        ended = pytest_bench(folder, *options)
        assert ended.returncode == 0, ended.stdout
    paths = sorted(map(str, (folder.parent / "stored").rglob("*.json")))
    refused = run([*BENCH, "compare", *paths], folder)
    assert refused.returncode == 2
    assert re.search(r"different settings: definition of the scenario [0-9a-f]{12} → [0-9a-f]{12};", refused.stderr)
    forced = " ".join(run([*BENCH, "compare", "--force", *paths], folder).stdout.split())
    assert re.search(r"scenarios file [0-9a-f]{12} → [0-9a-f]{12}", forced)


@pytest.mark.slow
def test_bench_ab_compares_each_scenario_of_the_file_which_is_not_of_a_revision(folder: Path) -> None:
    results = folder.parent / "results"
    command = [*BENCH, "ab", "HEAD", "WORKTREE", "--app", "chat:app", "--scenarios", "../chat_scenarios.py"]
    options = ["--burst", "5", "--pairs", "2", "--allow-idle-cores", "--max-time", "1", "--results", str(results)]
    ended = run([*command, "--benchmarks", "join,say", *options], folder)
    assert ended.returncode in (0, 1), ended.stderr  # two short bursts may say anything of noise
    (path,) = results.rglob("*.json")
    assert SECRET not in path.read_text()
    result = json.loads(path.read_text())
    assert [(benchmark["name"], benchmark["event"], benchmark["reply"]) for benchmark in result["benchmarks"]] == [
        ("join", "join", None),
        ("say", "say", "said"),
    ]
    told = result["settings"]["scenarios"]
    assert (told["file"], told["definitions"].keys()) == ("chat_scenarios.py", {"join", "say"})


@pytest.mark.parametrize(
    ("source", "options", "said"),
    [
        (None, [], "--scenarios mine.py: it cannot be read: no such file or directory"),
        ("say = (", [], "--scenarios mine.py: line 1: it is not Python: '(' was never closed"),
        ("import bench", [], "--scenarios mine.py: there is no scenario at its top level"),
        ("\n1 / 0", [], "--scenarios mine.py: line 2: ZeroDivisionError: division by zero"),
        (SCENARIOS, ["--event", "say"], "--scenarios mine.py and --event say: the file says what is emitted"),
        (SCENARIOS.replace('"join", emit', '"say", emit'), [], "--scenarios mine.py: say and join have the same name"),
        ("from bench import SocketIOUser", [], "--scenarios mine.py: it imports locust"),
    ],
)
@pytest.mark.slow
def test_what_is_wrong_is_one_line(folder: Path, source: str | None, options: list[str], said: str) -> None:
    if source is not None:
        (folder / "mine.py").write_text(source)
    given = ["--scenarios", "mine.py", *options]
    measured = pytest_bench(folder, *given)
    assert (measured.returncode, measured.stdout) == (pytest.ExitCode.USAGE_ERROR, "")
    compared = run([*BENCH, "ab", "HEAD", "WORKTREE", *given], folder)
    assert (compared.returncode, compared.stdout) == (2, "")
    for text in (measured.stderr, compared.stderr):
        (line,) = text.strip().splitlines()
        assert said in line
    assert list((folder.parent / "stored").rglob("*")) == []


def test_a_name_that_the_file_does_not_have(folder: Path) -> None:
    given = ("--scenarios", "../chat_scenarios.py", "--benchmarks", "say,whisper")
    ended = run([*BENCH, "ab", "HEAD", "WORKTREE", *given], folder)
    assert ended.returncode == 2
    assert "--benchmarks whisper: there is no such benchmark, only say, shout, join" in ended.stderr


@pytest.mark.slow
def test_a_server_that_refuses_the_connection_is_told_without_what_was_sent(folder: Path) -> None:
    (folder / "chat.py").write_text(SERVICE.replace(SECRET, "another"))
    options = ("--app", "chat:app", "--scenarios", "../chat_scenarios.py", "-k", "say and fast-process-uvloop")
    ended = pytest_bench(folder, *options)
    assert ended.returncode == 1
    assert "who are you?" in ended.stdout


@pytest.mark.slow
def test_scenarios_and_a_running_server(folder: Path) -> None:
    with ServerProcess("chat:app", directory=folder) as server:
        ended = pytest_bench(folder, "--url", server.url, "--scenarios", "../chat_scenarios.py", "-k", "join and fast")
    assert ended.returncode == 0, ended.stdout
    names = [benchmark["name"] for result in stored(folder) for benchmark in result["benchmarks"]]
    assert names == [f"join[acknowledged-websocket-fast-url-{loop}]" for loop in ("asyncio", "uvloop")]
