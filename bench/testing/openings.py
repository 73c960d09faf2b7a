"""The context managers that the fixtures hand out: `async with socketio_server() as server`.

Rules of this file: nothing is opened before the block is entered, and the guard stands before the thing is opened.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from types import TracebackType
from typing import Any, Protocol, TypeAlias, cast

from uvicorn.importer import ImportFromStringError

from bench.mistyped import nearest
from bench.server.error import ServerError
from bench.server.in_loop import UvicornTestServer
from bench.server.used_before import drop_clients
from bench.testing.client import SocketIOTestClient
from bench.testing.left_open import Guard, Guards
from bench.wire.connection import Connection, ConnectKeywords, with_keywords
from bench.wire.errors import SettingError

#: The fixtures `socketio_server` and `socketio_client`, for annotations.
OpenServer: TypeAlias = "Callable[..., ServerOpening]"
OpenClient: TypeAlias = "Callable[..., ClientOpening]"

#: The fields of a Connection, and what else `socketio_client` takes.
_SETTINGS = ("namespace", "wait_timeout", *(field.name for field in fields(Connection)))


class HasUrl(Protocol):
    """A server that says where it is."""

    @property
    def url(self) -> str:
        """The URL for clients."""
        ...


class ServerOpening:
    """A server of an app that starts when the block is entered, and stops at its end. It can be entered once.

    `app` and `config` are those of a UvicornTestServer.
    """

    def __init__(self, guards: Guards, app: Any, config: dict[str, Any]) -> None:
        self._guards = guards
        self._server = UvicornTestServer(app, **config)
        self._guard: Guard | None = None

    async def __aenter__(self) -> UvicornTestServer:
        """Start the server. Raises ServerError, caused by what the app raised, and NoAsyncioLoop."""
        __tracebackhide__ = True
        server = self._server
        self._guard = guard = self._guards.add(f"socketio_server of {server.name}", self._close)
        try:
            await server.start_up()
        except BaseException as error:
            await guard.release()
            shown = _shown(error)
            raise shown from shown.__cause__
        return server

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._guard is not None, "it was entered"
        try:
            await self._server.__aexit__(kind, error, traceback)
        finally:
            await self._guard.release()

    async def _close(self, loop_ends: bool) -> None:
        if loop_ends:
            await drop_clients()
        await self._server.tear_down()


class ClientOpening:
    """A client that connects when the block is entered, and disconnects at its end. It can be entered once.

    `server` is a server, or the URL of a server. `settings` are fields of `connection`, by name.
    """

    def __init__(
        self, guards: Guards, server: HasUrl | str, connection: Connection | None, settings: dict[str, Any]
    ) -> None:
        self._guards = guards
        self._server = server
        self._connection = _settings(connection, settings)
        self._client: SocketIOTestClient | None = None
        self._guard: Guard | None = None

    async def __aenter__(self) -> SocketIOTestClient:
        """Connect. Raises ConnectFailed, ServerError if the server was not started, and NoAsyncioLoop."""
        __tracebackhide__ = True
        url = self._url()
        self._guard = guard = self._guards.add(f"socketio_client of {url}", self._close)
        try:
            self._client = SocketIOTestClient()
            await self._client.connect(url, self._connection)
        except BaseException as error:
            await guard.release()
            shown = _shown(error)
            raise shown from shown.__cause__
        return self._client

    async def __aexit__(self, *_: object) -> None:
        assert self._guard is not None, "it was entered"
        try:
            await self._close()
        finally:
            await self._guard.release()

    def _url(self) -> str:
        """Return the URL of the server. Raises TypeError for what has none, and ServerError."""
        server = self._server
        if isinstance(server, str):
            return server
        if isinstance(server, ServerOpening) or not hasattr(server, "url"):
            raise TypeError(
                f"socketio_client takes a server or its URL, not {server!r:.60}: "
                "async with socketio_server() as server, socketio_client(server) as client"
            )
        return server.url

    async def _close(self, loop_ends: bool = False) -> None:
        if self._client is not None:
            await self._client.disconnect()


def _shown(error: BaseException) -> BaseException:
    """Return an error as pytest is to show it: with its cause, and without the way through the server or client."""
    if isinstance(error.__cause__, ImportFromStringError):
        return ServerError(f"{error}; pytest imports from the folders that its setting `pythonpath` names")
    return error.with_traceback(None)


def _settings(connection: Connection | None, settings: dict[str, Any]) -> Connection:
    """Return the settings of a client. Raises TypeError for a name that is none, and SettingError."""
    if connection is not None and not isinstance(connection, Connection):
        raise TypeError(f"socketio_client takes a server, and perhaps a Connection, not {connection!r:.60}")
    for name in settings:
        if name not in _SETTINGS:
            near = nearest(name, _SETTINGS)
            hint = f"did you mean {near}?" if near else f"there are {', '.join(sorted(_SETTINGS))}"
            raise TypeError(f"socketio_client has no setting {name}: {hint}")
    return with_keywords(connection, cast(ConnectKeywords, _with_namespaces(settings)))


def _with_namespaces(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings with `namespaces` in place of `namespace`. Raises SettingError if both are given."""
    if "namespace" not in settings:
        return settings
    if "namespaces" in settings:
        raise SettingError("namespace and namespaces mean the same: give a single name, or the tuple")
    namespace = settings["namespace"]
    others = {name: value for name, value in settings.items() if name != "namespace"}
    return {**others, "namespaces": None if namespace is None else (namespace,)}
