"""Secrets in texts of others: in each form in which they may be repeated, and nothing else."""

from __future__ import annotations

import base64
import html
import json
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.printable import one_line
from bench.secrets import HIDDEN, Secrets
from bench.wire.connection import Connection
from bench.wire.tls import Tls

TOKEN = 'p@ss "w/rd" &é+%41'


def hides(secrets: Secrets, text: str, shown: str) -> None:
    assert secrets.hide(text) == shown


@pytest.mark.parametrize(
    "form",
    [
        TOKEN,
        json.dumps(TOKEN)[1:-1],
        json.dumps(TOKEN, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps({"token": TOKEN})),
        repr(TOKEN)[1:-1],
        html.escape(TOKEN),
        quote(TOKEN),
        quote(TOKEN, safe=""),
        quote(TOKEN, safe="").lower(),
        quote_plus(TOKEN),
        base64.b64encode(TOKEN.encode()).decode(),
        base64.urlsafe_b64encode(TOKEN.encode()).decode().rstrip("="),
    ],
)
def test_every_form_of_it(form: str) -> None:
    secrets = Secrets.of(Connection(auth={"token": TOKEN}))
    said = secrets.hide(f"no such token: {form}, sorry")
    assert said.startswith("no such token: ")
    assert said.endswith(", sorry")
    assert HIDDEN in said
    assert "w/rd" not in said
    assert form not in said


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
@pytest.mark.parametrize("after", ["", "x", "xy"])
def test_base64_of_a_text_that_contains_it(before: str, after: str) -> None:
    encoded = base64.b64encode(f"{before}correct horse{after}".encode()).decode()
    assert base64.b64encode(b"rect hor").decode()[2:9] not in Secrets.of_values(["correct horse"]).hide(encoded)
    hidden = Secrets.of_values(["correct horse"]).hide(f"<{encoded}>")
    assert HIDDEN in hidden
    assert len(hidden) <= len("<...>") + 8  # what is left says something of the neighbours, and a few bits


@pytest.mark.parametrize(
    ("settings", "secret"),
    [
        ({"auth": {"deep": [{"er": ("hush-1", 4)}]}}, "hush-1"),
        ({"auth": "hush-2"}, "hush-2"),
        ({"auth": {"pin": 123456}}, "123456"),
        ({"auth": b"hush-b"}, "hush-b"),
        ({"headers": {"X-Key": "hush-3"}}, "hush-3"),
        ({"headers": {"Authorization": "Bearer hush-4"}}, "hush-4"),
        ({"headers": {"Authorization": "Basic " + base64.b64encode(b"me:hush-5").decode()}}, "hush-5"),
        ({"headers": {"cookie": "a=1; session=hush-6"}}, "hush-6"),
        ({"cookies": {"session": "hush-7"}}, "hush-7"),
        ({"tls": Tls(certificate_file="x", key_password="hush-9")}, "hush-9"),
    ],
)
def test_all_that_may_be_secret_in_a_connection(settings: dict[str, Any], secret: str) -> None:
    hides(Secrets.of(Connection(**settings)), f"a {secret} b", "a ... b")


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("http://me:hush%2F1@h", "hush/1"),
        ("http://me:hush%2F1@h", "hush%2F1"),
        ("http://me:hush-1@h", base64.b64encode(b"me:hush-1").decode()),
        ("http://hush-1@h", "hush-1"),
        ("http://h/?key=hush+1&b=2", "hush 1"),
        ("http://h/?hush-1", "hush-1"),
    ],
)
def test_all_that_may_be_secret_in_a_url(url: str, secret: str) -> None:
    hides(Secrets.of(None, url), f"a {secret} b", "a ... b")


def test_values_that_occur_in_any_text_are_kept() -> None:
    auth = {"a": "1", "b": "true", "c": "", "d": "abc", "e": 42, "f": True, "g": None}
    secrets = Secrets.of(Connection(auth=auth, headers={"Origin": "http://localhost", "X-Beta": "1"}))
    assert not secrets
    text = "HTTP 401: abc is not true, 42 of 1 at http://localhost"
    hides(secrets, text, text)


def test_settings_that_a_function_makes_are_not_known() -> None:
    assert not Secrets.of(Connection(auth=lambda: "hush-hush"))


def test_secrets_within_each_other_leave_nothing_behind() -> None:
    secrets = Secrets.of_values(["abcdef", "defghi", "abcd"])
    hides(secrets, "<abcdefghi>", "<...>")
    hides(secrets, "abcd abcdef", "... ...")
    hides(secrets | Secrets.of_values(["0000"]), "0000abcd", "...")


def test_a_secret_that_was_cut() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9." + 200 * "payload0" + ".signature"
    secrets = Secrets.of_values([token])
    for text in (
        one_line(f"the server refused the connection: bad token {token}"),
        f"it sent {token[:80]!r}…, no less",
        f"it sent {token[:300]}",
        f"{token[-100:]} is no token",
    ):
        assert "payload" not in secrets.hide(text)
        assert "signature" not in secrets.hide(text)
    hides(secrets, "the end of eyJh", "the end of eyJh")


def test_no_text_of_a_secret_shows_it() -> None:
    assert "hush-hush" not in repr(Secrets.of_values(["hush-hush"]))


@given(st.lists(st.text(min_size=4, max_size=12), min_size=1, max_size=4), st.text(max_size=40), st.data())
def test_whatever_the_text_is_nothing_is_left(values: list[str], text: str, data: st.DataObject) -> None:
    secrets = Secrets.of_values(values)
    place = data.draw(st.integers(0, len(text)))
    told = text[:place] + "".join(values) + text[place:]
    hidden = secrets.hide(told)
    for value in secrets.values - {value for value in secrets.values if set(value) <= set(HIDDEN)}:
        assert value not in hidden.replace(HIDDEN, "\0")
