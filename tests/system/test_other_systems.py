"""Systems other than Linux: what they lack is missing and said; Windows is refused in one line.

Rules: real processes, in which a `sitecustomize` takes the calls away that macOS does not have. Server processes
inherit it. That our own code cannot read /proc and /sys is part of it; psutil has its own way to these on each system.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[2]

MACOS = """
import collections, ctypes, os, pathlib, select, time

for module, prefixes in ((os, ("sched_", "SCHED_", "eventfd", "EFD_", "pidfd_")), (select, ("epoll", "EPOLL"))):
    for name in dir(module):
        if name.startswith(prefixes) and name != "sched_yield":
            delattr(module, name)

clock_gettime_ns = time.clock_gettime_ns

def without_clocks_of_processes(number):
    if number < 0:
        raise OSError(22, "Invalid argument")
    return clock_gettime_ns(number)

time.clock_gettime_ns = without_clocks_of_processes

import resource

limits, getrlimit, setrlimit = {}, resource.getrlimit, resource.setrlimit

def with_unlimited_hard_limit(number):
    return limits.get(number, (256, resource.RLIM_INFINITY)) if number == resource.RLIMIT_NOFILE else getrlimit(number)

def below_the_limit_of_the_system(number, wanted):
    if number != resource.RLIMIT_NOFILE:
        return setrlimit(number, wanted)
    if not 0 <= wanted[0] <= 10_240:
        raise ValueError("current limit exceeds maximum limit")
    limits[number] = wanted

resource.getrlimit, resource.setrlimit = with_unlimited_hard_limit, below_the_limit_of_the_system

import psutil

def cpu_times(process):  # macOS tells microseconds, Linux hundredths of a second
    used_s = clock_gettime_ns((~process.pid << 3) | 2) / 1e9
    return Times(used_s, 0.0)

Times = collections.namedtuple("Times", "user system")

psutil.Process.cpu_times = cpu_times

def hidden(method):
    def instead(path, *arguments, **named):
        if path.parts[:2] not in (("/", "proc"), ("/", "sys")):
            return method(path, *arguments, **named)
        if method.__name__ == "glob":
            return iter(())
        raise FileNotFoundError(2, "No such file or directory", str(path))
    return instead

for name in ("read_text", "read_bytes", "write_text", "open", "iterdir", "glob", "stat"):
    setattr(pathlib.Path, name, hidden(getattr(pathlib.Path, name)))

class WithoutTimers(ctypes.PyDLL):
    def __getattr__(self, name):
        if name.startswith("timerfd"):
            raise AttributeError(name)
        return super().__getattr__(name)

ctypes.PyDLL = WithoutTimers
"""

#: The standard library has to be imported by the true name of the system, so it changes when `bench` is looked for.
WINDOWS = """
import sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "bench":
            sys.platform = "win32"
        return None

sys.meta_path.insert(0, Finder())
"""


def environment(folder: Path, customized: str) -> dict[str, str]:
    """Return an environment in which every Python process runs `customized` first."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(customized)
    return os.environ | {"PYTHONPATH": str(folder), "COLUMNS": "200"}


@pytest.fixture
def without_linux(tmp_path: Path) -> dict[str, str]:
    return environment(tmp_path / "macos", MACOS)


@pytest.fixture
def on_windows(tmp_path: Path) -> dict[str, str]:
    return environment(tmp_path / "windows", WINDOWS)


def script(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def run(command: list[str], environment: dict[str, str], folder: Path = PROJECT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False
    )


def only_result_in(folder: Path) -> dict[str, Any]:
    (path,) = folder.rglob("*.json")
    result: dict[str, Any] = json.loads(path.read_text())
    return result


def test_the_calls_are_really_hidden(without_linux: dict[str, str]) -> None:
    asked = (
        "import ctypes, os, select, pathlib\n"
        "print(hasattr(os, 'sched_setaffinity'), hasattr(select, 'epoll'), hasattr(os, 'eventfd'),\n"
        "      hasattr(ctypes.PyDLL(None), 'timerfd_create'), sep=' ')\n"
        "try:\n    pathlib.Path('/proc/stat').read_text()\nexcept OSError as error:\n    print(error.errno)\n"
    )
    assert run([sys.executable, "-c", asked], without_linux).stdout.split() == ["False"] * 4 + ["2"]


def test_pytest_bench_measures_and_says_what_is_missing(without_linux: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "bench", "-p", "no:cacheprovider", "--effort=quick"]
    command += ["-k", "event and websocket and fast and uvloop", f"--benchmark-storage=file://{tmp_path / 'results'}"]
    ended = run(command, without_linux)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "this system cannot pin processes to cores, keep cores awake" in ended.stdout
    assert "not pinned" in ended.stdout
    (benchmark,) = only_result_in(tmp_path / "results")["benchmarks"]
    info = benchmark["extra_info"]
    assert {"not pinned", "cores halt"} <= {spoiler["kind"] for spoiler in info["spoilers"]}
    assert info["awake"]["cores"] == []
    assert "SCHED_IDLE" in info["awake"]["asleep_because"]
    assert info["server_core"] is None
    assert info["interference"]["steal_share"] is None
    assert info["controls"]["bare"]["rounds"] > 0
    assert info["controls"]["same-stack"]["rounds"] > 0
    assert info["server_cpu_us_per_round_trip"] is not None


@pytest.mark.slow
def test_locust_measures_and_says_what_is_missing(without_linux: dict[str, str], tmp_path: Path) -> None:
    command = [script("locust"), "-f", "locustfile.py", "--headless", "--only-summary", "--users", "4"]
    command += ["--spawn-rate", "4", "--run-time", "4s", "--rate", "50", "--results", str(tmp_path / "results")]
    ended = run(command, without_linux)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "this system cannot pin processes to cores, keep cores awake" in ended.stderr
    assert "keep a schedule to the microsecond" in ended.stderr
    result = only_result_in(tmp_path / "results")
    assert result["server"]["core"] is None
    assert result["server"]["cpu_us_per_round_trip"] is not None
    assert result["operations"][-1]["ok"] > 0
    assert result["generator"]["send_lateness_us"] is not None


@pytest.mark.slow
def test_bench_ab_measures_and_notes_what_is_missing(without_linux: dict[str, str], tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    shutil.copytree(PROJECT / "app", repository / "app", ignore=shutil.ignore_patterns("__pycache__"))
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "as it is"]):
        identity = ["-c", "user.name=nobody", "-c", "user.email=nobody@example"]
        subprocess.run(["git", *identity, *arguments], cwd=repository, check=True)
    service = ("--app", "app.main:app", "--event", "FOO", "--reply", "BAR", "--payload", '{"name": "{token}"}')
    command = [script("bench"), "ab", "HEAD", "WORKTREE", *service, "--max-time", "8"]
    ended = run([*command, "--results", str(tmp_path / "results")], without_linux, repository)
    assert ended.returncode in (0, 1), ended.stdout + ended.stderr
    assert "restart" in ended.stdout
    result = only_result_in(tmp_path / "results")
    assert result["settings"]["server_core"] is None
    assert any("the cores were not kept awake" in note for note in result["notes"])
    assert any(note.startswith("this system cannot pin processes") for note in result["notes"])
    assert "not pinned" in {spoiler["kind"] for spoiler in result["spoilers"]}


def test_as_many_files_as_the_system_allows_may_be_open(without_linux: dict[str, str]) -> None:
    asked = "from bench.machine.descriptors import raise_file_limit as r; print(r(), r())"
    assert run([sys.executable, "-c", asked], without_linux).stdout.split() == ["10240", "10240"]


def test_the_service_serves(without_linux: dict[str, str]) -> None:
    command = [sys.executable, "-m", "app", "--port", "0"]
    process = subprocess.Popen(command, cwd=PROJECT, env=without_linux, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        assert "http://127.0.0.1:" in process.stderr.readline() + process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) in (0, -signal.SIGTERM, 128 + signal.SIGTERM)
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_bench_accuracy_counts_exactly(without_linux: dict[str, str], tmp_path: Path) -> None:
    command = [script("bench"), "accuracy", "--quick", "--without-peers", "--only", "delay-2ms,stall,lost"]
    ended = run([*command, "--results", str(tmp_path / "results")], without_linux)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    rows = [row for scenario in only_result_in(tmp_path / "results")["scenarios"] for row in scenario["rows"]]
    assert all(row["inside"] for row in rows if row["is_exact"])


@pytest.mark.parametrize(
    "command",
    [
        pytest.param([script("bench"), "--version"], id="bench"),
        pytest.param([sys.executable, "-m", "pytest", "bench", "--collect-only"], id="pytest bench"),
        pytest.param([script("locust"), "-f", "locustfile.py", "--headless", "--run-time", "1s"], id="locust"),
    ],
)
def test_windows_is_refused_in_one_line(command: list[str], on_windows: dict[str, str]) -> None:
    ended = run(command, on_windows)
    assert ended.returncode in (1, 2)
    lines = [line for line in (ended.stdout + ended.stderr).splitlines() if line.strip()]
    assert lines[-1].endswith("socketio-bench runs on Linux and macOS, and not on this system (win32)")
    assert len(lines) == 1, lines
