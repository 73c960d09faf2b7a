"""UvicornTestServer: it serves, says what is wrong in one line, and leaves nothing behind, on asyncio and on uvloop."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, MutableMapping
from pathlib import Path
from typing import Any

import fastapi
import httpx
import pytest
import socketio
import uvloop

from bench.server import ServerError, UvicornTestServer
from tests.support.folders import APPS
from tests.support.ports import free_port
from tests.support.server_traces import traces

pytestmark = pytest.mark.unhurried

LIMIT_S = 60

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
Scenario = Callable[[], Awaitable[None]]
Run = Callable[[Scenario], None]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Run a scenario in a new loop and check that nothing of it is left there, or anywhere."""

    async def watched(scenario: Scenario) -> None:
        # uvloop opens a file of its own for its first socket, and closes it with the loop.
        (await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)).close()
        await asyncio.sleep(0.01)
        before = traces()
        async with asyncio.timeout(LIMIT_S):
            await scenario()
        with contextlib.suppress(TimeoutError):  # clients take a moment to close their own sockets
            async with asyncio.timeout(LIMIT_S):
                while traces() != before:  # noqa: ASYNC110 - nothing would set an event
                    await asyncio.sleep(0.01)
        assert traces() ^ before == set()

    def run(scenario: Scenario) -> None:
        uvloop.new_event_loop().close()  # libuv opens a pipe for the process's life with its first loop
        before = traces()
        factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.SelectorEventLoop
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(watched(scenario))
        assert traces() ^ before == set()

    return run


class Recorder:
    """An app with a lifespan, which records what happens to it; `during` holds what it does in each phase."""

    def __init__(self, **during: Callable[[], Awaitable[None]]) -> None:
        self.during = during
        self.seen: list[str] = []
        self.is_requested = asyncio.Event()

    async def phase(self, name: str) -> None:
        self.seen.append(name)
        if name in self.during:
            await self.during[name]()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.lifespan(receive, send)
        elif scope["path"] == "/never":
            self.is_requested.set()
            await asyncio.Event().wait()
        else:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
            await send({"type": "http.response.body", "body": b"ok"})

    async def lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await self.phase("startup")
        await send({"type": "lifespan.startup.complete"})
        await self.phase("up")
        await receive()
        await self.phase("shutdown")
        await send({"type": "lifespan.shutdown.complete"})


async def fail() -> None:
    raise RuntimeError("no database at db.example")


async def never() -> None:
    await asyncio.Event().wait()


async def get(url: str) -> str:
    async with httpx.AsyncClient(timeout=LIMIT_S) as client:
        return (await client.get(url)).text


@contextlib.contextmanager
def occupied_port() -> Generator[int]:
    with socket.create_server(("127.0.0.1", 0)) as occupant:
        yield occupant.getsockname()[1]


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


# It serves


def test_it_serves_on_a_free_port_and_leaves_signals_alone(run: Run) -> None:
    async def scenario() -> None:
        handlers = {number: signal.getsignal(number) for number in signal.Signals}
        app = Recorder()
        async with UvicornTestServer(app) as server:
            assert server.is_running
            assert server.url == f"http://127.0.0.1:{server.port}"
            assert server.port > 0
            assert await get(server.url) == "ok"
            assert {number: signal.getsignal(number) for number in signal.Signals} == handlers
        assert not server.is_running
        assert app.seen == ["startup", "up", "shutdown"]

    run(scenario)


def test_it_serves_an_app_by_name_on_a_given_port(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(APPS)
    port = free_port()

    async def scenario() -> None:
        async with UvicornTestServer("served:app", port=port) as server:
            assert server.port == port
            assert "served.py" in await get(server.url)

    run(scenario)


def test_it_serves_an_app_without_a_lifespan(run: Run) -> None:
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await Recorder()(scope, receive, send)

    async def scenario() -> None:
        async with UvicornTestServer(app) as server:
            assert await get(server.url) == "ok"

    run(scenario)


def test_the_url_is_one_that_clients_can_use(run: Run) -> None:
    async def shows(host: str, shown: str) -> None:
        async with UvicornTestServer(Recorder(), host=host) as server:
            assert server.url == f"http://{shown}:{server.port}"
            assert await get(server.url) == "ok"

    async def scenario() -> None:
        shown = {"127.0.0.1": "127.0.0.1", "0.0.0.0": "127.0.0.1"}
        if has_ipv6():
            shown |= {"::1": "[::1]", "::": "[::1]"}
        await asyncio.gather(*[shows(*pair) for pair in shown.items()])

    run(scenario)


def test_servers_run_side_by_side(run: Run) -> None:
    async def scenario() -> None:
        async with UvicornTestServer(Recorder()) as one, UvicornTestServer(Recorder()) as other:
            assert one.port != other.port
            assert await get(one.url) == await get(other.url) == "ok"

    run(scenario)


# It does not start


def test_a_busy_port_is_an_error(run: Run) -> None:
    async def scenario() -> None:
        app = Recorder()
        with occupied_port() as port, pytest.raises(ServerError, match=rf"127\.0\.0\.1 port {port}: .*in use.*or 0"):
            await UvicornTestServer(app, port=port).start_up()
        assert app.seen == []

    run(scenario)


def test_the_port_is_held_while_the_app_starts(run: Run) -> None:
    port = free_port()
    rivals: list[ServerError] = []

    async def start_a_rival() -> None:
        with pytest.raises(ServerError, match="in use") as caught:
            await UvicornTestServer(Recorder(), port=port).start_up()
        rivals.append(caught.value)

    async def scenario() -> None:
        async with UvicornTestServer(Recorder(startup=start_a_rival), port=port) as server:
            assert await get(server.url) == "ok"
        assert len(rivals) == 1

    run(scenario)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"host": "192.0.2.1"}, r"192\.0\.2\.1 port 0"),
        ({"host": "no.such.host.invalid"}, "no.such.host.invalid"),
        ({"port": 99999}, "port 99999"),
        ({"port": -1}, "port -1"),
    ],
)
def test_an_address_that_is_none_of_this_machine_is_an_error(run: Run, options: dict[str, Any], message: str) -> None:
    async def scenario() -> None:
        with pytest.raises(ServerError, match=message):
            await UvicornTestServer(Recorder(), **options).start_up()

    run(scenario)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("no_such_module:app", "'no_such_module:app' was not found: .*no_such_module"),
        ("served:no_such_app", "'served:no_such_app' was not found: .*no_such_app"),
        ("served", "'served' was not found: .*<module>:<attribute>"),
        ("served:not_an_app", "not_an_app is not an ASGI application but of type int"),
        ("broken:app", "'broken:app' failed to import: ZeroDivisionError: division by zero"),
        ("needy:app", "'needy:app' failed to import: ModuleNotFoundError: No module named 'no_such_dependency'"),
        ("leaving:app", "'leaving:app' failed to import: SystemExit: 4"),
    ],
)
def test_an_app_that_cannot_be_had_is_an_error(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, target: str, message: str
) -> None:
    (tmp_path / "broken.py").write_text("1 / 0")
    (tmp_path / "needy.py").write_text("import no_such_dependency")
    (tmp_path / "leaving.py").write_text("import sys; sys.exit(4)")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(APPS)

    async def scenario() -> None:
        server = UvicornTestServer(target)
        with pytest.raises(ServerError, match=message) as caught:
            await server.start_up()
        assert "\n" not in str(caught.value)
        assert not server.is_running

    run(scenario)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ws": "carrier-pigeon"}, "ws='carrier-pigeon' is unknown: use one of .*websockets"),
        ({"http": "gopher"}, "http='gopher' is unknown"),
        ({"loop": "fruit"}, "loop='fruit' is unknown"),
        ({"log_level": "loud"}, "log_level='loud' is unknown"),
        ({"uds": "a.sock"}, "uds='a.sock' is not possible"),
    ],
)
def test_an_impossible_option_is_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ServerError, match=message):
        UvicornTestServer(Recorder(), **options)


def test_an_implementation_that_is_not_installed_is_an_error(run: Run) -> None:
    async def scenario() -> None:
        with pytest.raises(ServerError, match="no_such_server"):
            await UvicornTestServer(Recorder(), ws="no_such_server:Protocol").start_up()

    run(scenario)


def with_fastapi() -> App:
    @contextlib.asynccontextmanager
    async def lifespan(app: fastapi.FastAPI) -> AsyncGenerator[None]:
        await fail()
        yield

    return fastapi.FastAPI(lifespan=lifespan)


def with_socketio() -> App:
    app: App = socketio.ASGIApp(socketio.AsyncServer(async_mode="asgi"), on_startup=fail)
    return app


async def reporting(scope: Message, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "first\nRuntimeError: no database at db.example"})


@pytest.mark.parametrize(
    "make",
    [with_fastapi, with_socketio, lambda: reporting, lambda: Recorder(startup=fail)],
    ids=["fastapi", "socketio", "reporting", "raising"],
)
@pytest.mark.parametrize("lifespan", ["auto", "on"])
def test_an_app_that_fails_in_its_start_up_is_an_error(run: Run, make: Callable[[], App], lifespan: str) -> None:
    async def scenario() -> None:
        with pytest.raises(ServerError, match=r"did not start: RuntimeError: no database at db\.example") as caught:
            await UvicornTestServer(make(), lifespan=lifespan).start_up()
        assert "\n" not in str(caught.value)

    run(scenario)


def test_an_app_whose_start_up_hangs_is_an_error(run: Run) -> None:
    async def scenario() -> None:
        app = Recorder(startup=never)
        with pytest.raises(ServerError, match=r"start-up did not end within 0\.2 s"):
            await UvicornTestServer(app, start_timeout_s=0.2, stop_timeout_s=1000).start_up()
        assert app.seen == ["startup"]

    run(scenario)


def test_a_failed_start_frees_its_port(run: Run) -> None:
    port = free_port()

    async def scenario() -> None:
        with pytest.raises(ServerError):
            await UvicornTestServer(Recorder(startup=fail), port=port).start_up()
        async with UvicornTestServer(Recorder(), port=port) as server:
            assert await get(server.url) == "ok"

    run(scenario)


# Start and tear down, in every order


def test_a_second_start_is_an_error_and_the_first_keeps_running(run: Run) -> None:
    async def scenario() -> None:
        async with UvicornTestServer(Recorder()) as server:
            with pytest.raises(ServerError, match=f"runs already, at {server.url}"):
                await server.start_up()
            assert await get(server.url) == "ok"

    run(scenario)


def test_a_start_during_the_start_is_an_error(run: Run) -> None:
    async def scenario() -> None:
        server = UvicornTestServer(Recorder())
        results = await asyncio.gather(server.start_up(), server.start_up(), return_exceptions=True)
        assert [type(result) for result in results] == [type(None), ServerError]
        assert await get(server.url) == "ok"
        await server.tear_down()

    run(scenario)


def test_after_the_tear_down_another_does_nothing_and_a_start_is_an_error(run: Run) -> None:
    async def scenario() -> None:
        app = Recorder()
        server = UvicornTestServer(app)
        await server.start_up()
        await server.tear_down()
        await server.tear_down()
        with pytest.raises(ServerError, match="was started before: make another"):
            await server.start_up()
        assert app.seen == ["startup", "up", "shutdown"]

    run(scenario)


def test_a_tear_down_without_a_start_does_nothing(run: Run) -> None:
    async def scenario() -> None:
        server = UvicornTestServer(Recorder())
        await server.tear_down()
        for ask in (lambda: server.port, lambda: server.url, server.check):
            with pytest.raises(ServerError, match=r"no port yet|not running"):
                ask()

    run(scenario)


def test_tear_down_does_not_wait_for_clients_that_stay(run: Run) -> None:
    async def scenario() -> None:
        sio = socketio.AsyncServer(async_mode="asgi", ping_interval=0.3)
        inner = Recorder(shutdown=sio.shutdown)
        server = UvicornTestServer(socketio.ASGIApp(sio, other_asgi_app=inner))
        await server.start_up()
        clients = [socketio.AsyncClient(reconnection=False, handle_sigint=False) for _ in range(2)]
        for client, transport in zip(clients, ["websocket", "polling"], strict=True):
            await client.connect(server.url, transports=[transport])
        waiting = asyncio.create_task(get(f"{server.url}/never"))
        await inner.is_requested.wait()
        await server.tear_down()
        assert inner.seen == ["startup", "up", "shutdown"]
        await asyncio.gather(waiting, return_exceptions=True)
        for client in clients:
            await client.eio.wait()  # until it has noticed

    run(scenario)


def test_tear_down_does_not_wait_for_a_client_that_reads_nothing(run: Run) -> None:
    async def flooding(scope: Message, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": bytes(1_000_000), "more_body": True})

    async def scenario() -> None:
        server = UvicornTestServer(flooding, timeout_graceful_shutdown=0)
        await server.start_up()
        _, idle = await asyncio.open_connection("127.0.0.1", server.port)
        _, incomplete = await asyncio.open_connection("127.0.0.1", server.port)
        incomplete.write(b"GET / HTTP/1.1\r\nHos")
        reader, deaf = await asyncio.open_connection("127.0.0.1", server.port, limit=1000)
        deaf.write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        await reader.readline()
        await asyncio.sleep(0.1)  # its buffers are full by now
        await server.tear_down()
        assert not server.server_state.connections
        for writer in (idle, incomplete, deaf):
            writer.transport.abort()

    run(scenario)


@pytest.mark.parametrize("behaviour", [fail, never])
def test_a_shut_down_that_goes_wrong_is_an_error(run: Run, behaviour: Scenario) -> None:
    async def scenario() -> None:
        server = UvicornTestServer(Recorder(shutdown=behaviour), stop_timeout_s=0.5, timeout_graceful_shutdown=0)
        await server.start_up()
        with pytest.raises(
            ServerError, match=r"shut-down of Recorder failed: .*no database|did not shut down within 0"
        ):
            await server.tear_down()
        await server.tear_down()

    run(scenario)


def test_an_app_whose_lifespan_fails_while_it_serves_is_an_error_at_the_end(run: Run) -> None:
    async def scenario() -> None:
        server = UvicornTestServer(Recorder(up=fail))
        await server.start_up()
        assert await get(server.url) == "ok"
        with pytest.raises(ServerError, match="no database"):
            await server.tear_down()

    run(scenario)


def test_an_error_of_the_caller_is_not_hidden_by_one_of_the_shut_down(run: Run) -> None:
    async def scenario() -> None:
        with pytest.raises(KeyError) as caught:
            async with UvicornTestServer(Recorder(shutdown=fail)):
                raise KeyError("the caller's")
        assert any("shut-down of Recorder failed" in note for note in caught.value.__notes__)

    run(scenario)


# The caller is cancelled


def test_a_caller_cancelled_while_it_starts(run: Run) -> None:
    port = free_port()

    async def scenario() -> None:
        is_starting = asyncio.Event()

        async def start() -> None:
            is_starting.set()
            await never()

        server = UvicornTestServer(Recorder(startup=start), port=port, stop_timeout_s=1000)
        starting = asyncio.create_task(server.start_up())
        await is_starting.wait()
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        async with UvicornTestServer(Recorder(), port=port) as server:
            assert await get(server.url) == "ok"

    run(scenario)


def test_a_caller_cancelled_at_any_turn_of_its_start(run: Run) -> None:
    async def cancelled_after(turns: int) -> None:
        app = Recorder()
        server = UvicornTestServer(app)
        starting = asyncio.create_task(server.start_up())
        for _ in range(turns):
            await asyncio.sleep(0)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        if not starting.cancelled():  # it was done
            await server.tear_down()
        assert ("up" in app.seen) == ("shutdown" in app.seen)

    async def scenario() -> None:
        await asyncio.gather(*[cancelled_after(turns) for turns in range(12)])

    run(scenario)


@pytest.mark.parametrize("times", [1, 2])
def test_a_caller_cancelled_while_it_tears_down(run: Run, times: int) -> None:
    async def scenario() -> None:
        app = Recorder()
        server = UvicornTestServer(app, timeout_graceful_shutdown=60)
        await server.start_up()
        waiting = asyncio.create_task(get(f"{server.url}/never"))
        await app.is_requested.wait()
        ending = asyncio.create_task(server.tear_down())
        await asyncio.sleep(0.3)  # uvicorn waits for the request by now
        for _ in range(times):
            ending.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await ending
        await asyncio.gather(waiting, return_exceptions=True)
        if times == 1:
            assert app.seen == ["startup", "up", "shutdown"]

    run(scenario)


# It dies


def test_a_server_that_dies_is_noticed_and_cleared_away(run: Run) -> None:
    class Mortal(UvicornTestServer):
        async def on_tick(self, counter: int) -> bool:
            if counter > 0:
                await fail()
            return await super().on_tick(counter)

    async def scenario() -> None:
        server = Mortal(Recorder())
        await server.start_up()
        with pytest.raises(ServerError, match="server of Recorder died: RuntimeError: no database"):
            await server.join()
        assert not server.is_running
        with pytest.raises(ServerError, match="died"):
            server.check()
        with pytest.raises(ServerError, match="died"):
            await server.tear_down()
        await server.tear_down()

    run(scenario)
