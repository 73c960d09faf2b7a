"""`bench load`: what a user types in a folder of their own, with a scenarios file in place of a locustfile."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.results.load import LoadResult
from bench.results.store import load
from tests.support.folders import ROOT

BENCH = Path(sys.executable).with_name("bench")
LIMIT_S = 100

SERVICE = """
import socketio
from socketio.exceptions import ConnectionRefusedError

sio = socketio.AsyncServer(async_mode="asgi", namespaces=["/club"])
club = socketio.ASGIApp(sio, on_shutdown=sio.shutdown)
members = set()


async def app(scope, receive, send):
    if scope["type"] == "http" and scope["path"] == "/login":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b'{"card": 7}'})
    else:
        await club(scope, receive, send)


@sio.on("connect", namespace="/club")
async def connect(sid, environ, auth):
    if auth != {"card": 7}:
        raise ConnectionRefusedError("no card")


@sio.on("enter", namespace="/club")
async def enter(sid, room):
    members.add(sid)
    return "in"


@sio.on("say", namespace="/club")
async def say(sid, data):
    if sid in members:
        await sio.emit("said", data, to=sid, namespace="/club")


@sio.on("typing", namespace="/club")
async def typing(sid):
    pass
"""

SCENARIOS = """
from bench import Connection, Emission, RoundTrip

serve = "{python} -m uvicorn club_service:app --port {{port}}"
connection = Connection(namespaces="/club", auth={{"card": 0}})
say = RoundTrip("say", emit="say", data={{"id": "{{token}}"}}, reply="said")
enter = RoundTrip("enter", emit="enter", data="lobby")
typing = Emission("typing", emit="typing")


async def before_connect(http):
    async with http.get("/login") as response:
        return {{"auth": await response.json(content_type=None)}}


async def setup(client):
    await client.call("enter", "lobby")
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a service, a scenarios file, and a folder `bench` that is the project's own."""
    home = tmp_path_factory.mktemp("club")
    (home / "bench").mkdir()
    (home / "bench" / "__init__.py").touch()
    (home / "club_service.py").write_text(SERVICE)
    (home / "club.py").write_text(SCENARIOS.format(python=sys.executable))
    return home


def run(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BENCH, "load", *arguments], cwd=home, env=os.environ | {"COLUMNS": "200"} | variables,
        capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip


def stored(home: Path) -> LoadResult:
    *_, newest = sorted((home / "results/load").glob("*/*.json"))
    result = load(newest)
    assert isinstance(result, LoadResult)
    return result


def test_a_scenarios_file_is_all_that_a_load_needs(home: Path) -> None:
    """The users log in, are set up, and perform the scenarios. Locust's variables and its file say the rest."""
    (home / "locust.conf").write_text("users = 6\n")
    arguments = ("--scenarios", "club.py", "--rate", "100", "--tasks", "say:3,typing")
    ended = run(home, *arguments, LOCUST_RUN_TIME="3s")
    (home / "locust.conf").unlink()
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Not given, so taken: --spawn-rate 100\n" in ended.stderr
    assert "Aggregated" not in ended.stdout + ended.stderr, "Locust's tables"
    result = stored(home)
    rows = {row.name: row for row in result.operations}
    assert rows.keys() == {"connect", "GET /login", "say", "typing"}
    assert rows["connect"].ok == rows["GET /login"].ok == 6
    assert rows["say"].sent == rows["say"].ok > rows["typing"].sent > 0
    assert (result.scenario.model, result.scenario.users_by_class) == ("open", {"ScenariosUser": 6})
    assert result.command == f"bench load {' '.join(arguments)}"


@pytest.mark.slow
def test_a_run_without_a_time_ends_and_ctrl_c_ends_it_before(home: Path) -> None:
    """With workers of `--processes`."""
    command = [str(BENCH), "load", "--scenarios", "club.py", "--processes", "2", "--tasks", "enter"]
    with subprocess.Popen(
        command, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if "  10 users  " in line:  # the first of the live lines: all are connected
                break
        os.killpg(process.pid, 2)
        out, more = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, said + more
    assert "Not given, so taken: --users 10 --spawn-rate 100 --run-time 31s\n" in said
    assert "enter" in out
    assert stored(home).scenario.users == 10


def test_misuse_is_one_line_and_exit_code_2(home: Path) -> None:
    ended = run(home, "--scenarios", "club.py", "--tasks", "sing")
    said = "bench: error: --tasks sing: there is no such scenario in club.py, only say, enter, typing\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", said)


def test_the_help_explains_the_options_of_locust_ours_and_the_locustfiles(home: Path) -> None:
    (home / "own.py").write_text(
        "from locust import events\n"
        "from bench import SocketIOUser\n\n"
        "@events.init_command_line_parser.add_listener\n"
        "def add(parser):\n"
        "    parser.add_argument('--shop', help='the shop that they visit')\n"
    )
    ended = run(home, "-f", "own.py", "--help")
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "%(" not in ended.stdout
    for option in ("--users", "--processes", "--rate", "--scenarios", "--tasks", "--app", "--namespace", "--tags"):
        assert re.search(rf"^  (-\w .*, )?{option}\b", ended.stdout, re.MULTILINE), option
    headings = [line for line in lines if re.fullmatch(r"\S.*:", line)]
    assert headings[:3] == [
        "of the locustfile:",
        "what the users do:",
        "the service (one of --app, --serve and --host):",
    ]
    assert "  --shop SHOP             the shop that they visit" in lines


def test_a_locustfile_is_run_as_locust_runs_it(home: Path) -> None:
    """In a folder with a `bench` of its own, which `python -m locust` would import."""
    arguments = ("-f", str(ROOT / "locustfile.py"), "--headless", "-u", "2", "-r", "2", "-t", "2s", "--only-summary")
    ended = run(home, *arguments, "EchoUser")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Not given" not in ended.stderr
    assert stored(home).scenario.users_by_class == {"EchoUser": 2}
