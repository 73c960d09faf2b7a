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
from bench.secrets import HIDDEN, KnownSecrets, Secrets, of_fields
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
        ({"auth": {"pass": b"hush-b"}, "serializer": "msgpack"}, "hush-b"),
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


def test_what_comes_to_be_known_is_hidden_from_then_on() -> None:
    known = KnownSecrets(Secrets.of_values(["given-1"]))
    assert known.hide("given-1 learnt-1") == "... learnt-1"
    known.learn(["learnt-1", "no", "true"])
    known.learn_setting("headers", {"Authorization": "Bearer learnt-2", "X-Beta": "1"})
    known.learn_setting("auth", {"pin": 123456})
    known.learn_setting("cookies", {"session": "learnt-3"})
    assert known.hide("given-1 learnt-1 no true Bearer learnt-2, 123456 learnt-3 1") == "... ... no true ..., ... ... 1"


def test_what_is_secret_by_its_form_need_not_be_known() -> None:
    web_token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"
    known = KnownSecrets()
    known.learn([web_token])
    assert known.since(0) == []  # so that many of them take no memory
    for said, shown in (
        (f"bad token {web_token}, sorry", "bad token ..., sorry"),
        (f"token={web_token[:60]}", "token=..."),
        ("{'authorization': 'Token0123456'}", "{'authorization': '...'}"),
        ("Authorization: Basic bWU6aHVzaC01", "Authorization: Basic ..."),
        ("basic authentication: Authorization: missing", "basic authentication: Authorization: missing"),
    ):
        assert known.hide(said) == shown


def test_beyond_its_room_whatever_looks_like_a_token_is_hidden() -> None:
    for known in (KnownSecrets(most_values=2), KnownSecrets(most_characters=20)):
        known.learn(["learnt-1", "learnt-2"])
        text = (
            'File "python3/site-packages/chat.py", line 12: learnt-1 0123abcd-4567-efab learnt-2 internationalisation'
        )
        assert known.hide(text) == text.replace("learnt-1", HIDDEN).replace("learnt-2", HIDDEN)
        assert not known.is_full
        known.learn(["0123abcd-4567-efab"])
        assert known.is_full
        assert known.hide(text) == ('File "python3/site-packages/chat.py", line 12: ... ... ... internationalisation')


def test_many_secrets_are_found_as_few_are() -> None:
    values = [f"{number:05}-{base64.b32encode(number.to_bytes(5)).decode()}" for number in range(3000)]
    known = KnownSecrets(Secrets.of_values(values[:1500]))
    known.learn(values[1500:])
    text = " ".join(values)
    assert known.hide(text) == " ".join([HIDDEN] * 3000)
    assert (
        known.hide(f"{values[7][-8:]} {json.dumps(values[2999])} it sent {values[2000][:9]}") == '... "..." it sent ...'
    )


def test_fields_that_are_secret_by_their_names() -> None:
    data = {"user": "anna", "session": {"access_token": "t-1", "apiKey": ["k-1"], "age": 42}, "Password": "p-1"}
    assert set(of_fields([data])) == {"t-1", "k-1", "p-1"}
