"""The settings of a client: what they are made of, and what nobody may see of them."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from bench.wire.connection import Connection, ConnectKeywords, with_keywords
from bench.wire.endpoint import Endpoint
from bench.wire.errors import ConnectFailed
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
    assert endpoint.is_secret


@pytest.mark.parametrize("settings", [{"headers": {"Cookie": "a=b"}}, {"cookies": {"a": "b"}}, {}])
def test_what_no_other_server_may_see(settings: dict[str, Any]) -> None:
    assert Endpoint.of("http://localhost", Connection(**settings)).is_secret == bool(settings)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"transports": ()}, "transports are websocket and polling, not none"),
        ({"transports": ("carrier pigeon",)}, "transports are websocket and polling, not carrier pigeon"),
        ({"headers": {"a b": "c"}}, "cannot be an HTTP header"),
        ({"cookies": {"a": "b;c"}}, "cannot be a cookie"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConnectFailed, match=reason):
        Endpoint.of("http://localhost", Connection(**settings))
