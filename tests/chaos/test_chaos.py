"""The chaos test itself: what it draws, what it demands, and its proxy."""

import contextlib
import datetime as dt
import math
import os
import socket
import threading
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from bench.results.load import Generator, LoadResult, Second, Window
from bench.results.load import Scenario as Asked
from tests.chaos.__main__ import _scenarios
from tests.chaos.judge import TRACEBACK, Applied, Observed, allowed_exit_codes, findings
from tests.chaos.kept import KEPT_SEEDS
from tests.chaos.proxy import Proxy
from tests.chaos.scenario import STORAGE, Fault, Kind, Scenario, draw
from tests.support.example_results import distribution, load_result, operation

BEGAN_S = load_result().datetime.timestamp()


# --- drawing --------------------------------------------------------------------------------------------------------


def test_a_seed_draws_the_same_again() -> None:
    assert [draw(7, number) for number in range(20)] == [draw(7, number) for number in range(20)]
    assert [draw(7, number) for number in range(1, 20)] != [draw(8, number) for number in range(19)]


def test_what_is_drawn_can_be_done() -> None:
    drawn = [draw(3, number) for number in range(1500)]
    kinds = set[Kind]()
    for scenario in drawn:
        kinds |= scenario.kinds
        assert len(scenario.faults) == len(scenario.kinds) <= 3
        assert 5 <= scenario.run_time_s <= 12 < scenario.limit_s
        assert len(scenario.kinds.intersection(STORAGE)) <= 1
        assert not (scenario.proxied and scenario.own_service)
        if scenario.layout == "single":
            assert not scenario.kinds & {"kill worker", "stop worker", "pause worker", "terminate worker", "join"}
        if scenario.layout != "apart":
            assert not scenario.kinds & {"join", "leave"}
        if not scenario.proxied:
            assert not scenario.kinds & {"drop", "truncate", "stall", "refuse"}
        if (interrupt := scenario.fault("interrupt")) is not None:
            others = (fault for fault in scenario.faults if fault.kind not in STORAGE)
            assert interrupt.at_s == max(fault.at_s for fault in others)
    assert len(kinds) == 21, "all kinds are drawn"
    assert {scenario.transports for scenario in drawn} >= {("websocket",), ("polling",), ("upgrade",)}
    assert any(not scenario.faults for scenario in drawn)


def test_kept_runs_are_still_those_that_found_something() -> None:
    for kept in KEPT_SEEDS:
        assert draw(kept.seed, kept.number).kinds == kept.kinds


def test_no_run_is_performed_twice() -> None:
    seed = KEPT_SEEDS[0].seed
    performed = list(islice(_scenarios(seed, None, math.inf), len(KEPT_SEEDS) + 30))
    assert len(set(performed)) == len(performed)
    assert [(run.seed, run.number) for run in performed[: len(KEPT_SEEDS)]] == [(k.seed, k.number) for k in KEPT_SEEDS]
    without_kept = list(islice(_scenarios(seed, None, 0.0), 30))
    assert without_kept == [draw(seed, number) for number in range(30)]


def test_a_scenario_in_words() -> None:
    faults = (
        Fault("full disk"),
        Fault("few descriptors", limit=64),
        Fault("pause server", 1.25, 2.0),
        Fault("interrupt", 3.0, everybody=False, times=2),
        Fault("drop", 4.0, share=0.3),
    )
    assert str(scenario(*faults, rate_per_s=40, proxied=True, delay_ms=2)) == (
        "poisson 40/s, 10 users (websocket), one process, service apart behind a proxy (+2 ms, jitter 0 ms), 8 s: "
        "a full disk for the results; few file descriptors, 64; SIGSTOP to the server at 1.2 s for 2.0 s; "
        "SIGINT to the generator (first process, twice) at 3.0 s; the proxy drops connections (30%) at 4.0 s"
    )


# --- judging --------------------------------------------------------------------------------------------------------


def scenario(*faults: Fault, **changed: Any) -> Scenario:
    fields: dict[str, Any] = {
        "seed": 1,
        "number": 2,
        "layout": "single",
        "users": 10,
        "spawning_s": 0,
        "transports": ("websocket",),
        "run_time_s": 8,
    }
    return Scenario(**fields | changed, faults=faults)


def result(connect: dict[str, Any] | None = None, changed: dict[str, Any] | None = None, **row: Any) -> LoadResult:
    """Return a result of 1,000 round trips, all ok but for what is said."""
    counts: dict[str, Any] = {"ok": 1000, "timeouts": 0, "errors": {}, "unfinished": 0, "late": 0, "dropped": 0} | row
    sent = counts["ok"] + counts["timeouts"] + sum(counts["errors"].values()) + counts["unfinished"]
    counts |= {"sent": sent, "scheduled": sent + counts["dropped"]}
    connects: dict[str, Any] = {
        "scheduled": 10,
        "sent": 10,
        "ok": 10,
        "timeouts": 0,
        "errors": {},
        "unfinished": 0,
        "late": 0,
    }
    failed = counts["timeouts"] + sum(counts["errors"].values())
    second = Second(
        t=0,
        users=10,
        sent=sent - counts["unfinished"],
        ok=counts["ok"],
        failed=failed,
        dropped=counts["dropped"],
    )
    fields: dict[str, Any] = {
        "scenario": Asked(user_classes=("WebSocketUser",), users=10, model="closed", transport="websocket"),
        "window": Window(start_s=0.5, end_s=8.0, warmup_s=0.0),
        "operations": (operation("connect", **connects | (connect or {})), operation("FOO→BAR", **counts)),
        "timeline": (second,),
    }
    return load_result(**fields | (changed or {}))


def seen(*faults: Fault, stored: LoadResult | None = None, at_s: float | None = None, **changed: Any) -> Observed:
    """Return a run that ended with 0 and its result, with all faults on time, and the server's counts right."""
    what = changed.pop("scenario", scenario(*faults))
    applied = []
    for fault in faults:
        began_s = BEGAN_S + (fault.at_s if at_s is None else at_s)
        applied.append(Applied(fault, began_s, began_s + (fault.for_s or 0.0)))
    fields: dict[str, Any] = {
        "scenario": what,
        "exit_code": 0,
        "output": "service time",
        "began_s": BEGAN_S,
        "took_s": 11.0,
        "applied": tuple(applied),
        "results": (result() if stored is None else stored,),
        "handled": 1000,
        "replied": 1000,
    }
    return Observed(**fields | changed)


def timed(from_s: float) -> str:
    """Return the line that Locust prints when it begins to count the run time."""
    when = dt.datetime.fromtimestamp(from_s)
    at = f"{when:%Y-%m-%d %H:%M:%S},{when.microsecond // 1000:03}"
    return f"[{at}] vm/INFO/locust.main: Run time limit set to 10 seconds"


FAILED = result(errors={"connection lost": 3}, ok=997)
PARTIAL = result(changed={"partial": True, "partial_reason": "no final report from vm_1"})
SPAWNING = result(changed={"partial": True, "partial_reason": "only 4 of 10 users ever began"})
SATURATED = result(changed={"generator": Generator(processes=1, verdict="saturated", reason="it stood still")})
NOTHING_CONNECTED = result(connect={"ok": 0, "errors": {"refused": 10}}, ok=0)


@pytest.mark.parametrize(
    ("observed", "allowed"),
    [
        (seen(), {0}),
        (seen(stored=SATURATED), {0}),  # a warning, and nothing failed
        (seen(stored=FAILED), {1}),
        (seen(stored=result(timeouts=1)), {1}),
        (seen(stored=result(dropped=1)), {1}),
        (seen(stored=result(unfinished=1)), {1}),
        (seen(stored=result(connect={"errors": {"refused": 1}, "sent": 11, "scheduled": 11})), {1}),
        (seen(stored=result(connect={"unfinished": 1, "sent": 11, "scheduled": 11})), {0, 1}),
        (seen(stored=NOTHING_CONNECTED), {1}),
        (seen(stored=result(ok=0)), {1}),  # nothing was sent
        (seen(stored=PARTIAL), {1}),
        (seen(stored=result(changed={"forced": True})), {1}),
        (seen(stored=result(changed={"invalid_reason": "others' replies"})), {1}),
        (seen(results=()), {1}),
        (seen(Fault("full disk"), results=()), {1}),
        (seen(Fault("full disk"), results=(), rescued=(result(),)), {1}),
        (seen(Fault("interrupt", 4.0)), {0}),
        (seen(Fault("interrupt", 4.0), results=()), {1, 130}),
        (seen(Fault("interrupt at start", 0.2), results=(), began_s=None), {130}),
        (seen(Fault("kill worker", 4.0)), {1}),  # whatever the result says
        (seen(Fault("kill worker", 7.5)), {0}),  # so late that it may have ended before
        (seen(Fault("kill worker", 4.0), Fault("interrupt", 4.5)), {0}),
        (seen(Fault("kill worker", 8.0), scenario=scenario(run_time_s=12)), {0}),  # its result ends at 8 s
        (seen(Fault("stop server", 4.0)), {1}),
        (seen(Fault("pause server", 4.0, 1.0)), {0}),
    ],
)
def test_exit_codes(observed: Observed, allowed: set[int]) -> None:
    assert allowed_exit_codes(observed) == allowed


def test_a_run_that_is_all_right() -> None:
    assert findings(seen()) == []


PAUSE = Fault("pause generator", 3.0, 2.5)
STORED_OPEN = result(
    changed={
        "scenario": Asked(
            user_classes=("WebSocketUser",), users=10, model="open", rate_per_s=200.0, transport="websocket"
        )
    }
)


@pytest.mark.parametrize(
    ("observed", "found"),
    [
        (seen(exit_code=None), "it did not end within its limit and was killed after 11 s"),
        (seen(exit_code=-2), "exit code -2, and for what happened it has to be 0"),
        (seen(exit_code=1), "exit code 1, and for what happened it has to be 0"),
        (seen(stored=FAILED, exit_code=0), "exit code 0, and for what happened it has to be 1"),
        (
            seen(output=f"{TRACEBACK}:\n  File\nOSError: no space\n"),
            "a traceback in its output: OSError: no space",
        ),
        (seen(output="x" * 1_000_001), "an output of 1,000,001 bytes"),
        (seen(left=("process 5",)), "left behind: process 5"),
        (seen(unreadable=("0001.json: damaged",)), "a stored result cannot be read: 0001.json: damaged"),
        (seen(results=(result(), result())), "2 results of one test"),
        (seen(results=(), exit_code=1), "no result was stored"),
        (
            seen(Fault("interrupt", 4.0), results=(), exit_code=130),
            "no result was stored",  # and it handled some
        ),
        (
            seen(Fault("full disk"), exit_code=1, output="", results=(), rescued=(result(),)),
            "its result could not be stored, and was not shown either",
        ),
        (
            seen(Fault("full disk"), exit_code=1, results=()),
            "its result could not be stored, and was not put aside either",
        ),
        (
            seen(Fault("full disk"), exit_code=0, results=(), rescued=(result(),)),
            "exit code 0, and for what happened it has to be 1",
        ),
        (
            seen(Fault("full disk"), exit_code=1, results=(), rescued=(result(ok=999),)),
            "nothing was lost, and these are not the same: sent 999, ok 999 and timeouts 0, handled 1000, replied 1000",
        ),
        (
            seen(exit_code=1, results=(), rescued=(result(),)),
            "its result was put aside, and nothing kept it from being stored",
        ),
        (seen(rescued=(result(),)), "2 results of one test"),
        (seen(Fault("full disk")), "a result was stored in spite of a full disk for the results"),
        (seen(Fault("locked folder")), "a result was stored in spite of the results folder locked by another process"),
        (seen(handled=999, replied=999), "1000 ok and 0 late are more than the 999 replies of the server"),
        (seen(handled=1001, replied=1001), "the server handled 1001, and only 1000 are said to have been sent"),
        (
            seen(stored=result(ok=999)),
            "nothing was lost, and these are not the same: sent 999, ok 999 and timeouts 0, handled 1000, replied 1000",
        ),
        (seen(repeated=2), "2 tokens came to the server twice"),
        (seen(stored=result(late=1), replied=1001), "1 late replies of only 0 timeouts"),
        (
            seen(Fault("drop", 2.0, share=0.3), stored=FAILED, exit_code=1, broken_connections=2),
            "3 errors and 0 unfinished of 2 connections that broke",
        ),
        (
            seen(stored=result(changed={"timeline": ()})),
            "the seconds have 0 ok, and the rows 1000",
        ),
        (
            seen(stored=result(ok=0)),
            "FOO→BAR: 1 times of 0 replies",
        ),
        (
            seen(scenario=scenario(proxied=True, delay_ms=20)),
            "FOO→BAR: 80 µs at the least, through a proxy that takes 40000 µs",
        ),
        (
            seen(stored=STORED_OPEN, scenario=scenario(rate_per_s=200)),
            "1000 arrivals were scheduled, and 200/s over 7.5 s are 1500 ± 254",
        ),
        (
            seen(Fault("pause server", 3.0, 2.0)),
            "the server stood still for 2.0 s, and the longest time is 12345 µs",
        ),
        (
            seen(
                applied=(Applied(Fault("restart server", 1.0, 1.0), BEGAN_S + 1.0, BEGAN_S + 2.0, handled=1000),),
                scenario=scenario(Fault("restart server", 1.0, 1.0), run_time_s=12),
            ),
            "nothing reached the server any more in the 10.0 s after SIGKILL to the server, "
            "which is started again at 1.0 s for 1.0 s",
        ),
        (
            seen(Fault("kill worker", 3.0), exit_code=1),
            "a worker was lost, and the result is not partial",
        ),
        (
            seen(Fault("join", 3.0), stored=PARTIAL, exit_code=1),
            "every worker could report, and the result is partial: no final report from vm_1",
        ),
        (
            seen(Fault("interrupt", 2.0), stored=SPAWNING, exit_code=1, output="All users spawned: ..."),
            "every worker could report, and the result is partial: only 4 of 10 users ever began",
        ),
        (
            seen(stored=SPAWNING, exit_code=1),
            "every worker could report, and the result is partial: only 4 of 10 users ever began",
        ),
        (seen(Fault("kill worker", 3.0), stored=PARTIAL, exit_code=1), "it is partial, and did not say so"),
        (
            seen(stored=result(changed={"forced": True}), exit_code=1),
            "it was ended by force, and nobody asked for that",
        ),
        (seen(scenario=scenario(run_time_s=10)), "the load ended after 8.0 s of 10 s"),
        (
            seen(scenario=scenario(run_time_s=10), output=f"service time\n{timed(BEGAN_S - 1.2)}"),
            "the load ended after 9.2 s of 10 s",
        ),
        (seen(scenario=scenario(users=11)), "10 users in the result of a run of 11"),
        (seen(stored=result(connect={"sent": 6, "ok": 6, "scheduled": 6})), "6 attempts to connect of 10 users"),
        (seen(PAUSE), "the generator stood still for 2.5 s, and is judged ok"),
        (seen(stored=SATURATED), "its generator was saturated, and it did not say so"),
    ],
)
def test_findings(observed: Observed, found: str) -> None:
    assert found in findings(observed)


@pytest.mark.parametrize(
    "observed",
    [
        seen(PAUSE, stored=SATURATED, output="generator saturated"),
        seen(stored=result(timeouts=1, ok=999), exit_code=1),  # a busy machine
        seen(Fault("interrupt at start", 0.2), results=(), began_s=None, exit_code=-2, handled=0, replied=0),
        seen(PAUSE, at_s=6.0),  # beyond the window
        seen(Fault("kill worker", 7.8)),
        seen(Fault("locked folder", 0.0, 10.0)),
        seen(Fault("pause server", 3.0, 2.0), stored=result(timeouts=1), handled=1001, exit_code=1),
        seen(Fault("drop", 2.0, share=1.0), stored=FAILED, exit_code=1, broken_connections=3),
        seen(
            stored=PARTIAL,
            exit_code=1,
            output="Worker vm_1 failed to send heartbeat: no final report from vm_1",
        ),
        seen(scenario=scenario(run_time_s=10), output=f"service time\n{timed(BEGAN_S - 1.75)}"),
        seen(scenario=scenario(run_time_s=12), output="The last worker went missing, stopping test. service time"),
        seen(Fault("interrupt", 7.5), stored=result(ok=990, unfinished=10, changed={"forced": True}), exit_code=1),
        seen(Fault("full disk"), results=(), rescued=(result(),), exit_code=1),
        seen(scenario=scenario(Fault("full disk")), results=(), rescued=(result(),), exit_code=1),
        seen(Fault("locked folder", 0.0, 10.0), results=(), rescued=(result(),), exit_code=1),
        seen(Fault("interrupt", 2.0), stored=SPAWNING, exit_code=1, output="only 4 of 10 users ever began"),
        seen(Fault("interrupt", 1.0), results=(), exit_code=130, handled=0, replied=0),
        seen(Fault("interrupt at start", 0.2), results=(), began_s=None, exit_code=130, handled=0, replied=0),
        seen(
            Fault("kill worker", 3.0),
            stored=PARTIAL,
            exit_code=1,
            output="no final report from vm_1",
            handled=1400,
            replied=1400,
        ),
    ],
)
def test_what_is_as_it_has_to_be(observed: Observed) -> None:
    assert findings(observed) == []


def test_a_long_time_is_that_of_the_pause() -> None:
    slow = result(service_us=distribution(p99_9=2_000_000.0, max=2_000_000.0))
    assert findings(seen(Fault("pause server", 3.0, 2.0), stored=slow)) == []


# --- the service's counters -----------------------------------------------------------------------------------------


# --- the proxy ------------------------------------------------------------------------------------------------------


@pytest.fixture
def echo_port() -> Iterator[int]:
    """A server that sends back what it gets."""

    def serve(connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65536):
                    connection.sendall(data)
            except OSError:
                pass

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join()


def connect(proxy: Proxy) -> socket.socket:
    """Return a connection whose other end is there, too."""
    client = socket.create_connection(("127.0.0.1", proxy.port), timeout=60)
    client.sendall(b"hello")
    assert client.recv(100) == b"hello"
    return client


def assert_ended(client: socket.socket) -> None:
    with contextlib.suppress(ConnectionResetError):
        assert client.recv(100) == b""


def test_it_passes_on_what_comes(echo_port: int) -> None:
    data = os.urandom(1_000_000)
    with Proxy(echo_port, "seed", delay_s=0.001, jitter_s=0.002) as proxy, connect(proxy) as client:
        sender = threading.Thread(target=client.sendall, args=(data,))
        sender.start()
        received = b""
        while len(received) < len(data):
            received += client.recv(65536)
        sender.join()
        assert received == data, "in its order, whatever the jitter"
        assert (proxy.broken.accepted, proxy.broken.connections) == (1, 0)


def test_it_drops_connections(echo_port: int) -> None:
    with Proxy(echo_port, "seed") as proxy, connect(proxy) as first, connect(proxy) as second:
        assert proxy.drop(0.0) == 0
        assert proxy.drop(1.0) == 2
        for client in (first, second):
            assert_ended(client)
        assert proxy.broken.connections == 2


def test_it_truncates_a_message(echo_port: int) -> None:
    with Proxy(echo_port, "seed") as proxy, connect(proxy) as client:
        assert proxy.truncate(1.0) == 1
        client.sendall(b"0123456789")
        received = b""
        while data := client.recv(100):
            received += data
        assert received in (b"", b"01234"), "on the way there or back"
        assert (proxy.broken.connections, proxy.broken.cut_bytes) == (1, 5)


def test_it_stalls_and_goes_on(echo_port: int) -> None:
    with Proxy(echo_port, "seed") as proxy, connect(proxy) as client:
        proxy.stall()
        client.sendall(b"held")
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(100)
        proxy.flow()
        client.settimeout(10)
        assert client.recv(100) == b"held"


def test_it_refuses_connections_for_a_time(echo_port: int) -> None:
    with Proxy(echo_port, "seed") as proxy, connect(proxy) as client:
        proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", proxy.port), timeout=60)
        client.sendall(b"still there")
        assert client.recv(100) == b"still there"
        proxy.accept()
        connect(proxy).close()


def test_a_server_that_is_away(echo_port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        away = taken.getsockname()[1]
    with Proxy(away, "seed") as proxy, socket.create_connection(("127.0.0.1", proxy.port), timeout=60) as client:
        assert_ended(client)
        assert proxy.broken.connections == 0


# --- a minute of it -------------------------------------------------------------------------------------------------
