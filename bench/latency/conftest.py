"""What the benchmarks are given: a stage, with their server and loop, and a connection to it.

A benchmark asks for `exchange` before `benchmark`: where there is no connection, there is nothing to benchmark.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench.latency.options import OPTIONS, Options
from bench.latency.stage import ClientKind, LoopKind, ServerKind, Stage, Stages
from bench.roundtrip import Exchange
from bench.server import ServerError
from bench.wire.interface import ConnectFailed, Transport


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """What concerns this suite itself is of no interest to who measures another service."""
    if collection_path.name == "bench_timing_bias.py" and not config.stash[OPTIONS].is_default:
        return True
    return None


@pytest.fixture(scope="session")
def options(pytestconfig: pytest.Config) -> Options:
    """What the user wants to measure."""
    return pytestconfig.stash[OPTIONS]


@pytest.fixture(scope="session")
def stages(options: Options) -> Iterator[Stages]:
    """The stages, one at a time."""
    stages = Stages(options)
    try:
        yield stages
    finally:
        stages.close()


@pytest.fixture
def stage(stages: Stages, server: ServerKind, loop: LoopKind) -> Stage:
    """The stage of this benchmark. A service that cannot be served ends the session: there is nothing to measure."""
    try:
        return stages.enter(server, loop)
    except ServerError as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.TESTS_FAILED)


@pytest.fixture
def exchange(stage: Stage, client: ClientKind, transport: Transport) -> Iterator[Exchange]:
    """This benchmark's own connection."""
    with ExitStack() as stack:
        try:
            exchange = stack.enter_context(stage.exchange(client, transport))
        except ConnectFailed as error:
            pytest.fail(str(error), pytrace=False)
        yield exchange
