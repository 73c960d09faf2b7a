"""The fixtures of the benchmarks: a testbed with their servers and loop, and the connections to them.

A benchmark asks for `exchange` or `subjects` before `benchmark`: without a connection there is nothing to benchmark.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.exchange.requests import Exchange
from bench.interleave.server_pool import LoopKind
from bench.latency.alternation import Subjects
from bench.latency.connecting import connected_or_failed
from bench.latency.options import LOGS, OPTIONS, Options
from bench.latency.progress import BETWEEN_VISITS
from bench.latency.testbed import ClientKind, ServerKind, Testbed, Testbeds
from bench.scenarios.catalogue import Benchmark
from bench.server import ServerError, UnservableError
from bench.wire.connection import TransportName


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Ignore the benchmarks of this suite itself, unless the user asks for all, or names their file.

    They are ignored as well if the user measures another service, or in another way.
    """
    if collection_path.name != "bench_timing_bias.py":
        return None
    options = config.stash[OPTIONS]
    is_asked_for = options.everything or any(collection_path.name in str(argument) for argument in config.args)
    return None if is_asked_for and options.is_default and not options.chosen.given else True


@pytest.fixture(scope="session")
def options(pytestconfig: pytest.Config) -> Options:
    """Return the options: the service and the scenarios that the user wants to measure."""
    return pytestconfig.stash[OPTIONS]


@pytest.fixture(scope="session")
def testbeds(options: Options, pytestconfig: pytest.Config) -> Iterator[Testbeds]:
    """Yield the testbeds. A single testbed stands at a time."""
    measuring = not pytestconfig._benchmarksession.disabled  # type: ignore[attr-defined]
    testbeds = Testbeds(options, measuring=measuring, log_file=pytestconfig.stash[LOGS].file)
    try:
        yield testbeds
    finally:
        testbeds.close()


@pytest.fixture
def replicated() -> bool:
    """Return true: a benchmark is of several processes of the service, with their controls beside them."""
    return True


@pytest.fixture
def testbed(testbeds: Testbeds, server: ServerKind, loop: LoopKind, replicated: bool) -> Testbed:
    """Return the testbed of this benchmark. End the session if the service cannot be served."""
    try:
        return testbeds.enter(server, loop, replicated=replicated)
    except ServerError as error:
        is_misuse = isinstance(error, UnservableError)
        code = pytest.ExitCode.USAGE_ERROR if is_misuse else pytest.ExitCode.TESTS_FAILED
        pytest.exit(str(error), returncode=code)


@pytest.fixture
def exchange(testbed: Testbed, client: ClientKind, transport: TransportName) -> Iterator[Exchange]:
    """Yield a connection of this benchmark's own to a server."""
    with connected_or_failed(testbed, testbed.exchange(client, transport)) as connected:
        yield connected


@pytest.fixture
def measured(options: Options, scenario: str, reply: str) -> Benchmark:
    """Return the scenario of this benchmark. No two have the same name and the same kind of reply."""
    (measured,) = (each for each in options.benchmarks if (each.name, each.reply) == (scenario, reply))
    return measured


@pytest.fixture
def between_visits(pytestconfig: pytest.Config) -> Callable[[], None]:
    """Return what is to be called between bursts: it shows how far the session is."""
    return pytestconfig.stash[BETWEEN_VISITS]


@pytest.fixture
def subjects(testbed: Testbed, client: ClientKind, transport: TransportName, measured: Benchmark) -> Iterator[Subjects]:
    """Yield this benchmark's own connections to all servers."""
    with connected_or_failed(testbed, testbed.subjects(client, transport, measured)) as connected:
        yield connected
