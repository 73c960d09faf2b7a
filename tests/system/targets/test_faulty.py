"""The faulty server: it does what it is told to do wrong, nothing else, and what it tells of it is true."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from random import Random
from time import perf_counter_ns

import httpx
import pytest

from bench.exchange.outcomes import ReplyTimeout
from bench.exchange.requests import Exchange
from bench.scenarios.catalogue import FOO_ACKNOWLEDGED, FOO_BAR_TO_SENDER
from bench.scenarios.model import RoundTrip
from bench.scenarios.tokens import tokens
from bench.targets.faults import Bimodal, Faults, Stall
from bench.targets.process import FaultyProcess
from bench.targets.truth import LOST_NAMES, Truth
from bench.wire.client import FastClient
from bench.wire.stamps import is_kernel_clock
from tests.support.frames import frame
from tests.support.raw_client import MASK, RawClient, until

COMMAND = [sys.executable, "-m", "bench.targets.faulty"]
MS = 1_000_000
S = 1_000_000_000
LONG_NS = 10 * S

connections = count()


@asynccontextmanager
async def exchanging(server: FaultyProcess, timeout_ns: int = LONG_NS) -> AsyncIterator[Exchange]:
    client = FastClient()
    await client.connect(server.url)
    exchange = Exchange(client, tokens("faulty", next(connections)), timeout_ns)
    yield exchange
    exchange.close()
    await client.disconnect()


def foo(name: str) -> bytes:
    return b'42["FOO",{"name":"%b"}]' % name.encode()


def bar(name: str) -> bytes:
    return b'42["BAR",{"foo":"%b"}]' % name.encode()


def send_at_once(client: RawClient, names: list[str]) -> None:
    """Send them in one segment, as long as they are few: the server reads them together."""
    client.socket.sendall(b"".join(frame(foo(name), mask=MASK) for name in names))


def adds_up(truth: Truth) -> bool:
    histogram = truth.histogram()
    return (
        histogram.count == truth.replies
        and truth.foos == truth.replies + truth.lost + truth.gone + truth.waiting
        and (histogram.min_ns, histogram.max_ns, histogram.sum_ns) == (truth.min_ns, truth.max_ns, truth.sum_ns)
    )


# --- how faults are written -------------------------------------------------------------------------------------------


# --- the closed form of a stall ---------------------------------------------------------------------------------------


# --- delays -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("round_trip", [FOO_BAR_TO_SENDER, FOO_ACKNOWLEDGED])
async def test_no_reply_comes_before_its_time(round_trip: RoundTrip) -> None:
    with FaultyProcess(Faults(delay_ns=5 * MS)) as server:
        async with exchanging(server) as first, exchanging(server) as second:
            done = await asyncio.gather(*(exchange(round_trip) for exchange in (first, second) for _ in range(20)))
            done += [await first(round_trip) for _ in range(5)]
        truth = server.truth()
        assert server.stats().answered == 45
    services_ns = [completed.service_ns for completed in done]
    assert min(services_ns) >= 5 * MS
    assert adds_up(truth)
    assert (truth.foos, truth.replies, truth.lost, truth.waiting) == (45, 45, 0, 0)
    assert truth.min_ns is not None
    assert truth.max_ns is not None
    # Each client's time contains the server's.
    assert 5 * MS <= truth.min_ns <= min(services_ns)
    assert truth.max_ns <= max(services_ns)
    assert truth.sum_ns <= sum(services_ns)


async def test_without_a_fault_there_is_truth_as_well() -> None:
    with FaultyProcess(Faults()) as server:
        assert (server.truth().foos, server.truth().min_ns, server.truth().histogram().count) == (0, None, 0)
        async with exchanging(server) as exchange:
            services_ns = [(await exchange(FOO_BAR_TO_SENDER)).service_ns for _ in range(50)]
        truth = server.truth()
    assert adds_up(truth)
    assert truth.replies == 50
    assert 0 < truth.sum_ns < sum(services_ns)
    assert (truth.stalls, truth.stall_ns, truth.stall_period_ns, truth.lost_names) == ((), 0, 0, ())


@pytest.mark.skipif(not is_kernel_clock(), reason="the kernel does not tell when it received what")
async def test_the_wait_of_an_unread_foo_counts_from_its_arrival() -> None:
    stall = Stall(150 * MS, 300 * MS)
    with FaultyProcess(Faults(stall=stall)) as server:
        async with exchanging(server) as exchange:
            until_ns = perf_counter_ns() + 700 * MS
            done = []
            while perf_counter_ns() < until_ns:  # over whole periods, so that some wait for the end of a stall
                done.append(await exchange(FOO_BAR_TO_SENDER))
        truth = server.truth()
    arrived = truth.since_arrival()
    assert arrived is not None
    assert arrived.count == truth.replies == len(done)
    assert arrived.max_ns is not None is not truth.max_ns
    assert arrived.sum_ns > truth.sum_ns
    assert arrived.max_ns > truth.max_ns, "the stall is in it, and in the server's own stamps it is not"
    assert arrived.sum_ns < sum(completed.service_ns for completed in done)


def test_a_reply_that_is_held_back_holds_nothing_else_back() -> None:
    with FaultyProcess(Faults(delay_ns=300 * MS)) as server:
        client = RawClient(server.port)
        send_at_once(client, ["a"])
        client.send(b"40")
        assert client.message().startswith(b"40{"), "what was sent later is answered first"
        assert server.truth().waiting == 1
        assert client.message() == bar("a")
        assert adds_up(server.truth())
        client.close()


def test_bimodal_delays_are_those_of_the_seed_and_overtake_each_other() -> None:
    faults = Faults(bimodal=Bimodal(MS, 300 * MS, 0.2), seed=3)
    random = Random(3)
    delays_ns = [faults.delay_of_next_ns(random) for _ in range(30)]
    rare = delays_ns.count(300 * MS)
    assert 0 < rare < 30
    names = [f"n{number}" for number in range(30)]
    expected = [bar(names[number]) for number in sorted(range(30), key=delays_ns.__getitem__)]
    with FaultyProcess(faults) as server:
        client = RawClient(server.port)
        for _ in range(2):
            send_at_once(client, names)
            assert [client.message() for _ in names] == expected
            truth = server.truth()
            assert adds_up(truth)
            assert (truth.replies, truth.min_ns is not None and truth.min_ns >= MS) == (30, True)
            least_rare_ns = truth.histogram().percentile_ns(100 * (30 - rare + 1) / 30)
            assert least_rare_ns is not None
            assert least_rare_ns >= 300 * MS
            server.reset()
        client.close()


async def test_busy_is_in_the_stamps() -> None:
    with FaultyProcess(Faults(busy_ns=200_000)) as server:
        async with exchanging(server) as exchange:
            before_ns = server.stats().cpu_ns
            services_ns = [(await exchange(FOO_BAR_TO_SENDER)).service_ns for _ in range(20)]
            assert server.stats().cpu_ns > before_ns
        truth = server.truth()
    assert min(services_ns) >= 200_000
    assert truth.min_ns is not None
    assert truth.min_ns >= 200_000


# --- losses -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("round_trip", [FOO_BAR_TO_SENDER, FOO_ACKNOWLEDGED])
async def test_exactly_every_nth_reply_is_lost(round_trip: RoundTrip) -> None:
    sent: list[str] = []

    def request(token: str) -> dict[str, str]:
        if token not in sent:
            sent.append(token)
        return {"name": token}

    recorded = RoundTrip("recorded", "FOO", request, round_trip.reply, round_trip.token_of)
    with FaultyProcess(Faults(delay_ns=MS, lose=10, busy_ns=1_000)) as server:
        async with exchanging(server, timeout_ns=S) as exchange:
            ends = await asyncio.gather(*(exchange(recorded) for _ in range(35)), return_exceptions=True)
        truth = server.truth()
    unanswered = [token for token, end in zip(sent, ends, strict=True) if isinstance(end, ReplyTimeout)]
    assert [end for end in ends if isinstance(end, BaseException) and not isinstance(end, ReplyTimeout)] == []
    assert unanswered == sent[9::10]
    assert truth.lost_names == tuple(unanswered)
    assert (truth.foos, truth.replies, truth.lost) == (35, 32, 3)
    assert adds_up(truth)


def test_a_reset_begins_the_count_anew() -> None:
    with FaultyProcess(Faults(lose=3)) as server:
        client = RawClient(server.port)
        send_at_once(client, ["warm", "warm"])
        assert [client.message() for _ in range(2)] == [bar("warm")] * 2
        server.reset()
        send_at_once(client, ["a", "b", "ä\\u00e4", "d"])
        assert [client.message() for _ in range(3)] == [bar("a"), bar("b"), bar("d")]
        assert server.truth().lost_names == ("ää",)
        client.close()


def test_the_last_lost_names_however_many() -> None:
    names = [f"{number:0100}" for number in range(LOST_NAMES + 500)]
    with FaultyProcess(Faults(lose=1)) as server:
        client = RawClient(server.port)
        send_at_once(client, names)
        until(lambda: server.truth().foos == len(names))
        truth = server.truth()  # more than a megabyte
        client.close()
    assert truth.lost == len(names)
    assert truth.lost_names == tuple(names[500:])


# --- stalls -----------------------------------------------------------------------------------------------------------


async def test_what_is_sent_in_a_stall_is_answered_after_it_in_order() -> None:
    stall = Stall(300 * MS, 700 * MS)
    with FaultyProcess(Faults(stall=stall)) as server:
        started_ns = server.truth().started_ns
        newcomer = FastClient()
        async with exchanging(server) as exchange:
            # The machine may be so busy that this misses a stall: then there is another one.
            for _ in range(5):
                await asyncio.sleep(
                    (started_ns + stall.next_ns(perf_counter_ns() - started_ns) - perf_counter_ns()) / S
                )
                await asyncio.sleep(0.1)
                emissions = [asyncio.ensure_future(exchange(FOO_BAR_TO_SENDER)) for _ in range(20)]
                connecting_ns = perf_counter_ns()
                await newcomer.connect(server.url)
                connected_ns = perf_counter_ns()
                await newcomer.disconnect()
                done = await asyncio.gather(*emissions)
                truth = server.truth()
                begun_ns, ended_ns = truth.stalls[-1]
                if begun_ns <= done[0].sent_ns and max(done[-1].sent_ns, connecting_ns) < ended_ns:
                    break
            else:
                pytest.fail("no emission fell into a stall")
    assert all(completed.received_ns >= ended_ns for completed in done)
    assert connected_ns >= ended_ns, "new connections wait, too"
    order = sorted(range(20), key=lambda number: done[number].received_ns)
    assert order == list(range(20))
    assert (truth.stall_ns, truth.stall_period_ns) == (stall.length_ns, stall.period_ns)
    for begun_ns, ended_ns in truth.stalls:
        left_ns = stall.wait_ns(begun_ns - started_ns)
        assert 0 < left_ns <= stall.length_ns, "it began within a stall of the schedule"
        assert ended_ns >= begun_ns + left_ns
    assert adds_up(truth)


# --- what it tells ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ask", [httpx.get, httpx.post])
def test_what_is_forgotten_stays_forgotten(ask: Callable[[str], httpx.Response]) -> None:
    with FaultyProcess(Faults(delay_ns=200 * MS)) as server:
        client = RawClient(server.port)
        send_at_once(client, ["before", "before"])
        until(lambda: server.truth().waiting == 2)
        assert ask(f"{server.url}/truth/reset").status_code == 200
        send_at_once(client, ["after"])
        assert [client.message() for _ in range(3)] == [bar("before"), bar("before"), bar("after")]
        truth = server.truth()
        assert (truth.foos, truth.replies, truth.waiting) == (1, 1, 0)
        assert adds_up(truth)
        client.close()


def test_replies_to_nobody_are_told_apart() -> None:
    with FaultyProcess(Faults(delay_ns=100 * MS)) as server:
        client, other = RawClient(server.port), RawClient(server.port)
        send_at_once(client, ["a", "b"])
        until(lambda: server.truth().waiting == 2)
        client.close()
        send_at_once(other, ["c"])
        assert other.message() == bar("c")
        until(lambda: server.truth().waiting == 0)
        truth = server.truth()
        assert (truth.foos, truth.replies, truth.gone) == (3, 1, 2)
        assert adds_up(truth)
        other.close()


# --- its process ------------------------------------------------------------------------------------------------------


def test_a_port_that_is_taken() -> None:
    with FaultyProcess(Faults()) as server:
        ended = subprocess.run([*COMMAND, "--port", str(server.port)], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (1, "", 1)
    assert "in use" in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_told_to_with_replies_held_back(number: signal.Signals) -> None:
    with subprocess.Popen([*COMMAND, "--delay", "1000s"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        client = RawClient(json.loads(process.stdout.readline())["port"])
        send_at_once(client, ["a"])
        client.send(b"40")
        client.message()
        time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(5) == 0
        assert process.stderr.read() == b""
        client.close()
