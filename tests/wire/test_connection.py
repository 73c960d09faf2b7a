"""The settings of a client: what they are made of, and what nobody may see of them."""

from __future__ import annotations

import asyncio
from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from bench.secrets import KnownSecrets
from bench.wire import protocol
from bench.wire.client import FastClient
from bench.wire.connection import Connection, ConnectKeywords, watched, with_keywords
from bench.wire.endpoint import Endpoint
from bench.wire.errors import ConnectFailed, SettingError
from bench.wire.reference import ReferenceClient
from bench.wire.tls import Tls


def test_every_field_has_a_keyword() -> None:
    names = {field.name for field in fields(Connection)}
    assert set(ConnectKeywords.__annotations__) == names - {"connect_timeout"} | {"wait_timeout"}


def test_a_keyword_replaces_a_field() -> None:
    connection = Connection(auth="a", namespaces=("/a",), connect_timeout=1.0)
    changed = with_keywords(connection, {"auth": None, "wait_timeout": 2.0, "transports": ["polling"]})
    assert changed == Connection(namespaces=("/a",), connect_timeout=2.0, transports=("polling",))
    assert connection == Connection(auth="a", namespaces=("/a",), connect_timeout=1.0)
    assert with_keywords(None, {}) == Connection()


def test_a_keyword_that_is_none() -> None:
    unknown: Any = {"namespace": "/a"}
    with pytest.raises(TypeError, match="namespace"):
        with_keywords(None, unknown)


def test_it_cannot_be_changed_from_outside() -> None:
    headers, names = {"A": "1"}, ["/a"]
    connection = Connection(headers=headers, namespaces=names)  # type: ignore[arg-type]
    headers["B"] = "2"
    names.append("/b")
    assert (connection.headers, connection.namespaces) == ({"A": "1"}, ("/a",))
    with pytest.raises(FrozenInstanceError):
        connection.auth = "x"  # type: ignore[misc]


def test_one_namespace_stands_for_itself() -> None:
    assert with_keywords(None, {"namespaces": "/chat"}).namespaces == ("/chat",)


def test_secrets_are_in_no_text() -> None:
    secret = "hush-hush"
    connection = Connection(
        auth={"token": secret},
        headers={"Authorization": secret},
        cookies={"session": secret},
        tls=Tls(key_password=secret),
        socketio_path="shown",
    )
    endpoint = Endpoint.of(f"http://{secret}:{secret}@localhost/?token={secret}", connection)
    for text in (repr(connection), str(connection), repr(endpoint), str(endpoint)):
        assert secret not in text
    assert "shown" in repr(connection)


@pytest.mark.parametrize(
    ("url", "path", "query", "asked"),
    [
        (
            "http://h/a%20b?x=%2F%20y&z=ü",
            "wß",
            {"n": "ü&+ /"},
            "http://h/a%20b/w%C3%9F/?x=%2F%20y&z=%C3%BC&n=%C3%BC%26%2B+%2F",
        ),
        ("https://bücher.example:8443/a b", "s", {}, "https://xn--bcher-kva.example:8443/a%20b/s/?"),
        ("http://[fe80::1%25eth0]:5/?a[]=1;b,'c", "s", {}, "http://[fe80::1%25eth0]:5/s/?a[]=1;b,'c"),
    ],
)
def test_a_url_goes_out_in_ascii_and_escaped_once(url: str, path: str, query: dict[str, str], asked: str) -> None:
    found = Endpoint.of(url, Connection(socketio_path=path, query=query, transports=("polling",))).urls["polling"]
    assert found.replace("?&", "?") == f"{asked}{'&' if not asked.endswith('?') else ''}EIO=4&transport=polling"


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"auth": {1, 2}}, "auth cannot be sent as JSON: Type is not JSON serializable: set"),
        ({"auth": {"key": b"secret"}}, "auth cannot be sent as JSON: Type is not JSON serializable: bytes"),
        ({"auth": {1, 2}, "serializer": "msgpack"}, "auth cannot be sent as MessagePack: can not serialize 'set'"),
        ({"headers": "Authorization: x"}, "headers is a mapping, such as .*, not of type str"),
        ({"headers": {"a b": "c"}}, "'a b' with its value cannot be an HTTP header"),
        ({"headers": {"A": "c\r\nB: d"}}, "'A' with its value cannot be an HTTP header"),
        ({"headers": {"A": 1}}, "'A' with its value cannot be an HTTP header"),
        ({"headers": {1: "a"}}, "1 with its value cannot be an HTTP header"),
        ({"headers": {"Sec-WebSocket-Extensions": "x"}}, "no WebSocket extension is supported"),
        ({"cookies": {"a": "b;c"}}, "'a' with its value cannot be a cookie"),
        ({"cookies": ["a=b"]}, "cookies is a mapping"),
        ({"query": {"a": 1}}, "'a' with its value cannot be in a query: both are texts"),
        ({"query": {"sid": "1"}}, "'sid' cannot be in a query"),
        ({"transports": ()}, "transports are websocket and polling, not none"),
        ({"transports": ("carrier pigeon",)}, "transports are websocket and polling, not carrier pigeon"),
        ({"transports": "websocket"}, r"transports are a tuple, \('websocket',\), not the text 'websocket'"),
        ({"transports": 1}, "transports are a tuple of texts, not 1"),
        ({"namespaces": "chat"}, "'chat' is no namespace: it begins with a slash"),
        ({"namespaces": ("/a,b",)}, "'/a,b' is no namespace"),
        ({"namespaces": ()}, "there is no namespace to join"),
        ({"namespaces": 1}, "namespaces are a tuple of texts, not 1"),
        ({"socketio_path": ""}, "socketio_path is a path under the URL"),
        ({"socketio_path": "a?b=c"}, "socketio_path is a path under the URL"),
        ({"socketio_path": "http://h/a"}, "socketio_path 'http://h/a' is a whole URL"),
        ({"serializer": "pickle"}, "serializer is 'json' or 'msgpack', not 'pickle'"),
        ({"connect_timeout": 0}, "connect_timeout is in seconds, above 0"),
        ({"connect_timeout": True}, "connect_timeout is in seconds, above 0"),
        ({"connect_timeout": "5"}, "connect_timeout is in seconds, above 0"),
        ({"connect_timeout": float("nan")}, "connect_timeout is in seconds, above 0"),
        ({"tls": True}, "tls is a bench.wire.tls.Tls, not of type bool"),
        ({"max_message_bytes": 0}, "max_message_bytes is a number of bytes"),
        ({"max_message_bytes": 1e6}, "max_message_bytes is a number of bytes"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_when_it_is_made(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(SettingError, match=reason) as raised:
        Connection(**settings)
    assert str(raised.value).isprintable()
    assert isinstance(raised.value, ConnectFailed), "who connects with keywords awaits this"


def test_what_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "CAN_PACK", False)
    with pytest.raises(
        SettingError, match=r'serializer msgpack needs a package: pip install "socketio-bench\[msgpack\]"'
    ):
        Connection(serializer="msgpack")


async def test_functions_are_called_for_each_attempt() -> None:
    calls: list[str] = []

    async def auth() -> dict[str, int]:
        calls.append("auth")
        return {"n": calls.count("auth")}

    def headers() -> dict[str, str]:
        calls.append("headers")
        return {"X-N": str(calls.count("headers"))}

    connection = Connection(auth=auth, headers=headers, cookies=lambda: {"c": "1"})
    for number in (1, 2):
        attempt = await connection.for_attempt()
        assert attempt.auth == {"n": number}
        assert attempt.headers == {"X-N": str(number)}
        assert attempt.cookies == {"c": "1"}
    plain = Connection(auth=1)
    assert await plain.for_attempt() is plain


def fails() -> None:
    raise RuntimeError("no\nlogin")


async def test_what_is_secret_in_an_attempt_becomes_known() -> None:
    async def headers() -> dict[str, str]:
        return {"Authorization": "Bearer made-2"}

    known = KnownSecrets()
    connection = watched(
        Connection(auth=lambda: {"token": "made-1"}, headers=headers, cookies={"session": "given-1"}), known
    )
    assert set(known.since(0)) == {"given-1"}
    made = await connection.for_attempt()
    assert (made.auth, made.headers) == ({"token": "made-1"}, {"Authorization": "Bearer made-2"})
    assert set(known.since(1)) == {"made-1", "made-2", "Bearer made-2"}
    plain = Connection(auth="given-2")
    assert watched(plain, known) is plain


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"auth": fails}, "auth, a function, failed: RuntimeError: no login"),
        ({"headers": lambda user: {}}, "headers, a function, failed: TypeError: .* missing 1 required"),
        ({"headers": lambda: {"a b": "c"}}, "'a b' with its value cannot be an HTTP header"),
        ({"cookies": lambda: "a=b"}, "cookies is a mapping"),
        ({"auth": lambda: {1}}, "auth cannot be sent"),
    ],
)
async def test_a_function_that_fails(settings: dict[str, Any], reason: str) -> None:
    for client in (FastClient(), ReferenceClient()):
        with pytest.raises(ConnectFailed, match=reason) as raised:
            await client.connect("http://127.0.0.1:1", Connection(**settings))
        assert str(raised.value).isprintable()


async def test_a_function_that_takes_too_long() -> None:
    connection = Connection(auth=lambda: asyncio.sleep(60), connect_timeout=0.05)
    for client in (FastClient(), ReferenceClient()):
        with pytest.raises(ConnectFailed, match=r"auth, headers or cookies did not return within 0\.05 s"):
            await client.connect("http://127.0.0.1:1", connection)
