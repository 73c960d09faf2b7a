"""The examples as their owners have them: each in a repository and an environment of its own, without this project.

This project is installed from its wheel, into an environment of its own as well. `--serve` starts the examples by their
own command, for `bench latency`, for `bench load` and for both revisions of `bench ab`.
"""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.results.load import LoadResult
from bench.results.store import load
from tests.support.wheel import build_wheel, installed_beside_ours, without_ours

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
NODE_MODULES = ROOT / "tests/data/node/node_modules"
LIMIT_S = 240

#: A virtual environment of the service's own, as its owner makes it.
PREPARE = f"{sys.executable} -m venv .venv && .venv/bin/python -m pip install --quiet -r requirements.txt"
UVICORN = ".venv/bin/uvicorn service:app --port {port}"


@dataclass(frozen=True)
class Owned:
    """An example, the command that serves it, and how `bench ab` brings its packages to each revision."""

    name: str
    serve: str
    brought: tuple[str, ...]
    operations: frozenset[str]


OWNED = (
    Owned("chat", UVICORN, ("--link", ".venv"), frozenset({"connect", "POST /login", "enter", "say"})),
    Owned("fastapi", UVICORN, ("--prepare", PREPARE), frozenset({"connect", "quote", "order"})),
    Owned(
        "node",
        "node server.js {port}",
        ("--link", "node_modules", "--link", "certificates"),
        frozenset({"connect", "add", "checkout"}),
    ),
)


@pytest.fixture(scope="module", params=OWNED, ids=lambda owned: owned.name)
def owned(request: pytest.FixtureRequest) -> Owned:
    """Return the example of a test."""
    found: Owned = request.param
    return found


@pytest.fixture(scope="module")
def home(owned: Owned, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository with the example in it, and its packages beside it, where git does not look."""
    folder = tmp_path_factory.mktemp("owner") / owned.name
    left_out = shutil.ignore_patterns("node_modules", "certificates", "results", "__pycache__", ".venv")
    shutil.copytree(EXAMPLES / owned.name, folder, ignore=left_out)
    (folder / ".gitignore").write_text(".venv\nnode_modules\ncertificates\nresults\n__pycache__\n")
    if owned.name == "node":
        (folder / "node_modules").symlink_to(NODE_MODULES)
        subprocess.run(["sh", "make-certificates.sh", "certificates"], cwd=folder, check=True, capture_output=True)
    else:
        subprocess.run(["sh", "-euc", PREPARE], cwd=folder, check=True, timeout=LIMIT_S)
        listed = subprocess.run(
            [folder / ".venv/bin/python", "-m", "pip", "list", "--format=json"], check=True, capture_output=True
        )
        assert "socketio-bench" not in {package["name"] for package in json.loads(listed.stdout)}
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "the service"]):
        identity = ["-c", "user.name=owner", "-c", "user.email=owner@example.invalid"]
        subprocess.run(["git", *identity, *command], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the commands of the installed project."""
    folder = tmp_path_factory.mktemp("suite")
    return installed_beside_ours(build_wheel(folder), folder / "environment")


def run(suite: Path, home: Path, *arguments: str) -> str:
    """Run `bench` in the owner's folder; return what it says, if it succeeds."""
    environment = without_ours()
    environment |= {"PATH": f"{suite}:{Path(sys.executable).parent}:{environment['PATH']}", "COLUMNS": "140"}
    ended = subprocess.run(
        [suite / "bench", *arguments],
        cwd=home, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    said = ended.stdout + ended.stderr
    assert ended.returncode == 0, said
    assert "Traceback" not in said
    return said


def test_its_latency(suite: Path, owned: Owned, home: Path) -> None:
    said = run(
        suite, home, "latency", "--scenarios", "scenarios.py", "--serve", owned.serve, "-k", "websocket and fast",
        "--effort=quick",
    )  # fmt: skip
    assert " passed" in said
    (path,) = (home / "results/latency").glob("*/*.json")
    benchmarks = json.loads(path.read_text())["benchmarks"]
    assert benchmarks
    for benchmark in benchmarks:
        assert benchmark["fullname"].startswith("bench/latency/bench_round_trip.py::bench_round_trip[")
        assert owned.serve in benchmark["extra_info"]["service"]
        assert benchmark["extra_info"]["server_cpu_us_per_round_trip"] > 0
        assert benchmark["extra_info"]["controls"]["same-stack"] is not None


@pytest.mark.parametrize("described", ["users", "scenarios"])
def test_its_load(suite: Path, owned: Owned, home: Path, described: str) -> None:
    """By its locustfile, and by its scenarios alone."""
    file = ("-f", "locustfile.py") if described == "users" else ("--scenarios", "scenarios.py")
    before = set((home / "results/load").glob("*/*.json"))
    run(suite, home, "load", *file, "--serve", owned.serve, "--only-summary", "-u", "5", "-r", "5", "-t", "3s")
    (path,) = set((home / "results/load").glob("*/*.json")) - before
    result = load(path)
    assert isinstance(result, LoadResult)
    names = {row.name for row in result.operations}
    assert names == owned.operations if described == "users" else names & owned.operations >= {"connect"}
    for row in result.operations:
        assert row.sent == row.ok > 0, row.name
    assert result.server is not None
    assert result.server.cpu_us_per_round_trip is not None
    assert result.server.rss_peak_bytes is not None


def test_two_commits_of_it(suite: Path, owned: Owned, home: Path) -> None:
    before = state(home)
    said = run(
        suite, home, "ab", "main", "WORKTREE", "--scenarios", "scenarios.py", "--serve", owned.serve, *owned.brought,
        "--max-time", "5s", "--threshold", "90%",
    )  # fmt: skip
    assert "p50" in said
    assert len(list((home / "results/ab").rglob("*.json"))) == 1
    assert state(home) == before, "the checkout is as it was"
    worktrees = subprocess.run(["git", "worktree", "list"], cwd=home, check=True, capture_output=True, text=True)
    assert len(worktrees.stdout.splitlines()) == 1


def state(home: Path) -> dict[str, bytes]:
    """Return the content of the service's files."""
    names = ("service.py", "server.js", "scenarios.py", "locustfile.py", "requirements.txt", "package.json")
    return {name: (home / name).read_bytes() for name in names if (home / name).exists()}
