"""The end of a run: whatever fails by then, what was counted is shown and stored, and the process ends."""

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from bench.results.load import LoadResult
from bench.results.store import load
from tests.support.folders import LOCUSTFILES, ROOT
from tests.support.locust_process import (
    CONNECT,
    LIMIT_S,
    LOCUST,
    LOCUSTFILE,
    LocustProcess,
    answered,
    is_up,
    operation,
    run,
    wait_until,
)
from tests.support.ports import free_port

FAILING = LOCUSTFILES / "failing_end.py"
OPEN = LOCUSTFILES / "open.py"
ECHO = "FOO→BAR to sender"


def error_lines(output: str) -> list[str]:
    return [line.partition("/ERROR/")[2].partition(": ")[2] for line in output.splitlines() if "/ERROR/" in line]


@contextlib.contextmanager
def soft_file_limit(soft: int) -> Iterator[None]:
    """Start processes with that limit meanwhile; they may raise it."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def run_limited(folder: Path, files: int, *arguments: str) -> tuple[int, str, list[LoadResult]]:
    """Run Locust where neither limit of open files is higher than that; its exit code, output and results."""
    command = [str(LOCUST), "-f", str(LOCUSTFILE), "--headless", "--only-summary", "--results", str(folder), *arguments]
    finished = subprocess.run(
        ["sh", "-c", f'ulimit -n {files} && exec "$@"', "sh", *command],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
        env=os.environ | {"COLUMNS": "140"},
    )
    loaded = [load(path) for path in sorted(folder.glob("load/*/*.json"))]
    return finished.returncode, finished.stdout, [result for result in loaded if isinstance(result, LoadResult)]


# ---------------------------------------------------------------------- no file left


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("--processes", "2")])
def test_no_more_files_can_be_opened(tmp_path: Path, more: tuple[str, ...]) -> None:
    port = str(free_port())
    ports = ("--master-bind-port", port, "--master-port", port) if more else ()
    code, output, results = run_limited(tmp_path, 64, "-u", "150", "-r", "150", "-t", "3s", *more, *ports)
    assert code == 1
    (result,) = results
    assert operation(result).ok > 0
    (reason,) = [line for line in error_lines(output) if "ulimit" in line]
    limit = "this process may open no more than 64 files: raise `ulimit -n`, or spread the users over more --processes"
    assert reason.endswith(f"attempts to connect failed: {limit}")
    assert ECHO in output.partition("service time")[2]
    assert "Traceback" not in output
    assert not result.partial


@pytest.mark.slow
def test_the_limit_of_files_is_raised_as_far_as_it_may_be(tmp_path: Path) -> None:
    with soft_file_limit(64):
        code, locust = run(tmp_path, "-u", "100", "-r", "100", "-t", "2s")
    assert code == 0, locust.output
    assert operation(locust.result(), CONNECT).ok == 100


@pytest.mark.parametrize(
    "arguments", [pytest.param((), marks=pytest.mark.slow), ("--rate", "50:1s,20:1s", "--breakdown")]
)
def test_nothing_is_loaded_once_the_users_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("AUDIT", str(tmp_path / "audit.json"))
    code, locust = run(tmp_path, "-u", "3", "-r", "3", "-t", "3s", *arguments, locustfile=LOCUSTFILES / "audited.py")
    assert code == 0, locust.output
    seen = [tuple(entry) for entry in json.loads((tmp_path / "audit.json").read_text())]
    assert [name for what, name in seen if what == "import" or name.endswith((".pyc", ".so"))] == []
    at_the_end = seen[seen.index(("phase", "stopping")) :]
    opened = {name for what, name in at_the_end if what == "open" and not name.isdigit()}  # a file that is open already
    # Locust looks up in its own sources who has asked it to stop.
    assert {name for name in opened if "/locust/" not in name and not name.startswith("/proc/")} <= {
        *map(str, (tmp_path / "results").rglob("*")),
        *(name for name in opened if name.endswith(".tmp")),
    }


# ---------------------------------------------------------------------- something fails


def failing(folder: Path, monkeypatch: pytest.MonkeyPatch, what: str, *arguments: str) -> tuple[int, LocustProcess]:
    monkeypatch.setenv("FAILING", what)
    return run(folder, "-u", "3", "-r", "3", "-t", "2s", *arguments, locustfile=FAILING)


@pytest.mark.parametrize(
    ("what", "step"),
    [
        ("bench.load.metrics.merge:Merger.timeline", "the timeline"),
        pytest.param(
            "bench.load.metrics.merge:Merger.generator",
            "the generator",
            marks=pytest.mark.slow,
        ),
        ("bench.load.metrics.rows:_distribution", "the times of the operations"),
        pytest.param(
            "bench.load.metrics.result:scenario_of",
            "the scenario",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "bench.load.plugin.service:Service.described",
            "the service",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_fails_at_the_end_is_left_out_of_the_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, step: str
) -> None:
    reason = f"{step}: OSError: [Errno 24] Too many open files"
    code, locust = failing(tmp_path, monkeypatch, what)
    assert code == 1
    result = locust.result()
    assert result.partial
    assert reason in (result.partial_reason or "")
    assert operation(result).ok > 0
    assert f"{operation(result).ok:,}" in locust.output
    assert reason in error_lines(locust.output)
    assert "Traceback" not in locust.output


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_what_cannot_be_counted_makes_the_result_partial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    more = ("--processes", "2") if processes > 1 else ()
    code, locust = failing(tmp_path, monkeypatch, "bench.load.metrics.tally:Tally.note_delays", *more)
    assert code == 1
    result = locust.result()
    reason = "counting what the users did: OSError: [Errno 24] Too many open files"
    assert result.partial_reason == reason
    assert operation(result).ok > 0
    assert "Traceback" not in locust.output


def test_a_result_that_cannot_be_made_at_all_leaves_its_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, locust = failing(tmp_path, monkeypatch, "bench.load.metrics.merge:Merger.operations")
    assert code == 1
    assert locust.results() == []
    (path,) = (tmp_path / "results").glob("counts/*/*.json")
    content = json.loads(path.read_text())
    (report,) = content["reports"].values()
    (row,) = [row for row in report["operations"] if row["name"] == ECHO]
    assert row["ok"] > 0
    assert f"{ECHO}: ok {row['ok']:,}, timeouts 0, errors 0, unfinished 0, dropped 0" in locust.output.splitlines()
    assert any("no result can be made of what was counted" in line for line in error_lines(locust.output))
    assert "Traceback" not in locust.output


@pytest.mark.slow
def test_users_that_cannot_be_stopped_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, locust = failing(tmp_path, monkeypatch, "bench.load.plugin.process_run:ProcessRun._end_sending")
    assert code == 1
    assert "stopping the users: OSError" in (locust.result().partial_reason or "")
    assert operation(locust.result()).ok > 0


@pytest.mark.slow
def test_a_working_directory_that_is_gone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(LOCUSTFILE, home)
    with LocustProcess(tmp_path, "-u", "2", "-r", "2", directory=home) as locust:
        wait_until_it_loads(locust)
        shutil.rmtree(home)
        locust.interrupt()
        code = locust.wait()
    assert code == 0, locust.output
    assert operation(locust.result()).ok > 0
    assert "Traceback" not in locust.output


# ---------------------------------------------------------------------- where it is shown


@pytest.mark.slow
def test_standard_output_that_is_full(tmp_path: Path) -> None:
    with (
        Path("/dev/full").open("w") as full,
        LocustProcess(tmp_path, "-u", "2", "-r", "2", "-t", "2s", stdout=full) as locust,
    ):
        code = locust.wait()
    assert code == 1
    assert error_lines(locust.output) == ["cannot write to standard output: No space left on device"]
    assert operation(locust.result()).ok > 0
    assert "Traceback" not in locust.output
    assert "Exception ignored" not in locust.output


@pytest.mark.slow
def test_a_reader_that_has_gone(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with (
        os.fdopen(writing, "w") as pipe,
        LocustProcess(tmp_path, "-u", "2", "-r", "2", "-t", "2s", stdout=pipe) as locust,
    ):
        code = locust.wait()
    assert code == 1
    assert error_lines(locust.output) == ["cannot write to standard output: Broken pipe"]
    assert operation(locust.result()).ok > 0
    assert "Traceback" not in locust.output


# ---------------------------------------------------------------------- signals


def wait_until_it_loads(locust: LocustProcess) -> None:
    """Return once its own service answers. (On a busy machine its master may never say that all users are there.)"""
    locust.wait_for_output("Started app.main:app at http")
    url = locust.output.partition("Started app.main:app at ")[2].split()[0]
    wait_until(lambda: answered(url) > 20, "the load runs")


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGHUP, marks=pytest.mark.slow)])
def test_a_signal_stores_the_result_and_leaves_no_service_behind(tmp_path: Path, number: signal.Signals) -> None:
    with LocustProcess(tmp_path, "-u", "2", "-r", "2") as locust:
        locust.wait_for_output("Started app.main:app at http")
        url = locust.output.partition("Started app.main:app at ")[2].split()[0]
        wait_until(lambda: answered(url) > 0, "the load runs")
        services = locust.services()
        assert services
        locust.process.send_signal(number)
        locust.wait()
        wait_until(lambda: not any(map(psutil.pid_exists, services)), "the service has ended")
    assert operation(locust.result()).ok > 0
    assert "Traceback" not in locust.output
    assert locust.output.count("Shutting down") == 1


@pytest.mark.slow
def test_a_signal_to_master_and_workers(tmp_path: Path) -> None:
    with LocustProcess(tmp_path, "-u", "2", "-r", "2", "-t", "30s", "--processes", "2") as locust:
        wait_until_it_loads(locust)
        os.killpg(locust.process.pid, signal.SIGTERM)
        assert locust.wait() == 0
    assert not locust.result().partial
    assert "Traceback" not in locust.output
    assert locust.output.count("Shutting down") == 3


@pytest.mark.slow
def test_interrupts_in_haste_of_master_and_workers(tmp_path: Path) -> None:
    with LocustProcess(tmp_path, "-u", "2", "-r", "2", "-t", "30s", "--processes", "2") as locust:
        wait_until_it_loads(locust)
        for _ in range(20):
            locust.interrupt()
            time.sleep(0.05)
        assert locust.wait() in (0, 1)  # with luck all replies were there before the second
    assert locust.results()
    assert "Traceback" not in locust.output
    assert "Unknown message type" not in locust.output


@pytest.mark.slow
def test_a_stop_by_force_while_arrivals_still_wait_for_users(tmp_path: Path) -> None:
    with LocustProcess(tmp_path, "SingleUser", "-u", "2", "-r", "2", "--rate", "50", locustfile=OPEN) as locust:
        locust.wait_for_output("Started app.main:app at http")
        url = locust.output.partition("Started app.main:app at ")[2].split()[0]
        wait_until(lambda: answered(url) > 0, "the load runs")
        (service,) = locust.services()
        os.kill(service, signal.SIGSTOP)
        time.sleep(0.5)  # so that arrivals wait, whose users await replies
        locust.interrupt()
        locust.wait_for_output("Stopping: replies in flight are still awaited")
        locust.interrupt()
        locust.wait_for_output("stored in ")
        os.kill(service, signal.SIGCONT)
        assert locust.wait() == 1
    result = locust.result()
    assert result.forced
    assert not result.partial, result.partial_reason
    assert operation(result).unfinished == 2


@pytest.mark.parametrize(
    ("number", "arguments"),
    [
        (signal.SIGINT, ()),
        (signal.SIGTERM, ()),
        pytest.param(signal.SIGINT, ("--processes", "2"), marks=pytest.mark.slow),
    ],
)
def test_a_signal_while_the_test_is_about_to_begin(
    tmp_path: Path, number: signal.Signals, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    mark, git = tmp_path / "mark", tmp_path / "bin" / "git"
    git.parent.mkdir()
    git.write_text(f"#!/bin/sh\ntouch {mark}\nsleep 2\n")
    git.chmod(0o755)
    monkeypatch.setenv("PATH", str(git.parent), prepend=os.pathsep)
    with LocustProcess(tmp_path, "-u", "2", "-r", "2", "-t", "5s", *arguments) as locust:
        wait_until(mark.exists, "the commit of the service is being looked up")
        locust.process.send_signal(number)
        code = locust.wait()
    assert code == (130 if number == signal.SIGINT else 1), locust.output
    assert "Traceback" not in locust.output
    assert locust.results() == []


def test_an_interrupt_while_the_service_is_being_started(tmp_path: Path) -> None:
    with LocustProcess(tmp_path, "-u", "2", "-r", "2", "-t", "5s") as locust:
        wait_until(lambda: bool(locust.services()), "the service is being started")
        services = locust.services()
        locust.interrupt()
        code = locust.wait()
        wait_until(lambda: not any(map(psutil.pid_exists, services)), "the service has ended")
    assert code == 130, locust.output
    assert "Traceback" not in locust.output
    assert locust.results() == []


def test_an_interrupt_while_modules_are_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = tmp_path / "mark"
    locustfile = tmp_path / "slow.py"
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    # h11 is a module that bench.load imports and Locust does not.
    (tmp_path / "h11.py").write_text(
        f"import pathlib, time; pathlib.Path({str(mark)!r}).touch(); time.sleep({LIMIT_S})"
    )
    locustfile.write_text("from bench.load import SocketIOUser")
    with LocustProcess(tmp_path, "-u", "1", "-t", "1s", locustfile=locustfile) as locust:
        wait_until(mark.exists, "modules are imported")
        locust.interrupt()
        assert locust.wait() == 130
    assert "Traceback" not in locust.output


@pytest.mark.slow
def test_an_interrupt_while_the_master_waits_for_workers(tmp_path: Path) -> None:
    port = str(free_port())
    ports = ("--master-bind-port", port, "--expect-workers", "1")
    with LocustProcess(tmp_path, "--master", *ports, "-u", "1", "-t", "1s") as locust:
        locust.wait_for_output("Started app.main:app at http")
        wait_until(lambda: "Waiting for workers to be ready" in locust.output, "it waits")
        locust.interrupt()
        assert locust.wait() == 130
    assert "Traceback" not in locust.output
    assert locust.results() == []


@pytest.mark.slow
def test_locust_cannot_read_what_the_process_uses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAILING", "psutil:Process.cpu_percent")
    code, locust = run(tmp_path, "-u", "2", "-r", "2", "-t", "4s", locustfile=FAILING)
    assert code == 0, locust.output
    assert locust.result().window.end_s > 3, "the run goes on"
    assert "Locust cannot read what this process uses: [Errno 24] Too many open files" in locust.output
    assert "Traceback" not in locust.output


def test_interrupts_after_the_result_is_stored(tmp_path: Path) -> None:
    with LocustProcess(tmp_path, "-u", "2", "-r", "2", "--processes", "2") as locust:
        wait_until_it_loads(locust)
        locust.interrupt(everybody=False)
        locust.wait_for_output("stored in")
        while locust.process.poll() is None:  # its master takes half a second to leave
            locust.interrupt(everybody=False)
            time.sleep(0.05)
        assert locust.wait() == 0
    assert "Traceback" not in locust.output
    assert not locust.result().partial


# ---------------------------------------------------------------------- the service


@pytest.mark.slow
def test_a_death_is_told_whatever_fails_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAILING", "bench.load.plugin.service:Service.read")
    with LocustProcess(tmp_path, "-u", "2", "-r", "2", locustfile=FAILING) as locust:
        wait_until_it_loads(locust)
        (service,) = locust.services()
        os.kill(service, signal.SIGKILL)
        locust.wait_for_output("the service died: ")
        locust.interrupt()
        assert locust.wait() == 1
    told = [line for line in error_lines(locust.output) if line.startswith("the service died: ")]
    assert len(told) == 1
    assert "SIGKILL" in told[0]
    assert "Traceback" not in locust.output


@pytest.fixture
def slow_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A service whose import takes as long as the returned file says, in seconds; "no": it fails."""
    seconds = tmp_path / "seconds"
    seconds.write_text("0")
    (tmp_path / "slow.py").write_text(
        "import pathlib, time\n"
        "from app.main import app\n"
        f"time.sleep(float(pathlib.Path({str(seconds)!r}).read_text()))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return seconds


@pytest.mark.slow
def test_start_and_stop_while_the_service_is_started_again(tmp_path: Path, slow_app: Path) -> None:
    port = free_port()
    arguments = ("--app", "slow:app", "--web-host", "127.0.0.1", "--web-port", str(port))
    with (
        LocustProcess(tmp_path, *arguments, headless=False) as locust,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=LIMIT_S) as page,
        ThreadPoolExecutor() as pool,
    ):
        locust.wait_for_output("Started slow:app at http")
        url = locust.output.partition("Started slow:app at ")[2].split()[0]
        wait_until(lambda: is_up(f"http://127.0.0.1:{port}"), "the page is there")

        def start() -> dict[str, Any]:
            answer: dict[str, Any] = page.post("/swarm", data={"user_count": 2, "spawn_rate": 2, "host": url}).json()
            return answer

        def kill() -> None:
            (service,) = locust.services()
            os.kill(service, signal.SIGKILL)
            wait_until(lambda: not psutil.pid_exists(service) or _is_zombie(service), "the service is dead")

        def requests() -> int:
            return sum(
                row["num_requests"] for row in page.get("/stats/requests").json()["stats"] if row["name"] == ECHO
            )

        kill()
        slow_app.write_text("no")
        refused = start()
        assert not refused["success"]
        assert "did not start" in refused["message"] or "slow:app" in refused["message"]
        slow_app.write_text("1")
        first = pool.submit(start)
        wait_until(lambda: bool(locust.services()), "it is being started again")
        page.post("/stop").raise_for_status()
        second = pool.submit(start)
        assert not first.result()["success"], "it was stopped before it began"
        assert second.result()["success"]
        wait_until(lambda: requests() > 0, "the test runs")
        page.post("/stop").raise_for_status()
        wait_until(lambda: len(locust.results()) == 1, "its result is there")
        assert start()["success"]
        wait_until(lambda: requests() > 0, "the next test runs, too")
        page.post("/stop").raise_for_status()
        wait_until(lambda: len(locust.results()) == 2, "its result is there, too")
        locust.interrupt()
        locust.wait()
    assert all(operation(result).ok > 0 for result in locust.results())
    assert "Traceback" not in locust.output


def _is_zombie(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_form_with_a_time_without_end(tmp_path: Path) -> None:
    port = free_port()
    arguments = ("--web-host", "127.0.0.1", "--web-port", str(port))
    with (
        LocustProcess(tmp_path, *arguments, headless=False) as locust,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=LIMIT_S) as page,
    ):
        wait_until(lambda: is_up(f"http://127.0.0.1:{port}"), "the page is there")
        for field in ("warmup", "run_time"):
            answer = page.post("/swarm", data={"user_count": 1, "spawn_rate": 1, field: "99999999999h"}).json()
            assert not answer["success"]
            assert "'99999999999h' is too long" in answer["message"]
        locust.interrupt()
        assert locust.wait() == 0
