"""The project as its users have it: installed, and not from a checkout, in a project of their own."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTEST = Path(sys.executable).with_name("pytest")

SERVICE = """
import socketio

sio = socketio.AsyncServer(async_mode="asgi")
app = socketio.ASGIApp(sio, on_shutdown=sio.shutdown)

@sio.on("say")
async def say(sid, data):
    await sio.emit("said", data, to=sid)
"""
ROUND_TRIP = ("--app", "chat:app", "--event", "say", "--reply", "said", "--payload", '{"id": "{token}"}')


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a wheel of the project was unpacked into, which is what installing one does."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE", "pytest_socketio_bench.py"):
        shutil.copy(ROOT / name, source)
    for name in ("app", "bench"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("node_modules", ".venv", "*.so"))
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, "wheels"], cwd=source, check=True, capture_output=True, timeout=120)
    (wheel,) = (source / "wheels").iterdir()
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(source / "site")
    return source / "site"


def run(installed: Path, project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PYTEST, *arguments], cwd=project, env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_latency_of_a_service_in_its_own_project(installed: Path, tmp_path: Path) -> None:
    """The project's own configuration of pytest knows nothing of benchmarks."""
    (tmp_path / "pytest.ini").write_text("[pytest]\npython_files = check_*.py\n")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "chat.py").write_text(SERVICE)
    arguments = ("bench", *ROUND_TRIP, "--effort", "quick", "-k", "fast-process-uvloop or in-loop-uvloop")
    ended = run(installed, tmp_path / "src", *arguments)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "warn" not in ended.stdout.lower() + ended.stderr.lower()
    (stored,) = (tmp_path / "src" / "results" / "latency").glob("*/*.json")
    benchmarks = json.loads(stored.read_text())["benchmarks"]
    assert {benchmark["fullname"].partition("[")[0] for benchmark in benchmarks} == {
        "bench/latency/bench_round_trip.py::bench_round_trip"
    }
    assert len(benchmarks) >= 2


def test_a_bench_folder_of_the_project_is_meant_before_ours(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "test_own.py").write_text("def test_own(): pass\n")
    ended = run(installed, tmp_path, "bench")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "1 passed" in ended.stdout
    ours = run(installed, tmp_path, "--pyargs", "bench", "--collect-only", "-q")
    assert ours.returncode == 0, ours.stdout + ours.stderr
    assert "bench_round_trip[" in ours.stdout


def test_other_sessions_of_pytest_import_nothing_of_ours(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text(
        "import sys\n"
        "def test_own(pytestconfig):\n"
        "    assert pytestconfig.pluginmanager.hasplugin('socketio_bench')\n"
        "    assert not {'bench', 'app'} & set(sys.modules)\n"
    )
    ended = run(installed, tmp_path, "-k", "own")
    assert ended.returncode == 0, ended.stdout + ended.stderr
