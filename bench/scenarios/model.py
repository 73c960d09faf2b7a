"""The descriptions of what a client does, as data: a round trip, and an emission that nothing answers.

Rules of this file: no connection, no clock, no event loop. Every use (`pytest bench`, `bench ab`, the load) reads the
same description.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bench.scenarios.tokens import any_token, filler, has_token

#: The names that Socket.IO's clients and servers keep to themselves.
RESERVED_EVENTS = frozenset({"", "*", "connect", "connect_error", "disconnect", "disconnecting"})


@dataclass(frozen=True)
class RoundTrip:
    """A round trip: emit an event, and wait for the event that answers it, or for the acknowledgement.

    `RoundTrip("say", emit="say", data={"id": "{token}", "text": "hello"}, reply="said")`

    `name` is the name in results. `data` is JSON and bytes: None for no argument, a tuple for several arguments, any
    other value for one argument. Each emission has a token of its own in place of `{token}` in any string. `data` can
    also be a function, which takes the token and returns the data. `reply` is the event that answers; None stands for
    the acknowledgement.

    A reply belongs to the emission whose token it carries, however deep in the reply the token lies. `token_of` finds
    it elsewhere: a function that takes the reply's arguments and returns the token, or None. A function as `data`
    needs it (`bench.scenarios.tokens.any_token` is the usual one). Without a token, replies are matched in order, with
    a single emission in flight on a connection. An acknowledgement is matched by its id and needs no token.

    A change of the given data after this has no effect.
    """

    name: str
    emit: str
    data: Any = None
    reply: str | None = None
    token_of: Callable[..., str | None] | None = None
    #: The function that takes a token and returns the data of that emission.
    request: Callable[[str], Any] = field(init=False, repr=False, compare=False)
    #: The function that takes a reply's arguments and returns the token in it. None: none is looked for.
    find_token: Callable[..., str | None] | None = field(init=False, repr=False, compare=False)
    #: True if replies are matched by their order, for want of a token.
    matched_in_order: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make once what every emission needs. Raises TypeError and ValueError."""
        _check_names("a round trip", self.name, self.emit)
        if self.reply is not None:
            _check_event(self.reply)
        find_token = self.token_of
        if find_token is None and self.reply is not None and not callable(self.data) and has_token(self.data):
            find_token = any_token
        object.__setattr__(self, "request", self.data if callable(self.data) else filler(self.data))
        object.__setattr__(self, "find_token", find_token)
        object.__setattr__(self, "matched_in_order", self.reply is not None and find_token is None)

    def __hash__(self) -> int:
        """Return the same for equal round trips. The data may have no hash."""
        return hash((self.name, self.emit, self.reply))

    @property
    def event(self) -> str:
        """The former name of `emit`."""
        return self.emit

    @property
    def matched_by(self) -> str:
        """The word for what tells which emission a reply belongs to."""
        if self.reply is None:
            return "acknowledgement"
        return "order" if self.matched_in_order else "token"


@dataclass(frozen=True)
class Emission:
    """An emission without a reply: emit an event, and wait for nothing.

    `Emission("typing", emit="typing", data={"room": "lobby"})`

    The fields mean the same as those of a `RoundTrip`. A load counts such emissions, sent or not sent and why. There is
    no reply, so there is no time, and nothing says that the server has taken it.
    """

    name: str
    emit: str
    data: Any = None
    #: The function that takes a token and returns the data of that emission.
    request: Callable[[str], Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make once what every emission needs. Raises TypeError and ValueError."""
        _check_names("an emission", self.name, self.emit)
        object.__setattr__(self, "request", self.data if callable(self.data) else filler(self.data))

    def __hash__(self) -> int:
        """Return the same for equal emissions. The data may have no hash."""
        return hash((self.name, self.emit))


def _check_names(kind: str, name: object, event: object) -> None:
    """Raise TypeError or ValueError unless both are texts, and the event may be a service's own."""
    for text, meaning in ((name, "a name"), (event, "an event to emit")):
        if not isinstance(text, str) or not text:
            raise TypeError(f"{kind} needs {meaning}, and {text!r:.60} is none")
    _check_event(event)


def _check_event(event: object) -> None:
    if event in RESERVED_EVENTS:
        raise ValueError(f"{event!r} is no event of a service: Socket.IO reserves it")


def round_trip_of(event: str, reply: str | None, payload: Any) -> RoundTrip:
    """Return the round trip that a user can type: an event, a reply (None: the acknowledgement) and a JSON payload."""
    name = f"{event}→{reply}" if reply is not None else f"{event} acknowledged"
    return RoundTrip(name, event, payload, reply, any_token if reply is not None and has_token(payload) else None)
