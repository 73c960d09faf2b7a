"""`bench ab --serve`: each revision prepared and served in a folder of its own, by any command, and nothing left."""

import os
import signal
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.ab.errors import AbError
from bench.ab.options import plan
from bench.ab.origin import PythonProgram, check_command, check_python
from bench.ab.preparation import link
from bench.ab.worktree import Repository
from bench.results.service_logs import PREFIX
from tests.support.ab_repository import OPTIONS, SERVICE, TestRepository
from tests.support.folders import NODE
from tests.support.node_process import node_command
from tests.system.ab.test_command import SMALL, ran, started, stored, wait_for

#: The service, which notes where it runs and what it finds there.
NOTING = """
import os, uvicorn
from pathlib import Path
found = [os.getcwd(), *(Path(name).read_text().strip() for name in ("word", "built", "data/key"))]
with open(os.environ["SEEN"], "a") as seen:
    print(*found, file=seen)
uvicorn.run(app, port=int(os.environ["PORT"]), log_level="warning")
"""

NODE_SERVICE = """
const { Server } = require("socket.io");
const io = new Server(Number(process.env.PORT));
io.on("connection", (socket) => socket.on("say", (data) => socket.emit("said", data)));
"""

ROUND_TRIP = OPTIONS[2:]


@pytest.fixture
def repository(tmp_path: Path) -> TestRepository:
    """Return a repository with a service that reads a committed file, a built file and an ignored file."""
    made = TestRepository(tmp_path / "service")
    made.commit(
        "old", {"chat.py": SERVICE.format(busy_s=0) + NOTING, "word": "old", ".gitignore": "data/\nbuilt\n.venv\n"}
    )
    made.write({"word": "new", "untracked": "", "data/key": "1234"})
    return made


@pytest.fixture
def temporary(tmp_path: Path, repository: TestRepository, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield the command's temporary folder; check that nothing but logs is left in it, nor of the worktrees."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("SEEN", str(tmp_path / "seen"))
    yield folder
    assert [path for path in folder.iterdir() if not path.name.startswith(PREFIX)] == []
    assert repository.worktrees() == []


def kept_logs(temporary: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in temporary.glob(f"{PREFIX}*/*.log")}


def test_each_revision_is_prepared_and_served_in_a_folder_of_its_own(
    repository: TestRepository, temporary: Path, tmp_path: Path
) -> None:
    changes = repository.git("status", "--porcelain", "--ignored")
    serve, prepare = f"{sys.executable} chat.py", "cp word built; test -f untracked && echo +1 >> built; true"
    code, out, err = ran(
        repository, temporary, "old", "WORKTREE", *ROUND_TRIP, *SMALL, "--max-time", "2",
        "--serve", serve, "--prepare", prepare, "--link", "data/key", "--markdown", tmp_path / "found.md",
    )  # fmt: skip
    assert code in (0, 1), err
    assert "benchmark" not in err
    seen = {tuple(line.split()[1:]): line.split()[0] for line in (tmp_path / "seen").read_text().splitlines()}
    assert set(seen) == {("old", "old", "1234"), ("new", "new+1", "1234")}
    assert str(repository.folder) not in seen.values()
    assert len(set(seen.values())) == 2
    result = stored(temporary)
    assert (result.settings.app, result.settings.command) == (None, serve)
    assert (result.settings.prepare, result.settings.links) == (prepare, ("data/key",))
    assert {side.environment for side in (result.a, result.b)} == {"own"}
    assert result.a.packages["python"] == result.packages["python"]
    assert [note for note in result.notes if "origin" in note] == []
    assert f"serving {serve}; its output: {temporary}/{PREFIX}" in err
    assert "in an environment of its own" in out
    assert kept_logs(temporary) == {}
    assert repository.git("status", "--porcelain", "--ignored") == changes


def test_a_preparation_that_fails_is_named_with_its_last_words(repository: TestRepository, temporary: Path) -> None:
    code, _, err = ran(
        repository, temporary, "old", "WORKTREE", *ROUND_TRIP, "--serve", "true", "--prepare", "echo no index; exit 7"
    )
    assert code == 1
    last = err.splitlines()[-1]
    assert last.startswith("bench: error: --prepare ended with exit code 7 in old (")
    assert "; it wrote last: no index; the service's output is kept in " in last
    assert kept_logs(temporary) == {"prepare-A.log": "no index\n"}


def test_packages_that_a_revisions_folder_lacks_have_advice(repository: TestRepository, temporary: Path) -> None:
    missing = f"{sys.executable} -c 'import nothing_of_this_name' {{port}}"
    code, _, err = ran(repository, temporary, "old", "WORKTREE", *ROUND_TRIP, "--serve", missing)
    assert code == 1
    assert "No module named 'nothing_of_this_name'" in err
    assert "; a revision's folder has only what git has: install the rest with --prepare, as in " in err


def test_a_program_that_is_not_there_is_misuse(repository: TestRepository, temporary: Path) -> None:
    code, out, err = ran(repository, temporary, "old", "WORKTREE", *ROUND_TRIP, "--serve", "nothere {port}")
    assert (code, out) == (2, "")
    last = err.splitlines()[-1]
    assert last.startswith("bench: error: A, old (")
    assert "): the service of nothere {port} did not start: there is no program 'nothere' on the PATH" in last


@pytest.mark.slow
def test_a_preparation_ends_with_the_run(repository: TestRepository, temporary: Path, tmp_path: Path) -> None:
    process = started(
        repository, temporary, "old", "WORKTREE", *ROUND_TRIP, "--serve", "true",
        "--prepare", f"trap 'echo ended > {tmp_path}/ended; exit' TERM; sleep 60 & wait",
    )  # fmt: skip
    try:
        wait_for(process, "preparing old")
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert (process.returncode, "Traceback" in err) == (130, False)
    assert kept_logs(temporary) == {}


@pytest.mark.slow
def test_a_linked_environment_that_would_serve_the_checkout_to_both_sides_is_refused(
    repository: TestRepository, temporary: Path
) -> None:
    folder = repository.folder / ".venv"
    venv.create(folder, with_pip=False, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    ours = Path(next(path for path in sys.path if path.endswith("site-packages")))
    (packages / "others.pth").write_text(f"{ours}\n")
    (packages / "chat-1.0.dist-info").mkdir()
    (packages / "chat-1.0.dist-info" / "METADATA").write_text("Name: chat\nVersion: 1.0\n")
    (packages / "chat-1.0.dist-info" / "direct_url.json").write_text(
        f'{{"url": "file://{repository.folder}", "dir_info": {{"editable": true}}}}'
    )
    repository.write({"data/key": "", "built": ""})
    code, _, err = ran(
        repository, temporary, "old", "WORKTREE", *ROUND_TRIP, *SMALL, "--serve", ".venv/bin/python chat.py",
        "--link", ".venv", "--link", "data", "--link", "built",
    )  # fmt: skip
    assert code == 2
    assert f"chat is an editable install of {repository.folder}, which is not in the revision's folder" in err
    assert "both revisions would run the same; have --prepare make an environment" in err


@pytest.mark.slow
def test_a_service_that_is_no_python_program_is_compared_and_the_result_says_what_was_not_checked(
    repository: TestRepository, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODE_PATH", str(NODE / "node_modules"))
    repository.commit("node", {"server.js": NODE_SERVICE})
    code, _, err = ran(
        repository, temporary, "node", "WORKTREE", *ROUND_TRIP, *SMALL, "--max-time", "1",
        "--serve", " ".join(node_command("server.js")),
    )  # fmt: skip
    assert code in (0, 1), err
    result = stored(temporary)
    assert "the origin of the code was not checked, because the command's service is no Python program" in result.notes
    assert result.a.packages == {}
    assert all(metric.a_us > 0 for benchmark in result.benchmarks for metric in benchmark.metrics)


def test_commands_that_name_the_checkout_are_refused(repository: TestRepository) -> None:
    found = Repository.around(repository.folder)
    check_command(["python", "chat.py", str(repository.folder / "data" / "key")], found)  # both have none of their own
    named = f"{repository.folder}/chat.py"
    for command in (["python", named], ["sh", "-c", f"cd /; python {named}"]):
        with pytest.raises(AbError, match=r"chat\.py is in your checkout, so both revisions would run the same"):
            check_command(command, found)


@pytest.mark.parametrize(
    ("arguments", "files", "pythonpath", "reason"),
    [
        (("server.py", "chat:app"), {"side/chat.py": ""}, "", None),
        (("uvicorn", "chat:app", "--app-dir", "src"), {"side/src/chat.py": "", "checkout/chat.py": ""}, "", None),
        (("uvicorn", "chat:app"), {}, "", None),  # who knows where it finds that
        (("uvicorn", "chat:app"), {"elsewhere/chat.py": ""}, "elsewhere", "chat is imported from .*/elsewhere/chat.py"),
        (("server.py",), {"checkout/words.py": ""}, "checkout", "its Python imports from .*/checkout, which is not"),
    ],
)
def test_the_paths_of_a_python_service(
    tmp_path: Path, arguments: tuple[str, ...], files: dict[str, str], pythonpath: str, reason: str | None
) -> None:
    for name in ("side", "checkout", *files):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("") if name in files else (tmp_path / name).mkdir()
    environment = os.environ | ({"PYTHONPATH": str(tmp_path / pythonpath)} if pythonpath else {})
    program = PythonProgram(Path(sys.executable), arguments, tmp_path / "side", environment)
    if reason is None:
        check_python(program, tmp_path / "side", [tmp_path / "checkout"], "A")
        return
    with pytest.raises(AbError, match=f"^A: {reason}"):
        check_python(program, tmp_path / "side", [tmp_path / "checkout"], "A")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"serve": "x", "app": "chat:app"}, "--serve and --app chat:app: give the command that serves"),
        ({"serve": "x", "env_per_rev": True}, "--env-per-rev makes environments for --app"),
        ({"serve": "x", "app_directory": "src"}, "--app-dir src: it belongs to --app"),
        ({"prepare": " "}, "--prepare: there is no command"),
        ({"links": ["/etc/passwd"]}, "--link '/etc/passwd': name a file or a folder below this one"),
        ({"links": ["a/../../b"]}, "--link 'a/../../b': name a file or a folder below this one"),
        ({"serve": "x", "start_timeout": "0"}, "--start-timeout '0': give seconds"),
    ],
)
def test_options_that_make_no_sense(given: dict[str, object], said: str) -> None:
    texts = {"app": None, "event": "say", "reply": None, "payload": None}
    with pytest.raises(AbError) as refused:
        plan(**(texts | given))  # type: ignore[arg-type]
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("missing", "--link missing: there is no such file or folder in your checkout"),
        ("word", "--link word: git does not ignore it"),
    ],
)
def test_what_cannot_be_linked(repository: TestRepository, path: str, said: str) -> None:
    found = Repository.around(repository.folder)
    with found.checkouts([found.revision("old")]) as (checkout,), pytest.raises(AbError) as refused:
        link([Path(path)], found, checkout)
    assert str(refused.value).startswith(said)
