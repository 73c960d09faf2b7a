"""The settings of a client, in one frozen model that does not know to which server they go.

A client takes them in two ways, which can be mixed: `connect(url, connection)`, and python-socketio's keywords:
`connect(url, auth=…, transports=…, wait_timeout=…)`. A keyword replaces the field of the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypedDict

from bench.wire.tls import Tls

TransportName = Literal["websocket", "polling"]

#: The largest message that a client takes from its server, in bytes, unless told otherwise. A larger message ends the
#: connection.
MAX_MESSAGE_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Connection:
    """The settings of a client's connection, without the server's URL.

    `Connection(auth={"token": "…"}, transports=("polling", "websocket"), socketio_path="ws/socket.io")`. All fields
    are keywords, and all have a default. `dataclasses.replace` makes a changed copy. Nothing is checked here: `connect`
    raises ConnectFailed for a setting that cannot be. The text of a model leaves out what may be secret.
    """

    #: The payload of the request to join a namespace, for the server's `connect` handler. Each namespace gets it.
    auth: Any = field(default=None, repr=False)
    #: Additional headers of every HTTP request, the WebSocket's handshake included.
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: Cookies of every HTTP request.
    cookies: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: The query of every HTTP request, in addition to that of the URL.
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: The first transport is used; `("polling", "websocket")` begins with polling and upgrades if the server offers it.
    transports: tuple[TransportName, ...] = ("websocket",)
    #: The namespaces to join. None: those with handlers, or else `/`.
    namespaces: tuple[str, ...] | None = None
    #: The path under the URL at which the server takes Socket.IO connections.
    socketio_path: str = "socket.io"
    #: The limit of a whole attempt to connect, in seconds.
    connect_timeout: float = 5.0
    #: The settings for `https://` and `wss://`. None: the system's authorities, and no certificate of the client.
    tls: Tls | None = None
    #: The largest message that the client takes, in bytes.
    max_message_bytes: int = MAX_MESSAGE_BYTES

    def __post_init__(self) -> None:
        """Copy what a caller could change later, and let a single namespace stand for itself."""
        names = self.namespaces
        if isinstance(names, str):
            names = (names,)
        object.__setattr__(self, "namespaces", None if names is None else tuple(names))
        object.__setattr__(self, "transports", tuple(self.transports))
        object.__setattr__(self, "headers", dict(self.headers or {}))
        object.__setattr__(self, "cookies", dict(self.cookies or {}))
        object.__setattr__(self, "query", dict(self.query or {}))

    @property
    def key_password(self) -> str | None:
        """The password of the client's own key, if it has any."""
        return self.tls.key_password if self.tls is not None else None

    @property
    def namespace(self) -> str | None:
        """The namespace of scenarios, which is the first. None: the default namespace."""
        return self.namespaces[0] if self.namespaces else None


class ConnectKeywords(TypedDict, total=False):
    """The keywords of `connect`: python-socketio's names for the fields of a Connection, and ours for the others."""

    auth: Any
    headers: Mapping[str, str] | None
    cookies: Mapping[str, str] | None
    query: Mapping[str, str] | None
    transports: Sequence[TransportName]
    namespaces: str | Sequence[str] | None
    socketio_path: str
    wait_timeout: float
    tls: Tls | None
    max_message_bytes: int


def with_keywords(connection: Connection | None, keywords: ConnectKeywords) -> Connection:
    """Return the settings with the keywords of `connect` in them. Raises TypeError for a keyword that is none."""
    fields: dict[str, Any] = dict(keywords)
    if "wait_timeout" in fields:
        fields["connect_timeout"] = fields.pop("wait_timeout")
    return replace(connection or Connection(), **fields)
