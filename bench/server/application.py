"""The check of an application before it is served: an application of another kind answers every request with HTTP 500.

It recognises applications of WSGI (Flask, Django, socketio.WSGIApp), and of servers of their own (aiohttp, Tornado). It
also recognises factories, and Socket.IO servers that are not for ASGI. All that can be called as ASGI says passes.
"""

import inspect
from collections.abc import Iterator
from typing import Any

from bench.server.error import UnservableError

#: The packages whose applications need a server of their own, by the name of the class's first module.
_OWN_SERVERS = {"aiohttp": "aiohttp's own server", "tornado": "Tornado's own server", "bottle": "a WSGI server"}

#: The attributes by which applications contain others: middleware, mounts and routes.
_INNER = ("app", "other_asgi_app", "other_app", "application", "wsgi_app")

#: The most applications within an application that are looked at.
_MOST_INNER = 1000

_SERVE = "serve it by its own command with --serve"


def check_application(name: str, app: Any) -> None:
    """Raise UnservableError, with the cause and what to do, for what is surely no ASGI application."""
    kind = type(app).__name__
    package = type(app).__module__.partition(".")[0]
    if package in ("socketio", "engineio") and not callable(app):
        wrapped = f"app = socketio.ASGIApp({name.rpartition(':')[2]})"
        raise UnservableError(f"{name} is a Socket.IO server, no ASGI application: name the application, {wrapped}")
    if package in _OWN_SERVERS:
        raise UnservableError(
            f"{name} is no ASGI application but an application of {package}, for {_OWN_SERVERS[package]}: {_SERVE}"
        )
    if not callable(app):
        raise UnservableError(f"{name} is not an ASGI application but of type {kind}: name the application")
    if (lacks := _lacks(app)) is not None:
        raise UnservableError(f"{name} is no ASGI application: {lacks}")
    for part, _ in socketio_apps(app):
        _check_mode(name, part.engineio_server)


def _lacks(app: Any) -> str | None:
    """Return why this cannot be called with scope, receive and send; None if it can, or if nobody can tell."""
    try:
        signature = inspect.signature(app)
    except (TypeError, ValueError):
        return None
    if _takes(signature, 3) or _takes(signature, 1):  # the second is ASGI 2
        return None
    if _takes(signature, 2):
        return f"it takes two arguments, as a WSGI application (Flask, Django) does: {_SERVE}"
    if _takes(signature, 0):
        return f"it takes no arguments, as a factory does: call it in the module, or {_SERVE}"
    return "it cannot be called with scope, receive and send"


def _takes(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def socketio_apps(app: Any) -> Iterator[tuple[Any, str]]:
    """Yield the Socket.IO applications in an application, however they are mounted or wrapped, with their mounts' path.

    Each has its server as `engineio_server`.
    """
    remaining, seen = [(app, "")], set[int]()
    while remaining and len(seen) < _MOST_INNER:
        part, path = remaining.pop()
        if part is None or id(part) in seen:
            continue
        seen.add(id(part))
        if _attribute(part, "engineio_server") is not None:
            yield part, path
        mount = _attribute(part, "path")
        inner = path + mount if isinstance(mount, str) else path
        remaining += [(_attribute(part, name), inner) for name in _INNER]
        routes = _attribute(part, "routes")
        remaining += [(route, inner) for route in routes] if isinstance(routes, list) else []


def _attribute(part: Any, name: str) -> Any:
    """Return an attribute, None if the object has none: it may be anybody's, and raise whatever it likes."""
    try:
        return getattr(part, name, None)
    except Exception:
        return None


def _check_mode(name: str, server: Any) -> None:
    """Raise UnservableError for a Socket.IO server of another mode than asgi."""
    mode = _attribute(server, "async_mode") or _attribute(_attribute(server, "eio"), "async_mode")
    if mode is None or mode == "asgi":
        return
    if not type(server).__name__.startswith("Async"):
        raise UnservableError(
            f"{name} has a socketio.{type(server).__name__}, which is for WSGI: an ASGI application needs "
            f'socketio.AsyncServer(async_mode="asgi"); or {_SERVE}'
        )
    raise UnservableError(
        f'{name} has a Socket.IO server with async_mode="{mode}": write socketio.AsyncServer(async_mode="asgi"); '
        "otherwise python-socketio takes the mode of what is installed, such as aiohttp"
    )
