"""The HTTP requests of a user, against a real server in the same loop: their names, times, errors and cookies."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from locust.exception import StopUser

from bench.load.engine.http import UserHttp, is_counted
from bench.load.engine.ongoing import OngoingOperation
from bench.load.engine.transaction import failure_kind
from bench.load.metrics.recorder import TIMEOUT, Recorder
from bench.results.load import OperationKey, OperationKind
from bench.server import UvicornTestServer

Message = MutableMapping[str, Any]

TIMEOUT_S = 5.0

JSON = (b"content-type", b"application/json")

#: The response to each path: status, headers, body. A path that is not here has the status 404.
RESPONSES: dict[str, tuple[int, list[tuple[bytes, bytes]], bytes]] = {
    "/login": (200, [(b"set-cookie", b"mark=a7; Path=/chat"), (b"set-cookie", b"safe=1; Secure")], b'{"token": "t"}'),
    "/quoted": (200, [(b"set-cookie", b'mark="a b"; Path=/')], b"{}"),
    "/away": (302, [(b"location", b"/login")], b""),
    "/large": (200, [], b"x" * 1_000_000),
}


async def service(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[..., Awaitable[None]]
) -> None:
    status, headers, body = RESPONSES.get(scope["path"], (404, [], b""))
    if scope["path"] == "/never":
        await asyncio.sleep(2 * TIMEOUT_S)
    if scope["path"] == "/headers":
        status, body = 200, json.dumps([[name.decode(), value.decode()] for name, value in scope["headers"]]).encode()
    if scope["path"] == "/page":
        status, headers, body = 502, [(b"content-type", b"text/html")], b"<p>Bad gateway"
    else:
        headers = [*headers, JSON]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Host:
    """A session in a closed load, with recorders of its own."""

    def __init__(self) -> None:
        self.ongoing: Counter[OperationKey] = Counter()
        self.recorders: dict[str, Recorder] = {}
        self.is_stopping = False

    async def may_send(self) -> None:
        if self.is_stopping:
            raise StopUser

    def begin_operation(self, name: str, kind: OperationKind) -> OngoingOperation:
        assert kind == "http"
        recorder = self.recorders.setdefault(name, Recorder(name, kind=kind))
        return OngoingOperation(recorder, kind, self.ongoing)

    def note_quiet(self) -> None:
        pass

    def counted(self) -> tuple[dict[str, int], dict[tuple[str, str], int]]:
        """Return the numbers of successes by name, and of failures by name and kind. Called once."""
        batches = [batch for recorder in self.recorders.values() if (batch := recorder.flush()) is not None]
        ok = {batch.operation: len(batch.completed) // 2 for batch in batches if batch.completed}
        failed = Counter((batch.operation, failure.kind) for batch in batches for failure in batch.failures)
        assert all(batch.completed[0] < batch.completed[1] for batch in batches if batch.completed)
        return ok, dict(failed)


@asynccontextmanager
async def requests(
    path: str = "", userinfo: str = "", url: str | None = None, timeout_s: float = TIMEOUT_S
) -> AsyncIterator[tuple[UserHttp, Host]]:
    host = Host()
    async with UvicornTestServer(service) as server:
        whole = url or server.url.replace("://", f"://{userinfo}") + path
        http = UserHttp(host, whole, None, round(timeout_s * 1e9))
        try:
            yield http, host
        finally:
            await http.close()
            assert not http.in_flight
            await http.quiet()


async def test_each_request_is_an_operation() -> None:
    async with requests() as (http, host):
        async with http.post("/login?user=Ada", json={"name": "Ada"}) as response:
            assert await response.json() == {"token": "t"}
        assert (await http.get("large")).status == 200
        await http.get("/away")
        await http.get("/away", allow_redirects=False)
        await http.put("/login", name="log in")
        await http.request("delete", f"{http.base}/login")
        await http.head("/login")
        async with http.get("/large", stream=True) as response:
            assert len(await response.content.read()) == 1_000_000
        ok = {"POST /login": 1, "GET /large": 2, "GET /away": 2, "log in": 1, "DELETE /login": 1, "HEAD /login": 1}
        assert host.counted() == (ok, {})


async def test_what_is_no_success_is_counted_by_its_kind() -> None:
    async with requests() as (http, host):
        response = await http.get("/nothing")
        with pytest.raises(aiohttp.ClientResponseError) as late:
            response.raise_for_status()
        with pytest.raises(aiohttp.ClientResponseError) as early:
            await http.get("/nothing?secret=hunter22", raise_for_status=True)
        with pytest.raises(TimeoutError) as short:
            await http.get("/never", timeout=aiohttp.ClientTimeout(total=0.05))
        with pytest.raises(aiohttp.ClientError) as unreachable:
            await http.get("http://127.0.0.1:1/x")
        assert all(is_counted(raised.value) for raised in (late, early, short, unreachable))
        assert not is_counted(ValueError())
        assert not is_counted(TimeoutError())
        failed = {
            ("GET /nothing", "HTTP 404"): 2,
            ("GET /never", "timeout of the request"): 1,
            ("GET 127.0.0.1:1/x", "ClientConnectorError: connection refused"): 1,
        }
        assert host.counted() == ({}, failed)


async def test_what_another_session_of_the_user_raises_is_not_taken_for_counted() -> None:
    async with requests() as (http, host):
        async with aiohttp.ClientSession() as another:
            with pytest.raises(aiohttp.ClientResponseError) as foreign:
                await another.get(f"{http.base}/nothing", raise_for_status=True)
        direct = await http.session.get(f"{http.base}/nothing")
        with pytest.raises(aiohttp.ClientResponseError) as uncounted:
            direct.raise_for_status()
        assert not is_counted(foreign.value)
        assert not is_counted(uncounted.value)
        assert host.counted() == ({}, {})


async def test_a_block_that_a_request_ends_is_counted_as_the_request_is() -> None:
    async with requests(timeout_s=0.2) as (http, _):
        with pytest.raises(aiohttp.ClientResponseError) as refused:
            await http.get("/nothing?token=hunter22", raise_for_status=True)
        with pytest.raises(TimeoutError) as late:
            await http.get("/never")
        assert [failure_kind(raised.value) for raised in (refused, late)] == ["HTTP 404", TIMEOUT]


async def test_an_error_page_that_is_no_json_is_counted_once() -> None:
    async with requests() as (http, host):
        response = await http.get("/page")
        with pytest.raises(aiohttp.ContentTypeError) as raised:
            await response.json()
        assert is_counted(raised.value)
        assert host.counted() == ({}, {("GET /page", "HTTP 502"): 1})


async def test_a_request_that_takes_longer_than_a_reply_may_is_a_timeout() -> None:
    async with requests(timeout_s=0.1) as (http, host):
        with pytest.raises(TimeoutError):
            await http.get("/never")
        assert host.counted() == ({}, {("GET /never", TIMEOUT): 1})


async def test_a_request_that_is_cut_off_is_unfinished() -> None:
    async with requests() as (http, host):
        asking = asyncio.ensure_future(http.get("/never"))
        await asyncio.wait({asking}, timeout=0.1)
        assert http.in_flight == 1
        asking.cancel()
        await http.quiet()
        assert host.counted() == ({}, {})
        assert host.ongoing == {OperationKey("GET /never", "http"): 1}


async def test_who_stops_asks_no_more() -> None:
    async with requests() as (http, host):
        host.is_stopping = True
        with pytest.raises(StopUser):
            await http.get("/login")
        assert host.counted() == ({}, {})


async def test_a_relative_url_is_added_to_the_host_which_alone_gets_the_password() -> None:
    async with requests("/", "Ada:hunter22@") as (http, host):
        async with http.get("/headers", headers={"X-Mine": "1"}) as response:
            found = dict(await response.json())
        assert (found["authorization"], found["x-mine"]) == ("Basic QWRhOmh1bnRlcjIy", "1")
        elsewhere = http.base.replace("127.0.0.1", "localhost")
        async with http.get(f"{elsewhere}/headers") as response:
            assert "authorization" not in dict(await response.json())
        ok = {"GET /headers": 1, f"GET {elsewhere.removeprefix('http://')}/headers": 1}
        assert host.counted() == (ok, {})
    async with requests("/head") as (http, host):
        await http.get("ers")
        assert host.counted() == ({}, {("GET /head/ers", "HTTP 404"): 1})
