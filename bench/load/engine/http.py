"""The HTTP requests of a user: aiohttp's, and each of them is an operation of the run, as a round trip is.

An operation's time begins when the request is asked for. It ends when the whole response has arrived, after redirects.
So it contains the connection that may have to be made, and it does not contain what the user does with the response. A
response of status 400 and above is an error, and so is a request without a response. Each request is sent once: nothing
is repeated without being counted. Belongs to the engine's thread.
"""

from __future__ import annotations

import asyncio
from time import perf_counter_ns
from typing import Any, Protocol

import aiohttp
from yarl import URL

from bench.load.engine.ongoing import OngoingOperation
from bench.load.engine.open_tasks import is_wanted
from bench.load.metrics.recorder import TIMEOUT
from bench.results.load import OperationKind
from bench.secrets import KnownSecrets
from bench.wire.errors import os_reason
from bench.wire.host_http import HostHttp
from bench.wire.tls import Tls

#: The attribute of an exception that has the word under which the operation which raised it has been counted.
_COUNTED = "_counted_by_bench"

#: The time by which a timer may ring too early, in nanoseconds.
_TIMER_NS = 1_000_000


class HttpHost(Protocol):
    """A session as the requests of its user see it."""

    async def may_send(self) -> None:
        """Return if the user may still send. Raises StopUser."""

    def begin_operation(self, name: str, kind: OperationKind) -> OngoingOperation:
        """Begin an operation; the caller says to what is returned how it ends."""

    def note_quiet(self) -> None:
        """Take note that a request has ended."""


class UserResponse(aiohttp.ClientResponse):
    """The response to a request of a user. It says of what it raises under which word the request is counted."""

    #: The word under which the request is counted as an error; empty if it is not.
    counted_as = ""

    def raise_for_status(self) -> None:
        """Do what aiohttp's does."""
        try:
            super().raise_for_status()
        except aiohttp.ClientResponseError as error:
            setattr(error, _COUNTED, self.counted_as)
            raise

    async def json(self, **arguments: Any) -> Any:
        """Do what aiohttp's does."""
        try:
            return await super().json(**arguments)
        except aiohttp.ClientResponseError as error:
            setattr(error, _COUNTED, self.counted_as)
            raise


class UserHttp(HostHttp):
    """The requests of one user: `get`, `post` and the others of aiohttp's session, each timed and counted.

    A relative URL is added to the user's host. `name` is the name of the operation. Without it the name is the method
    with the path, as in `POST /login`, and elsewhere with the server as well. With `stream=True` the time ends with the
    response's headers, and the body is left to be read. Otherwise the body has been read when the response is there.
    All else is aiohttp's.
    """

    response_class = UserResponse

    def __init__(
        self, host: HttpHost, url: str, tls: Tls | None, timeout_ns: int, known: KnownSecrets | None = None
    ) -> None:
        super().__init__(url, tls, timeout_ns / 1e9, known)
        self._host = host
        self._timeout_ns = timeout_ns
        #: The number of requests that have not ended.
        self.in_flight = 0
        self._is_quiet = asyncio.Event()
        self._is_quiet.set()

    async def quiet(self) -> None:
        """Return once no request is under way, which their timeouts bound."""
        await self._is_quiet.wait()

    async def _perform(
        self, method: str, url: URL, name: str, stream: bool, arguments: dict[str, Any]
    ) -> aiohttp.ClientResponse:
        host = self._host
        if not is_wanted():
            await host.may_send()
        operation = host.begin_operation(name, "http")  # unfinished, if it is cancelled
        self.in_flight += 1
        self._is_quiet.clear()
        try:
            response = await self.session.request(method, url, **arguments)
            if not stream:
                await response.read()
            if response.status < 400:
                operation.succeeded()
            else:
                assert isinstance(response, UserResponse)
                response.counted_as = f"HTTP {response.status}"
                operation.failed(response.counted_as)
            await self._learn(response, stream)
            return response
        except Exception as error:
            kind = self._kind_of(error, perf_counter_ns() - operation.began_ns)
            operation.failed(kind)
            setattr(error, _COUNTED, kind)
            raise
        finally:
            self.in_flight -= 1
            if not self.in_flight:
                self._is_quiet.set()
            host.note_quiet()

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
    """Return whether a request has raised the exception, or its response has: the request is counted as an error.

    What requests of another session raise is counted nowhere, so it is an exception like any other.
    """
    return bool(counted_as(error))


def counted_as(error: BaseException) -> str:
    """Return the word under which the request is counted that has raised the exception; empty if it is not counted."""
    kind: str = getattr(error, _COUNTED, "")
    return kind
