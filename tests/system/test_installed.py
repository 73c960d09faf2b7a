"""The project as its users have it: installed from a wheel into an environment, and not in a checkout."""

import json
import subprocess
import sys
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.wheel import build_wheel, installed_beside_ours, installed_in_another_python, without_ours

SERVICE = """
import socketio

sio = socketio.AsyncServer(async_mode="asgi")
app = socketio.ASGIApp(sio, on_shutdown=sio.shutdown)

@sio.on("say")
async def say(sid, data):
    await sio.emit("said", data, to=sid)
"""
ROUND_TRIP = ("--app", "chat:app", "--event", "say", "--reply", "said", "--payload", '{"id": "{token}"}')

SCENARIOS = """
from bench import RoundTrip

say = RoundTrip("say", emit="say", data={"id": "{token}"}, reply="said")
"""

USERS = """
from bench import SocketIOUser, task
from bench.scenarios.model import RoundTrip

class ChatUser(SocketIOUser):
    @task
    async def say(self):
        await self.round_trip(RoundTrip("say", emit="say", data={"id": "{token}"}, reply="said"))
"""

#: The most bytes of a wheel. Test data, node's packages and the checkout's service are not for it.
LARGEST_WHEEL_BYTES = 1_500_000


@dataclass(frozen=True)
class Installed:
    """The wheel, and the commands of the environment that it was installed into."""

    wheel: Path
    scripts: Path

    def run(self, project: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.scripts / program, *arguments], cwd=project, env=without_ours(),
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Return the installed wheel."""
    folder = tmp_path_factory.mktemp("installed")
    wheel = build_wheel(folder)
    return Installed(wheel, installed_beside_ours(wheel, folder / "environment"))


def error_of(ended: subprocess.CompletedProcess[str]) -> str:
    """Return the line of an error; fail if there is another line than Locust's own words about itself."""
    said = [line for line in (ended.stdout + ended.stderr).splitlines() if line.strip() and "/INFO/" not in line]
    assert "Traceback" not in ended.stdout + ended.stderr
    (line,) = said
    return line


@pytest.mark.slow
def test_the_wheel_has_the_suite_and_the_plugin_alone(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as packed:
        names = [name for name in packed.namelist() if ".dist-info/" not in name]
    assert {name.partition("/")[0] for name in names} == {"bench", "pytest_socketio_bench.py"}
    endings = {Path(name).suffix for name in names if Path(name).name != "py.typed"}
    assert endings == {".py", ".pxd", ".pyx", ".ini", ".css", ".html", ".js"}
    assert installed.wheel.stat().st_size < LARGEST_WHEEL_BYTES


@pytest.mark.slow
def test_latency_of_a_service_in_its_own_project(installed: Installed, tmp_path: Path) -> None:
    """The project's own configuration of pytest knows nothing of benchmarks."""
    (tmp_path / "pytest.ini").write_text("[pytest]\npython_files = check_*.py\n")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "chat.py").write_text(SERVICE)
    arguments = ("bench", *ROUND_TRIP, "--effort", "quick", "-k", "fast-process-uvloop or in-loop-uvloop")
    ended = installed.run(tmp_path / "src", "pytest", *arguments)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "warn" not in ended.stdout.lower() + ended.stderr.lower()
    (stored,) = (tmp_path / "src" / "results" / "latency").glob("*/*.json")
    benchmarks = json.loads(stored.read_text())["benchmarks"]
    assert {benchmark["fullname"].partition("[")[0] for benchmark in benchmarks} == {
        "bench/latency/bench_round_trip.py::bench_round_trip"
    }
    assert len(benchmarks) >= 2


@pytest.mark.slow
def test_results_of_a_checkout_and_of_a_wheel_are_pairs(installed: Installed, tmp_path: Path) -> None:
    """They are made by two environments, in folders of different depth, and compared by a third command.

    The second has another version of Python, if there is any: `bench compare` names that, and pairs them by force.
    """
    other = installed_in_another_python(installed.wheel, tmp_path / "environment")
    if other is None:
        warnings.warn("no other version of Python was found: the wheel was installed in the same", stacklevel=1)
    force = () if other is None else ("--force",)
    (tmp_path / "project").mkdir()
    tmp_path /= "project"
    measure = ("latency", *ROUND_TRIP, "--effort", "quick", "-k", "fast-process-uvloop or in-loop-uvloop")
    (tmp_path / "chat.py").write_text(SERVICE)
    ours = Path(sys.executable).with_name("bench")
    in_checkout = subprocess.run(
        [ours, *measure], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    by_wheel = installed if other is None else Installed(installed.wheel, other)
    of_wheel = by_wheel.run(tmp_path, "bench", *measure)
    for ended in (in_checkout, of_wheel):
        assert ended.returncode == 0, ended.stdout + ended.stderr
    stored = sorted((tmp_path / "results").glob("latency/*/*.json"), key=lambda path: path.stat().st_mtime_ns)
    first, second = (json.loads(path.read_text()) for path in stored)
    names = [[benchmark["fullname"] for benchmark in result["benchmarks"]] for result in (first, second)]
    assert names[0] == names[1]
    assert {name.partition("[")[0] for name in names[0]} == {"bench/latency/bench_round_trip.py::bench_round_trip"}
    assert "/site-packages" not in str(names)
    if other is not None:
        refused = installed.run(tmp_path, "bench", "compare", *map(str, stored))
        assert refused.returncode == 2
        assert "python " in refused.stderr, refused.stderr
    compared = installed.run(tmp_path, "bench", "compare", *force, *map(str, stored))
    assert compared.returncode in (0, 1), compared.stdout + compared.stderr
    assert "[event-websocket-fast-process-uvloop]\n  p50" in compared.stdout
    assert "only in" not in compared.stdout


@pytest.mark.slow
def test_a_load_by_scenarios_in_a_project_of_its_own(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "chat.py").write_text(SERVICE)
    (tmp_path / "chat_scenarios.py").write_text(SCENARIOS)
    ended = installed.run(
        tmp_path, "bench", "load", "--scenarios", "chat_scenarios.py", "--app", "chat:app", "-u", "3", "-t", "2s"
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert len(list((tmp_path / "results" / "load").glob("*/*.json"))) == 1


@pytest.mark.slow
def test_a_bench_folder_of_the_project_is_meant_before_ours(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "test_own.py").write_text("def test_own(): pass\n")
    ended = installed.run(tmp_path, "pytest", "bench")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "1 passed" in ended.stdout
    assert (
        "\nsocketio-bench: bench is this project's own; `bench latency` runs the installed benchmarks\n" in ended.stdout
    )
    arguments = ("--pyargs", "bench", "--collect-only", "-q", *ROUND_TRIP)
    ours = installed.run(tmp_path, "pytest", *arguments)
    assert ours.returncode == 0, ours.stdout + ours.stderr
    assert "bench_round_trip[" in ours.stdout


@pytest.mark.slow
@pytest.mark.parametrize("command", [("pytest",), ("python", "-m", "pytest")], ids=" ".join)
@pytest.mark.parametrize("layout", ["packages", "folders"])
def test_a_project_with_app_and_bench_of_its_own_is_tested_as_before(
    installed: Installed, tmp_path: Path, command: tuple[str, ...], layout: str
) -> None:
    for name in ("app", "bench", "tests"):
        (tmp_path / name).mkdir()
        if layout == "packages":
            (tmp_path / name / "__init__.py").touch()
    (tmp_path / "app" / "main.py").write_text("NAME = 'the shop'\n")
    (tmp_path / "bench" / "sums.py").write_text("TOTAL = 42\n")
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\npythonpath = ['.']\naddopts = '-ra'\n")
    (tmp_path / "tests" / "test_own.py").write_text(
        "import sys\n"
        "from app.main import NAME\n"
        "from bench.sums import TOTAL\n"
        "def test_own(pytestconfig):\n"
        "    assert (NAME, TOTAL) == ('the shop', 42)\n"
        "    assert pytestconfig.pluginmanager.hasplugin('socketio_bench')\n"
    )
    (tmp_path / "bench" / "test_beside.py").write_text("def test_beside(): pass\n")
    ended = installed.run(tmp_path, *command)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "2 passed" in ended.stdout


def test_other_sessions_of_pytest_import_nothing_of_ours(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text(
        "import sys\n"
        "def test_own(pytestconfig):\n"
        "    assert pytestconfig.pluginmanager.hasplugin('socketio_bench')\n"
        "    assert not {'bench', 'app'} & set(sys.modules)\n"
    )
    ended = installed.run(tmp_path, "pytest", "-k", "own")
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("command", ["accuracy", "peers", "selfcheck"])
def test_what_needs_the_checkout_says_so(installed: Installed, tmp_path: Path, command: str) -> None:
    ended = installed.run(tmp_path, "bench", command)
    assert error_of(ended).startswith(f"bench: error: bench {command} needs a checkout of socketio-bench")
    assert ended.returncode == 2


def test_latency_without_a_service_says_what_to_give(installed: Installed, tmp_path: Path) -> None:
    ended = installed.run(tmp_path, "pytest", "bench")
    assert error_of(ended).startswith("ERROR: nothing says which service to measure: give --app MODULE:ATTR, --serve")
    assert ended.returncode == 4


def test_a_comparison_without_a_service_says_what_to_give(installed: Installed, tmp_path: Path) -> None:
    ended = installed.run(tmp_path, "bench", "ab", "HEAD", "WORKTREE")
    assert error_of(ended).startswith("bench: error: nothing says which service to measure: give --app MODULE:ATTR")
    assert ended.returncode == 2


@pytest.mark.slow
def test_a_load_without_a_service_says_what_to_give(installed: Installed, tmp_path: Path) -> None:
    """A module `app.main` in the project is not taken for the service unless it is named."""
    (tmp_path / "users.py").write_text(USERS)
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.py").write_text(SERVICE)
    load = ("-f", "users.py", "--headless", "--only-summary", "-u", "2", "-r", "2", "-t", "1s")
    ended = installed.run(tmp_path, "locust", *load)
    assert "nothing says which service to load: give --app MODULE:ATTRIBUTE, --serve" in error_of(ended)
    assert ended.returncode == 2
    assert not (tmp_path / "results").exists()
    served = installed.run(tmp_path, "locust", *load, "--app", "app.main:app")
    assert served.returncode == 0, served.stdout + served.stderr
    assert "Started app.main:app" in served.stdout + served.stderr
