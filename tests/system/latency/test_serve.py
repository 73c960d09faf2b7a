"""`pytest bench --serve`: a service that a command starts, measured as it is, and its own words when it fails."""

import os
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.results.service_logs import PREFIX
from tests.system.latency.test_runs import Bench

SERVICE = """
import sys
import socketio
import uvicorn

sio = socketio.AsyncServer(async_mode="asgi")

@sio.on("say")
async def say(sid, data):
    return {"id": data["id"]}

@sio.on("fail")
async def fail(sid, data):
    return {"text": data["text"]}

@sio.on("connect")
async def let_in(sid, environ, auth):
    print("token", auth["token"], flush=True)

@sio.on("connect", namespace="/closed")
async def connect(sid, environ, auth):
    raise RuntimeError("no such table")

uvicorn.run(socketio.ASGIApp(sio, on_shutdown=sio.shutdown), port=int(sys.argv[1]), log_level="warning")
"""

SCENARIOS = """
from bench import Connection, RoundTrip
serve = "{python} service.py {{port}}"
connection = Connection(namespaces={namespaces!r}, connect_timeout=2)
say = RoundTrip("say", emit="{event}", data={{"id": "{{token}}"}})

async def before_connect(http):
    return {{"auth": {{"token": "learnt-" + "in-the-run"}}}}
"""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Return what starts `pytest bench` in a folder with a service and its scenarios."""
    folder, temporary = tmp_path / "service", tmp_path / "temporary"
    for made in (folder, temporary):
        made.mkdir()
    (folder / "service.py").write_text(SERVICE)
    for name, event, namespaces in (("say", "say", None), ("fail", "fail", None), ("closed", "say", ("/closed",))):
        text = SCENARIOS.format(python=sys.executable, event=event, namespaces=namespaces)
        (folder / f"{name}_scenarios.py").write_text(text)
    return Bench(tmp_path / "stored", folder, {"TMPDIR": str(temporary)})


def logs(bench: Bench) -> list[str]:
    """Return the content of the logs that were kept."""
    folders = Path(bench.environment["TMPDIR"]).glob(f"{PREFIX}*")
    return [path.read_text() for folder in folders for path in sorted(folder.glob("*.log"))]


@pytest.mark.slow
def test_a_command_of_the_scenarios_file_is_measured_beside_controls(bench: Bench) -> None:
    run = bench.run("--scenarios", "say_scenarios.py", "-k", "websocket")
    assert run.returncode == 0, run.stdout
    command = f"{sys.executable} service.py {{port}}"
    assert f"serving {command}; its output: {bench.environment['TMPDIR']}/{PREFIX}" in run.stdout
    result = bench.result()
    names = [benchmark["name"] for benchmark in result["benchmarks"]]
    assert names == ["say[acknowledged-websocket-process]", "say[acknowledged-websocket-fast-process]"]
    for benchmark in result["benchmarks"]:
        told = benchmark["extra_info"]
        assert (told["service"], told["server"], told["loop"]) == (command, "process", "uvloop")
        assert (told["http"], told["ws"], told["unreplicated"]) == (None, None, None)
        assert [process["pairs"]["same-stack"] > 0 for process in told["processes"]] == [True, True]
        assert told["server_cpu_us_per_round_trip"] > 0
    logs = [benchmark["extra_info"].get("service_log") for benchmark in result["benchmarks"]]
    assert {line["text"] for line in logs[0]["first"]} == {"token ..."}
    assert logs[1] is None, "the first benchmark has the log of all"
    assert os.listdir(bench.environment["TMPDIR"]) == []  # noqa: PTH208


@pytest.mark.parametrize(
    ("name", "reason", "words"),
    [
        ("fail", "no acknowledgement of it within 1 s", "KeyError: 'text'"),
        pytest.param("closed", "/closed", "RuntimeError: no such table", marks=pytest.mark.slow),
    ],
)
def test_the_cause_that_the_service_tells_is_shown_and_its_log_is_kept(
    bench: Bench, name: str, reason: str, words: str
) -> None:
    junit, page = bench.directory / "junit.xml", bench.directory / "page.html"
    files = ("--junit", str(junit), "--report", str(page))
    run = bench.run("--scenarios", f"{name}_scenarios.py", "-k", "fast", "--reply-timeout=1", *files)
    assert run.returncode == 1, run.stdout
    faults = [case.find("error") for case in ElementTree.parse(junit).iter("testcase")]
    assert len(faults) == 2, "the result, and the only benchmark"
    assert all(fault is not None and fault.get("message") for fault in faults)
    assert f'{words}" />' in junit.read_text()
    assert "[acknowledged-websocket-fast-process] failed</h1>" in page.read_text()
    (line,) = [line for line in run.stdout.splitlines() if "its service wrote last" in line]
    assert line.endswith(words)
    assert "The service's output is kept in " in run.stdout
    assert any(f"{words}\n" in log for log in logs(bench))
    assert name == "closed" or any("token ...\n" in log for log in logs(bench))
    assert "learnt-in-the-run" not in "".join([*logs(bench), run.stdout, run.stderr])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--serve", "python nothere.py {port}"], 1, "ended with exit code 2 before it listened; it wrote last: "),
        (["--app", "nothere:app"], 4, "app 'nothere:app' was not found"),
        (
            ["--users", "5"],
            4,
            "ERROR: pytest bench has no --users: `pytest bench` times a connection at a time; a load is",
        ),
        (["--serve", "nothere"], 4, "did not start: there is no program 'nothere' on the PATH"),
    ],
)
def test_what_cannot_be_served_is_one_line(bench: Bench, options: list[str], code: int, said: str) -> None:
    run = bench.run("--scenarios", "say_scenarios.py", "-k", "fast", *options)
    assert run.returncode == code
    assert said in run.stdout + run.stderr
    assert "Traceback" not in run.stdout + run.stderr
