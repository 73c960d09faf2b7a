"""The preparation of a connection, as a user's file of scenarios says it: log in before, and be set up after.

Both functions of the file may be plain or `async def`. Neither may take longer than a reply. If anything goes wrong, it
is a `PreparationFailed` of one line, with the line of the file.
"""

from __future__ import annotations

import asyncio
import inspect
import traceback
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

from bench.printable import error_line
from bench.scenarios.loading import ScenariosFile
from bench.secrets import KnownSecrets, Secrets
from bench.wire.connection import Connection, watched
from bench.wire.errors import ConnectFailed, SettingError
from bench.wire.host_http import HostHttp
from bench.wire.interface import Client
from bench.wire.namespaced import NamespacedClient
from bench.wire.protocol import DEFAULT_NAMESPACE

_FIELDS = tuple(field.name for field in fields(Connection))


class PreparationFailed(ConnectFailed):
    """The failure of what a file of scenarios does before or after connecting."""


async def connect(
    client: Client,
    url: str,
    connection: Connection,
    file: ScenariosFile | None,
    limit_s: float,
    known: KnownSecrets | None = None,
) -> None:
    """Connect with a client, prepared as the file says; None is a file that says nothing. Raises ConnectFailed.

    `limit_s` is the time that each of the file's functions may take, in seconds. The secrets that come of them, and of
    functions in the settings, are added to `known`.
    """
    if known is None:
        known = KnownSecrets()
    try:
        if file is not None and file.before_connect is not None:
            connection = await _logged_in(url, connection, file, limit_s, known)
        connection = watched(connection, known)
        await client.connect(url, connection)
        if client.not_upgraded:  # the figures would be those of another transport
            raise ConnectFailed(
                f"polling was not upgraded to WebSocket: {client.not_upgraded}; --transport polling measures that"
            )
        if file is not None and file.setup is not None:
            await set_up(NamespacedClient(client, connection.namespace), file, limit_s)
    except PreparationFailed as failure:
        await client.disconnect()
        known.learn(Secrets.of(connection, url).values)
        raise PreparationFailed(known.hide(str(failure))) from failure
    except BaseException:
        await client.disconnect()
        raise


async def _logged_in(
    url: str, connection: Connection, file: ScenariosFile, limit_s: float, known: KnownSecrets
) -> Connection:
    """Return the settings of a connection after the file's `before_connect`, with the cookies that came."""
    async with HostHttp(url, connection.tls, limit_s, known) as http:
        return await http.with_cookies(watched(await logged_in(http, connection, file, limit_s), known))


async def logged_in(http: HostHttp, connection: Connection, file: ScenariosFile, limit_s: float) -> Connection:
    """Return the settings of a connection after the file's `before_connect`, if it has any. Raises PreparationFailed.

    `limit_s` is the time that it may take, in seconds.
    """
    if file.before_connect is None:
        return connection
    namespace = connection.namespace
    changed = await _call(file, "before_connect", file.before_connect, http, limit_s)
    if isinstance(changed, Connection):
        # The transport that is measured is this, whatever the file's connection says.
        connection = replace(changed, transports=connection.transports)
    elif isinstance(changed, Mapping):
        if unknown := [name for name in changed if name not in _FIELDS]:
            raise PreparationFailed(
                f"{file.name}: before_connect returned {unknown[0]!r:.60}, which is no field of Connection"
            )
        try:
            connection = replace(connection, **changed)
        except SettingError as error:
            raise PreparationFailed(f"{file.name}: before_connect returned what cannot be: {error}") from None
    elif changed is not None:
        raise PreparationFailed(
            f"{file.name}: before_connect returned what is of type {type(changed).__name__}: expected the changed "
            'fields of the connection, as in {"auth": …}, or a Connection(…)'
        )
    if connection.namespace != namespace:  # the scenarios are performed in that
        raise PreparationFailed(
            f"{file.name}: before_connect changed the namespace from {namespace or DEFAULT_NAMESPACE} to "
            f"{connection.namespace or DEFAULT_NAMESPACE}: give it as Connection(namespaces=…), or by --namespace"
        )
    return connection


async def set_up(client: NamespacedClient[Any], file: ScenariosFile, limit_s: float) -> None:
    """Have the file's `setup`, if it has any, begin on a new connection. Raises PreparationFailed.

    `limit_s` is the time that it may take, in seconds.
    """
    if file.setup is not None:
        await _call(file, "setup", file.setup, client, limit_s)


async def _call(file: ScenariosFile, name: str, function: Callable[..., Any], argument: object, limit_s: float) -> Any:
    try:
        async with asyncio.timeout(limit_s) as limit:
            result = function(argument)
            return await result if inspect.isawaitable(result) else result
    except Exception as error:
        if isinstance(error, TimeoutError) and limit.expired():
            raise PreparationFailed(
                f"{file.name}: {name} did not end within {limit_s:g} s, the time that a reply may take"
            ) from None
        raise PreparationFailed(f"{file.name}, {_place(file, error)}{name} failed: {error_line(error)}") from error


def _place(file: ScenariosFile, error: BaseException) -> str:
    """Return the last line of the file on the way to where an exception was raised."""
    steps = traceback.extract_tb(error.__traceback__)
    lines = [step.lineno for step in steps if step.filename == file.path]
    return f"line {lines[-1]}, " if lines else ""
