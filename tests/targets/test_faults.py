"""Faults as they are written, the closed form of a stall, and a server that performs them in this process."""

import gc
import sys
import threading
from random import Random
from time import perf_counter_ns

import pytest

from bench.targets import faulty
from bench.targets.faults import Bimodal, FaultError, Faults, Stall, duration_ns
from bench.targets.faulty import FaultyServer
from bench.targets.serving import CommandLine
from bench.targets.truth import Record, Truth
from tests.support.frames import frame
from tests.support.raw_client import MASK, RawClient, until

MS = 1_000_000


S = 1_000_000_000


LONG_NS = 10 * S


def foo(name: str) -> bytes:
    return b'42["FOO",{"name":"%b"}]' % name.encode()


def bar(name: str) -> bytes:
    return b'42["BAR",{"foo":"%b"}]' % name.encode()


def send_at_once(client: RawClient, names: list[str]) -> None:
    """Send them in one segment, as long as they are few: the server reads them together."""
    client.socket.sendall(b"".join(frame(foo(name), mask=MASK) for name in names))


@pytest.mark.parametrize(
    ("text", "expected_ns"),
    [("2ms", 2 * MS), ("0.5ms", 500_000), ("5us", 5_000), ("5µs", 5_000), ("7ns", 7), ("1s", S), ("0ms", 0)],
)
def test_durations(text: str, expected_ns: int) -> None:
    assert duration_ns(text) == expected_ns


def test_bimodal_delays_and_stalls() -> None:
    assert Bimodal.parse("1ms,50ms:0.01") == Bimodal(MS, 50 * MS, 0.01)
    assert Stall.parse("1s/5s") == Stall(S, 5 * S)


def test_faults_are_the_same_after_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    faults = Faults(2 * MS, Bimodal(MS, 50 * MS, 0.001), Stall(S, 5 * S), lose=1000, busy_ns=5_000, seed=7)
    servers: list[FaultyServer] = []
    monkeypatch.setattr(sys, "argv", ["faulty", *faults.arguments()])
    monkeypatch.setattr(CommandLine, "serve", lambda _, __, server_of: servers.append(server_of(("127.0.0.1",), 0)))
    faulty.main()
    gc.unfreeze()
    [server] = servers
    assert server.faults == faults
    server.stop()
    server.run()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--delay", "2"], "'2'"),
        (["--delay", "-2ms"], "--delay"),
        (["--delay", "2h"], "'2h'"),
        (["--delay", "3601s"], "'3601s'"),
        (["--busy", "fast"], "'fast'"),
        (["--bimodal", "1ms,50ms"], "'1ms,50ms'"),
        (["--bimodal", "1ms,50ms:1"], "share of 1"),
        (["--bimodal", "1ms,50:0.1"], "'50'"),
        (["--stall", "1s"], "'1s'"),
        (["--stall", "5s/1s"], "shorter than its period"),
        (["--stall", "0s/1s"], "longer than 0"),
        (["--lose", "0"], "'0'"),
        (["--lose", "-1"], "--lose"),
        (["--lose", "x"], "'x'"),
        (["--seed", "x"], "'x'"),
        (["--port", "65536"], "'65536'"),
        (["--dealy", "2ms"], "--dealy"),
    ],
)
def test_misuse(
    arguments: list[str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["faulty", *arguments])
    with pytest.raises(SystemExit) as ended:
        faulty.main()
    printed = capsys.readouterr()
    assert (ended.value.code, printed.out, printed.err.count("\n")) == (2, "", 1)
    assert told in printed.err


def test_what_no_server_can_do() -> None:
    with pytest.raises(FaultError):
        Faults(delay_ns=-1)


def test_who_waits_for_a_stall_and_for_how_long() -> None:
    stall = Stall(10, 50)
    waits = [stall.wait_ns(elapsed) for elapsed in range(150)]
    assert waits == [0] * 50 + ([*range(10, 0, -1)] + [0] * 40) * 2
    assert [stall.next_ns(elapsed) for elapsed in (0, 49, 50, 59, 99, 100)] == [50, 50, 100, 100, 100, 150]


def test_the_quantiles_that_the_docstring_gives() -> None:
    stall = Stall(S, 5 * S)
    waits = sorted(stall.wait_ns(5 * S + arrival * 2 * MS) for arrival in range(2500))  # 500 per second
    for quantile, expected_ns in ((0.8, 0), (0.9, S // 2), (0.99, 950 * MS)):
        assert waits[round(quantile * 2500) - 1] == pytest.approx(expected_ns, abs=2 * MS)
    assert sum(waits) / 2500 == pytest.approx(100 * MS, abs=MS)
    assert waits[-1] == S


def test_delays_add_up() -> None:
    faults = Faults(delay_ns=2 * MS, bimodal=Bimodal(MS, 4 * MS, 0.5))
    random = Random(1)
    assert {faults.delay_of_next_ns(random) for _ in range(50)} == {3 * MS, 6 * MS}


def test_a_reply_that_falls_due_in_a_stall_comes_after_it() -> None:
    """Serve in the process of the test, so that the test can choose when the server starts."""
    stall = Stall(700 * MS, 3600 * S)
    with serving(Faults(delay_ns=500 * MS, stall=stall)) as server:
        client = RawClient(server.port)
        send_at_once(client, ["a"])
        until(lambda: server.truth().waiting == 1)
        server._started_ns = perf_counter_ns() - stall.period_ns
        assert client.message() == bar("a")
        received_ns = perf_counter_ns()
        until(lambda: len(server.truth().stalls) == 1)
        assert received_ns >= server._started_ns + stall.period_ns + stall.length_ns
        client.close()


def test_it_ends_in_the_middle_of_a_stall() -> None:
    with serving(Faults(stall=Stall(1800 * S, 3600 * S))) as server:
        server._started_ns = perf_counter_ns() - 3600 * S
        client = RawClient(server.port, joined=False)
        client.socket.settimeout(0.2)
        client.socket.sendall(b"GET /stats HTTP/1.1\r\n\r\n")
        with pytest.raises(TimeoutError):
            client.socket.recv(1)
        client.close()
    [(begun_ns, ended_ns)] = server.truth().stalls
    assert ended_ns - begun_ns < 1800 * S


class serving:  # noqa: N801 - a context manager
    """A faulty server in a thread; it has to end when it is told to."""

    def __init__(self, faults: Faults) -> None:
        self._server = FaultyServer(faults)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> FaultyServer:
        self._thread.start()
        return self._server

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        self._thread.join(10)
        assert not self._thread.is_alive()


def test_the_account_since_the_arrivals_leaves_out_the_warm_up() -> None:
    record = Record(warm_up_ns=1_000)
    for arrived_ns in (5_000, 5_999, 6_000, 9_000):
        record.note_reply(arrived_ns + 7, arrived_ns, arrived_ns + 50)
    truth = record.truth(1, 2, 3, [])
    arrived = truth.since_arrival()
    assert arrived is not None
    assert (arrived.count, truth.replies, truth.min_ns) == (2, 4, 43)
    record.note_reply(9_500, 0, 9_600)
    assert record.truth(1, 2, 3, []).since_arrival() is None, "of one reply nobody knows"


def test_truth_survives_the_wire() -> None:
    record = Record()
    record.foos, record.lost = 4, 1
    record.lost_names.append("ä")
    record.delays_ns.extend([50, 1_234_567, 7_200 * S])
    truth = record.truth(1, 2, 3, [(4, 5), (6, 7)])
    assert Truth.decoded(truth.encoded()) == truth
    assert (truth.min_ns, truth.max_ns, truth.waiting) == (50, 3_600 * S, 0)
    assert truth.histogram().count == 3
