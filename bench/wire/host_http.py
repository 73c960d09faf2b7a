"""The HTTP side of a service: aiohttp's requests to the host of a connection, as a login before it needs them.

The cookies that a service gives over HTTP go with the connection, where host, path and `Secure` say that they belong to
it. User and password of the host's URL go to the host alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Coroutine, Generator, Iterator, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import orjson
from yarl import URL

from bench.secrets import KnownSecrets, of_fields, of_headers
from bench.wire.connection import Connection
from bench.wire.endpoint import Address, cookies_in, is_secure, transport_url, with_cookies
from bench.wire.source_addresses import socket_options
from bench.wire.tls import SYSTEM, Tls

_SCHEMES = {"ws": "http", "wss": "https"}

#: The size of the largest response that is searched for secrets, in bytes.
_MOST_SEARCHED_BYTES = 1 << 16


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

    What is secret in requests and responses is added to `known`, if that is given: headers, cookies, and fields of JSON
    that have a name such as `token` or `password`.
    """

    #: The class of the responses.
    response_class = aiohttp.ClientResponse

    def __init__(self, url: str, tls: Tls | None, timeout_s: float, known: KnownSecrets | None = None) -> None:
        self._known = known
        self._address = Address.of(url)
        parts = urlsplit(self._address.url)
        scheme = _SCHEMES.get(parts.scheme, parts.scheme)
        #: The URL to which relative URLs are added.
        self.base = urlunsplit((scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
        context = (tls or SYSTEM).context() if tls is not None or is_secure(url) else None
        #: The session of aiohttp. A request that is asked for here directly is counted nowhere.
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=aiohttp.ThreadedResolver(), ssl=context or True, **socket_options()
            ),
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
        if self._known is not None:
            self._known.learn(_of_request(arguments))
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
        if not found:
            return connection
        if self._known is not None:
            self._known.learn(found.values())
        return replace(connection, headers=with_cookies(connection.headers, found))

    async def _perform(
        self, method: str, url: URL, name: str, stream: bool, arguments: dict[str, Any]
    ) -> aiohttp.ClientResponse:
        response = await self.session.request(method, url, **arguments)
        if not stream:
            await response.read()
        await self._learn(response, stream)
        return response

    async def _learn(self, response: aiohttp.ClientResponse, stream: bool) -> None:
        """Add what is secret in a response, and in the headers of its request, to what is known."""
        if self._known is None:
            return
        for each in (*response.history, response):
            self._known.learn(morsel.value for morsel in each.cookies.values())
            self._known.learn(of_headers(each.request_info.headers))
        if not stream and response.content_type.endswith("json"):
            body = await response.read()  # it has been read
            if len(body) <= _MOST_SEARCHED_BYTES:
                with contextlib.suppress(orjson.JSONDecodeError):
                    self._known.learn(of_fields(orjson.loads(body)))

    def _whole(self, url: str | URL) -> tuple[URL, bool]:
        """Return a whole URL, and whether it is one of the user's host."""
        text = str(url)
        if urlsplit(text).scheme:
            return URL(url), text == self.base or text.startswith(f"{self.base}/")
        return URL(f"{self.base}/{text.lstrip('/')}"), True


def _of_request(arguments: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is secret in the arguments of a request."""
    yield from of_headers(arguments.get("headers"))
    yield from of_fields(arguments.get("json"))
    yield from of_fields(arguments.get("data"))
    if isinstance(login := arguments.get("auth"), aiohttp.BasicAuth):
        yield from of_headers({"Authorization": login.encode()})
    if isinstance(cookies := arguments.get("cookies"), Mapping):
        yield from (value for value in cookies.values() if isinstance(value, str))
