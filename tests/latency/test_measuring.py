"""The description of a benchmark: what comparisons look at."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.interleave.loop import InterruptibleLoop
from bench.latency.measuring import description
from bench.latency.options import parse
from bench.latency.testbed import Testbed


@pytest.fixture
def loop() -> Iterator[InterruptibleLoop]:
    with InterruptibleLoop.open(asyncio.new_event_loop) as opened:
        yield opened


@pytest.mark.parametrize(("serializer", "transport"), [("json", "polling"), ("msgpack", "polling (msgpack)")])
def test_results_of_two_serializers_are_never_taken_for_the_same(
    loop: InterruptibleLoop, serializer: str, transport: str
) -> None:
    options = parse(url="http://h", connection={"connection_serializer": serializer}, directory=Path())
    testbed = Testbed(options, "url", "asyncio", loop, "http://h", None)
    assert description(testbed, options.benchmarks[0], "FastClient", "polling").transport == transport
