"""The HTTP requests of a user: aiohttp's, and each of them is an operation of the run, as a round trip is.

An operation's time begins when the request is asked for. It ends when the whole response has arrived, after redirects.
So it contains the connection that may have to be made, and it does not contain what the user does with the response. A
response of status 400 and above is an error, and so is a request without a response. Each request is sent once: nothing
is repeated without being counted. Belongs to the engine's thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator, Mapping
from dataclasses import replace
from time import perf_counter_ns
from types import TracebackType
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

import aiohttp
from yarl import URL

from bench.load.engine.ongoing import OngoingOperation
from bench.load.engine.open_tasks import is_wanted
from bench.load.metrics.recorder import TIMEOUT
from bench.results.load import OperationKind
from bench.wire.connection import Connection
from bench.wire.endpoint import Address, is_secure, transport_url
from bench.wire.errors import os_reason
from bench.wire.tls import SYSTEM, Tls

#: The attribute of an exception that says that the operation which raised it has been counted.
_COUNTED = "_is_counted_by_bench"

#: The time by which a timer may ring too early, in nanoseconds.
_TIMER_NS = 1_000_000

_SCHEMES = {"ws": "http", "wss": "https"}


class HttpHost(Protocol):
    """A session as the requests of its user see it."""

    async def may_send(self) -> None:
        """Return if the user may still send. Raises StopUser."""

    def begin_operation(self, name: str, kind: OperationKind) -> OngoingOperation:
        """Begin an operation; the caller says to what is returned how it ends."""

    def note_quiet(self) -> None:
        """Take note that a request has ended."""


class Request:
    """A request that has been asked for. `await` and `async with` give its response, as aiohttp's do."""

    def __init__(self, perform: Coroutine[Any, Any, aiohttp.ClientResponse]) -> None:
        self._perform = perform
        self._response: aiohttp.ClientResponse | None = None

    def __await__(self) -> Generator[Any, None, aiohttp.ClientResponse]:
        """Return the response."""
        return self._perform.__await__()

    async def __aenter__(self) -> aiohttp.ClientResponse:
        """Return the response."""
        self._response = await self._perform
        return self._response

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Release the response."""
        if self._response is not None:
            self._response.release()
            await self._response.wait_for_close()


class UserHttp:
    """The requests of one user: `get`, `post` and the others of aiohttp's session, each timed and counted.

    A relative URL is added to the user's host. `name` is the name of the operation; without it the name is the method
    with the path, as in `POST /login`. With `stream=True` the time ends with the response's headers, and the body is
    left to be read; otherwise the body has been read when the response is there. All else is aiohttp's.
    """

    def __init__(self, host: HttpHost, url: str, tls: Tls | None, timeout_ns: int) -> None:
        self._host = host
        self._address = Address.of(url)
        parts = urlsplit(self._address.url)
        self._base = urlunsplit(
            (_SCHEMES.get(parts.scheme, parts.scheme), parts.netloc, parts.path.rstrip("/"), "", "")
        )
        self._timeout_ns = timeout_ns
        context = (tls or SYSTEM).context() if tls is not None or is_secure(url) else None
        #: The session of aiohttp. A request that is asked for here directly is not measured.
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver(), ssl=context or True),
            cookie_jar=aiohttp.CookieJar(unsafe=True),  # also those of servers that have no name
            timeout=aiohttp.ClientTimeout(total=timeout_ns / 1e9),
        )
        self.session._retry_connection = False  # a request that is sent twice would be counted once
        #: The number of requests that have not ended.
        self.in_flight = 0
        self._is_quiet = asyncio.Event()
        self._is_quiet.set()

    # ------------------------------------------------------------------ what users call

    @property
    def cookie_jar(self) -> aiohttp.abc.AbstractCookieJar:
        """The cookies that the user has got so far."""
        return self.session.cookie_jar

    def request(
        self, method: str, url: str | URL, *, name: str | None = None, stream: bool = False, **arguments: Any
    ) -> Request:
        """Ask for a response. The arguments are aiohttp's; `name` and `stream` are described with the class."""
        return Request(self._perform(method.upper(), url, name, stream, arguments))

    def get(self, url: str | URL, **arguments: Any) -> Request:
        """Ask for a response, as `request` does."""
        return self.request("GET", url, **arguments)

    def post(self, url: str | URL, **arguments: Any) -> Request:
        """Ask for a response, as `request` does."""
        return self.request("POST", url, **arguments)

    def put(self, url: str | URL, **arguments: Any) -> Request:
        """Ask for a response, as `request` does."""
        return self.request("PUT", url, **arguments)

    def patch(self, url: str | URL, **arguments: Any) -> Request:
        """Ask for a response, as `request` does."""
        return self.request("PATCH", url, **arguments)

    def delete(self, url: str | URL, **arguments: Any) -> Request:
        """Ask for a response, as `request` does."""
        return self.request("DELETE", url, **arguments)

    def head(self, url: str | URL, **arguments: Any) -> Request:
        """Ask for the headers of a response, as `request` does. As in aiohttp, redirects are not followed."""
        return self.request("HEAD", url, **{"allow_redirects": False, **arguments})

    def options(self, url: str | URL, **arguments: Any) -> Request:
        """Ask for a response, as `request` does."""
        return self.request("OPTIONS", url, **arguments)

    # ------------------------------------------------------------------ the session's side of it

    async def with_cookies(self, connection: Connection, url: str) -> Connection:
        """Return the settings of an attempt, with those cookies added that belong to where the connection goes.

        A cookie that the settings have already stays as it is. Raises ConnectFailed as `Connection.for_attempt` does.
        """
        connection = await connection.for_attempt()
        assert isinstance(connection.headers, Mapping), "the settings are those of an attempt"
        assert isinstance(connection.cookies, Mapping), "the settings are those of an attempt"
        target = URL(transport_url(url, "polling", connection.socketio_path), encoded=True)
        found = {
            name: morsel.coded_value
            for name, morsel in self.session.cookie_jar.filter_cookies(target).items()
            if name not in connection.cookies
        }
        if not found:
            return connection
        headers = dict(connection.headers)
        given = next((name for name in headers if name.lower() == "cookie"), "Cookie")
        own = [headers[given]] if given in headers else []
        headers[given] = "; ".join([*own, *(f"{name}={value}" for name, value in found.items())])
        return replace(connection, headers=headers)

    async def quiet(self) -> None:
        """Return once no request is under way, which their timeouts bound."""
        await self._is_quiet.wait()

    async def close(self) -> None:
        """Close the connections."""
        await self.session.close()

    async def _perform(
        self, method: str, url: str | URL, name: str | None, stream: bool, arguments: dict[str, Any]
    ) -> aiohttp.ClientResponse:
        host = self._host
        whole, is_of_host = self._whole(url)
        if is_of_host and self._address.authorization is not None and "auth" not in arguments:
            arguments = {**arguments, "headers": self._address.headers(arguments.get("headers") or {})}
        if not is_wanted():
            await host.may_send()
        operation = host.begin_operation(name or f"{method} {whole.path}", "http")  # unfinished, if it is cancelled
        self.in_flight += 1
        self._is_quiet.clear()
        try:
            response = await self.session.request(method, whole, **arguments)
            if not stream:
                await response.read()
            if response.status < 400:
                operation.succeeded()
            else:
                operation.failed(f"HTTP {response.status}")
            return response
        except Exception as error:
            operation.failed(self._kind_of(error, perf_counter_ns() - operation.began_ns))
            setattr(error, _COUNTED, True)
            raise
        finally:
            self.in_flight -= 1
            if not self.in_flight:
                self._is_quiet.set()
            host.note_quiet()

    def _whole(self, url: str | URL) -> tuple[URL, bool]:
        """Return a whole URL, and whether it is one of the user's host."""
        text = str(url)
        if urlsplit(text).scheme:
            return URL(url), text == self._base or text.startswith(f"{self._base}/")
        return URL(f"{self._base}/{text.lstrip('/')}"), True

    def _kind_of(self, error: Exception, took_ns: int) -> str:
        """Return the word that a failed request is counted under, without what may be secret in its text."""
        if isinstance(error, aiohttp.ClientResponseError) and error.status >= 400:
            return f"HTTP {error.status}"
        if isinstance(error, TimeoutError):
            # A timeout is known to be longer than the user's limit. A request may have a shorter limit of its own.
            return TIMEOUT if took_ns >= self._timeout_ns - _TIMER_NS else "timeout of the request"
        if isinstance(error, OSError):
            return f"{type(error).__name__}: {os_reason(error)}"
        return type(error).__name__


def is_counted(error: BaseException) -> bool:
    """Return whether a request has raised the exception, or its response has: the request is counted as an error."""
    return getattr(error, _COUNTED, False) or (isinstance(error, aiohttp.ClientResponseError) and error.status >= 400)
