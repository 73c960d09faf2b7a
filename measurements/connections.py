"""Servers on one core and a client on another, for programs that time round trips themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median

import uvloop

from bench.exchange.requests import Exchange
from bench.machine.cores import generator_cores, pinned_to, server_core
from bench.machine.idle import NoIdle
from bench.scenarios.catalogue import FOO_BAR
from bench.scenarios.tokens import tokens
from bench.server import ServerProcess
from bench.targets.process import EchoProcess
from bench.wire.client import FastClient

PROJECT = Path(__file__).resolve().parents[1]

_TIMEOUT_NS = 5_000_000_000
_numbers = count()


@dataclass(frozen=True)
class Subject:
    """A server by its name, and the connection to it."""

    name: str
    exchange: Exchange

    async def times_ns(self, number: int) -> list[int]:
        """Return the service times of that many round trips, one after the other, in nanoseconds."""
        return [(await self.exchange(FOO_BAR)).service_ns for _ in range(number)]

    async def median_us(self, number: int) -> float:
        """Return the median service time of that many round trips, in microseconds."""
        return median(await self.times_ns(number)) / 1e3


async def connected(name: str, url: str) -> Subject:
    """Return a subject with an open connection to the server at `url`."""
    client = FastClient()
    exchange = Exchange(client, tokens("measure", next(_numbers)), _TIMEOUT_NS)
    await client.connect(url)
    return Subject(name, exchange)


@contextmanager
def servers(apps: dict[str, str], *, with_echo: bool = False) -> Iterator[dict[str, str]]:
    """Run these apps, and the bare echo server, on the server's core; yield their URLs by name."""
    core = server_core()
    with ExitStack() as stack:
        urls = {
            name: stack.enter_context(ServerProcess(app, core=core, directory=PROJECT)).url
            for name, app in apps.items()
        }
        if with_echo:
            urls["bare echo"] = stack.enter_context(EchoProcess(core=core)).url
        yield urls


@contextmanager
def client_core(*, is_awake: bool = True) -> Iterator[None]:
    """Keep this thread to the generator's core meanwhile, and both cores from halting unless told otherwise."""
    cores = generator_cores()[:1]
    core = server_core()
    used = cores if core is None else (*cores, core)
    with (
        NoIdle(used if is_awake else ()),
        pinned_to(cores),
    ):  # in this order: a pinned process may not use the other core
        yield


def loop_runner() -> asyncio.Runner:
    """Return a runner with uvloop's loop."""
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)
