"""The HTTP side of a service: which cookies go with a connection. (Requests: tests/load/engine/test_http.py.)"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import aiohttp
import pytest

from bench.secrets import KnownSecrets
from bench.server import UvicornTestServer
from bench.wire.connection import Connection
from bench.wire.host_http import HostHttp

Message = MutableMapping[str, Any]

COOKIES: dict[str, tuple[bytes, ...]] = {
    "/login": (b"mark=a7; Path=/chat", b"safe=1; Secure"),
    "/quoted": (b'mark="a b"; Path=/',),
}


async def service(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[..., Awaitable[None]]
) -> None:
    headers = [(b"set-cookie", cookie) for cookie in COOKIES[scope["path"]]]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def test_cookies_go_with_the_connection_where_they_belong() -> None:
    there = Connection(socketio_path="chat/socket.io", headers={"cookie": "own=1", "X-Mine": "1"})
    async with UvicornTestServer(service) as server, HostHttp(server.url, None, 5.0) as http:
        assert await http.with_cookies(there) == there
        await http.post("/login")
        assert (await http.with_cookies(there)).headers == {"cookie": "own=1; mark=a7", "X-Mine": "1"}
        elsewhere = Connection(socketio_path="other/socket.io")
        assert await http.with_cookies(elsewhere) == elsewhere
        own = Connection(socketio_path="chat/socket.io", cookies={"mark": "mine"})
        assert await http.with_cookies(own) == own
        header = Connection(socketio_path="chat/socket.io", headers={"Cookie": "mark=mine; own"})
        assert await http.with_cookies(header) == header
        made = Connection(socketio_path="chat/socket.io", headers=lambda: {"X-Made": "1"})
        assert (await http.with_cookies(made)).headers == {"X-Made": "1", "Cookie": "mark=a7"}
        wanted = Connection(socketio_path="chat/socket.io")
        for url, headers in (
            (server.url.replace("127.0.0.1", "localhost"), {}),
            (server.url.replace("http", "wss"), {"Cookie": "safe=1; mark=a7"}),
        ):
            async with HostHttp(url, None, 5.0) as other:
                other.session._cookie_jar = http.cookie_jar
                assert (await other.with_cookies(wanted)).headers == headers
        await http.get("/quoted")
        assert (await http.with_cookies(Connection())).headers == {"Cookie": 'mark="a b"'}


@pytest.mark.filterwarnings("ignore:.*aiohttp:DeprecationWarning")  # BasicAuth, which users still have
async def test_secrets_in_requests_and_responses_become_known() -> None:
    async def members(scope: Message, receive: Any, send: Callable[..., Awaitable[None]]) -> None:
        place = {"/old": b"/login"}.get(scope["path"])
        headers = [
            (b"set-cookie", b"mark=cookie-1" if place else b"mark=cookie-2"),
            (b"content-type", b"application/json"),
        ]
        headers += [(b"location", place)] if place else []
        await send({"type": "http.response.start", "status": 307 if place else 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"access_token": "token-1", "name": "anna"}'})

    known = KnownSecrets()
    async with UvicornTestServer(members) as server, HostHttp(server.url, None, 5.0, known) as http:
        login = {"password": "pass-1", "user": "anna"}
        await http.post("/old", json=login, headers={"X-Key": "key-1"}, cookies={"own": "cookie-3"})
        await http.get("/login", auth=aiohttp.BasicAuth("me", "pass-2"))
        async with http.get("/login", stream=True) as response:
            assert (await response.json())["access_token"] == "token-1"
    learnt = set(known.since(0))
    assert learnt >= {"cookie-1", "cookie-2", "cookie-3", "token-1", "pass-1", "pass-2", "key-1"}
    assert not learnt & {"anna", "application/json", server.url.removeprefix("http://")}
