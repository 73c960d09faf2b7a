"""Workers that are lost, stopped, late, foreign or of another version: the result says so, and the run ends."""

import os
import signal
import socket
from collections import Counter
from pathlib import Path
from typing import Any

import msgpack
import psutil
import pytest
import zmq

from bench.load.metrics.recorder import Recorder
from bench.load.metrics.report import Report
from bench.load.metrics.tally import Tally
from bench.results.load import OperationKey
from bench.server import ServerProcess
from tests.support.folders import LOCUSTFILES
from tests.support.locust_process import (
    LIMIT_S,
    LocustProcess,
    answered,
    health,
    operation,
    run,
    wait_until,
)
from tests.support.ports import free_port

S = 1_000_000_000
WORKERS = LOCUSTFILES / "late_worker.py"


def master(folder: Path, service: ServerProcess, port: str, *arguments: str, workers: int = 1) -> LocustProcess:
    return LocustProcess(
        folder, "--master", "--master-bind-port", port, "--expect-workers", str(workers), "--host", service.url,
        *arguments, locustfile=WORKERS,
    )  # fmt: skip


def error_lines(output: str) -> list[str]:
    return [line.partition("/ERROR/")[2].partition(": ")[2] for line in output.splitlines() if "/ERROR/" in line]


def worker(folder: Path, port: str) -> LocustProcess:
    return LocustProcess(folder, "--worker", "--master-port", port, locustfile=WORKERS)


# ---------------------------------------------------------------------------------------------- lost


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_worker_that_is_lost_while_users_are_spawned(
    tmp_path: Path, service: ServerProcess, how: signal.Signals
) -> None:
    with LocustProcess(tmp_path, "--host", service.url, "-u", "8", "-r", "4", "-t", "6s", "--processes", "2") as locust:
        locust.wait_for_output("Sending spawn jobs")
        os.kill(locust.workers()[0], how)
        assert locust.wait() == 1
    result = locust.result()
    assert result.partial
    assert result.partial_reason is not None
    assert "no final report from" in result.partial_reason
    assert result.partial_reason in locust.output
    assert "is lost: it no longer answers" in locust.output
    assert "Traceback" not in locust.output
    assert operation(result).ok > 0, "the other one's users have run"


@pytest.mark.slow
def test_the_share_of_a_worker_that_is_lost_is_taken_over(tmp_path: Path, service: ServerProcess) -> None:
    with LocustProcess(
        tmp_path, "--host", service.url, "-u", "4", "-r", "4", "--rate", "100:12s", "--arrivals", "constant",
        "--processes", "2",
    ) as locust:  # fmt: skip
        wait_until(lambda: answered(service.url) > 150, "the load runs")
        os.kill(locust.workers()[0], signal.SIGKILL)
        assert locust.wait() == 1
    result = locust.result()
    row = operation(result)
    assert result.partial
    assert row.scheduled == 1200, "every arrival of the schedule is accounted for"
    assert row.dropped == row.dropped_because["its worker was lost"] > 0
    assert sum(second.dropped for second in result.timeline) == row.dropped
    assert result.partial_reason is not None
    assert f"{row.dropped} arrivals of its share were lost with it" in result.partial_reason
    # What a busy machine sends late is in a later second, and is there all the same.
    last = sum(second.sent for second in result.timeline[round(result.window.start_s) + 10 :])
    assert last > 150, "in the last two seconds the other one has the whole rate, and not its half"


@pytest.mark.slow
def test_a_worker_that_is_stopped_for_good_does_not_hold_up_the_end(tmp_path: Path, service: ServerProcess) -> None:
    with LocustProcess(tmp_path, "--host", service.url, "-u", "4", "-r", "4", "--processes", "2") as locust:
        wait_until(lambda: answered(service.url) > 200, "the load runs")
        os.kill(locust.workers()[0], signal.SIGSTOP)
        locust.interrupt()
        assert locust.wait() == 1
    assert locust.result().partial
    assert "it is killed" in locust.output


@pytest.mark.slow
def test_forked_workers_end_with_their_master(tmp_path: Path, service: ServerProcess) -> None:
    with LocustProcess(tmp_path, "--host", service.url, "-u", "4", "-r", "4", "--processes", "2") as locust:
        wait_until(lambda: answered(service.url) > 100, "the load runs")
        workers = [psutil.Process(pid) for pid in locust.workers()]
        os.kill(locust.process.pid, signal.SIGKILL)
        locust.wait()
        # Locust itself would give them a minute.
        assert not psutil.wait_procs(workers, timeout=40)[1]
        assert "the master of this worker has ended" in locust.output


@pytest.mark.slow
def test_a_worker_leaves_a_master_that_is_silent(tmp_path: Path, service: ServerProcess) -> None:
    port = str(free_port())
    with (
        master(tmp_path, service, port, "-u", "2", "-r", "2") as owner,
        worker(tmp_path, port) as alone,
    ):
        wait_until(lambda: answered(service.url) > 100, "the load runs")
        os.kill(owner.process.pid, signal.SIGKILL)
        assert alone.wait() == 1
        assert "the master of this worker has been silent" in alone.output


@pytest.mark.slow
def test_a_run_whose_workers_are_all_lost_ends(tmp_path: Path, service: ServerProcess) -> None:
    with LocustProcess(tmp_path, "--host", service.url, "-u", "4", "-r", "4", "--processes", "2") as locust:
        wait_until(lambda: answered(service.url) > 200, "the load runs")
        for pid in locust.workers():
            os.kill(pid, signal.SIGKILL)
        assert locust.wait() == 1, "though there is no --run-time"
    assert locust.result().partial


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.slow
def test_a_run_whose_only_worker_ends_is_not_whole(tmp_path: Path, service: ServerProcess, how: signal.Signals) -> None:
    port, before = str(free_port()), answered(service.url)
    with (
        master(tmp_path, service, port, "-u", "2", "-r", "2", "-t", "60s") as locust,
        worker(tmp_path, port) as only,
    ):
        wait_until(lambda: answered(service.url) > before + 100, "the load runs")
        only.process.send_signal(how)
        assert locust.wait() == 1
    reason = locust.result().partial_reason or ""
    if how == signal.SIGTERM:
        assert reason == "its last worker quit before the run was over"
    else:
        assert reason.startswith("no final report from ")
    assert error_lines(locust.output)[-1] == reason
    assert not any(line.startswith("no attempt to connect") for line in error_lines(locust.output))


@pytest.mark.slow
def test_a_worker_that_stood_still_and_goes_on_makes_the_result_partial(tmp_path: Path, service: ServerProcess) -> None:
    with LocustProcess(
        tmp_path, "--host", service.url, "-u", "4", "-r", "4", "--rate", "100", "--arrivals", "constant",
        "--processes", "2",
    ) as locust:  # fmt: skip
        wait_until(lambda: answered(service.url) > 150, "the load runs")
        stopped = locust.workers()[0]
        os.kill(stopped, signal.SIGSTOP)
        locust.wait_for_output("is lost: it no longer answers")
        os.kill(stopped, signal.SIGCONT)
        locust.wait_for_output("self-healed")
        before = answered(service.url)
        wait_until(lambda: answered(service.url) > before + 300, "the load goes on")
        locust.interrupt()
        assert locust.wait() == 1
    result = locust.result()
    assert result.partial_reason is not None
    assert "stood still for some seconds" in result.partial_reason
    assert operation(result).ok == answered(service.url)


@pytest.mark.slow
def test_a_worker_that_quits_while_users_are_spawned_leaves_the_window_to_the_others(
    tmp_path: Path, service: ServerProcess
) -> None:
    with LocustProcess(tmp_path, "--host", service.url, "-u", "6", "-r", "2", "--processes", "2") as locust:
        wait_until(lambda: answered(service.url) > 0, "the first users are there")
        os.kill(locust.workers()[0], signal.SIGINT)
        wait_until(lambda: health(service.url)["clients"] == 6, "all users are the other one's")
        before = answered(service.url)
        wait_until(lambda: answered(service.url) > before + 300, "the load runs")
        locust.interrupt()
        assert locust.wait() == 0
    result = locust.result()
    assert result.window.duration_s > 0
    assert operation(result).ok == answered(service.url)


# ---------------------------------------------------------------------------------------------- late, and idle


@pytest.mark.slow
def test_a_worker_that_joins_before_it_is_initialised_takes_part(
    tmp_path: Path, service: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = str(free_port())
    with (
        master(tmp_path, service, port, "-u", "4", "-r", "4") as owner,
        worker(tmp_path, port) as first,
    ):
        wait_until(lambda: answered(service.url) > 100, "the load runs")
        monkeypatch.setenv("LINGER_S", "1")
        with worker(tmp_path, port) as second:
            owner.wait_for_output("2 workers connected")
            before = answered(service.url)
            wait_until(lambda: _sessions_of(second, service) == 2, "it has half of the users")
            wait_until(lambda: answered(service.url) > before + 100, "the load goes on")
            first.interrupt()
            wait_until(lambda: _sessions_of(second, service) == 4, "it has those of the first worker, too")
            owner.interrupt()
            assert [locust.wait() for locust in (owner, first, second)] == [0, 0, 0]
    result = owner.result()
    assert result.generator.processes == 2
    assert not result.partial
    assert operation(result).ok == answered(service.url)


def _sessions_of(locust: LocustProcess, service: ServerProcess) -> int:
    return sum(
        1
        for connection in psutil.Process(locust.process.pid).net_connections("tcp")
        if connection.status == "ESTABLISHED" and connection.raddr and connection.raddr.port == service.port
    )


@pytest.mark.slow
def test_a_worker_without_users_costs_the_others_nothing(tmp_path: Path, service: ServerProcess) -> None:
    code, locust = run(tmp_path, "--host", service.url, "-u", "1", "-r", "1", "-t", "3s", "--processes", "2")
    assert code == 0
    result = locust.result()
    assert result.window.duration_s > 0
    assert operation(result).service_us is not None


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_users_that_never_were_make_the_result_partial(tmp_path: Path, service: ServerProcess, processes: int) -> None:
    more = ["--processes", "2"] if processes > 1 else []
    code, locust = run(tmp_path, "--host", service.url, "-u", "50", "-r", "1", "-t", "2s", *more)
    assert code == 1
    result = locust.result()
    assert result.partial_reason is not None
    assert "of 50 users ever began" in result.partial_reason


# ---------------------------------------------------------------------------------------------- versions, messages


@pytest.mark.slow
def test_a_worker_of_another_version_is_refused(
    tmp_path: Path, service: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = str(free_port())
    with master(tmp_path, service, port, "-u", "2", "-r", "2", "-t", "60s", workers=2) as owner:
        monkeypatch.setenv("OTHER_VERSION", "0.0.7")
        with worker(tmp_path, port) as other:
            assert other.wait() == 1
            assert owner.wait() == 2
    (line,) = error_lines(owner.output)
    assert "is refused: it is version 0.0.7" in line
    assert "this master is version" in line
    assert "Traceback" not in owner.output + other.output
    assert owner.results() == []


@pytest.mark.slow
def test_a_worker_of_another_version_that_joins_is_refused(
    tmp_path: Path, service: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = str(free_port())
    with (
        master(tmp_path, service, port, "-u", "2", "-r", "2", "-t", "60s") as owner,
        worker(tmp_path, port) as first,
    ):
        wait_until(lambda: answered(service.url) > 100, "the load runs")
        monkeypatch.setenv("OTHER_VERSION", "0.0.7")
        with worker(tmp_path, port) as other:
            assert other.wait() == 1
            wait_until(lambda: "quit" in owner.output, "its users are the first one's again")
            owner.interrupt()
            assert owner.wait() == 1
            assert first.wait() == 0
    result = owner.result()
    assert result.partial_reason is not None
    assert "version 0.0.7" in result.partial_reason
    assert "no final report" not in result.partial_reason
    assert len([line for line in error_lines(owner.output) if "is refused" in line]) == 2, "at once, and at the end"


class Foreign:
    """A foreign program that speaks to a master's port. It sends what it is given."""

    def __init__(self, port: str, name: str) -> None:
        self.name = name
        self._socket: Any = zmq.Context.instance().socket(zmq.DEALER)
        self._socket.setsockopt(zmq.IDENTITY, name.encode())
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.connect(f"tcp://127.0.0.1:{port}")

    def send(self, kind: object, data: object) -> None:
        self.send_raw(msgpack.dumps((kind, data, self.name)))

    def send_raw(self, *frames: bytes) -> None:
        self._socket.send_multipart(frames)

    def close(self) -> None:
        self._socket.close()


BAD: list[Any] = [None, 5, "users", [1], {}, {"users": "many"}, {"users": True, "more": 1}]


@pytest.mark.slow
def test_foreign_and_malformed_messages_change_nothing(tmp_path: Path, service: ServerProcess) -> None:
    port = str(free_port())
    with (
        master(tmp_path, service, port, "-u", "2", "-r", "2") as owner,
        worker(tmp_path, port) as first,
    ):
        wait_until(lambda: answered(service.url) > 100, "the load runs")
        foreign = Foreign(port, "stranger")
        for raw in (
            b"",
            b"\xc1",
            msgpack.dumps([1, 2, 3]),
            msgpack.dumps({"a": 1}),
            msgpack.dumps(7),
            b"GET / HTTP/1.1",
        ):
            foreign.send_raw(raw)
        foreign.send_raw(b"", b"", b"")
        for kind in ("bench_hello", "bench_ready", "bench_report", "stats", "heartbeat", "quit", "no such type", 9):
            for data in BAD:
                foreign.send(kind, data)
        for _ in range(20_000):  # more than a master can log
            foreign.send("bench_ready", {"users": True})
        foreign.send("exception", {"msg": "the last", "traceback": "that it sends"})
        before = answered(service.url)
        wait_until(lambda: answered(service.url) > before + 500, "the load goes on")
        owner.interrupt()
        owner.wait()
        assert first.wait() == 0
        foreign.close()
    result = owner.result()
    assert not result.partial
    assert result.generator.processes == 1
    assert operation(result).ok == answered(service.url)
    assert "Traceback" not in owner.output
    assert len(error_lines(owner.output)) < 50


@pytest.mark.slow
def test_a_worker_that_sends_bad_reports_is_refused(tmp_path: Path, service: ServerProcess) -> None:
    port = str(free_port())
    with (
        master(tmp_path, service, port, "-u", "2", "-r", "2") as owner,
        worker(tmp_path, port) as first,
    ):
        wait_until(lambda: answered(service.url) > 100, "the load runs")
        foreign = Foreign(port, "stranger")
        foreign.send("client_ready", -1)
        owner.wait_for_output("stranger (index 1) reported as ready")
        foreign.send("stats", {"stats": [], "stats_total": {"name": "Aggregated", "method": ""}, "errors": {}})
        for data in BAD * 10:
            foreign.send("bench_report", data)
        owner.wait_for_output("worker stranger is refused")
        owner.interrupt()
        assert owner.wait() == 1
        assert first.wait() == 0
        foreign.close()
    result = owner.result()
    assert result.partial_reason is not None
    assert "worker stranger is refused" in result.partial_reason
    assert "statistics of stranger" not in owner.output, "they are whole but for users, which it has none of yet"
    assert "Traceback" not in owner.output


def a_report() -> Report:
    account = Tally(0, is_open=True)
    account.open_window(0)
    log = Recorder("echo")
    log.answered(1 * S, 1 * S, 1 * S + 1000)
    batch = log.flush()
    assert batch is not None
    account.add(batch)
    return account.report(unfinished=Counter({OperationKey("echo"): 2}), late=Counter(), began=3)


def changed(report: dict[str, Any], part: str, **fields: Any) -> dict[str, Any]:
    return report | {part: [report[part][0] | fields]}


# ---------------------------------------------------------------------------------------------- no master


@pytest.mark.slow
def test_ctrl_c_while_workers_are_awaited(tmp_path: Path, service: ServerProcess) -> None:
    port = str(free_port())
    with (
        master(tmp_path, service, port, workers=2) as owner,
        worker(tmp_path, port) as first,
    ):
        owner.wait_for_output("Waiting for workers to be ready, 1 of 2 connected")
        owner.interrupt()
        assert owner.wait() == 130
        first.wait()
    (line,) = error_lines(owner.output)
    assert line == "interrupted before the test began: there were 1 workers"
    assert "Traceback" not in owner.output + first.output


@pytest.mark.slow
def test_ctrl_c_while_the_master_initialises(
    tmp_path: Path, service: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = str(free_port())
    monkeypatch.setenv("LINGER_S", f"{LIMIT_S:g}")
    with master(tmp_path, service, port, "-u", "1", "-t", "1s") as owner:
        monkeypatch.delenv("LINGER_S")
        with worker(tmp_path, port) as waiting:
            owner.wait_for_output("1 workers connected")
            owner.interrupt()
            assert owner.wait() == 130
            # Without a word of its master, it would wait a minute for it.
            waiting.process.wait(40)
    assert "Traceback" not in owner.output + waiting.output


@pytest.mark.parametrize("answers", [("ack", "quit"), ("quit", "ack"), ("quit",)])
@pytest.mark.slow
def test_a_master_that_ends_while_its_worker_connects(tmp_path: Path, answers: tuple[str, ...]) -> None:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as ending:
        ending.setsockopt(zmq.LINGER, 0)
        ending.setsockopt(zmq.RCVTIMEO, round(1000 * LIMIT_S))
        port = ending.bind_to_random_port("tcp://127.0.0.1")
        with worker(tmp_path, str(port)) as connecting:
            name, _ready = ending.recv_multipart()
            for kind in answers:
                data = {"index": 0} if kind == "ack" else None
                ending.send_multipart([name, msgpack.dumps((kind, data, name.decode()))])
            # Without its listener it would wait a minute for a sign of its master, or for ever to be greeted.
            assert connecting.process.wait(40) == 0
    assert "Traceback" not in connecting.output


def test_a_master_whose_port_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with LocustProcess(
            tmp_path, "--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port, "-u", "1"
        ) as locust:
            assert locust.wait() == 1
    (line,) = error_lines(locust.output)
    assert line.startswith(f"the master cannot listen on port {port}: ")
    assert "Traceback" not in locust.output


@pytest.mark.slow
def test_a_worker_without_a_master_says_so(tmp_path: Path) -> None:
    port = str(free_port())
    with worker(tmp_path, port) as alone:
        alone.wait_for_output(f"no master answers at 127.0.0.1:{port} yet")
        alone.interrupt()
        assert alone.wait() == 130
    assert "Traceback" not in alone.output
