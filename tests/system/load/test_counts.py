"""The samples of a load run, all in its result however it ends: the service's own count of answers is the judge."""

import json
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from bench.results.load import LoadResult
from bench.results.receiving import ReceiveClock
from bench.server import ServerProcess
from bench.timing.histogram import Histogram
from bench.wire.stamps import received_clock
from tests.support.locust_process import CONNECT, LocustProcess, answered, operation, run, wait_until
from tests.support.ports import free_port


def assert_complete(result: LoadResult, service: ServerProcess) -> None:
    """Compare the counts with the service's own; the model has checked that they add up."""
    row = operation(result)
    assert row.ok == answered(service.url)
    assert (row.timeouts, row.error_count, row.unfinished, row.late) == (0, 0, 0, 0)
    assert sum(second.ok for second in result.timeline) == row.ok
    assert sum(second.sent for second in result.timeline) == row.sent
    assert not result.partial
    assert not result.forced


def test_one_process(tmp_path: Path, service: ServerProcess) -> None:
    statistics = tmp_path / "statistics"
    code, locust = run(
        tmp_path, "--host", service.url, "-u", "100", "-r", "100", "-t", "3s", "--json-file", str(statistics)
    )
    assert code == 0
    result = locust.result()
    assert_complete(result, service)
    row = operation(result)
    assert operation(result, CONNECT).ok == 100
    assert result.scenario.user_classes == ("EchoUser",)
    assert (result.scenario.users, result.scenario.model, result.scenario.url) == (100, "closed", service.url)
    assert max(second.users for second in result.timeline) == 100
    # Locust's own statistics hold the same requests.
    locusts = {entry["name"]: entry for entry in json.loads(statistics.with_suffix(".json").read_text())}
    assert (locusts[row.name]["num_requests"], locusts[row.name]["num_failures"]) == (row.sent, 0)
    assert locusts[CONNECT]["num_requests"] == 100
    assert sum(locusts[row.name]["num_reqs_per_sec"].values()) == row.sent
    assert sum(locusts[row.name]["response_times"].values()) == row.sent
    for entry in locusts.values():  # all of the connecting lies within one second: its rate was negative
        assert entry["last_request_timestamp"] > entry["start_time"]
    assert f"{row.ok:,}" in locust.output


def test_figures_are_those_of_the_histogram(tmp_path: Path, service: ServerProcess) -> None:
    code, locust = run(tmp_path, "--host", service.url, "-u", "5", "-r", "5", "-t", "2s")
    assert code == 0
    row = operation(locust.result())
    assert row.service_us is not None
    assert row.service_histogram is not None
    assert row.receiving is not None
    assert row.received_clock == received_clock()
    histogram = Histogram.decode(row.service_histogram)
    assert 0 < histogram.count <= row.ok
    assert row.receiving.exact + row.receiving.bounded + row.receiving.unstamped == histogram.count
    if row.received_clock == "kernel":
        assert row.receiving.exact == histogram.count, "one message is in flight on each connection"
        assert row.receiving.reading_delay_us is not None
        assert row.receiving.reading_delay_histogram is not None
        assert Histogram.decode(row.receiving.reading_delay_histogram).count == histogram.count
    for percent, figure in ((50, row.service_us.p50), (99, row.service_us.p99)):
        value_ns = histogram.percentile_ns(percent)
        assert value_ns is not None
        assert figure == pytest.approx(value_ns / 1000)
    assert row.throughput_per_s is not None
    window = locust.result().window
    # What was received in the window, over its length: at most what was sent in it, but for what was in flight.
    assert abs(row.throughput_per_s * window.duration_s - histogram.count) <= 10


def test_two_workers_are_merged(tmp_path: Path, service: ServerProcess) -> None:
    code, locust = run(tmp_path, "--host", service.url, "-u", "20", "-r", "20", "-t", "2s", "--processes", "2")
    assert code == 0
    result = locust.result()
    assert_complete(result, service)
    assert result.generator.processes == 2
    assert operation(result, CONNECT).ok == 20
    assert (operation(result).received_clock, operation(result, CONNECT).received_clock) == (
        received_clock(),
        "process",
    )


def test_master_and_worker_started_apart(tmp_path: Path, service: ServerProcess) -> None:
    port = str(free_port())
    master = LocustProcess(
        tmp_path, "--master", "--master-bind-port", port, "--expect-workers", "1",
        "--host", service.url, "-u", "10", "-r", "10", "-t", "2s", "--process-clock",
    )  # fmt: skip
    with master, LocustProcess(tmp_path, "--worker", "--master-port", port) as worker:
        assert master.wait() == 0
        assert worker.wait() == 0
    result = master.result()
    assert_complete(result, service)
    assert operation(result).received_clock == "process", "the master's choice is the worker's"
    assert result.receive_clock == ReceiveClock(process_because="the process's clock was asked for")


@pytest.mark.parametrize("everybody", [True, False], ids=["group", "master"])
@pytest.mark.parametrize("processes", [1, 2])
def test_ctrl_c(tmp_path: Path, service: ServerProcess, processes: int, everybody: bool) -> None:
    arguments = ["--processes", "2"] if processes > 1 else []
    with LocustProcess(tmp_path, "--host", service.url, "-u", "20", "-r", "20", *arguments) as locust:
        wait_until(lambda: answered(service.url) > 500, "the load runs")
        locust.interrupt(everybody)
        assert locust.wait() == 0
    assert_complete(locust.result(), service)
    assert "Traceback" not in locust.output


def test_a_worker_that_quits_reports_first(tmp_path: Path, service: ServerProcess) -> None:
    arguments = ("--host", service.url, "-u", "20", "-r", "20", "-t", "2s", "--processes", "2")
    with LocustProcess(tmp_path, *arguments) as locust:
        wait_until(lambda: answered(service.url) > 500, "the load runs")
        os.kill(locust.workers()[0], signal.SIGINT)
        assert locust.wait() == 0
    assert_complete(locust.result(), service)


@pytest.mark.slow
def test_a_worker_that_is_killed_makes_the_result_partial(tmp_path: Path, service: ServerProcess) -> None:
    arguments = ("--host", service.url, "-u", "20", "-r", "20", "--processes", "2")
    with LocustProcess(tmp_path, *arguments) as locust:
        wait_until(lambda: answered(service.url) > 500, "the load runs")
        time.sleep(2.5)  # workers report every second
        os.kill(locust.workers()[0], signal.SIGKILL)
        locust.wait_for_output("is lost: it no longer answers")
        locust.interrupt()
        assert locust.wait() == 1
    result = locust.result()
    assert result.partial
    assert result.partial_reason is not None
    assert result.partial_reason in locust.output
    # What the dead worker had reported stays.
    assert result.generator.processes == 2
    assert 0 < operation(result).ok <= answered(service.url)


def test_the_service_that_a_run_starts_is_gone_afterwards(tmp_path: Path) -> None:
    code, locust = run(tmp_path, "-u", "10", "-r", "10", "-t", "2s")
    assert code == 0
    result = locust.result()
    assert operation(result).ok > 0
    assert result.server is not None
    assert result.server.app == "app.main:app"
    assert result.server.cpu_us_per_round_trip is not None
    assert result.server.rss_peak_bytes is not None
    assert result.scenario.url is not None
    port = int(result.scenario.url.rpartition(":")[2])
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.slow
def test_the_service_of_a_run_with_workers_is_the_masters(tmp_path: Path) -> None:
    code, locust = run(tmp_path, "-u", "10", "-r", "10", "-t", "2s", "--processes", "2")
    assert code == 0
    assert operation(locust.result()).ok > 0
    assert locust.output.count("Started app.main:app") == 1


def test_a_named_class_runs(tmp_path: Path, service: ServerProcess) -> None:
    code, locust = run(tmp_path, "BroadcastUser", "--host", service.url, "-u", "3", "-r", "3", "-t", "2s")
    assert code == 0
    result = locust.result()
    assert result.scenario.user_classes == ("BroadcastUser",)
    row = operation(result, "FOO→BAR")
    assert (row.ok, row.unfinished) == (answered(service.url), 0)
