"""`bench latency`: the same benchmarks in any folder, whatever pytest's settings are there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.bench_command import bench
from tests.support.folders import ROOT

BIN = Path(sys.executable).parent
LIMIT_S = 120

SERVICE = """
import socketio

sio = socketio.AsyncServer(async_mode="asgi")
app = socketio.ASGIApp(sio, on_shutdown=sio.shutdown)

@sio.on("say")
async def say(sid, data):
    await sio.emit("said", data, to=sid)
"""
SCENARIOS = """
from bench import RoundTrip

say = RoundTrip("say", emit="say", data={"id": "{token}"}, reply="said")
"""

#: What would end a session of pytest, or have it run in two processes, if any of it was read.
SETTINGS = """
[tool.pytest.ini_options]
addopts = "-n 2 --no-such-option"
python_files = ["check_*.py"]
filterwarnings = ["error"]
required_plugins = ["no-such-plugin"]
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project with tests, settings, and packages `app` and `bench` of its own."""
    home = tmp_path_factory.mktemp("project")
    for name in ("app", "bench"):
        (home / name).mkdir()
        (home / name / "__init__.py").touch()
    (home / "app" / "main.py").write_text(SERVICE)
    (home / "scenarios.py").write_text(SCENARIOS)
    (home / "pyproject.toml").write_text(SETTINGS)
    (home / "conftest.py").write_text("raise RuntimeError('the conftest of the tests')\n")
    return home


def run(directory: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BIN / command[0], *command[1:]], cwd=directory, env=os.environ | variables,
        capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_nothing_of_the_project_changes_what_is_measured(home: Path) -> None:
    ended = run(
        home,
        *("bench", "latency", "--scenarios", "scenarios.py", "--app", "app.main:app"),
        *("-k", "fast-process-uvloop or websocket-in-loop-uvloop", "--effort=quick"),
        *("--label", "machine=ci", "--note", "first"),
        PYTEST_ADDOPTS="-n 3",
        PYTEST_PLUGINS="no_such_plugin",
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "warning" not in ended.stdout
    assert "labels: machine=ci\nnote: first\n" in ended.stdout
    (stored,) = (home / "results" / "latency").glob("*/*.json")
    benchmarks = json.loads(stored.read_text())["benchmarks"]
    words = [(benchmark["extra_info"]["labels"], benchmark["extra_info"]["note"]) for benchmark in benchmarks]
    assert words == [({"machine": "ci"}, "first")] * 2
    assert [benchmark["extra_info"].get("command") for benchmark in benchmarks] == [
        "bench latency --scenarios scenarios.py --app app.main:app "
        "-k 'fast-process-uvloop or websocket-in-loop-uvloop' --effort=quick --label machine=ci --note first",
        None,
    ]
    assert sorted(benchmark["fullname"] for benchmark in benchmarks) == [
        "bench/latency/bench_round_trip.py::bench_round_trip[say-event-websocket-fast-process-uvloop]",
        "bench/latency/bench_round_trip.py::bench_round_trip[say-event-websocket-in-loop-uvloop]",
    ]
    assert sorted(path.name for path in home.iterdir() if path.name != "__pycache__") == [
        *("app", "bench", "conftest.py", "pyproject.toml", "results", "scenarios.py")
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--url", "http://127.0.0.1:1"), 1, "http://127.0.0.1:1 cannot be reached: connection refused"),
        (("--app", "app.main:other"), 2, "app 'app.main:other' was not found: "),
        (("--serve", "no-such-program {port}"), 2, "the service of no-such-program {port} did not start: "),
    ],
)
def test_a_service_that_is_not_there_is_an_error_in_one_line(
    home: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    ended = run(home, "bench", "latency", "--scenarios", "scenarios.py", "--results", str(tmp_path), *arguments)
    assert ended.returncode == code, ended.stdout + ended.stderr
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("bench: error: ")]
    assert line.startswith(f"bench: error: {said}")
    assert "Exit" not in ended.stdout
    assert "Traceback" not in ended.stdout + ended.stderr


def test_a_missed_objective_is_exit_code_3(home: Path, tmp_path: Path) -> None:
    ended = run(
        home,
        *("bench", "latency", "--scenarios", "scenarios.py", "--app", "app.main:app", "-k", "fast-process-uvloop"),
        *("--effort=quick", "--benchmark-max-time=0.05", "--results", str(tmp_path / "results")),
        *("--slo", "max < 1 ns", "--slo", "say: max < 1 h", "--junit", str(tmp_path / "objectives.xml")),
    )

    assert ended.returncode == 3, ended.stdout + ended.stderr
    assert ": objective 'max < 1 ns' missed (1 of 2)." in ended.stdout
    (stored,) = (tmp_path / "results" / "latency").glob("*/*.json")
    (benchmark,) = json.loads(stored.read_text())["benchmarks"]
    judged = {objective["text"]: objective["verdict"] for objective in benchmark["extra_info"]["objectives"]}
    assert judged == {"max < 1 ns": "missed", "say: max < 1 h": "met"}
    assert 'failures="1"' in (tmp_path / "objectives.xml").read_text()


def test_an_objective_of_a_load_is_misuse(home: Path) -> None:
    options = ("--scenarios", "scenarios.py", "--app", "app.main:app", "--slo", "errors < 1 %")
    ended = run(home, "bench", "latency", *options)
    assert (ended.returncode, ended.stderr) == (
        2,
        "bench: error: --slo: objective 'errors < 1 %': only a load has errors: judge it by `bench load`\n",
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--efort quick", "no such option: --efort; did you mean --effort?; see `bench latency --help`"),
        ("-n 2", "-n: benchmarks are measured one at a time, in one process: others at the same time would be in the "),
        ("--label ci", "--label 'ci': expected NAME=VALUE, as in machine=ci"),
        ("--junit .", "--junit .: that is a folder; name a file in it"),
        ("tests", "tests: bench latency measures its own benchmarks, and takes options alone; -k selects benchmarks"),
        (
            "--users 5",
            "bench latency has no --users: `bench latency` times a connection at a time; a load is `bench load",
        ),
    ],
)
def test_misuse_is_one_line_and_exit_code_2(home: Path, arguments: str, said: str) -> None:
    is_late = arguments in ("tests", "--junit .")  # what is measured is read before
    options = ("--scenarios", "scenarios.py", "--app", "app.main:app") if is_late else ()
    ended = run(home, "bench", "latency", *arguments.split(), *options)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"bench: error: {said}")
    assert ended.stderr.count("\n") == 1


def test_a_reader_that_has_gone_is_the_exit_code_of_a_broken_pipe(home: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        ended = subprocess.run(
            [BIN / "bench", "latency", "--collect-only", "--scenarios", "scenarios.py", "--app", "app.main:app"],
            cwd=home, stdout=pipe, stderr=subprocess.PIPE, text=True, timeout=LIMIT_S, check=False,
        )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (141, "")


def test_no_benchmark_is_misuse(home: Path) -> None:
    options = ("--scenarios", "scenarios.py", "--app", "app.main:app")
    ended = run(home, "bench", "latency", *options, "-k", "nothing")
    assert ended.returncode == 2
    assert (
        ended.stderr == "bench: error: no benchmark was selected; `bench latency --collect-only -q` lists the names\n"
    )


@pytest.mark.parametrize("arguments", [("-n", "2"), ("--tx", "2*popen")])
def test_pytest_bench_refuses_xdist(arguments: tuple[str, ...]) -> None:
    ended = run(ROOT, "pytest", "bench", *arguments)
    assert ended.returncode == pytest.ExitCode.USAGE_ERROR
    lines = [line for line in (ended.stdout + ended.stderr).splitlines() if line]
    assert len(lines) == 1, lines
    assert lines[0].startswith("ERROR: pytest-xdist (-n, --dist): benchmarks are measured one at a time")


def test_the_help_begins_with_our_options_and_says_where_those_of_pytest_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = bench(capsys, "latency", "--help")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert max(map(len, lines)) <= 80
    headings = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert headings == [
        *("the service (one of these):", "what is measured:", "what has to hold:", "how much is measured:"),
        *("results:", "how a client connects:", "of pytest and pytest-benchmark:", "examples:"),
    ]
    for option in ("--app MODULE:ATTR", "--scenarios FILE", "--effort {", "--namespace NAME", "-k EXPRESSION"):
        assert f"\n  {option}" in out
    assert "`pytest --help`\nlists them" in out
    assert "%(" not in out
