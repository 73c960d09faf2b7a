"""The testbeds of `pytest bench`: one at a time, each with all that belongs to it, and nothing left of it."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bench.interleave.server_pool import LoopKind
from bench.latency.options import Options, parse
from bench.latency.testbed import ServerKind, Testbed, Testbeds
from bench.machine.cores import generator_cores
from bench.machine.idle import idle_reason
from bench.results.latency import KeptAwake
from bench.scenarios.catalogue import FOO_BAR
from bench.server import ServerError, ServerProcess
from tests.support.processes import command_of

STAGES: list[tuple[ServerKind, LoopKind]] = [("in-loop", "asyncio"), ("in-loop", "uvloop"), ("process", "uvloop")]


def options(app: str | None = None) -> Options:
    return parse(app=app, reply_timeout="5", processes="3", directory=Path.cwd())


@pytest.fixture
def testbeds() -> Iterator[Testbeds]:
    testbeds = Testbeds(options())
    yield testbeds
    testbeds.close()


def round_trip(testbed: Testbed) -> int:
    with testbed.exchange("FastClient", "websocket") as exchange:
        return testbed.run(exchange(FOO_BAR)).service_ns


def test_each_works_and_replaces_the_one_before(testbeds: Testbeds) -> None:
    before = os.sched_getaffinity(0)
    children = psutil.Process().children()
    for server, loop in STAGES:
        testbed = testbeds.enter(server, loop)
        assert testbeds.enter(server, loop) is testbed
        assert type(testbed.loop.loop).__module__.startswith(loop)
        assert round_trip(testbed) > 0
        last = testbed
    assert os.sched_getaffinity(0) == set(last.cores or before)
    testbeds.close()
    assert last.loop.loop.is_closed()
    assert os.sched_getaffinity(0) == before
    assert psutil.Process().children() == children


def test_the_server_has_a_core_of_its_own(testbeds: Testbeds) -> None:
    cores = generator_cores()[:1]
    testbed = testbeds.enter("process", "asyncio")
    assert isinstance(testbed.server, ServerProcess)
    assert testbed.cores == cores
    assert testbed.server.core not in testbed.cores


def test_a_server_that_died_is_told_of_and_replaced(testbeds: Testbeds) -> None:
    testbed = testbeds.enter("process", "uvloop")
    assert isinstance(testbed.server, ServerProcess)
    assert testbed.exit_reason() is None
    os.kill(testbed.server.pid, signal.SIGKILL)
    give_up = time.monotonic() + 10
    while testbed.server.is_running:
        assert time.monotonic() < give_up
        time.sleep(0.01)
    assert "SIGKILL" in str(testbed.exit_reason())
    other = testbeds.enter("process", "uvloop")
    assert other is not testbed
    assert round_trip(other) > 0


@pytest.mark.parametrize("server", ["in-loop", "process"])
def test_an_app_that_cannot_be_served_leaves_nothing(server: ServerKind) -> None:
    before = os.sched_getaffinity(0)
    testbeds = Testbeds(options("app.main:nothing"))
    for _ in range(2):
        with pytest.raises(ServerError, match=r"app\.main:nothing"):
            testbeds.enter(server, "asyncio")
    testbeds.close()
    assert os.sched_getaffinity(0) == before


def test_several_processes_with_their_controls_on_the_servers_core(testbeds: Testbeds) -> None:
    testbed = testbeds.enter("process", "uvloop", replicated=True)
    assert testbeds.enter("process", "uvloop", replicated=True) is testbed
    pool = testbed.pool
    assert pool is not None
    assert (len(pool.services), len(pool.controls)) == (3, 3)
    assert pool.bare is not None
    processes = [pooled.server for pooled in (*pool.services, *pool.controls)]
    assert len({process.pid for process in processes}) == 6
    for pooled in (*pool.services, *pool.controls):
        environment = psutil.Process(pooled.server.pid).environ()
        assert environment["PYTHONHASHSEED"] == str(pooled.seed.hash_seed)
        assert pooled.server.core == pool.bare.core
        if pooled.server.core is not None:
            assert os.sched_getaffinity(pooled.server.pid) == {pooled.server.core}
    assert round_trip(testbed) > 0

    # one process is enough for who does not compare: another testbed
    assert testbeds.enter("process", "uvloop").pool is not testbed.pool
    assert [process.is_running for process in processes] == [False] * 6


@pytest.mark.parametrize(
    ("control", "said"), [("same-stack", "of the control: "), ("bare", "the echo server does not")]
)
@pytest.mark.slow
def test_a_control_that_died_is_told_of(testbeds: Testbeds, control: str, said: str) -> None:
    testbed = testbeds.enter("process", "asyncio", replicated=True)
    assert testbed.pool is not None
    assert testbed.exit_reason() is None
    if control == "same-stack":
        os.kill(testbed.pool.controls[1].server.pid, signal.SIGKILL)
    else:
        (echo,) = [one for one in psutil.Process().children() if "bench.targets.echo" in command_of(one)]
        echo.kill()
    give_up = time.monotonic() + 10
    while not (exit_reason := testbed.exit_reason()):
        assert time.monotonic() < give_up
        time.sleep(0.01)
    assert exit_reason.startswith(said)
    assert testbeds.enter("process", "asyncio", replicated=True) is not testbed


def test_without_measuring_there_is_one_process_and_nothing_spins() -> None:
    testbeds = Testbeds(options(), measuring=False)
    try:
        testbed = testbeds.enter("process", "uvloop", replicated=True)
        assert testbed.pool is not None
        assert (len(testbed.pool.services), testbed.pool.controls, testbed.pool.bare) == (1, (), None)
        assert testbed.kept_awake().cores == ()
    finally:
        testbeds.close()


@pytest.mark.skipif(idle_reason(range(2)) is not None, reason="cores cannot be kept awake here")
def test_the_cores_that_a_round_trip_uses_are_kept_awake_while_the_stage_stands(testbeds: Testbeds) -> None:
    children = psutil.Process().children()
    testbed = testbeds.enter("process", "uvloop")
    assert isinstance(testbed.server, ServerProcess)
    spinners = [one for one in psutil.Process().children() if one not in children and one.pid != testbed.server.pid]
    assert {core for one in spinners for core in one.cpu_affinity()} == set(testbed.used_cores)
    assert set(testbed.kept_awake().cores) == set(testbed.used_cores)
    spinners[0].kill()
    spinners[0].wait()
    assert testbed.kept_awake() == KeptAwake(cores=(), asleep_because="what kept them awake was ended by somebody")
    assert testbeds.enter("in-loop", "uvloop").kept_awake().cores == ()
    assert psutil.Process().children() == children
