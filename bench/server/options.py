"""The options of a server: its event loop, its protocols, its core and its environment.

A new option of uvicorn is a field here. It reaches servers in a process of their own and those in the caller's loop.
Stored results contain it if their model has a field of that name. This file imports nothing beyond the standard
library, because the launcher imports it in environments that have no more.
"""

import dataclasses
import functools
import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self, TypedDict

#: The fields that are not uvicorn's.
_OURS = ("core", "environment")


@functools.cache
def default_websocket() -> str:
    """Return the fastest implementation of WebSocket that the installed uvicorn has: before 0.35 it had only one."""
    try:
        found = importlib.util.find_spec("uvicorn.protocols.websockets.websockets_sansio_impl")
    except ModuleNotFoundError:  # no uvicorn
        found = None
    return "websockets" if found is None else "websockets-sansio"


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """The options of a server. All have a default; `dataclasses.replace` makes a changed copy."""

    #: The event loop, the implementation of HTTP and that of WebSocket, by uvicorn's names.
    loop: str = "uvloop"
    http: str = "httptools"
    ws: str = field(default_factory=default_websocket)
    #: The core that a process of its own is pinned to. "auto" is the last core that the starting process may use, if
    #: there are two or more. None: it is not pinned.
    core: int | Literal["auto"] | None = "auto"
    #: Variables that are added to those of the starting process. They may be secret, so they are not shown or stored.
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Copy what a caller could change later."""
        object.__setattr__(self, "environment", dict(self.environment or {}))

    @property
    def uvicorn(self) -> dict[str, Any]:
        """The options of `uvicorn.Config`."""
        return {name: getattr(self, name) for name in UVICORN_OPTIONS}

    @property
    def stored(self) -> dict[str, Any]:
        """The options that a result contains. `core` is None if it has not been settled."""
        return {**self.uvicorn, "core": None if self.core == "auto" else self.core}

    def encoded(self) -> str:
        """Return the options for the launcher, without the environment, which it has already."""
        return json.dumps({**self.uvicorn, "core": self.core})

    @classmethod
    def decoded(cls, text: str) -> Self:
        """Return the inverse of `encoded`."""
        return cls(**json.loads(text))


#: The names of the options that are uvicorn's.
UVICORN_OPTIONS: tuple[str, ...] = tuple(
    option.name for option in dataclasses.fields(ServerOptions) if option.name not in _OURS
)


class ServerKeywords(TypedDict, total=False):
    """The fields of ServerOptions, as keywords of functions that take them separately."""

    loop: str
    http: str
    ws: str
    core: int | Literal["auto"] | None
    environment: Mapping[str, str] | None


def with_keywords(options: ServerOptions | None, keywords: ServerKeywords) -> ServerOptions:
    """Return the options with these keywords in them."""
    fields: dict[str, Any] = dict(keywords)
    return dataclasses.replace(options or ServerOptions(), **fields)
