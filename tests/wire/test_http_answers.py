"""Answers in HTTP where a Socket.IO server should have answered: the cause, and what to do."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bench.wire.errors import kind_of
from bench.wire.http_answers import http_reason, page_reason, words_of

PAGE = b"<!DOCTYPE html>\n<html><head><title>502 Bad\nGateway</title></head><body><h1>nginx</h1></body></html>"


@pytest.mark.parametrize(
    ("status", "body", "settings", "reason"),
    [
        (404, b"Not Found", {}, "the server answered HTTP 404: Not Found; /x/ was tried: .* --socketio-path"),
        (403, b"", {}, "the server answered HTTP 403; /x/ was tried: .*--socketio-path.*--header.*--transport"),
        (500, b"Internal Server Error", {}, "HTTP 500: Internal Server Error; the service failed, .* /x/"),
        (401, b"who?", {}, "HTTP 401: who\\?; it wants a login: --header 'Authorization: …'"),
        (502, PAGE, {}, "HTTP 502: 502 Bad Gateway; a proxy answered that it does not reach the service"),
        (418, PAGE, {}, "HTTP 418: 502 Bad Gateway; a page, so something else than Socket.IO answers there"),
        (302, b"", {"location": "/login"}, "HTTP 302, a redirect to /login: give the URL where it really is"),
        (
            400,
            b'{"code":5,"message":"Unsupported protocol version"}',
            {},
            "Unsupported protocol version; .* Engine.IO 4",
        ),
        (
            400,
            b'"The client is using an unsupported version of the Socket.IO or Engine.IO protocols"',
            {},
            "does not speak Engine.IO 4",
        ),
        (400, b'{"code":0,"message":"Transport unknown"}', {}, "Transport unknown; .* try another --transport"),
        (400, b'"Invalid transport"', {}, "Invalid transport; .* try another --transport"),
        (400, b'"http://a is not an accepted origin."', {}, "--header 'Origin: https://…'"),
        (400, b'{"detail":"no"}', {}, "HTTP 400: no$"),
        (400, b'{"a":[1]}', {}, 'HTTP 400: {"a":\\[1\\]}$'),
        (400, b"\xff\x1b[31m", {}, "HTTP 400: ��"),
    ],
)
def test_reasons(status: int, body: bytes, settings: dict[str, Any], reason: str) -> None:
    found = http_reason(status, body, "/x/", **settings)
    assert re.search(reason, found), found
    assert found.isprintable()
    assert kind_of(found) in {f"the server answered HTTP {status}", "the server speaks the protocol of Socket.IO 2"}


@pytest.mark.parametrize(
    "body", [b'"Invalid session abc"', b'{"code":1,"message":"Session ID unknown"}', b"Invalid session"]
)
def test_a_session_that_another_worker_has(body: bytes) -> None:
    """All of them are the same reason, whatever the session's id is."""
    found = http_reason(400, body, "/x/", has_session=True)
    assert "several workers without sticky sessions" in found
    assert found == kind_of(found) == http_reason(400, body.replace(b"abc", b"xyz"), "/x/", has_session=True)
    assert "sticky" not in http_reason(400, body, "/x/")


def test_pages() -> None:
    assert words_of(PAGE) == ("502 Bad Gateway", True)
    assert words_of(b"<html><style>p{}</style><p>Hello &amp; <b>bye</b>") == ("Hello & bye", True)
    assert words_of(b'0{"sid":"x"}')[1] is False
    assert page_reason(b'0{"sid":"x"}') is None
    page = page_reason(PAGE)
    assert page is not None
    assert "a web page: 502 Bad Gateway" in page
    assert kind_of(page) == "the server answered with a web page"


def test_a_page_without_an_end_is_looked_at_in_part() -> None:
    assert len(words_of(b"<html>" + b"x" * 10_000_000)[0]) <= 301
