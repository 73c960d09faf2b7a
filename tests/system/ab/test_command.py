"""`bench ab`, on real repositories with a real service: the answer, bad input, Ctrl-C, and that nothing is left."""

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import psutil
import pytest

from bench.report.formatting import durations, effect
from bench.results.ab import AB_SCHEMA, AbResult
from bench.results.figure import Figure
from bench.results.references import Store
from bench.results.service_logs import PREFIX
from bench.results.store import ResultError, load, open_file
from bench.timing.histogram import Histogram
from bench.wire.stamps import received_clock
from tests.support.ab_repository import OPTIONS, SERVICE, TestRepository
from tests.support.folders import ROOT

COMMAND = (sys.executable, "-c", "from bench.cli import main; main()", "ab")
BROKEN = "raise RuntimeError('broken on purpose')\n"
SMALL = ("--burst", "5", "--pairs", "2", "--allow-idle-cores")
LIMIT_S = 180


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> TestRepository:
    """Return revisions that are quick, slow, without the app, broken at import, mute, and in a folder `src`."""
    made = TestRepository(tmp_path_factory.mktemp("ab") / "service")
    made.commit("slow", {"chat.py": SERVICE.format(busy_s=0.001) + "print('serving, slowly')\n"})
    made.commit("broken", {"chat.py": SERVICE.format(busy_s=0) + BROKEN})
    made.commit("mute", {"chat.py": SERVICE.format(busy_s=0).replace('"said"', '"heard"')})
    made.commit(
        "dying",
        {
            "chat.py": SERVICE.format(busy_s=0).replace(
                "    await sio.emit", "    __import__('os')._exit(3)\n    await sio.emit"
            )
        },
    )
    made.commit(
        "raising",
        {
            "chat.py": SERVICE.format(busy_s=0).replace(
                "    await sio.emit", "    raise RuntimeError('boom' + chr(27) + ' on purpose')\n    await sio.emit"
            )
        },
    )
    made.git("mv", "chat.py", "other.py")
    made.commit("without", {})
    made.git("rm", "--quiet", "other.py")
    made.commit("src", {"src/chat.py": SERVICE.format(busy_s=0)})
    made.git("checkout", "--quiet", "quick")
    return made


@pytest.fixture
def temporary(tmp_path: Path, repository: TestRepository) -> Iterator[Path]:
    """Yield the command's temporary folder, and check that it is empty at the end and that no process is left."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    head, changes = repository.git("rev-parse", "HEAD"), repository.git("status", "--porcelain")
    yield folder
    assert [path for path in folder.iterdir() if not path.name.startswith(PREFIX)] == []  # a failed run keeps its logs
    assert repository.worktrees() == []
    assert (repository.git("rev-parse", "HEAD"), repository.git("status", "--porcelain")) == (head, changes)
    deadline = time.monotonic() + 5  # a server that was about to start sees a moment later that its owner has gone
    while left := [process for process in psutil.process_iter() if str(folder) in environment_of(process)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def environment_of(process: psutil.Process) -> str:
    try:
        return process.environ().get("TMPDIR", "")
    except psutil.Error:
        return ""


def started(
    repository: TestRepository, temporary: Path, *arguments: str | Path, directory: Path | None = None
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments), "--results", str(temporary.parent / "results")],
        cwd=directory or repository.folder,
        env=os.environ | {"TMPDIR": str(temporary), "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ran(
    repository: TestRepository, temporary: Path, *arguments: str | Path, directory: Path | None = None
) -> tuple[int, str, str]:
    """Return exit code, stdout and stderr."""
    process = started(repository, temporary, *arguments, directory=directory)
    out, err = process.communicate(timeout=LIMIT_S)
    return process.returncode, out, err


def stored(temporary: Path) -> AbResult:
    (path,) = (temporary.parent / "results" / "ab").glob("*/*.json")
    return open_file(path).as_model(AbResult)


# The answer


@pytest.mark.slow
def test_a_slower_revision_fails(repository: TestRepository, temporary: Path) -> None:
    markdown = temporary.parent / "comment.md"
    page = temporary.parent / "page.html"
    files = ("--markdown", markdown, "--report", page, "--json", "-")
    arguments = ("quick", "slow", *OPTIONS, *SMALL, "--precision", "60", *files)
    code, written_json, out = ran(repository, temporary, *arguments)
    assert code == 1, out
    result = stored(temporary)
    assert AbResult.model_validate_json(written_json, strict=True) == result
    assert result.stopped_by == "precision"
    assert result.restarts >= 14
    (benchmark,) = result.benchmarks
    p50 = benchmark.metrics[0]
    assert (benchmark.name, benchmark.event, benchmark.reply) == ("say-said", "say", "said")
    # Of so small bursts the p99 is the longest time, which is no metric.
    assert [metric.metric for metric in benchmark.metrics] == ["p50", "cpu", "saturated"]
    assert p50.verdict == "slower"
    assert p50.low is not None
    assert p50.low > 0.005
    assert p50.b_us > max(1000, p50.a_us)
    assert benchmark.metrics[1].b_us > 1000  # of CPU, too: it waits busily
    assert [result.a.commit_info.id, result.b.commit_info.id] == [
        repository.git("rev-parse", name) for name in ("quick", "slow")
    ]
    assert result.commit_info == result.b.commit_info
    assert any(spoiler.kind == "cores halt" for spoiler in result.spoilers)
    assert result.a.service_log is None
    assert result.b.service_log is not None
    assert {line.text for line in result.b.service_log.kept} == {"serving, slowly"}
    assert result.b.service_log.lines == result.restarts
    assert "the service of B wrote" in out

    assert f"A  quick ({result.a.commit_info.id[:12]})" in out
    assert "slower by more than 0.5 %: say-said p50" in out
    assert effect(p50.effect) in out
    written = markdown.read_text()
    assert written.startswith("### slower by more than 0.5 %: say-said p50")
    a, b = durations([Figure(p50.a_us), Figure(p50.b_us)])
    assert f"| say-said p50 | {a} | {b} | {p50.effect * 100:+.2f} % |" in written
    assert "**slower**" in written
    assert "measuring" in out
    assert "stored in " in out
    assert out.rstrip().endswith(f"page in {page}")
    a_times, b_times = (Histogram.decode(found or "") for found in (benchmark.a_histogram, benchmark.b_histogram))
    assert a_times.count == b_times.count > 0
    assert (b_times.percentile_ns(50) or 0) > 1_000_000
    assert "Service time of say-said by percentile" in page.read_text()
    assert "\x1b" not in out


@pytest.mark.slow
def test_objectives_judge_the_candidate(repository: TestRepository, temporary: Path) -> None:
    junit = temporary.parent / "objectives.xml"
    slo = ("--slo", "p50 < 500 µs", "--slo", "p50 < 1 h", "--slo-undecided", "fail", "--junit", junit)
    code, out, _ = ran(repository, temporary, "quick", "slow", *OPTIONS, *SMALL, "--max-time", "8", *slo)

    result = stored(temporary)
    # The candidate's handler takes a millisecond, the baseline's none.
    verdicts = {objective.text: objective.verdict for objective in result.objectives}
    assert verdicts == {"p50 < 500 µs": "missed", "p50 < 1 h": "met"}
    assert code == 3, "a missed objective comes before a row that is slower"
    assert "objective 'p50 < 500 µs' missed (1 of 2)" in out
    assert 'name="p50 &lt; 500 µs: say-said"' in junit.read_text()
    again = AbResult.model_validate_json(result.to_json(), strict=True)
    assert again == result


def test_the_stored_result_is_read_back_as_it_was_and_is_no_result_to_compare(
    repository: TestRepository, temporary: Path
) -> None:
    words = ("--label", "machine=ci", "--note", "with a *new* cache")
    code, out, err = ran(repository, temporary, "quick", "WORKTREE", *OPTIONS, *SMALL, "--max-time", "2", *words)
    assert code == 0, err
    assert "labels: machine=ci\nnote: with a *new* cache\n" in out
    assert (stored(temporary).labels, stored(temporary).note) == ({"machine": "ci"}, "with a *new* cache")
    typed = shlex.join(map(str, ["quick", "WORKTREE", *OPTIONS, *SMALL, "--max-time", "2", *words]))
    assert (stored(temporary).command or "").startswith(f"bench ab {typed} --results ")
    assert "same" in out or "inconclusive" in out or "faster" in out
    result = stored(temporary)
    assert result.stopped_by == "time"
    assert result.b.label == "WORKTREE"
    assert [benchmark.received_clock for benchmark in result.benchmarks] == [received_clock()]
    assert ("times end when the machine received the reply" in out) == (received_clock() == "kernel")
    (path,) = (temporary.parent / "results" / "ab").glob("*/*.json")
    assert path.name.startswith(f"0001_{result.b.commit_info.id}_")
    assert path.parent == Store(temporary.parent / "results").folder("ab")
    assert json.loads(path.read_bytes())["schema"] == AB_SCHEMA
    assert path.read_bytes() == result.to_json()
    assert f"stored in {path}" in out
    with pytest.raises(ResultError, match=r"a comparison of two revisions \('ab/3'\), and no result to compare"):
        load(path)


@pytest.mark.slow
def test_an_answer_that_cannot_be_stored_is_shown(repository: TestRepository, temporary: Path) -> None:
    (temporary.parent / "results").write_text("a file where the folder should be")
    markdown = temporary.parent / "comment.md"
    arguments = ("quick", "WORKTREE", *OPTIONS, *SMALL, "--max-time", "2", "--markdown", markdown, "--process-clock")
    code, out, err = ran(repository, temporary, *arguments)
    assert code == 1
    assert "say-said" in out
    assert "times end when the generator had read the reply" in out
    assert "say-said" in markdown.read_text()
    (line,) = [line for line in err.splitlines() if line.startswith("bench: error: cannot store a result in ")]
    (kept,) = temporary.iterdir()
    assert str(kept) in line, "where it was kept instead"
    kept.unlink()
    assert "Traceback" not in err


@pytest.mark.slow
def test_uncommitted_changes_are_what_worktree_means(repository: TestRepository, tmp_path: Path) -> None:
    own = TestRepository(tmp_path / "own")
    own.write(
        {"chat.py": SERVICE.format(busy_s=0).replace("import socketio", "import socketio, words"), "words.py": ""}
    )
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    code, out, err = ran(own, temporary, "HEAD", "WORKTREE", *OPTIONS, *SMALL, "--max-time", "2")
    assert code == 0, err
    result = stored(temporary)
    assert result.commit_info.dirty
    assert "WORKTREE has uncommitted changes: chat.py, words.py" in result.notes
    assert "note: WORKTREE has uncommitted changes: chat.py, words.py" in out
    assert own.git("status", "--porcelain") == "M chat.py\n?? words.py"


def test_the_readmes_command(tmp_path: Path, temporary: Path) -> None:
    """Run the README's command as a newcomer types it, in the service's repository; only shorter."""
    readme = (ROOT / "README.md").read_text()
    (command,) = re.findall(r"^\$ (bench ab .*)$", readme, re.M)
    own = TestRepository(tmp_path / "own")
    shutil.copytree(ROOT / "app", own.folder / "app", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", own.folder)  # by which a checkout is known
    own.commit("service", {})
    own.commit("unchanged", {})
    process = subprocess.run(
        ["bash", "-euc", f"{command} --max-time 1 --burst 5 --pairs 2"],
        cwd=own.folder,
        env=os.environ
        | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    shown = re.findall(r"^(event|acknowledged|event-1kB|event-16kB)$", process.stdout, re.M)
    assert shown == ["event", "acknowledged", "event-1kB", "event-16kB"] * 2, "in the table and the shapes"
    assert own.git("status", "--porcelain") == ""  # git ignores the results


def test_the_example_for_ci_calls_it_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    example = (ROOT / "examples" / "github-actions.yml").read_text()
    options = set(re.findall(r"--[a-z-]+", " ".join(re.findall(r"SERVICE: .*|bench ab .*|add --env-per-rev", example))))
    assert {"--app", "--payload", "--markdown", "--max-time"} <= options
    process = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, check=True)
    assert options <= set(re.findall(r"--[a-z-]+", process.stdout))


# Bad input


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("nope", "quick", *OPTIONS), 2, "nope: no such commit, branch or tag in "),
        (("quick", "without", *OPTIONS), 2, "--app chat:app: revision without ("),
        (("quick", "slow"), 2, "nothing says which service to measure: give --app MODULE:ATTR or --serve"),
        (("quick", "slow", "--app", "chat"), 2, "--app 'chat' is no application"),
        (("quick", "slow", "--reply", "said"), 2, "--reply said: it belongs to an event"),
        (("quick", "slow", *OPTIONS, "--reply", "said"), 2, "--reply said is there twice: give each event"),
        (("quick", "slow", *OPTIONS, "--args"), 2, "--args and --payload {"),
        (("quick", "slow", *OPTIONS, "--benchmarks", "event"), 2, "there is no such benchmark, only say-said"),
        (("quick", "slow", *OPTIONS, "--benchmarks", ","), 2, "--benchmarks ',': name some of say-said"),
        (("quick", "slow", *OPTIONS, "--precision", "0"), 2, "--precision '0': give per cent"),
        (("quick", "slow", *OPTIONS, "--precision", "x"), 2, "--precision 'x': give per cent"),
        (("quick", "slow", *OPTIONS, "--threshold", "3m"), 2, "--threshold '3m': give per cent"),
        (("quick", "slow", *OPTIONS, "--max-time", "0"), 2, "--max-time '0': give seconds"),
        (("quick", "slow", *OPTIONS, "--max-time", "nan"), 2, "--max-time 'nan': give seconds"),
        (("quick", "slow", *OPTIONS, "--pairs", "0"), 2, "--pairs 0: give a number"),
        (("quick", "slow", *OPTIONS, "--burst", "-1"), 2, "--burst -1: give a number"),
        (("quick", "slow", *OPTIONS, "--app-dir", "../x"), 2, "--app-dir ../x: name a folder below this one"),
        (("quick", "slow", *OPTIONS, "--reply-timeout", "x"), 2, "--reply-timeout 'x': give seconds"),
        (("quick", "slow", *OPTIONS, "--markdown", "no/such/file"), 2, "--markdown no/such/file: there is no such fol"),
        (("quick", "slow", *OPTIONS, "--env-per-rev"), 2, "--env-per-rev: there is neither requirements.lock nor"),
        (("quick",), 2, "Missing argument 'REV_B'"),
    ],
)
def test_bad_input_is_one_line(
    repository: TestRepository,
    temporary: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    import tempfile

    from bench.cli import main

    monkeypatch.chdir(repository.folder)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(sys, "argv", ["bench", "ab", *arguments])
    with pytest.raises(SystemExit) as exited:
        main()
    written = capsys.readouterr()
    last = written.err.splitlines()[-1]
    assert exited.value.code == code, written.err
    assert written.out == ""
    assert last.startswith("bench: error: ")
    assert said in last


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        (
            "quick",
            "broken",
            r"B, broken ({}): app 'chat:app' failed to import: RuntimeError: broken on purpose; A started",
        ),
        ("mute", "quick", r"A, mute ({}): sent say {{'id': '"),
        ("quick", "raising", r"B, raising ({}): sent say {{'id': '"),
        ("quick", "dying", r"B, dying ({}): the server of chat:app ended with exit code 3"),
    ],
)
@pytest.mark.slow
def test_a_service_that_fails_in_one_revision_is_named(
    repository: TestRepository, temporary: Path, a: str, b: str, said: str
) -> None:
    failing = b if a == "quick" else a
    code, out, err = ran(repository, temporary, a, b, *OPTIONS, *SMALL, "--reply-timeout", "1")
    assert (code, out) == (1, "")
    last = err.splitlines()[-1]
    assert last.startswith("bench: error: " + said.format(repository.git("rev-parse", failing)[:12]))
    assert (
        "; its service wrote last: " in last and "RuntimeError: boom\N{REPLACEMENT CHARACTER} on purpose" in last
    ) == (failing == "raising"), last
    assert "Traceback" not in err


def test_a_service_that_fails_in_both_revisions_is_said_to(repository: TestRepository, temporary: Path) -> None:
    files = [temporary.parent / name for name in ("junit.xml", "page.html")]
    for file in files:
        file.write_text("of an earlier comparison")
    code, _, err = ran(
        repository, temporary, "broken", "broken", *OPTIONS, *SMALL, "--junit", files[0], "--report", files[1]
    )
    assert code == 1
    assert "neither revision's service starts; A, broken (" in err
    (whole,) = ElementTree.parse(files[0]).iter("testcase")
    fault = whole.find("error")
    assert fault is not None
    assert (fault.get("message") or "").startswith("neither revision's service starts; A, broken (")
    assert "the comparison failed: neither revision's service starts; A, broken (" in files[1].read_text()


@pytest.mark.slow
def test_an_editable_install_that_would_serve_the_checkout_to_both_sides_is_found_out(
    repository: TestRepository, tmp_path: Path, temporary: Path
) -> None:
    """Put the module into both revisions, under src, and let a path file lead to the checkout."""
    own = TestRepository(tmp_path / "own")
    own.git("rm", "--quiet", "chat.py")
    own.commit("package", {"main.py": "from chat import app\n", "src/chat.py": SERVICE.format(busy_s=0)})
    options = ("--app", "main:app", *OPTIONS[2:], *SMALL, "--max-time", "1")
    process = subprocess.run(
        [*COMMAND, "HEAD", "HEAD", *options, "--results", tmp_path / "results"],
        cwd=own.folder,
        env=os.environ | {"PYTHONPATH": str(own.folder / "src"), "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert process.returncode == 2
    assert f": main:app uses {own.folder}/src/chat.py, which is not in the revision's folder" in process.stderr
    process = subprocess.run(
        [*COMMAND, "HEAD", "HEAD", *options, "--app-dir", "src", "--results", tmp_path / "results"],
        cwd=own.folder,
        env=os.environ | {"PYTHONPATH": str(own.folder / "src"), "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert own.worktrees() == []


def test_no_repository(repository: TestRepository, temporary: Path, tmp_path: Path) -> None:
    code, out, err = ran(repository, temporary, "a", "b", *OPTIONS, directory=tmp_path)
    assert (code, out) == (2, "")
    assert "is in no git repository" in err


# Ctrl-C


def wait_for(process: subprocess.Popen[str], text: str) -> str:
    """Return the output up to the line that has this text."""
    assert process.stderr is not None
    said = ""
    while text not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    return said


@contextlib.contextmanager
def running(repository: TestRepository, temporary: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = started(repository, temporary, "quick", "slow", *OPTIONS, *SMALL, *arguments)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_before_there_is_an_answer(repository: TestRepository, temporary: Path, number: signal.Signals) -> None:
    with running(repository, temporary) as process:
        wait_for(process, "trying both services")
        process.send_signal(number)
        out, err = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err


def test_ctrl_c_gives_the_answer_so_far(repository: TestRepository, temporary: Path) -> None:
    with running(repository, temporary, "--precision", "0.01") as process:
        wait_for(process, "1 restart, say-said p50 ")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=LIMIT_S)
    assert "Traceback" not in err
    result = stored(temporary)
    assert process.returncode == (1 if result.slower else 0)
    assert result.stopped_by == "interrupt"
    assert "interrupted" in out


@pytest.mark.slow
def test_a_second_ctrl_c_ends_at_once(repository: TestRepository, temporary: Path) -> None:
    with running(repository, temporary, "--precision", "0.01") as process:
        wait_for(process, "measuring")
        time.sleep(1)
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            time.sleep(0.01)
        _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode in (0, 1, 130)
    assert "Traceback" not in err
