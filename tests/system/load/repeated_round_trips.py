"""A user whose only task is a round trip: what a coroutine would do for it happens without one.

Real sessions in this process's loop, against the echo server or a service that a test makes. They need Locust, which
has to be imported before pytest: `test_repeated.py` runs this file in a process that has.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import socketio
from locust.env import Environment

from bench import task
from bench.exchange.outcomes import WrongReply
from bench.load.engine.counters import ProcessCounters
from bench.load.engine.loop import Engine
from bench.load.engine.pacing import OpenLoad
from bench.load.engine.session import Session
from bench.load.metrics.recorder import Batch
from bench.load.plugin.user import SocketIOUser
from bench.scenarios.catalogue import FOO_BAR_TO_SENDER
from bench.scenarios.model import RoundTrip
from bench.scenarios.tokens import tokens
from bench.server import UvicornTestServer
from bench.targets.process import EchoProcess

LIMIT_S = 60
NAME = FOO_BAR_TO_SENDER.name


class Told:
    """The notes of the sessions of a test."""

    def __init__(self, engine: Engine, counters: ProcessCounters) -> None:
        self.engine = engine
        self.counters = counters
        self.batches: list[Batch] = []
        self.raised: list[str] = []

    def look(self) -> None:
        self.engine.flush()
        while self.engine.outbox:
            item = self.engine.outbox.popleft()
            if isinstance(item, Batch):
                self.batches.append(item)
            elif hasattr(item, "kind"):
                self.raised.append(item.kind)

    @property
    def answered(self) -> int:
        self.look()
        return sum(len(batch.completed) // 2 for batch in self.batches if batch.kind == "round trip")

    @property
    def failures(self) -> list[str]:
        self.look()
        return [failure.kind for batch in self.batches for failure in batch.failures]

    @property
    def dropped(self) -> dict[str, int]:
        self.look()
        return {reason: len(times) for batch in self.batches for reason, times in batch.dropped.items()}


@pytest.fixture(autouse=True)
def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no Locust around the sessions: no options, and no secrets of the run."""
    monkeypatch.setattr("bench.load.plugin.user.over_class", lambda _, settings: settings)
    monkeypatch.setattr(SocketIOUser, "_known_secrets", None)


@pytest.fixture(scope="module")
def echo() -> Iterator[EchoProcess]:
    with EchoProcess() as process:
        yield process


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not condition():  # noqa: ASYNC110 - what is awaited has no event
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running(
    user_class: type[SocketIOUser], url: str, stop_timeout: float | None = None
) -> AsyncIterator[tuple[Session, Any, Told]]:
    """Run a user until the block ends, then stop it."""
    environment = Environment(user_classes=[user_class], catch_exceptions=True)
    environment.stop_timeout = stop_timeout  # type: ignore[assignment]  # Locust has None for none
    user = user_class(environment)
    told = Told(Engine(), ProcessCounters())
    session = Session(user, url, tokens("test", 0), told.engine, told.counters, OpenLoad())
    session.start()
    yield session, user, told
    session.request_stop()
    await until(lambda: session.exchange is not None and not session.client.connected)
    await asyncio.sleep(0)
    assert session.exchange.in_flight == 0  # type: ignore[union-attr]  # it has run


class Repeating(SocketIOUser):
    abstract = True
    foo_bar = task(FOO_BAR_TO_SENDER)
    others = 0

    async def round_trip_of_its_own(self) -> None:
        self.others += 1
        await self.round_trip(FOO_BAR_TO_SENDER)


async def test_it_goes_on_until_it_is_stopped_and_all_is_accounted_for(echo: EchoProcess) -> None:
    class User(Repeating):
        stopped = False

        async def on_stop(self) -> None:
            self.stopped = True

    async with running(User, echo.url) as (_, user, told):
        await until(lambda: told.answered > 100)
    assert user.stopped
    assert (told.failures, told.dropped, told.raised, told.counters.abandoned) == ([], {}, [], {})


async def test_a_user_that_is_stopped_gracefully_gets_its_last_reply(echo: EchoProcess) -> None:
    async with running(type("User", (Repeating,), {}), echo.url, stop_timeout=5) as (session, _, told):
        await until(lambda: told.answered > 10)
        session.request_stop(graceful=True)
    assert (told.failures, told.raised, told.counters.abandoned) == ([], [], {})


async def test_an_aborted_user_leaves_its_round_trip_unfinished() -> None:
    async with served(lambda _sid, _data: None) as url:
        async with running(type("User", (Repeating,), {}), url) as (session, _, told):
            await until(lambda: session.exchange is not None and session.exchange.in_flight)
            session.abort()
        assert (told.answered, told.failures, dict(told.counters.abandoned)) == (0, [], {NAME: 1})


async def test_it_waits_as_wait_time_says(echo: EchoProcess) -> None:
    class User(Repeating):
        waits = 0

        def wait_time(self) -> float:
            self.waits += 1
            return 0.0 if self.waits % 3 else 0.01

    async with running(User, echo.url) as (_, user, told):
        await until(lambda: told.answered >= 9)
        waits = user.waits
        assert waits == told.answered or waits == told.answered + 1 or user.waits > waits
    assert told.raised == []


async def test_what_wait_time_raises_is_the_tasks_exception_and_the_user_goes_on(
    echo: EchoProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.load.engine.tasks.PAUSE_AFTER_EXCEPTION_S", 0.01)

    class User(Repeating):
        waits = 0

        def wait_time(self) -> float:
            self.waits += 1
            if self.waits == 5:
                raise ValueError("no time")
            return 0.0

    async with running(User, echo.url) as (_, _user, told):
        await until(lambda: told.answered > 10)
    assert [kind.split(" (")[0] for kind in told.raised] == ["ValueError: no time"]


async def test_another_task_takes_its_turn(echo: EchoProcess) -> None:
    """The user changes its tasks, and changes them back."""

    class User(Repeating):
        def wait_time(self) -> float:
            tasks: list[Any] = [Repeating.foo_bar, User.round_trip_of_its_own]
            self.tasks = [tasks[self.turn % 2]]
            self.turn += 1
            return 0.0

        turn = 0

    async with running(User, echo.url) as (_, user, told):
        await until(lambda: user.others > 5)
    assert told.answered >= 2 * user.others - 2


async def test_a_users_own_round_trip_is_called(echo: EchoProcess) -> None:
    class User(Repeating):
        async def round_trip(self, definition: RoundTrip) -> Any:
            self.others += 1
            return await super().round_trip(definition)

    async with running(User, echo.url) as (_, user, told):
        await until(lambda: user.others > 5)
    assert told.raised == []


@asynccontextmanager
async def served(foo: Callable[[str, Any], Any]) -> AsyncIterator[str]:
    """Serve a service whose handler of FOO is this function; what it returns is BAR."""
    sio = socketio.AsyncServer(async_mode="asgi")

    async def handle(sid: str, data: Any) -> None:
        reply = foo(sid, data)
        if reply == "leave":
            await sio.disconnect(sid)
        elif reply is not None:
            await sio.emit("BAR", reply, to=sid)

    sio.on("FOO", handle)
    async with UvicornTestServer(socketio.ASGIApp(sio), timeout_graceful_shutdown=0) as server:
        yield server.url


async def test_a_timeout_is_counted_and_the_next_round_trip_begins() -> None:
    heard: list[Any] = []

    def every_second(_: str, data: Any) -> Any:
        heard.append(data)
        return {"foo": data["name"]} if len(heard) % 2 else None

    async with (
        served(every_second) as url,
        running(type("User", (Repeating,), {"reply_timeout": 0.1}), url) as (_, _user, told),
    ):
        await until(lambda: len(told.failures) >= 3)
    assert set(told.failures) == {"timeout"}
    assert told.answered >= 3


async def test_a_wrong_reply_and_one_with_an_error_are_counted() -> None:
    def judged(reply: Any) -> str | None:
        return None if reply["number"] % 3 else "a third"

    class User(SocketIOUser):
        foo_bar = task(RoundTrip("judged", "FOO", {"name": "{token}"}, "BAR", check=judged))

    numbers = iter(range(10**9))
    async with (
        served(lambda _, data: {"foo": data["name"], "number": next(numbers)}) as url,
        running(User, url) as (_, _user, told),
    ):
        await until(lambda: len(told.failures) >= 3)
        assert told.answered >= 3
    assert set(told.failures) == {WrongReply("", 0, "a third").kind}

    async with (
        served(lambda _, data: {"foo": data["name"], "error": "full"}) as url,
        running(type("User", (Repeating,), {}), url) as (_, _user, told),
    ):
        await until(lambda: told.answered >= 3)
    assert told.answered == sum(batch.error_replies for batch in told.batches)


async def test_a_lost_connection_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.load.engine.connector._BACKOFF_FIRST_S", 0.01)
    heard: list[Any] = []

    def leaving(_: str, data: Any) -> Any:
        heard.append(data)
        return "leave" if len(heard) % 5 == 0 else {"foo": data["name"]}

    async with (
        served(leaving) as url,
        running(type("User", (Repeating,), {}), url) as (_, _user, told),
    ):
        await until(lambda: len(told.failures) >= 2)
    assert {kind.split(":")[0] for kind in told.failures} == {"connection lost"}
    assert told.answered >= 8


async def test_what_cannot_be_sent_is_counted() -> None:
    class User(SocketIOUser):
        foo_bar = task(RoundTrip("object", "FOO", lambda token: {"name": token, "own": object()}, "BAR"))

    async with (
        served(lambda _, data: {"foo": data["name"]}) as url,
        running(User, url) as (_, _user, told),
    ):
        await until(lambda: told.dropped)
    assert set(told.dropped) == {"could not be encoded"}
    assert told.answered == 0


def test_scenarios_are_tasks_as_functions_are() -> None:
    class User(SocketIOUser):
        once = task(FOO_BAR_TO_SENDER)
        often = task(3)(FOO_BAR_TO_SENDER)

        @task(2)
        async def twice(self) -> None: ...

        @task
        async def other(self) -> None: ...

    assert [getattr(performed, "__name__", "") for performed in User.tasks] == [
        NAME,
        NAME,
        NAME,
        NAME,
        "twice",
        "twice",
        "other",
    ]
