"""The HTTP side of a service: aiohttp's requests to the host of a connection, as a login before it needs them.

The cookies that a service gives over HTTP go with the connection, where host, path and `Secure` say that they belong to
it. User and password of the host's URL go to the host alone.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

import aiohttp
from yarl import URL

from bench.wire.connection import Connection
from bench.wire.endpoint import Address, cookies_in, is_secure, transport_url, with_cookies
from bench.wire.tls import SYSTEM, Tls

_SCHEMES = {"ws": "http", "wss": "https"}


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


class HostHttp:
    """HTTP requests to a host: `get`, `post` and the others of aiohttp's session.

    A relative URL is added to the URL of the host. With `stream=True` the body is left to be read; otherwise it has
    been read when the response is there. `name` is the name of the request, where requests are counted. All else is
    aiohttp's. Each request is sent once. Made in a running loop.
    """

    #: The class of the responses.
    response_class = aiohttp.ClientResponse

    def __init__(self, url: str, tls: Tls | None, timeout_s: float) -> None:
        self._address = Address.of(url)
        parts = urlsplit(self._address.url)
        scheme = _SCHEMES.get(parts.scheme, parts.scheme)
        #: The URL to which relative URLs are added.
        self.base = urlunsplit((scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
        context = (tls or SYSTEM).context() if tls is not None or is_secure(url) else None
        #: The session of aiohttp. A request that is asked for here directly is counted nowhere.
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver(), ssl=context or True),
            cookie_jar=aiohttp.CookieJar(unsafe=True),  # also those of servers that have no name
            timeout=aiohttp.ClientTimeout(total=timeout_s),
            response_class=self.response_class,
        )
        self.session._retry_connection = False  # a request that is sent twice would be counted once

    async def __aenter__(self) -> Self:
        """Return the requests."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self.close()

    @property
    def cookie_jar(self) -> aiohttp.abc.AbstractCookieJar:
        """The cookies that came so far."""
        return self.session.cookie_jar

    def request(
        self, method: str, url: str | URL, *, name: str | None = None, stream: bool = False, **arguments: Any
    ) -> Request:
        """Ask for a response. The arguments are aiohttp's; `name` and `stream` are described with the class."""
        whole, is_of_host = self._whole(url)
        if is_of_host and self._address.authorization is not None and "auth" not in arguments:
            arguments["headers"] = self._address.headers(arguments.get("headers") or {})
        method = method.upper()
        name = name or f"{method} {whole.path if is_of_host else whole.authority + whole.path}"
        return Request(self._perform(method, whole, name, stream, arguments))

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

    async def close(self) -> None:
        """Close the connections."""
        await self.session.close()

    async def with_cookies(self, connection: Connection) -> Connection:
        """Return the settings of an attempt, with those cookies added that belong to where the connection goes.

        A cookie that the settings have already stays as it is. Raises ConnectFailed as `Connection.for_attempt` does.
        """
        connection = await connection.for_attempt()
        assert isinstance(connection.headers, Mapping), "the settings are those of an attempt"
        assert isinstance(connection.cookies, Mapping), "the settings are those of an attempt"
        target = URL(transport_url(self._address.whole, "polling", connection.socketio_path), encoded=True)
        own = {*connection.cookies, *cookies_in(connection.headers)}
        found = {
            name: morsel.coded_value
            for name, morsel in self.session.cookie_jar.filter_cookies(target).items()
            if name not in own
        }
        return replace(connection, headers=with_cookies(connection.headers, found)) if found else connection

    async def _perform(
        self, method: str, url: URL, name: str, stream: bool, arguments: dict[str, Any]
    ) -> aiohttp.ClientResponse:
        response = await self.session.request(method, url, **arguments)
        if not stream:
            await response.read()
        return response

    def _whole(self, url: str | URL) -> tuple[URL, bool]:
        """Return a whole URL, and whether it is one of the user's host."""
        text = str(url)
        if urlsplit(text).scheme:
            return URL(url), text == self.base or text.startswith(f"{self.base}/")
        return URL(f"{self.base}/{text.lstrip('/')}"), True
