"""Real runs that are driven into saturation."""

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from bench.targets.process import EchoProcess
from bench.wire.stamps import received_clock
from tests.support.folders import LOCUSTFILES
from tests.support.locust_process import LocustProcess, answered, health, operation, run, wait_until

OPEN = LOCUSTFILES / "open.py"


@pytest.mark.slow
@pytest.mark.parametrize("rate", ["", "200"])
def test_a_generator_that_is_stopped_for_a_while(tmp_path: Path, rate: str) -> None:
    arguments = ["--rate", rate] if rate else []
    with LocustProcess(tmp_path, "-u", "5", "-r", "5", *arguments) as locust:
        locust.wait_for_output("All users spawned")
        time.sleep(2)
        locust.process.send_signal(signal.SIGSTOP)
        time.sleep(3)
        locust.process.send_signal(signal.SIGCONT)
        time.sleep(2)
        locust.interrupt()
        locust.wait()
    generator = locust.result().generator
    assert generator.verdict == "saturated"
    assert generator.reason is not None
    assert generator.reason.startswith("its event loop stood still for ")
    if received_clock() == "process":
        assert "the figures are the generator's, not the service's" in locust.output
        return
    row = operation(locust.result())
    assert (row.received_clock, "throughput" in generator.spoils) == ("kernel", True)
    assert row.receiving is not None
    assert row.receiving.reading_delay_us is not None
    assert row.receiving.error_max_us is not None
    assert row.service_us is not None
    assert row.service_us.max is not None
    assert row.receiving.error_max_us <= row.service_us.max, "what was not sent yet was not received"
    if not rate:  # a reply was in flight on each connection
        assert row.receiving.reading_delay_us.max > row.service_us.max, "the standstill is in the generator's own queue"
        assert row.receiving.bounded == 0
        assert "the throughput is the generator's, not the service's; the service times are true" in locust.output


@pytest.mark.slow
def test_one_of_two_workers_that_is_stopped_for_a_while(tmp_path: Path) -> None:
    with LocustProcess(tmp_path, "-u", "4", "-r", "4", "--processes", "2") as locust:
        # On a busy machine the master may never say that all users are there.
        locust.wait_for_output("Started app.main:app at http")
        url = locust.output.partition("Started app.main:app at ")[2].split()[0]
        wait_until(lambda: health(url)["clients"] == 4 and answered(url) > 100, "the load runs")
        time.sleep(2)
        stopped = locust.workers()[0]
        os.kill(stopped, signal.SIGSTOP)
        time.sleep(2.5)
        os.kill(stopped, signal.SIGCONT)
        time.sleep(2)
        locust.interrupt()
        locust.wait()
    generator = locust.result().generator
    assert generator.verdict == "saturated"
    assert sorted(str(process.verdict) for process in generator.per_process)[-1] == "saturated"


@pytest.mark.slow
def test_a_rate_beyond_what_it_can_send(tmp_path: Path) -> None:
    """So many arrivals a second are several times what one process can begin."""
    with EchoProcess() as server:
        _, locust = run(
            tmp_path, "OpenUser", "--host", server.url, "-u", "10", "-r", "10", "--rate", "100:1s,200000:2s",
            "--arrivals", "constant", "--max-in-flight", "20", locustfile=OPEN,
        )  # fmt: skip
    result = locust.result()
    generator = result.generator
    assert generator.verdict == "saturated"
    assert generator.saturated_since_s is not None
    assert generator.saturated_since_s >= result.stages[0].end_s, "not in the first stage"
    assert generator.reason is not None
    assert f"generator saturated since second {generator.saturated_since_s:.0f}: {generator.reason}" in locust.output
    assert operation(result).scheduled == 400_100, "what it could not send is accounted for"


_HOG = """
import os, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
print("ready", flush=True)
sys.stdin.read()
until = time.monotonic() + 60  # whatever becomes of the test
while time.monotonic() < until:
    pass
"""


@contextmanager
def waiting_hogs(core: int, count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Busy loops on one core, ready to begin once their stdin is closed: to start them takes seconds at times."""
    with ExitStack() as stack:
        hogs = []
        for _ in range(count):
            # Each in a session of its own: where the kernel groups them, it shares a core out by sessions.
            hog = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _HOG, str(core)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
            )  # fmt: skip
            hogs.append(stack.enter_context(hog))
            stack.callback(hog.kill)
        for hog in hogs:
            assert hog.stdout is not None
            assert hog.stdout.readline() == b"ready\n"
        yield hogs


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs sched_setaffinity")
def test_hogs_on_its_core_and_back(tmp_path: Path) -> None:
    """The first part of the run has forty busy loops on the generator's core, the rest has none."""
    core = max(os.sched_getaffinity(0))
    with (
        waiting_hogs(core, 40) as hogs,
        EchoProcess() as server,
        LocustProcess(
            tmp_path, "OpenUser", "--host", server.url, "-u", "10", "-r", "10", "--rate", "2000:8s", locustfile=OPEN
        ) as locust,
    ):
        os.sched_setaffinity(locust.process.pid, {core})
        locust.wait_for_output("All users spawned")
        for hog in hogs:
            assert hog.stdin is not None
            hog.stdin.close()
        wait_until(lambda: server.stats().answered >= 5000, "two and a half seconds' worth is answered")
        for hog in hogs:
            hog.kill()
        locust.wait()
    result = locust.result()
    generator = result.generator
    assert generator.verdict == "saturated"
    lateness = [second.send_lateness_p99_us for second in result.timeline if second.send_lateness_p99_us is not None]
    with_hogs, without = lateness[1:3], lateness[-1:]
    assert statistics.median(with_hogs) > statistics.median(without)
