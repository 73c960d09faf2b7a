"""The HTTP requests of a recorded session that lead to a connection: a login, and what it needs itself.

A request belongs to the login if the connection, or another request of the login, has a value that came with its
response: in JSON, or as a cookie. If cookies were left out of the recording, a request that sends a password belongs to
it, too. Each text and number of a login's body is a secret, unless it came with an earlier response.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import orjson

from bench.starting.description import DraftRequest
from bench.starting.har import HttpExchange
from bench.starting.matching import leaves
from bench.starting.secret_values import SecretValues, is_secret_form, is_secret_name, is_secret_part
from bench.starting.source import Code, Names, quoted

#: The shortest text of a response that is looked for elsewhere, in characters.
_SHORTEST = 6

#: The largest response that is searched for values, in bytes.
_MOST_BYTES = 2_000_000

#: The headers that a browser adds by itself, and those of the HTTP library.
_BROWSER_HEADERS = frozenset({
    "accept", "accept-encoding", "accept-language", "access-control-request-headers",
    "access-control-request-method", "cache-control", "connection", "content-length", "content-type", "cookie",
    "dnt", "host", "if-modified-since", "if-none-match", "origin", "pragma", "priority", "proxy-connection",
    "referer", "save-data", "te", "upgrade", "upgrade-insecure-requests", "user-agent", "x-requested-with",
})  # fmt: skip

#: The beginnings of the names of headers that a browser adds by itself.
_BROWSER_PREFIXES = ("sec-", "x-client-data", "x-devtools")


def own_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that the page has set, by their names in lower case."""
    return {
        name: value
        for name, value in headers.items()
        if name not in _BROWSER_HEADERS and not name.startswith(_BROWSER_PREFIXES)
    }


@dataclass
class Login:
    """The search for where values come from, in the responses before a moment; then, the requests to be written."""

    exchanges: Sequence[HttpExchange]
    origin: str
    secrets: SecretValues
    _wanted: dict[int, str] = field(default_factory=dict)
    _names: Names = field(default_factory=lambda: Names("response", "http", "self", "connection", "secret", "orjson"))
    _json: dict[int, Any] = field(default_factory=dict)

    def code_of(self, value: str) -> Code | None:
        """Return the code that takes a value from an earlier response, whose request then belongs to the login."""
        scheme, blank, rest = value.partition(" ")
        if blank and scheme.lower() in ("bearer", "token", "jwt") and (inner := self._found(rest)) is not None:
            return Code(f"{quoted(f'{scheme} ')} + {inner}")
        return self._found(value)

    def gives_cookie(self, name: str, value: str) -> bool:
        """Return whether an earlier response of this server set that cookie; its request then belongs to the login."""
        for at in reversed(range(len(self.exchanges))):
            if self.exchanges[at].set_cookies.get(name) == value and self._is_here(at):
                self._wanted.setdefault(at, "")
                return True
        return False

    @property
    def is_needed(self) -> bool:
        """True if there is a request that the connection needs."""
        return bool(self._wanted)

    def take_password_requests(self) -> bool:
        """Have the requests that send a password belong to the login; return whether there is any."""
        found = [at for at, exchange in enumerate(self.exchanges) if self._is_here(at) and _sends_password(exchange)]
        for at in found[-1:]:
            self._wanted.setdefault(at, "")
        return bool(found)

    def data_with_origins(self, data: Any) -> Any:
        """Return data with code in place of each text that came with an earlier response."""
        if isinstance(data, Mapping):
            return {key: self.data_with_origins(value) for key, value in data.items()}
        if isinstance(data, (list, tuple)):
            return type(data)(map(self.data_with_origins, data))
        if isinstance(data, str) and not isinstance(data, Code):
            return self.code_of(data) or data
        return data

    def requests(self) -> tuple[DraftRequest, ...]:
        """Return the requests, in the order of the recording. What they need is searched for first."""
        made: dict[int, DraftRequest] = {}
        while missing := [at for at in self._wanted if at not in made]:
            at = max(missing)
            earlier = Login(self.exchanges[:at], self.origin, self.secrets, self._wanted, self._names, self._json)
            made[at] = earlier._request(at, self.exchanges[at])
        return tuple(replace(request, variable=self._wanted[at] or None) for at, request in sorted(made.items()))

    def _request(self, at: int, exchange: HttpExchange) -> DraftRequest:
        url = urlsplit(exchange.url)
        is_here = f"{url.scheme}://{url.netloc}" == self.origin
        path = (url.path or "/") if is_here else f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}"
        meaning = f"the request to {url.path or '/'}"
        if url.query:
            query = self._secret(dict(parse_qsl(url.query)), "query", meaning, is_all=False)
            path = _with_query(path, query)
        headers = {
            name: self._secret({name: value}, "header", meaning, is_all=is_secret_name(name))[name]
            for name, value in own_headers(exchange.headers).items()
        }
        keyword, body = self._body(exchange, meaning)
        if not isinstance(path, Code) and (is_secret_form(path) or self.secrets.known(path)):
            path = self.secrets.code(path, "login url", f"the URL of {meaning}")
        return DraftRequest(exchange.method, path, None, keyword, body, headers)

    def _body(self, exchange: HttpExchange, meaning: str) -> tuple[str | None, Any]:
        if not exchange.body:
            return None, None
        if "json" in exchange.body_type:
            try:
                return "json", self._secret(orjson.loads(exchange.body), "login", meaning, is_all=True)
            except orjson.JSONDecodeError:
                pass
        text = exchange.body.decode(errors="replace")
        if "x-www-form-urlencoded" in exchange.body_type:
            pairs = dict(parse_qsl(text, keep_blank_values=True))
            return "data", self._secret(pairs, "login", meaning, is_all=True)
        return "data", self.secrets.code(text, "login body", f"the body of {meaning}")

    def _secret(self, data: Any, name: str, meaning: str, is_all: bool) -> Any:
        """Return data with code in place of what came before, and then of what is secret."""
        data = self.data_with_origins(data)
        return self.secrets.in_data(data, name, meaning, (lambda _: True) if is_all else is_secret_part)

    def _found(self, value: str) -> Code | None:
        if len(value) < _SHORTEST:
            return None
        for at in reversed(range(len(self.exchanges))):
            for path, leaf in leaves(self._response(at)):
                if leaf == value:
                    if not self._wanted.get(at):
                        end = urlsplit(self.exchanges[at].url).path.rstrip("/").rpartition("/")[2]
                        self._wanted[at] = self._names.new(end or "answer")
                    self.secrets.keep(value)
                    return Code(self._wanted[at] + "".join(f"[{_key(part)}]" for part in path))
        return None

    def _response(self, at: int) -> Any:
        response = self.exchanges[at].response
        if id(response) not in self._json:
            is_json = response is not None and len(response) <= _MOST_BYTES and response[:1] in (b"{", b"[")
            try:
                self._json[id(response)] = orjson.loads(response) if is_json and response is not None else None
            except orjson.JSONDecodeError:
                self._json[id(response)] = None
        return self._json[id(response)]

    def _is_here(self, at: int) -> bool:
        return urlsplit(self.exchanges[at].url).netloc == urlsplit(self.origin).netloc


def _sends_password(exchange: HttpExchange) -> bool:
    names = [name.lower() for name in _fields(exchange)] if exchange.method == "POST" else []
    return any("passw" in name or "pwd" in name for name in names)


def _fields(exchange: HttpExchange) -> Iterator[str]:
    body = exchange.body or b""
    try:
        if "json" in exchange.body_type:
            yield from (str(part) for path, _ in leaves(orjson.loads(body)) for part in path)
        elif "x-www-form-urlencoded" in exchange.body_type:
            yield from dict(parse_qsl(body.decode(errors="replace")))
    except orjson.JSONDecodeError:
        return


def _with_query(path: str, query: Mapping[str, Any]) -> str:
    """Return the path with a query. If a part of that is code, the whole is code as well."""
    known = {name: value for name, value in query.items() if not isinstance(value, Code)}
    secret = {name: value for name, value in query.items() if isinstance(value, Code)}
    whole = f"{path}?{urlencode(known)}" if known else path
    if not secret:
        return whole
    mark = "&" if known else "?"
    added = " + ".join(
        f"{quoted((mark if at == 0 else '&') + quote(name) + '=')} + {value}"
        for at, (name, value) in enumerate(secret.items())
    )
    return Code(f"{quoted(whole)} + {added}")


def _key(part: Any) -> str:
    return quoted(part) if isinstance(part, str) else str(part)
