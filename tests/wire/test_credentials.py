"""User, password and query of a URL: they reach the server over every transport, and nobody else."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, quote

import pytest
import socketio

from bench.server import UvicornTestServer
from bench.wire.client import FastClient
from bench.wire.connection import TransportName
from bench.wire.endpoint import Address, transport_url
from bench.wire.errors import ConnectFailed
from bench.wire.reference import ReferenceClient
from tests.support.frames import frame
from tests.support.hostile_server import HANDSHAKE, JOINED, Connection, answers, serving

Kind = type[FastClient | ReferenceClient]
LIMIT_S = 60
USER, PASSWORD, KEY = "j.döe", "p@ss:w/rd#?%41", "s3cret key+&"
USERINFO = f"{quote(USER, safe='')}:{quote(PASSWORD, safe='')}"
QUERY = f"apikey={quote(KEY, safe='')}"
SECRETS = (PASSWORD, quote(PASSWORD, safe=""), KEY, quote(KEY, safe=""))
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
TRANSPORTS: dict[str, tuple[TransportName, ...]] = {
    "websocket": ("websocket",),
    "polling": ("polling",),
    "upgrade": ("polling", "websocket"),
}


@pytest.fixture(params=[FastClient, ReferenceClient], ids=["fast", "reference"])
def kind(request: pytest.FixtureRequest) -> Kind:
    made: Kind = request.param
    return made


class Noting:
    """A Socket.IO server that notes the headers and the query of every request."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, list[str]], dict[str, list[str]]]] = []
        sio = socketio.AsyncServer(async_mode="asgi")
        sio.on("ECHO", lambda sid, value: value)
        self._app = socketio.ASGIApp(sio, on_shutdown=sio.shutdown)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            headers: dict[str, list[str]] = {}
            for name, value in scope["headers"]:
                headers.setdefault(name.decode(), []).append(value.decode("latin-1"))
            self.requests.append((headers, parse_qs(scope["query_string"].decode())))
        await self._app(scope, receive, send)


@asynccontextmanager
async def noting() -> AsyncIterator[tuple[Noting, UvicornTestServer]]:
    app = Noting()
    async with UvicornTestServer(app, timeout_graceful_shutdown=0) as server:
        yield app, server


def with_secrets(url: str) -> str:
    return f"{url.replace('://', f'://{USERINFO}@')}/?{QUERY}"


@pytest.mark.parametrize("transports", TRANSPORTS.values(), ids=TRANSPORTS)
async def test_user_and_password_go_out_as_a_header_and_the_query_as_it_is(
    kind: Kind, transports: tuple[TransportName, ...]
) -> None:
    async with noting() as (app, server):
        client = kind()
        await client.connect(with_secrets(server.url), transports=transports, wait_timeout=LIMIT_S)
        assert await client.call("ECHO", 1, timeout=LIMIT_S) == 1
        await client.disconnect()
        host = server.url.removeprefix("http://")
    assert app.requests
    for headers, query in app.requests:
        assert headers["authorization"] == [BASIC]
        assert headers["host"] == [host]
        assert query["apikey"] == [KEY]


async def test_a_header_of_the_users_own_wins(kind: Kind) -> None:
    async with noting() as (app, server):
        client = kind()
        await client.connect(with_secrets(server.url), headers={"authorization": "Bearer x"}, wait_timeout=LIMIT_S)
        await client.disconnect()
    assert app.requests[0][0]["authorization"] == ["Bearer x"]


@pytest.mark.parametrize("transport", ["websocket", "polling"])
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n%b",
        b"HTTP/1.1 302 Found\r\nLocation: /login?next=%%2F&n=%d&%b\r\nContent-Length: 0\r\n\r\n",
        b"SSH-2.0 %d %b\r\n\r\n",
    ],
    ids=["an error page that repeats the URL", "a redirect that does", "no HTTP"],
)
async def test_no_error_shows_them(kind: Kind, transport: TransportName, answer: bytes) -> None:
    repeated = f"Cannot GET /socket.io/?{QUERY}&EIO=4, {USERINFO}, {KEY}, {BASIC}".encode()
    async with serving(answers(answer % (len(repeated), repeated))) as port:
        client = kind()
        with pytest.raises(ConnectFailed) as raised:
            await client.connect(
                with_secrets(f"http://127.0.0.1:{port}"), transports=(transport,), wait_timeout=LIMIT_S
            )
        await client.disconnect()
    said = str(raised.value)
    assert said.startswith(f"http://127.0.0.1:{port}/?...")
    for secret in (*SECRETS, BASIC.removeprefix("Basic ")):
        assert secret not in said


@pytest.mark.parametrize(
    "settings", [{"headers": {"cookie": "mark=old; own=1"}}, {"cookies": {"mark": "old", "own": "1"}}]
)
async def test_cookies_of_polling_go_with_the_upgrade_as_they_came(settings: dict[str, Any]) -> None:
    cookies: list[str] = []

    async def upgrades(connection: Connection) -> None:
        await connection.request()
        cookies.append(connection.headers.get("cookie", ""))
        if "upgrade" not in connection.headers:
            head = b'HTTP/1.1 200 OK\r\nSet-Cookie: mark="a b"; Path=/\r\nSet-Cookie: other=1; Path=/elsewhere\r\n'
            await connection.send(b"%bContent-Length: %d\r\n\r\n%b" % (head, len(HANDSHAKE), HANDSHAKE))
            return
        await connection.accept()
        for answer in (b"3probe", b"6", JOINED):
            await connection.message()
            await connection.send(frame(answer))
        await connection.silence()

    async with serving(upgrades) as port:
        client = FastClient()
        transports: tuple[TransportName, ...] = ("polling", "websocket")
        await client.connect(f"http://127.0.0.1:{port}", transports=transports, wait_timeout=LIMIT_S, **settings)
        await client.disconnect()
    assert cookies == ["mark=old; own=1", 'mark="a b"; own=1']


async def test_they_do_not_follow_a_redirect_to_another_server() -> None:
    async with noting() as (elsewhere, server):
        location = f"{server.url}/socket.io/?EIO=4&transport=websocket".encode()
        moved = b"HTTP/1.1 302 Found\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % location
        async with serving(answers(moved)) as port:
            client = FastClient()
            with pytest.raises(ConnectFailed, match=f"a redirect to {server.url}.*give the URL where it really is"):
                await client.connect(with_secrets(f"http://127.0.0.1:{port}"), wait_timeout=LIMIT_S)
            await client.disconnect()
    assert elsewhere.requests == []


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://h", "http://h"),
        ("https://h:8443/a/", "https://h:8443/a/"),
        ("http://u:pw@h:1", "http://h:1"),
        ("http://u@h/path", "http://h/path"),
        ("ws://h/?a=b#c", "ws://h/?..."),
        ("http://u:pw@[::1]:5/x?k=v&k=w", "http://[::1]:5/x?..."),
    ],
)
def test_what_is_shown_of_a_url(url: str, shown: str) -> None:
    address = Address.of(url)
    assert address.shown == shown
    assert "pw" not in repr(address)


@pytest.mark.parametrize(
    "url",
    [
        "u:hunter22@h",
        "ftp://u:hunter22@h/?key=hunter22",
        "http://u:hunter/2@h:hunter22@h:99999?hunter22",
        "http://user:1234#hunter22@h",
        "http://u:hunter22@",
        "http://u:hunter22\n@h",
        "http://h:port?hunter22",
        "http://a%3Ab:hunter22@h",
        "http://h/?...",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_its_secrets(url: str) -> None:
    for refuse in (Address.of, lambda url: transport_url(url, "polling")):
        with pytest.raises(ConnectFailed) as raised:
            refuse(url)
        assert "hunter22" not in str(raised.value)
        assert str(raised.value).isprintable()


async def test_nothing_is_offered_that_would_have_to_be_decompressed() -> None:
    async with noting() as (app, server):
        for transports in TRANSPORTS.values():
            client = FastClient()
            await client.connect(server.url, transports=transports, wait_timeout=LIMIT_S)
            await client.disconnect()
    polling = [headers for headers, query in app.requests if query["transport"] == ["polling"]]
    websocket = [headers for headers, query in app.requests if query["transport"] == ["websocket"]]
    assert polling
    assert websocket
    assert all(headers["accept-encoding"] == ["identity"] for headers in polling)
    assert all("sec-websocket-extensions" not in headers for headers in websocket)
