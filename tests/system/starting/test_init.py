"""`bench init`, as its users type it: in a folder with a service, and what it has written is run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bench.objectives.outcome import exit_code
from bench.results.load import LoadResult
from bench.results.store import load
from tests.support.bench_command import bench
from tests.support.folders import APPS
from tests.support.hars import SESSION, begun, har, http, received, sent, socket

PROGRAMS = Path(sys.executable).parent

CHAT = """
import socketio

sio = socketio.AsyncServer(async_mode="asgi")
app = socketio.ASGIApp(sio, on_shutdown=sio.shutdown)


@sio.event
async def connect(sid, environ, auth):
    if auth["token"] != "hush-hush":
        raise socketio.exceptions.ConnectionRefusedError("log in first")


@sio.event
async def say(sid, data):
    await sio.emit("said", {"text": data["text"].upper(), "id": data["id"]}, to=sid)


@sio.event
async def enter(sid, room, seat):
    return {"room": room.upper(), "seat": seat + 1}


@sio.event
async def typing(sid, data):
    await sio.emit("is typing", data, skip_sid=sid)


@sio.event
async def store(sid, data):
    await keep(data)
"""

FILES = ["socketio_scenarios.py", "locustfile.py", "test_socketio.py", ".github/workflows/socketio-latency.yml"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a service, which is the working directory."""
    (tmp_path / "chat.py").write_text(CHAT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    program, *arguments = command
    return subprocess.run(
        [PROGRAMS / program, *arguments], env=os.environ | variables, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip


def measured(scenarios: str, app: str, **variables: str) -> set[str]:
    """Run `bench latency` with a scenarios file; return which scenarios were measured."""
    arguments = ("--effort=quick", "--benchmark-max-time=0.05", "--benchmark-min-rounds=3", "-k", "uvloop and fast")
    ended = run("bench", "latency", "--scenarios", scenarios, "--app", app, *arguments, **variables)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    newest = max(Path("results/latency").glob("*/*.json"), key=lambda path: path.name)
    return {benchmark["name"].partition("[")[0] for benchmark in json.loads(newest.read_text())["benchmarks"]}


def loaded(app: str, users: int, seconds: int, **variables: str) -> LoadResult:
    """Run the locustfile; return the result."""
    ended = run(
        "bench", "load", "-f", "locustfile.py", "--app", app, "--users", str(users), "--run-time", f"{seconds}s",
        **variables,
    )  # fmt: skip
    (stored,) = Path("results/load").glob("*/*.json")
    result = load(stored)
    assert isinstance(result, LoadResult)
    # Of a generator that a busy machine has saturated, times are not judged.
    assert ended.returncode == exit_code(result.objectives), ended.stdout + ended.stderr
    return result


def tested(count: int, **variables: str) -> None:
    """Run the test that was written, which has so many scenarios with a reply; it needs no other plugin of pytest."""
    without = ("-p", "no:cacheprovider", "-p", "no:asyncio", "-p", "no:anyio")
    ended = run("pytest", "test_socketio.py", *without, **variables)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f" {count} passed in" in ended.stdout


def test_files_of_an_app(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = bench(capsys, "init")
    assert (code, err) == (0, "")
    assert [line.split()[1] for line in out.splitlines() if "wrote" in line] == FILES
    assert "SOCKETIO_AUTH_TOKEN" in out
    assert "  bench latency --scenarios socketio_scenarios.py --app chat:app\n" in out
    scenarios = (project / FILES[0]).read_text()
    assert 'auth={"token": secret("@env:SOCKETIO_AUTH_TOKEN")}' in scenarios
    assert '# store = Emission("store", emit="store", data="hello")' in scenarios
    workflow = yaml.safe_load((project / FILES[3]).read_text())
    (job,) = workflow["jobs"].values()
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert "--app chat:app" in commands[1]
    assert workflow["env"]["SOCKETIO_AUTH_TOKEN"] == "${{ secrets.SOCKETIO_AUTH_TOKEN }}"


def test_nothing_is_overwritten_unless_that_is_asked_for(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "locustfile.py").write_text("mine = 1\n")
    code, out, _ = bench(capsys, "init", "--app", "chat:app")
    assert code == 0
    assert "kept   locustfile.py: it is there already" in out
    assert "bench load --scenarios socketio_scenarios.py --app chat:app" in out
    assert (project / "locustfile.py").read_text() == "mine = 1\n"
    code, _, err = bench(capsys, "init", "--app", "chat:app")
    assert (code, err) == (2, "bench: error: every file is there already: --force replaces them\n")
    code, out, _ = bench(capsys, "init", "--app", "chat:app", "--force")
    assert code == 0
    assert "ServiceUser" in (project / "locustfile.py").read_text()


def test_beside_other_scenarios_nothing_is_written_that_needs_ours(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / FILES[0]).write_text("mine = 1\n")
    code, out, _ = bench(capsys, "init")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[1:5]] == ["kept", "left", "left", "wrote"]
    assert not (project / "locustfile.py").exists()


def test_a_workflow_lies_at_the_root_of_the_repository(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / ".git").mkdir()
    (project / "server").mkdir()
    (project / "chat.py").rename(project / "server" / "chat.py")
    (project / "server" / "requirements.txt").touch()
    code, out, _ = bench(capsys, "init", "server")
    assert code == 0
    assert "  cd server\n" in out
    workflow = yaml.safe_load((project / FILES[3]).read_text())
    (job,) = workflow["jobs"].values()
    assert job["defaults"]["run"]["working-directory"] == "server"
    assert job["steps"][2]["run"] == 'pip install -r requirements.txt "$BENCH"'
    assert job["steps"][-1]["with"]["path"] == "server/results/ab"


def test_a_server_at_a_url(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = bench(capsys, "init", "--url", "http://127.0.0.1:9")
    assert code == 0
    assert "the events of http://127.0.0.1:9 are not known" in out
    assert 'host = "http://127.0.0.1:9"' in (project / "locustfile.py").read_text()
    assert yaml.safe_load((project / FILES[3]).read_text())["jobs"]


def test_a_module_of_an_installed_project(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "src").mkdir()
    (project / "chat.py").rename(project / "src" / "chat.py")
    assert "--app src.chat:app" in bench(capsys, "init")[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(project / "src"))
        assert "--app chat:app" in bench(capsys, "init", "--force")[1]


def test_a_command_that_serves(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "package-lock.json").touch()
    code, out, _ = bench(capsys, "init", "--serve", "node server.js {port}", "--har", SESSION)
    assert code == 0
    assert "  bench latency --scenarios socketio_scenarios.py\n" in out
    assert "  bench load -f locustfile.py --users 10 --run-time 30s\n" in out
    assert "  pytest test_socketio.py\n" in out
    (job,) = yaml.safe_load((project / FILES[3]).read_text())["jobs"].values()
    assert "--prepare 'npm ci' --max-time 5m" in job["steps"][3]["run"]


def test_the_test_starts_a_service_by_its_command(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In any folder: the command is run where the test is."""
    (project / "chat.py").write_text(CHAT.replace('auth["token"] != "hush-hush"', "False"))
    command = f"{sys.executable} -m uvicorn chat:app --port {{port}} --log-level warning"
    assert bench(capsys, "init", "--serve", command)[0] == 0
    test = (project / "test_socketio.py").read_text()
    assert "def test_connect(server, socketio_client):" in test
    ended = subprocess.run(
        [PROGRAMS / "pytest", "-q", "-p", "no:cacheprovider", project / "test_socketio.py"],
        cwd=project.parent, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "1 passed" in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--app", "chat:app", "--url", "http://x"), "not both"),
        (("--serve", "TOKEN=hush-hush node server.js"), "--serve: a secret in the command would stand in the files"),
        (("--serve", "node 'server.js"), "--serve: node 'server.js: no closing quotation"),
        (("--app", "chat"), "write it as MODULE:ATTRIBUTE"),
        (("--app", "chat:sio"), "chat:sio is a Socket.IO server, no ASGI application"),
        (("--app", "nothing:app"), "there is no module nothing in this folder"),
        (("--url", "chat"), "give the URL of a server"),
        (("--url", "http://ada:secret@chat"), "leave out user, password and query"),
        (("nowhere",), "nowhere: there is no such folder"),
        (("empty",), "no Python file here makes a socketio.ASGIApp"),
        (("parent",), "No module named 'beside' (chat.py, line 1); if it is run in inner, type `bench init inner`"),
        (("several",), "name yours: --app one:app, --app two:app"),
        (("--har", "none.har"), "--har none.har: it cannot be read: no such file or directory"),
        (("--har", "foreign.har"), "--har foreign.har: there is no Socket.IO connection in it"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], reason: str
) -> None:
    for name in ("one", "two"):
        (project / "several").mkdir(exist_ok=True)
        (project / "several" / f"{name}.py").write_text(CHAT)
    (project / "empty").mkdir()
    (project / "parent" / "inner").mkdir(parents=True)
    (project / "parent" / "inner" / "chat.py").write_text(f"import beside\n{CHAT}")
    (project / "foreign.har").write_bytes(har(http("GET", "/page")))
    before = sorted(project.rglob("*"))
    code, out, err = bench(capsys, "init", *arguments)
    assert (code, out) == (2, "")
    assert reason in err
    assert err.count("\n") == 1
    assert [path for path in sorted(project.rglob("*")) if "__pycache__" not in path.parts] == before


def test_an_app_that_ends_its_process_is_one_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "chat.py").write_text("import os\nos._exit(7)\n")
    code, _, err = bench(capsys, "init", "--app", "chat:app")
    assert (code, err) == (2, "bench: error: chat:app cannot be imported: the process ended with 7\n")


def test_an_app_that_leaves_a_thread_is_looked_at(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (project / "chat.py").open("a") as file:
        file.write("import threading, time\nthreading.Thread(target=time.sleep, args=(1000,)).start()\n")
    assert bench(capsys, "init", "--app", "chat:app")[0] == 0


def test_a_package_bench_of_the_project_is_the_apps(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "bench").mkdir()
    (project / "bench" / "__init__.py").write_text("NAME = 'ours'\n")
    (project / "chat.py").write_text(f"import bench\nassert bench.NAME == 'ours'\n{CHAT}")
    code, out, err = bench(capsys, "init", "--app", "chat:app")
    assert (code, err) == (0, "")
    assert "2 round trips" in out


@pytest.mark.slow
def test_the_files_of_an_app_work(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench(capsys, "init")[0] == 0
    token = {"SOCKETIO_AUTH_TOKEN": "hush-hush"}
    assert measured(FILES[0], "chat:app", **token) == {"say", "enter"}
    tested(2, **token)
    skipped = run("pytest", "test_socketio.py")
    assert "1 skipped" in skipped.stdout, skipped.stdout + skipped.stderr
    scenarios = Path(FILES[0])
    scenarios.write_text(scenarios.read_text().replace('    # "', '    "'))  # as people uncomment the objectives
    result = loaded("chat:app", users=4, seconds=3, **token)
    assert {row.name for row in result.operations} == {"connect", "say", "enter", "typing"}
    assert [objective.text for objective in result.objectives] == ["p99 < 500 ms", "errors < 1 %"]
    without = run("bench", "latency", "--scenarios", FILES[0], "--app", "chat:app")
    assert without.returncode == 2, without.stdout + without.stderr
    assert "secret @env:SOCKETIO_AUTH_TOKEN: there is no such environment variable" in without.stdout + without.stderr


@pytest.mark.slow
def test_the_files_of_a_recorded_session_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "recorded.py").write_text((APPS / "recorded.py").read_text())
    monkeypatch.chdir(tmp_path)
    code, out, _ = bench(capsys, "init", "--har", SESSION)
    assert code == 0
    variables = {line.split()[0] for line in out.splitlines() if line.startswith("  SOCKETIO_")}
    secrets = dict.fromkeys(variables, "hush-hush")
    assert len(secrets) == 3
    timed = {"enter", "say", "say 2", "find", "upload", "change"}
    assert measured("socketio_scenarios.py", "recorded:app", **secrets) == timed
    assert measured("socketio_scenarios_news.py", "recorded:app", **secrets) == {"read"}
    tested(7, **secrets)
    result = loaded("recorded:app", users=4, seconds=5, **secrets)
    counts = {row.name: row for row in result.operations}
    assert counts.keys() == timed | {"read", "connect", "POST /login", "typing", "ready"}
    assert all(row.sent and not row.timeouts and not row.errors for row in result.operations)
    assert {"tick", "confirm"} <= {row.name for row in result.received}


LOGGED_IN = """
import hashlib
import socketio

sio = socketio.AsyncServer(async_mode="asgi")
app = socketio.ASGIApp(sio, on_shutdown=sio.shutdown)


def signed(name):
    return f"eyJhbGciOiJub25lIn0.{name}.{hashlib.sha256(name.encode()).hexdigest()}"


@sio.event
async def login(sid, data):
    return {"token": signed(sid)} if data["password"] == "hush-hush" else {}


@sio.event
async def say(sid, data):
    if data["token"] == signed(data["token"].split(".")[1]):
        await sio.emit("said", {"id": data["id"]}, to=sid)
"""


@pytest.mark.slow
def test_a_login_by_an_event_is_new_on_each_connection(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "chat.py").write_text(LOGGED_IN)
    monkeypatch.chdir(tmp_path)
    token = f"eyJhbGciOiJub25lIn0.old.{'0' * 64}"
    messages = [
        *begun(),
        sent('420["login",{"password":"hush-hush"}]', 1),
        received(f'430[{{"token":"{token}"}}]', 1.1),
    ]
    for number in (1, 2):
        data = json.dumps({"id": f"7d54ee9a-aa5e-4954-9189-d9b836260ab{number}", "token": token})
        messages += [sent(f'42["say",{data}]', 1 + number), received(f'42["said",{data}]', 1.1 + number)]
    (tmp_path / "session.har").write_bytes(har(socket(*messages)))
    assert bench(capsys, "init", "--har", tmp_path / "session.har")[0] == 0
    password = {"SOCKETIO_LOGIN_PASSWORD": "hush-hush"}
    assert measured(FILES[0], "chat:app", **password) == {"login", "say"}
    tested(2, **password)
    result = loaded("chat:app", users=2, seconds=5, **password)
    assert all(row.sent and not row.timeouts and not row.errors for row in result.operations)
