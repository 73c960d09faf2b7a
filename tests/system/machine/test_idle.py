"""Awake: its spinners are where they should be, give way, and never outlive their owner, however it ends."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path

import psutil
import pytest

from bench.machine import idle as awake
from bench.machine.idle import Awake, AwakeError, availability
from tests.support.server_traces import traces

if sys.platform != "linux":
    pytest.skip("cores are kept awake on Linux only", allow_module_level=True)

CORES = tuple(sorted(os.sched_getaffinity(0)))
LIMIT_S = 90.0  # on a saturated core what is SCHED_IDLE hardly runs
STARTED_NS = 40_000_000  # of CPU, after which the interpreter has long been started
SPUN_NS = 10_000_000  # little: others may use the core, and come first

if reason := availability(CORES):
    pytest.skip(reason, allow_module_level=True)

OWNER = f"""
import os, sys, time
from bench.machine.idle import Awake
cores = Awake({CORES})
"""


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Generator[None]:
    before = traces()
    yield
    assert traces() ^ before == set()


def spinners(owner: int | None = None) -> list[psutil.Process]:
    return psutil.Process(owner).children()


def cpu_ns(pid: int) -> int:
    return time.clock_gettime_ns((~pid << 3) | 2)  # the CPU clock of any process, see bench.server.process


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def is_gone(process: psutil.Process) -> bool:
    """Ended, whether or not somebody has reaped it."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


# It spins


def test_one_idle_process_spins_on_each_core() -> None:
    with Awake(CORES) as cores:
        found = spinners()
        assert {core for spinner in found for core in spinner.cpu_affinity()} == set(CORES) == set(cores.cores)
        for spinner in found:
            assert len(spinner.cpu_affinity()) == 1
            assert os.sched_getscheduler(spinner.pid) == os.SCHED_IDLE
            assert spinner.nice() == 19  # so the kernel counts its time apart
            started_ns = cpu_ns(spinner.pid)
            wait_until(lambda pid=spinner.pid, ns=started_ns: cpu_ns(pid) > ns + SPUN_NS)  # type: ignore[misc]


def test_it_costs_no_import_of_the_project() -> None:
    with Awake(CORES[:1]):
        (spinner,) = spinners()
        wait_until(lambda: cpu_ns(spinner.pid) > STARTED_NS)
        mapped = Path(f"/proc/{spinner.pid}/maps").read_text()
    assert "site-packages" not in mapped
    assert "lib-dynload" not in mapped


@pytest.mark.parametrize("in_session_of_its_own", [True, False], ids=["as a server is", "as the owner is"])
def test_it_gives_way(in_session_of_its_own: bool) -> None:
    """The idle process gives way across sessions too: under autogroups, sessions share a core equally."""
    core = CORES[-1]
    with (
        Awake([core]),
        subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=in_session_of_its_own) as busy,
    ):
        try:
            os.sched_setaffinity(busy.pid, {core})
            (spinner,) = (each for each in spinners() if each.pid != busy.pid)
            time.sleep(0.2)
            before = cpu_ns(spinner.pid), cpu_ns(busy.pid)
            time.sleep(0.6)
            spun_ns, worked_ns = cpu_ns(spinner.pid) - before[0], cpu_ns(busy.pid) - before[1]
        finally:
            busy.kill()
    assert spun_ns < worked_ns / 4


# It stops


def test_stopped_and_started_again() -> None:
    cores = Awake(CORES)
    assert not cores.is_running
    cores.stop()
    for _ in range(2):
        cores.start()
        assert cores.is_running
        assert len(spinners()) == len(CORES)
        cores.stop()
        assert spinners() == []
        assert not cores.is_running


def test_started_twice_is_started_once() -> None:
    with Awake(CORES) as cores:
        before = spinners()
        cores.start()
        assert spinners() == before


def test_an_error_inside_stops_it() -> None:
    with pytest.raises(ZeroDivisionError), Awake(CORES):
        raise ZeroDivisionError
    assert spinners() == []


def test_it_stops_at_a_core_that_never_rests() -> None:
    core = CORES[-1]
    with subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True) as busy:
        try:
            os.sched_setaffinity(busy.pid, {core})
            with Awake([core]):
                (spinner,) = (each for each in spinners() if each.pid != busy.pid)
            assert is_gone(spinner)
        finally:
            busy.kill()


def test_a_spinner_that_was_killed_is_noticed_and_replaced() -> None:
    with Awake(CORES) as cores:
        spinners()[0].kill()
        wait_until(lambda: not cores.is_running)
        cores.start()
        assert cores.is_running
        assert len(spinners()) == len(CORES)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_spinner_ignores_no_signal(number: signal.Signals) -> None:
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("whoever started the tests, such as nohup, ignores it, and so does all that they start")
    with Awake(CORES[:1]) as cores:
        (spinner,) = spinners()
        wait_until(lambda: cpu_ns(spinner.pid) > STARTED_NS)
        spinner.send_signal(number)
        wait_until(lambda: not cores.is_running)


# It ends with its owner


@pytest.mark.parametrize(
    "end",
    [
        "os.kill(os.getpid(), 9)",
        "os.kill(os.getpid(), 15)",
        "os._exit(0)",
        "sys.exit()",
        "1 / 0",
    ],
)
def test_it_ends_with_its_owner(end: str) -> None:
    program = f"{OWNER}\ncores.start()\nprint('up', flush=True)\nsys.stdin.read(1)\n{end}"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as owner:
        assert owner.stdin is not None
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"up\n"
        found = spinners(owner.pid)
        owner.stdin.write(b"\n")
        owner.stdin.flush()
        owner.wait(LIMIT_S)
    assert len(found) == len(CORES)
    wait_until(lambda: all(map(is_gone, found)))


def test_it_ends_when_its_owner_was_gone_before_it_looked() -> None:
    """The process has another parent then; here it gets an owner that is not its parent."""
    ended = subprocess.run(
        [sys.executable, "-I", "-S", "-c", awake._SPIN, "0"], capture_output=True, timeout=LIMIT_S, check=True
    )
    assert ended.stdout + ended.stderr == b""


def test_it_does_not_end_with_the_thread_that_started_it() -> None:
    cores = Awake(CORES)
    thread = threading.Thread(target=cores.start)
    thread.start()
    thread.join()
    try:
        now_ns = [cpu_ns(spinner.pid) for spinner in spinners()]
        wait_until(
            lambda: all(cpu_ns(spinner.pid) > ns + SPUN_NS for spinner, ns in zip(spinners(), now_ns, strict=True))
        )
        assert cores.is_running
    finally:
        cores.stop()


def test_ctrl_c_is_for_the_owner() -> None:
    """The terminal sends Ctrl-C to the whole group. Only the owner says anything, and it decides when to stop."""
    program = f"""{OWNER}
with cores:
    try:
        print("up", flush=True)
        time.sleep({LIMIT_S})
    except KeyboardInterrupt:
        print(cores.is_running, flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as owner:
        assert owner.stdout is not None
        assert owner.stderr is not None
        assert owner.stdout.readline() == b"up\n"
        found = spinners(owner.pid)
        os.killpg(owner.pid, signal.SIGINT)
        assert owner.stdout.read() == b"True\n"
        assert owner.stderr.read() == b""
        assert owner.wait(LIMIT_S) == 0
    assert len(found) == len(CORES)
    assert all(map(is_gone, found))


# Where it cannot


def test_a_core_that_goes_after_it_was_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(awake, "availability", lambda _: None)
    with pytest.raises(AwakeError, match=r"cannot keep cores .*4000 awake"):
        Awake([CORES[0], 4000]).start()
    assert spinners() == []
