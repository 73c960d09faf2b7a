"""The stages of `pytest bench`: one at a time, each with all that belongs to it, and nothing left of it."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bench.interleave.server_pool import LoopKind
from bench.latency.options import Options, parse
from bench.latency.stage import ServerKind, Stage, Stages
from bench.machine.cores import generator_cores
from bench.machine.idle import availability
from bench.results.latency import KeptAwake
from bench.scenarios.catalogue import FOO_BAR
from bench.server import ServerError, ServerProcess
from tests.support.processes import command_of

STAGES: list[tuple[ServerKind, LoopKind]] = [("in-loop", "asyncio"), ("in-loop", "uvloop"), ("process", "uvloop")]


def options(app: str | None = None) -> Options:
    return parse(app=app, reply_timeout="5", processes="3", directory=Path.cwd())


@pytest.fixture
def stages() -> Iterator[Stages]:
    stages = Stages(options())
    yield stages
    stages.close()


def round_trip(stage: Stage) -> int:
    with stage.exchange("FastClient", "websocket") as exchange:
        return stage.run(exchange(FOO_BAR)).service_ns


def test_each_works_and_replaces_the_one_before(stages: Stages) -> None:
    before = os.sched_getaffinity(0)
    children = psutil.Process().children()
    for server, loop in STAGES:
        stage = stages.enter(server, loop)
        assert stages.enter(server, loop) is stage
        assert type(stage.loop.loop).__module__.startswith(loop)
        assert round_trip(stage) > 0
        last = stage
    assert os.sched_getaffinity(0) == set(last.cores or before)
    stages.close()
    assert last.loop.loop.is_closed()
    assert os.sched_getaffinity(0) == before
    assert psutil.Process().children() == children


def test_the_server_has_a_core_of_its_own(stages: Stages) -> None:
    cores = generator_cores()[:1]
    stage = stages.enter("process", "asyncio")
    assert isinstance(stage.server, ServerProcess)
    assert stage.cores == cores
    assert stage.server.core not in stage.cores


def test_a_server_that_died_is_told_of_and_replaced(stages: Stages) -> None:
    stage = stages.enter("process", "uvloop")
    assert isinstance(stage.server, ServerProcess)
    assert stage.death() is None
    os.kill(stage.server.pid, signal.SIGKILL)
    give_up = time.monotonic() + 10
    while stage.server.is_running:
        assert time.monotonic() < give_up
        time.sleep(0.01)
    assert "SIGKILL" in str(stage.death())
    other = stages.enter("process", "uvloop")
    assert other is not stage
    assert round_trip(other) > 0


@pytest.mark.parametrize("server", ["in-loop", "process"])
def test_an_app_that_cannot_be_served_leaves_nothing(server: ServerKind) -> None:
    before = os.sched_getaffinity(0)
    stages = Stages(options("app.main:nothing"))
    for _ in range(2):
        with pytest.raises(ServerError, match=r"app\.main:nothing"):
            stages.enter(server, "asyncio")
    stages.close()
    assert os.sched_getaffinity(0) == before


def test_several_processes_with_their_controls_on_the_servers_core(stages: Stages) -> None:
    stage = stages.enter("process", "uvloop", replicated=True)
    assert stages.enter("process", "uvloop", replicated=True) is stage
    pool = stage.pool
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
    assert round_trip(stage) > 0

    # one process is enough for who does not compare: another stage
    assert stages.enter("process", "uvloop").pool is not stage.pool
    assert [process.is_running for process in processes] == [False] * 6


@pytest.mark.parametrize(
    ("control", "said"), [("same-stack", "of the control: "), ("bare", "the echo server does not")]
)
@pytest.mark.slow
def test_a_control_that_died_is_told_of(stages: Stages, control: str, said: str) -> None:
    stage = stages.enter("process", "asyncio", replicated=True)
    assert stage.pool is not None
    assert stage.death() is None
    if control == "same-stack":
        os.kill(stage.pool.controls[1].server.pid, signal.SIGKILL)
    else:
        (echo,) = [process for process in psutil.Process().children() if "bench.targets.echo" in command_of(process)]
        echo.kill()
    give_up = time.monotonic() + 10
    while not (death := stage.death()):
        assert time.monotonic() < give_up
        time.sleep(0.01)
    assert death.startswith(said)
    assert stages.enter("process", "asyncio", replicated=True) is not stage


def test_without_measuring_there_is_one_process_and_nothing_spins() -> None:
    stages = Stages(options(), measuring=False)
    try:
        stage = stages.enter("process", "uvloop", replicated=True)
        assert stage.pool is not None
        assert (len(stage.pool.services), stage.pool.controls, stage.pool.bare) == (1, (), None)
        assert stage.kept_awake().cores == ()
    finally:
        stages.close()


@pytest.mark.skipif(availability(range(2)) is not None, reason="cores cannot be kept awake here")
def test_the_cores_that_a_round_trip_uses_are_kept_awake_while_the_stage_stands(stages: Stages) -> None:
    children = psutil.Process().children()
    stage = stages.enter("process", "uvloop")
    assert isinstance(stage.server, ServerProcess)
    spinners = [
        process
        for process in psutil.Process().children()
        if process not in children and process.pid != stage.server.pid
    ]
    assert {core for spinner in spinners for core in spinner.cpu_affinity()} == set(stage.used_cores)
    assert set(stage.kept_awake().cores) == set(stage.used_cores)
    spinners[0].kill()
    spinners[0].wait()
    assert stage.kept_awake() == KeptAwake(cores=(), asleep_because="what kept them awake was ended by somebody")
    assert stages.enter("in-loop", "uvloop").kept_awake().cores == ()
    assert psutil.Process().children() == children
