"""Applications that are refused because they are no ASGI applications, and all forms of those that are."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
import socketio
from aiohttp import web
from fastapi import FastAPI

from bench.server import UnservableError, UvicornTestServer
from bench.server.application import check_application


def wsgi(environ: Any, start_response: Any) -> Any:
    raise NotImplementedError


class Wsgi:
    def __call__(self, environ: Any, start_response: Any) -> Any:
        raise NotImplementedError


def factory() -> Any:
    raise NotImplementedError


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    raise NotImplementedError


def asgi_2(scope: Any) -> Any:
    raise NotImplementedError


class Middleware:
    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)

    @property
    def routes(self) -> Any:
        raise RuntimeError("it has none")


def mounted(server: Any) -> Any:
    app = FastAPI()
    app.mount("/live", Middleware(socketio.ASGIApp(server)))
    return Middleware(app)


@pytest.mark.parametrize(
    ("app", "reason"),
    [
        (wsgi, "as a WSGI application .* --serve"),
        (Wsgi(), "as a WSGI application .* --serve"),
        (socketio.WSGIApp(socketio.Server(async_mode="threading")), "as a WSGI application"),
        (web.Application(), "an application of aiohttp, for aiohttp's own server: .* --serve"),
        (factory, "as a factory does"),
        (socketio.AsyncServer(async_mode="asgi"), r"name the application, app = socketio.ASGIApp\(sio\)"),
        (7, "is not an ASGI application but of type int"),
        (socketio.ASGIApp(socketio.AsyncServer()), r'async_mode="aiohttp": write .*AsyncServer\(async_mode="asgi"\)'),
        (socketio.ASGIApp(socketio.Server(async_mode="threading")), "a socketio.Server, which is for WSGI"),
        (mounted(socketio.AsyncServer(async_mode="aiohttp")), 'async_mode="aiohttp"'),
        (
            socketio.ASGIApp(socketio.AsyncServer(async_mode="asgi"), socketio.ASGIApp(socketio.AsyncServer())),
            "aiohttp",
        ),
    ],
)
def test_what_is_no_asgi_application(app: Any, reason: str) -> None:
    with pytest.raises(UnservableError, match=reason) as raised:
        check_application("chat:sio", app)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "app",
    [
        asgi,
        asgi_2,
        functools.partial(asgi),
        Middleware(asgi),
        lambda *anything: None,
        FastAPI(),
        socketio.ASGIApp(socketio.AsyncServer(async_mode="asgi")),
        mounted(socketio.AsyncServer(async_mode="asgi")),
    ],
)
def test_what_is_one(app: Callable[..., Any]) -> None:
    check_application("app", app)


async def test_a_server_says_it_before_it_serves() -> None:
    with pytest.raises(UnservableError, match='async_mode="aiohttp"'):
        await UvicornTestServer(socketio.ASGIApp(socketio.AsyncServer())).start_up()
