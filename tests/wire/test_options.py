"""The options of a connection: from texts to the settings, and what is said of a text that cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.secrets import Secrets
from bench.wire.connection import Connection
from bench.wire.errors import SettingError
from bench.wire.options import CONNECTION_OPTIONS, GivenSettings, given_settings, secret, transport_of
from bench.wire.tls import Tls

SECRET = "hush-hush"


def given(folder: Path | None = None, variables: dict[str, str] | None = None, **texts: Any) -> GivenSettings:
    keys = {f"connection_{name}": text for name, text in texts.items()}
    assert keys.keys() <= {option.key for option in CONNECTION_OPTIONS}
    return given_settings(keys, folder, variables or {})


def test_nothing_given_changes_nothing() -> None:
    base = Connection(auth=1)
    assert given(header=[], auth=None, insecure=False).over(base) is base
    assert not given()


def test_every_option_says_its_setting(tmp_path: Path) -> None:
    (tmp_path / "key.txt").write_text(f"{SECRET}\n")
    connection = given(
        tmp_path,
        {"TOKEN": SECRET},
        namespace=["/chat", "/news"],
        auth='{"token": "@env:TOKEN", "n": 1}',
        header=["Authorization: @env:TOKEN", "X-Key:@key.txt"],
        cookie=["session=@env:TOKEN", "a=b=c"],
        query=["key=@key.txt", "empty="],
        socketio_path="ws/socket.io",
        transport="polling,websocket",
        serializer="msgpack",
        cafile="ca.pem",
        certfile="/c.pem",
        keyfile="k.pem",
        key_password="@env:TOKEN",
        connect_timeout="1m",
        max_message_bytes="5_000",
    ).over()
    assert connection == Connection(
        namespaces=("/chat", "/news"),
        auth={"token": SECRET, "n": 1},
        headers={"Authorization": SECRET, "X-Key": SECRET},
        cookies={"session": SECRET, "a": "b=c"},
        query={"key": SECRET, "empty": ""},
        socketio_path="ws/socket.io",
        transports=("polling", "websocket"),
        serializer="msgpack",
        tls=Tls(str(tmp_path / "ca.pem"), "/c.pem", str(tmp_path / "k.pem"), SECRET),
        connect_timeout=60,
        max_message_bytes=5_000,
    )


@pytest.mark.parametrize(
    ("text", "auth"), [("@auth.json", {"a": 1}), ("@env:AUTH", [2]), ('"@@me"', "@@me"), ('"@me"', "@me"), ("3", 3)]
)
def test_where_auth_comes_from(tmp_path: Path, text: str, auth: Any) -> None:
    (tmp_path / "auth.json").write_text('{"a": 1}\n')
    assert given(tmp_path, {"AUTH": "[2]"}, auth=text).over().auth == auth


def test_an_at_sign_of_the_values_own() -> None:
    assert given(header=["X: @@me"]).over().headers == {"X": "@me"}


async def test_the_command_line_comes_first_and_adds_to_what_has_names() -> None:
    base = Connection(
        auth="base",
        headers={"x-key": "base", "X-App": "base"},
        cookies={"a": "base", "b": "base"},
        query={"q": "base"},
        connect_timeout=7,
        tls=Tls("ca.pem", "cert.pem", "key.pem", "pw"),
    )
    options = given(auth='"given"', header=["X-Key: given"], cookie=["a=given"], query=["r=given"])
    changed = options.over(base)
    assert changed.auth == "given"
    assert changed.headers == {"X-App": "base", "X-Key": "given"}
    assert changed.cookies == {"a": "given", "b": "base"}
    assert changed.query == {"q": "base", "r": "given"}
    assert changed.connect_timeout == 7
    for made in (lambda: {"X-App": "made"}, _made):
        attempt = await options.over(Connection(headers=made)).for_attempt()
        assert attempt.headers == {"X-App": "made", "X-Key": "given"}


async def _made() -> dict[str, str]:
    return {"X-App": "made"}


def test_settings_of_tls_replace_each_other() -> None:
    base = Connection(tls=Tls("ca.pem", "cert.pem", "key.pem", "pw"))
    assert given(insecure=True).over(base).tls == Tls(None, "cert.pem", "key.pem", "pw", insecure=True)
    assert given(cafile="/b.pem").over(Connection(tls=Tls(insecure=True))).tls == Tls("/b.pem")
    assert given(certfile="/b.pem").over(base).tls == Tls("ca.pem", "/b.pem")


def test_the_settings_are_plain_data() -> None:
    fields = given(namespace=["/a"], transport="polling", insecure=True).fields
    assert dict(fields) == {"namespaces": ["/a"], "transports": ["polling"], "tls": {"insecure": True}}
    assert transport_of(GivenSettings(fields)) == ("polling",)
    assert transport_of(given()) is None


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        ({"namespace": ["chat"]}, "'chat' is no namespace: it begins with a slash"),
        ({"auth": SECRET}, '--auth is no JSON: an object is {"token": "…"}'),
        ({"auth": "@env:NOPE"}, "--auth @env:NOPE: there is no such environment variable"),
        ({"auth": '{"a": "@env:NOPE"}'}, "--auth @env:NOPE: there is no such environment variable"),
        ({"auth": "@nope.json"}, "--auth @nope.json: the file cannot be read: no such file"),
        ({"auth": "@."}, "--auth @.: the file cannot be read: is a directory"),
        ({"header": [SECRET]}, "--header is written --header 'Name: value'"),
        ({"header": [f"a b: {SECRET}"]}, "--header: 'a b' with its value cannot be an HTTP header"),
        ({"header": ["X: @env:LINES"]}, "--header: 'X' with its value cannot be an HTTP header"),
        ({"header": ["X: 1", "x: 2"]}, "--header x was given twice"),
        ({"cookie": [SECRET]}, "--cookie is written --cookie name=value"),
        ({"cookie": [f"a={SECRET};"]}, "--cookie: 'a' with its value cannot be a cookie"),
        ({"query": [f"={SECRET}"]}, "--query is written --query name=value"),
        ({"query": [f"EIO={SECRET}"]}, "'EIO' cannot be in a query"),
        ({"socketio_path": "http://h/socket.io"}, "--socketio-path: socketio_path 'http://h/socket.io' is a whole URL"),
        ({"transport": "tcp"}, "--transport 'tcp': give websocket, polling or polling,websocket"),
        ({"transport": "websocket,polling"}, "--transport 'websocket,polling': give websocket, polling or"),
        ({"serializer": "xml"}, "--serializer 'xml': give json or msgpack"),
        ({"key_password": SECRET}, "--key-password takes no password, which others could see"),
        ({"connect_timeout": "soon"}, "--connect-timeout 'soon': give seconds"),
        ({"connect_timeout": "0"}, "--connect-timeout: connect_timeout is in seconds, above 0"),
        ({"max_message_bytes": "1MB"}, "--max-message-bytes '1MB': give a number of bytes"),
        ({"max_message_bytes": "0"}, "--max-message-bytes: max_message_bytes is a number of bytes, from 1"),
    ],
)
def test_a_text_that_cannot_be(tmp_path: Path, texts: dict[str, Any], reason: str) -> None:
    with pytest.raises(SettingError) as raised:
        given(tmp_path, {"LINES": "a\nb"}, **texts)
    said = str(raised.value)
    assert reason in said
    assert said.isprintable()
    assert SECRET not in said


def test_files_of_tls_are_looked_at(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"nope\.pem' is no file that can be read"):
        given(tmp_path, cafile="nope.pem").checked_over(Connection())


def test_no_text_shows_them() -> None:
    assert SECRET not in repr(given(auth=f'"{SECRET}"'))


def test_a_secret_of_a_users_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pin.txt").write_text("2468-1357\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PASSWORD", "correct horse battery")
    monkeypatch.setattr("bench.secrets._asked_for", set())
    assert secret("@env:PASSWORD") == "correct horse battery"
    assert secret("@pin.txt") == "2468-1357"
    hide = Secrets.of(None).hide
    assert (
        hide('sent {"password": "correct horse battery", "pin": "2468-1357"}')
        == 'sent {"password": "...", "pin": "..."}'
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("@env:NOT_THERE", "secret @env:NOT_THERE: there is no such environment variable"),
        ("@not-there", "secret @not-there: the file cannot be read: no such file or directory"),
        ("hush-hush", 'a secret is named: secret("@env:NAME") a variable, secret("@FILE") a file'),
        ("@@hush", "a secret is named"),
    ],
)
def test_a_secret_that_is_not_there(text: str, reason: str) -> None:
    with pytest.raises(SettingError) as raised:
        secret(text)
    assert str(raised.value).startswith(reason)
    assert "hush" not in str(raised.value)
