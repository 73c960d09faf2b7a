"""What goes wrong under load is counted, said in one line, and ends with the right exit code."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from locust_process import CONNECT, LOCUSTFILES, LocustProcess, answered, operation, run, wait_until

from bench.results.model import Operation
from bench.server import ServerProcess
from bench.wire.reasons import CLOSED, RESET

APPS = Path(__file__).parent / "apps"
PATIENT = LOCUSTFILES / "patient.py"


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody listens on, and nobody else gets."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


def lost(row: Operation) -> int:
    """How many round trips lost their connection; there are no other errors."""
    assert set(row.errors) <= {f"connection lost: {reason}" for reason in (CLOSED, RESET)}
    return row.error_count


def error_lines(output: str) -> list[str]:
    return [line.partition("/ERROR/")[2].partition(": ")[2] for line in output.splitlines() if "/ERROR/" in line]


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_run_that_never_connected(tmp_path: Path, closed_port: int, processes: int) -> None:
    url = f"http://127.0.0.1:{closed_port}"
    arguments = ["--processes", "2"] if processes > 1 else []
    code, locust = run(tmp_path, "--host", url, "-u", "5", "-r", "5", "-t", "2s", *arguments)
    assert code == 1
    assert error_lines(locust.output) == [f"no user ever connected: {url} cannot be reached: connection refused"]
    row = operation(locust.result(), CONNECT)
    assert (row.ok, row.service_us) == (0, None)
    assert row.error_count >= 5
    assert "Traceback" not in locust.output


def test_a_host_that_is_no_socket_io_server(tmp_path: Path) -> None:
    with ServerProcess() as server:
        url = f"{server.url}/elsewhere"
        code, locust = run(tmp_path, "--host", url, "-u", "2", "-r", "2", "-t", "1s")
    assert code == 1
    (line,) = error_lines(locust.output)
    assert line.startswith(f"no user ever connected: {url}")


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["--host", "nonsense"], 2, "'nonsense' is no URL of a server: expected something like http://127.0.0.1:8000"),
        (["--app", "no_such_module:app"], 1, "app 'no_such_module:app' was not found"),
        (["--app", "app.main:nothing"], 1, "app 'app.main:nothing' was not found"),
    ],
)
def test_what_cannot_start(tmp_path: Path, arguments: list[str], code: int, line: str, processes: int) -> None:
    more = ["--processes", "2"] if processes > 1 else []
    ended, locust = run(tmp_path, "-u", "1", "-t", "1s", *arguments, *more)
    assert ended == code
    (said,) = error_lines(locust.output)
    assert said.startswith(line)
    assert "Traceback" not in locust.output
    assert locust.results() == []


def test_a_service_that_dies_mid_run(tmp_path: Path) -> None:
    with LocustProcess(tmp_path, "-u", "10", "-r", "10", "-t", "4s") as locust:
        locust.wait_for_output("Started app.main:app at http")
        url = locust.output.partition("Started app.main:app at ")[2].split()[0]
        wait_until(lambda: answered(url) > 100, "the load runs")
        (service,) = locust.services()
        os.kill(service, signal.SIGKILL)
        assert locust.wait() == 1
    result = locust.result()
    row = operation(result)
    assert lost(row) == 10
    assert row.sent == row.ok + 10
    connect = operation(result, CONNECT)
    assert connect.ok == 10
    assert connect.error_count + connect.unfinished >= 10, "everybody has tried to reconnect"
    assert any("SIGKILL" in line for line in error_lines(locust.output))
    assert "Traceback" not in locust.output


def test_users_reconnect_to_a_service_that_comes_back(tmp_path: Path) -> None:
    with ServerProcess() as first:
        port = first.port
        with LocustProcess(tmp_path, "--host", first.url, "-u", "10", "-r", "10") as locust:
            wait_until(lambda: answered(first.url) > 100, "the load runs")
            os.kill(first.pid, signal.SIGKILL)
            wait_until(lambda: not first.is_running, "the service is dead")
            with ServerProcess(port=port) as second:
                wait_until(lambda: httpx.get(f"{second.url}/health").json()["clients"] == 10, "all are back")
                wait_until(lambda: answered(second.url) > 100, "the load goes on")
                locust.interrupt()
                assert locust.wait() == 1
                result = locust.result()
                row = operation(result)
                assert lost(row) == 10
                assert row.ok > answered(second.url) > 100
                assert operation(result, CONNECT).ok == 20


def test_timeouts_and_late_replies_are_what_the_server_made_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPLY_TIMEOUT", "0.3")
    with ServerProcess("unreliable:app", directory=APPS) as server:
        code, locust = run(tmp_path, "--host", server.url, "-u", "20", "-r", "20", "-t", "4s", locustfile=PATIENT)
        truth = httpx.get(f"{server.url}/counts").json()
    assert code == 1, "timeouts are failures"
    row = operation(locust.result())
    assert row.timeouts == truth["lost"] + truth["late"]
    assert 0 < row.late <= truth["late"], "all but those that came after their user had stopped"
    assert row.error_count == row.unfinished == 0
    assert row.service_us is not None
    # 23 % of the emissions timed out: the median is known, the tail is known only to be beyond the timeout.
    assert row.service_us.p50 is not None
    assert row.service_us.p50 < 300_000
    assert (row.service_us.p90, row.service_us.p99, row.service_us.max) == (None, None, None)
    assert row.service_us.censored_above_us == 300_000


def test_replies_are_awaited_when_a_run_ends_and_cut_off_when_it_is_forced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPLY_TIMEOUT", "50")
    with (
        ServerProcess("mute:app", directory=APPS) as server,
        LocustProcess(tmp_path, "--host", server.url, "-u", "5", "-r", "5", locustfile=PATIENT) as locust,
    ):
        locust.wait_for_output("All users spawned")
        wait_until(lambda: _connections(server.port) == 5, "all are connected")
        locust.interrupt()
        locust.wait_for_output("Stopping: replies in flight")
        assert locust.results() == [], "the replies are awaited"
        locust.interrupt()
        code = locust.wait()
    result = locust.result()
    row = operation(result)
    assert (row.sent, row.ok, row.unfinished) == (5, 0, 5)
    assert result.forced
    assert code == 1
    assert error_lines(locust.output) == ["the run was ended by force: 5 replies were still awaited"]
    assert "Traceback" not in locust.output


def _connections(port: int) -> int:
    return sum(
        1
        for connection in psutil.net_connections("tcp")
        if connection.status == "ESTABLISHED" and connection.raddr and connection.raddr.port == port
    )


def test_nothing_sent(tmp_path: Path) -> None:
    code, locust = run(tmp_path, "-u", "2", "-r", "2", "-t", "1s", locustfile=LOCUSTFILES / "idle.py")
    assert code == 1
    assert error_lines(locust.output) == ["nothing was sent: no task performed a round trip"]


def test_a_result_that_cannot_be_stored(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file where the folder should be")
    code, locust = run(tmp_path, "-u", "2", "-r", "2", "-t", "1s")
    assert code == 1
    assert len(error_lines(locust.output)) == 1
    assert "not stored" in locust.output
    assert "Traceback" not in locust.output


def test_a_task_that_does_not_await_is_refused(tmp_path: Path) -> None:
    code, locust = run(tmp_path, "-u", "1", "-t", "1s", locustfile=LOCUSTFILES / "blocking.py")
    assert code == 2
    assert error_lines(locust.output) == [
        "BlockingUser.foo_bar is not `async def`: the tasks of a SocketIOUser are coroutines"
    ]
