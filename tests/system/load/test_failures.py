"""Failures under load: they are counted, told in one line, and end with the right exit code."""

import json
import os
import re
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import httpx
import psutil
import pytest

from bench.results.load import LoadResult, Operation
from bench.server import ServerProcess
from bench.wire.errors import CLOSED, RESET
from tests.support.folders import APPS, LOCUSTFILES
from tests.support.locust_process import (
    CONNECT,
    LIMIT_S,
    LocustProcess,
    answered,
    health,
    operation,
    run,
    wait_until,
)

PATIENT = LOCUSTFILES / "patient.py"


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody listens on, and nobody else gets."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


def lost(row: Operation) -> int:
    """Return the number of round trips that lost their connection; there are no other errors."""
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
        (["--source-addresses", "192.0.2.1"], 2, "--source-addresses: 192.0.2.1 is no address of this machine"),
        (["--source-addresses", "here"], 2, "--source-addresses: 'here' is no address: expected something like "),
        (["--app", "no_such_module:app"], 2, "app 'no_such_module:app' was not found"),
        (["--app", "app.main:nothing"], 2, "app 'app.main:nothing' was not found"),
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
    with LocustProcess(tmp_path, "-u", "10", "-r", "10") as locust:
        locust.wait_for_output("Started app.main:app at http")
        url = locust.output.partition("Started app.main:app at ")[2].split()[0]
        wait_until(lambda: answered(url) > 100, "the load runs")
        (service,) = locust.services()
        os.kill(service, signal.SIGKILL)
        locust.wait_for_output("SIGKILL")
        time.sleep(1)  # everybody tries to connect again
        locust.interrupt()
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
    loss = result.service_loss
    assert loss is not None
    assert (loss.how, loss.signal, loss.exit_code, loss.wrote_last) == ("died", "SIGKILL", None, None)
    assert 0 < loss.t < 4


def test_a_service_elsewhere_that_is_lost_to_all_users(tmp_path: Path) -> None:
    allowed = ("--slo", "errors < 100 %; connects >= 1 %; dropped < 100 %", "--junit", str(tmp_path / "junit.xml"))
    with (
        ServerProcess() as server,
        LocustProcess(tmp_path, "--host", server.url, "-u", "5", "-r", "5", "-t", "3s", *allowed) as locust,
    ):
        wait_until(lambda: answered(server.url) > 100, "the load runs")
        server.kill()
        assert locust.wait() == 1
    result = locust.result()
    loss = result.service_loss
    assert loss is not None
    assert (loss.how, loss.exit_code, loss.signal, loss.wrote_last) == ("unreachable", None, None, None)
    assert "cannot be reached: connection refused" in (loss.reason or "")
    assert loss.failed_attempts == operation(result, CONNECT).error_count
    assert {objective.verdict for objective in result.objectives} == {"not judged"}
    (whole, *_) = ElementTree.parse(tmp_path / "junit.xml").iter("testcase")
    fault = whole.find("error")
    assert fault is not None
    assert fault.get("message") == loss.text
    assert loss.text in error_lines(locust.output)


@pytest.mark.slow
def test_users_reconnect_to_a_service_that_comes_back(tmp_path: Path) -> None:
    with ServerProcess() as first:
        port = first.port
        with LocustProcess(tmp_path, "--host", first.url, "-u", "10", "-r", "10") as locust:
            wait_until(lambda: answered(first.url) > 100, "the load runs")
            os.kill(first.pid, signal.SIGKILL)
            wait_until(lambda: not first.is_running, "the service is dead")
            with ServerProcess(port=port) as second:
                wait_until(lambda: health(second.url)["clients"] == 10, "all are back")
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
    monkeypatch.setenv("REPLY_TIMEOUT", "1")
    with ServerProcess("unreliable:app", directory=APPS) as server:
        code, locust = run(tmp_path, "--host", server.url, "-u", "20", "-r", "20", "-t", "4s", locustfile=PATIENT)
        truth = httpx.get(f"{server.url}/counts", timeout=LIMIT_S).json()
    assert code == 1, "timeouts are failures"
    row = operation(locust.result())
    assert row.timeouts == truth["lost"] + truth["late"]
    assert 0 < row.late <= truth["late"], "all but those that came after their user had stopped"
    assert row.error_count == row.unfinished == 0
    assert row.service_us is not None
    # 23 % of the emissions timed out: the median is known, the tail is known only to be beyond the timeout.
    assert row.service_us.p50 is not None
    assert row.service_us.p50 < 1_000_000
    assert (row.service_us.p90, row.service_us.p99, row.service_us.max) == (None, None, None)
    assert row.service_us.censored_above_us == 1_000_000


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


@pytest.mark.slow
def test_nothing_sent(tmp_path: Path) -> None:
    """In a closed load the users may be there only to listen; arrivals of a schedule have to begin something."""
    idle = LOCUSTFILES / "idle.py"
    code, locust = run(tmp_path, "-u", "2", "-r", "2", "-t", "1s", locustfile=idle)
    assert (code, error_lines(locust.output)) == (0, [])
    assert "no operation was performed: the users were connected, and that is all" in locust.output
    code, locust = run(tmp_path, "-u", "2", "-r", "2", "--rate", "50:1s", locustfile=idle)
    assert code == 1
    assert error_lines(locust.output) == ["nothing was sent: no task performed an operation"]


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


REFUSED_USERS = 150


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_refusals_with_an_id_are_one_kind_of_error(tmp_path: Path, processes: int) -> None:
    more = ["--processes", "2"] if processes > 1 else []
    with ServerProcess("refusing:by_id", directory=APPS) as server:
        code, locust = run(tmp_path, "--host", server.url, "-u", "20", "-r", "20", "-t", "2s", *more)
    assert code == 1
    row = operation(locust.result(), CONNECT)
    assert len(row.errors) == 1
    assert row.error_count >= 20
    (line,) = error_lines(locust.output)
    assert "no place for …, HTTP 503" in line


PUT_OUT = """
from locust import constant

from bench import Connection, RoundTrip, SocketIOUser, task


class MemberUser(SocketIOUser):
    connection = Connection(namespaces=("/members", "/"))
    wait_time = constant(0.01)

    @task
    async def ask(self) -> None:
        await self.round_trip(RoundTrip("ask", emit="FOO"))
"""


@pytest.mark.parametrize("more", [(), pytest.param(("--rate", "50"), marks=pytest.mark.slow)])
def test_users_that_are_put_out_of_their_namespace_come_back(tmp_path: Path, more: tuple[str, ...]) -> None:
    locustfile = tmp_path / "put_out.py"
    locustfile.write_text(PUT_OUT)
    with ServerProcess("dropping:members", directory=APPS) as server:
        code, locust = run(tmp_path, "--host", server.url, "-u", "1", "-t", "2s", *more, locustfile=locustfile)
    assert code == 1
    asked, connected = operation(locust.result(), "ask"), operation(locust.result(), CONNECT)
    assert asked.errors == {"connection lost: the server disconnected this client": asked.error_count}
    assert asked.dropped == 0
    assert connected.ok - 1 <= asked.error_count <= connected.ok
    assert asked.ok >= 19 * asked.error_count > 0
    in_seconds = Counter[str]()
    for second in locust.result().timeline:
        in_seconds.update(second.errors)
        assert sum(second.errors.values()) == second.failed
    assert in_seconds == asked.errors


@pytest.mark.slow
def test_a_namespace_that_changes_when_the_tasks_have_it(tmp_path: Path) -> None:
    locustfile = tmp_path / "moving.py"
    moves = "    async def before_connect(self) -> None:\n        self.connection = Connection()\n"
    locustfile.write_text(PUT_OUT + moves)
    with ServerProcess("dropping:members", directory=APPS) as server:
        code, locust = run(tmp_path, "--host", server.url, "-u", "1", "-t", "1s", locustfile=locustfile)
    assert code == 1
    (reason,) = operation(locust.result(), CONNECT).errors
    assert reason.startswith("the user's namespace was /members, and before_connect made it /: set it before")


@pytest.mark.slow
def test_errors_that_all_differ_are_kept_by_the_fifty(tmp_path: Path) -> None:
    """The limit is kept in each of two workers, and in what their master makes of both."""
    users = ("-u", str(REFUSED_USERS), "-r", str(REFUSED_USERS), "--processes", "2")
    with ServerProcess("refusing:by_word", directory=APPS) as server:
        code, locust = run(tmp_path, "--host", server.url, *users, "-t", "6s")
    assert code == 1
    row = operation(locust.result(), CONNECT)
    assert len(row.errors) == 51
    assert row.error_count == row.sent - row.unfinished >= REFUSED_USERS
    (rest,) = [kind for kind in row.errors if kind.startswith("other errors (")]
    assert row.errors[rest] == row.error_count - 50
    (line,) = error_lines(locust.output)
    assert len(line) < 500
    assert line.endswith("; and 48 more kinds of errors")
    assert locust.output.count("no place for") <= 3 + 50 + 2 * 50, "in the line, our table and Locust's report"


RAISING = LOCUSTFILES / "raising.py"


def exceptions(result: LoadResult) -> dict[str, int]:
    """Return the counts of its exceptions, by their texts without the lines."""
    return {re.sub(r"\.py:\d+", "", found.text): found.count for found in result.exceptions}


@pytest.mark.parametrize(
    "more",
    [
        (),
        pytest.param(("--rate", "2000"), id="open", marks=pytest.mark.slow),
        pytest.param(("--processes", "2", "--stop-timeout", "1"), id="workers", marks=pytest.mark.slow),
    ],
)
def test_a_task_that_raises_at_once(tmp_path: Path, more: tuple[str, ...]) -> None:
    code, locust = run(tmp_path, "AtOnceUser", "-u", "10", "-r", "10", "-t", "2s", *more, locustfile=RAISING)
    assert code == 1
    kind = "ZeroDivisionError: of the user's own making, id … (raising in wrong)"
    (counted,) = exceptions(locust.result()).items()
    assert counted[0] == kind
    assert counted[1] >= 10
    processes = 2 if "--processes" in more else 1
    assert locust.output.count("Traceback") == processes
    assert len(error_lines(locust.output)) <= 2 * processes + 2
    again = re.findall(r"(\d+) more of: ZeroDivisionError", locust.output)
    assert processes + sum(map(int, again)) == counted[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("user", "kind", "more"),
    [
        ("AfterReplyUser", "AssertionError: a reply (raising in wrong)", ("--rate", "200")),
        ("MistypedUser", "NoRoundTrip: round_trip takes a RoundTrip, not 'say': make it with round_trip_of(", ()),
    ],
)
def test_a_task_that_is_wrong(tmp_path: Path, user: str, kind: str, more: tuple[str, ...]) -> None:
    code, locust = run(tmp_path, user, "-u", "3", "-r", "3", "-t", "2s", *more, locustfile=RAISING)
    assert code == 1
    ((text, number),) = exceptions(locust.result()).items()
    assert text.startswith(kind)
    assert number >= 3
    assert locust.output.count("Traceback") == 1


@pytest.mark.parametrize("more", [(), ("--rate", "50")])
@pytest.mark.slow
def test_an_await_that_is_missing(tmp_path: Path, more: tuple[str, ...]) -> None:
    code, locust = run(tmp_path, "ForgetfulUser", "-u", "3", "-r", "3", "-t", "2s", *more, locustfile=RAISING)
    assert code == 1
    texts = exceptions(locust.result())
    assert len(texts) == 2
    for name in ("round_trip", "right"):
        (text,) = [text for text in texts if f"{name}' was never awaited: write `await` before it, raising" in text]
        assert texts[text] >= 1
    assert locust.output.count("RuntimeWarning") == 0


@pytest.mark.parametrize("more", [(), pytest.param(("--rate", "50"), marks=pytest.mark.slow)])
def test_what_ends_a_program_elsewhere_is_an_exception_of_the_task(tmp_path: Path, more: tuple[str, ...]) -> None:
    code, locust = run(tmp_path, "ExitingUser", "-u", "1", "-r", "1", "-t", "2s", *more, locustfile=RAISING)
    assert code == 1
    result = locust.result()
    in_task = ("KeyboardInterrupt", "GreenletExit", "CancelledError", "NoFinalError", "TimeoutError")
    assert exceptions(result) == {
        **{f"{name}: on purpose (raising in leave)": 1 for name in in_task},
        "SystemExit: 5 (raising in leave)": 1,
        "CancelledError (raising in leave)": 1,
        "SystemExit: beside (raising in exit)": 1,
    }
    assert operation(result).ok > 0, "the user has gone on"
    assert not result.partial
    assert not result.forced


@pytest.mark.slow
def test_exceptions_between_tasks(tmp_path: Path) -> None:
    code, locust = run(tmp_path, "LifeUser", "-u", "2", "-r", "2", "-t", "1s", locustfile=RAISING)
    assert code == 1
    result = locust.result()
    counts = exceptions(result)
    assert set(counts) == {
        "LookupError: in wait_time (raising in wait_time)",
        "SystemExit: in on_stop (raising in on_stop)",
    }
    assert counts["SystemExit: in on_stop (raising in on_stop)"] == 2
    assert counts["LookupError: in wait_time (raising in wait_time)"] == operation(result).ok


@pytest.mark.slow
def test_on_start_that_raises(tmp_path: Path) -> None:
    code, locust = run(tmp_path, "NoStartUser", "-u", "20", "-r", "20", "-t", "1s", locustfile=RAISING)
    assert code == 1
    assert exceptions(locust.result()) == {"KeyboardInterrupt: in on_start (raising in on_start)": 20}
    assert locust.output.count("Traceback") == 1


@pytest.mark.slow
def test_event_handlers_that_raise_all_the_time(tmp_path: Path) -> None:
    with ServerProcess("flooding:app", directory=APPS) as server:
        arguments = ("--host", server.url, "-u", "3", "-r", "3", "-t", "1s")
        code, locust = run(tmp_path, "HearingUser", *arguments, locustfile=RAISING)
    assert code == 1
    result = locust.result()
    row = operation(result)
    assert row.ok > 0
    assert row.error_count == 0, "the connections have survived it"
    assert exceptions(result) == {
        "LookupError: no news in … (raising in on_news)": 100 * row.ok,
        "SystemExit: in a handler (raising in on_news)": 100 * row.ok,
    }
    assert locust.output.count("Traceback") == 2
    assert len(error_lines(locust.output)) < 10


@pytest.mark.parametrize(
    ("seconds", "more"),
    [
        pytest.param(None, (), id="closed", marks=pytest.mark.slow),
        pytest.param("60", ("--rate", "50"), id="sleep, open", marks=pytest.mark.slow),
        pytest.param(None, ("--processes", "2", "--stop-timeout", "30"), id="workers", marks=pytest.mark.slow),
    ],
)
def test_a_task_that_never_gives_control_back(
    tmp_path: Path, seconds: str | None, more: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    if seconds is not None:
        monkeypatch.setenv("SLEEP", seconds)
    code, locust = run(tmp_path, "EndlessUser", "-u", "2", "-r", "2", "-t", "2s", *more, locustfile=RAISING)
    assert code == 1
    result = locust.result()
    assert result.forced
    assert result.partial
    assert re.fullmatch(
        r"the engine's event loop has been blocked for \d+ s by a task: raising\.py:\d+ in spin",
        str(result.partial_reason),
    )
    row = operation(result)
    assert row.ok >= 1
    assert operation(result, CONNECT).sent == 2
    assert "no user was started" not in locust.output
    assert "Traceback" not in locust.output


@pytest.mark.slow
@pytest.mark.parametrize("signals", [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM,)])
def test_a_run_that_is_blocked_ends_when_it_is_asked_to(tmp_path: Path, signals: tuple[signal.Signals, ...]) -> None:
    with LocustProcess(tmp_path, "EndlessUser", "-u", "2", "-r", "2", locustfile=RAISING) as locust:
        locust.wait_for_output("has been blocked for")
        for number in signals:
            locust.process.send_signal(number)
            time.sleep(0.2)
        assert locust.wait() == 1
    assert locust.result().forced
    assert "Traceback" not in locust.output


@pytest.mark.slow
def test_a_task_that_reschedules_for_ever_lets_others_run(tmp_path: Path) -> None:
    code, locust = run(tmp_path, "RescheduledUser", "-u", "2", "-r", "2", "-t", "2s", locustfile=RAISING)
    assert (code, error_lines(locust.output)) == (0, [])
    assert "no operation was performed" in locust.output
    assert not locust.result().partial


@pytest.mark.slow
def test_listeners_that_are_slower_than_the_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN", "1")
    statistics = tmp_path / "statistics"
    arguments = ("RightUser", "-u", "2", "-r", "2", "-t", "3s", "--json-file", str(statistics))
    _, locust = run(tmp_path, *arguments, locustfile=RAISING)
    result = locust.result()
    assert operation(result).ok * 0.05 > LIMIT_S / 2, "to fire all of them takes longer than is waited for here"
    locusts = {
        entry["name"]: entry["num_requests"] for entry in json.loads(statistics.with_suffix(".json").read_text())
    }
    assert locusts == {row.name: row.sent for row in result.operations}
    assert locust.output.count("listeners of events.request are slower") == 1
    assert locust.output.count("LookupError: in a listener") <= 5


@pytest.mark.slow
def test_a_task_that_does_not_let_itself_be_cancelled(tmp_path: Path) -> None:
    code, locust = run(tmp_path, "UncancellableUser", "-u", "2", "-r", "2", "-t", "1s", locustfile=RAISING)
    assert code == 1
    result = locust.result()
    assert result.forced
    assert result.partial_reason == "2 users did not end within 5 s of being cancelled"
    assert operation(result).ok == 2
