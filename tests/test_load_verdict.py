"""The verdict on the generator: pure rules over made-up seconds, and real runs that are driven into saturation."""

import dataclasses
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest
from locust_process import LOCUSTFILES, LocustProcess, operation, run, wait_until

from bench.load.metrics.saturation import CPU_SHARE, LATE_NS, JudgedSecond, saturation
from bench.targets.process import EchoProcess
from bench.timing.histogram import Histogram

OPEN = LOCUSTFILES / "open.py"
MS = 1_000_000


def times(*values_ms: float) -> Histogram:
    histogram = Histogram()
    histogram.record(np.array([round(value * MS) for value in values_ms], dtype=np.int64))
    return histogram


def second(number: int, cpu_share: float | None = 0.3, **late: Histogram) -> JudgedSecond:
    punctual = {"send_lateness": times(0.2), "loop_lag": times(0.1), "queueing": times(0.05), "service": times(1)}
    noted = punctual | late
    return JudgedSecond(
        number, cpu_share, noted["send_lateness"], noted["loop_lag"], noted["queueing"], noted["service"]
    )


def late(number: int) -> JudgedSecond:
    return second(number, loop_lag=times(5))


def test_a_generator_with_time_to_spare_is_ok() -> None:
    assert saturation([]) is None
    assert saturation([second(number) for number in range(10)]) is None
    assert saturation([second(1, cpu_share=None)]) is None
    assert saturation([second(1, send_lateness=Histogram(), loop_lag=Histogram(), queueing=Histogram())]) is None


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (second(4, cpu_share=CPU_SHARE), "a process of it used 95% of a core"),
        (
            second(4, send_lateness=times(3)),
            "it sent 3.0 ms and more later than scheduled, half of the time",
        ),
        (second(4, loop_lag=times(3)), "its event loop was 3.0 ms and more late, half of the time"),
        (
            second(4, queueing=times(3)),
            "replies waited 3.0 ms and more in it before they were looked at, half of the time",
        ),
        (
            second(4, send_lateness=times(*[0.2] * 8, 30, 30)),
            "it sent 30.0 ms and more later than scheduled, a tenth of the time",
        ),
    ],
)
def test_each_reason(bad: JudgedSecond, reason: str) -> None:
    found = saturation([bad])
    assert found is not None
    assert (found.reason, found.since_s) == (reason, 4)


def test_just_within_the_limits() -> None:
    assert LATE_NS == 2 * MS
    assert saturation([second(1, cpu_share=0.94, loop_lag=times(1.9))]) is None
    assert saturation([second(1, send_lateness=times(*[0.2] * 8, 9, 9))]) is None
    assert saturation([second(1, send_lateness=times(*[0.2] * 19, 500))]) is None, "a twentieth is the machine's"


def test_replies_in_a_burst_wait_for_each_other() -> None:
    """What a service answers by the burst is read by the burst: that is only bad beside what it takes."""
    assert saturation([second(1, queueing=times(5), service=times(187))]) is None
    assert saturation([second(1, queueing=times(5), service=times(20))]) is not None


def test_one_hiccup_condemns_no_run() -> None:
    assert saturation([second(1), second(2), late(3), second(4)]) is None


def test_two_seconds_in_a_row_do() -> None:
    found = saturation([*(second(number) for number in range(50)), late(50), late(51), *map(second, range(52, 90))])
    assert found is not None
    assert found.since_s == 50
    assert saturation([*(second(number) for number in range(50)), late(50), second(51), late(52)]) is None


def test_a_tenth_of_all_does() -> None:
    seconds = [late(number) if number % 10 == 3 else second(number) for number in range(40)]
    found = saturation(seconds)
    assert found is not None
    assert found.since_s == 3


def still(number: int, standstill_ms: float) -> JudgedSecond:
    return dataclasses.replace(second(number), standstill_ns=round(standstill_ms * MS))


def test_a_standstill_of_several_seconds_is_as_many_saturated_seconds() -> None:
    """Its one delay is one sample among the many of the second in which it ended."""
    stood = [still(5, 600), JudgedSecond.unnoted(6), JudgedSecond.unnoted(7), still(8, 400)]
    found = saturation([*map(second, range(5)), *stood, *map(second, range(9, 60))])
    assert found is not None
    assert (found.reason, found.since_s) == ("its event loop stood still for 3.0 s", 5)


def test_a_short_standstill_is_a_hiccup() -> None:
    assert saturation([*map(second, range(5)), still(5, 99), still(6, 99), second(7)]) is None
    assert saturation([*map(second, range(5)), still(5, 300), second(6), second(7)]) is None


# ---------------------------------------------------------------------------------------------- real runs


@pytest.mark.slow
@pytest.mark.parametrize("rate", ["", "200"])
def test_a_generator_that_is_stopped_for_a_while(tmp_path: Path, rate: str) -> None:
    arguments = ["--rate", rate] if rate else []
    with LocustProcess(tmp_path, "-u", "5", "-r", "5", "-t", "7s", *arguments) as locust:
        locust.wait_for_output("All users spawned")
        time.sleep(2)
        locust.process.send_signal(signal.SIGSTOP)
        time.sleep(3)
        locust.process.send_signal(signal.SIGCONT)
        locust.wait()
    generator = locust.result().generator
    assert generator.verdict == "saturated"
    assert generator.reason is not None
    assert generator.reason.startswith("its event loop stood still for ")
    assert "the figures are the generator's, not the service's" in locust.output


@pytest.mark.slow
def test_one_of_two_workers_that_is_stopped_for_a_while(tmp_path: Path) -> None:
    with LocustProcess(tmp_path, "-u", "4", "-r", "4", "-t", "7s", "--processes", "2") as locust:
        locust.wait_for_output("All users spawned")
        time.sleep(2)
        stopped = locust.workers()[0]
        os.kill(stopped, signal.SIGSTOP)
        time.sleep(2.5)
        os.kill(stopped, signal.SIGCONT)
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
