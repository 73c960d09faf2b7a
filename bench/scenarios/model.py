"""The descriptions of what a client does, as data: a round trip, and an emission that nothing answers.

Rules of this file: no connection, no clock, no event loop. Every use (`pytest bench`, `bench ab`, the load) reads the
same description.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from inspect import iscoroutinefunction
from typing import Any

from bench.scenarios.messages import message_parts
from bench.scenarios.tokens import PLACEHOLDERS, SEARCHES, TokenKind, any_token, filler, has_token, kinds_in

#: The names that Socket.IO's clients and servers keep to themselves.
RESERVED_EVENTS = frozenset({"", "*", "connect", "connect_error", "disconnect", "disconnecting"})


@dataclass(frozen=True)
class RoundTrip:
    """A round trip: emit an event, and wait for the event that answers it, or for the acknowledgement.

    `RoundTrip("say", emit="say", data={"id": "{token}", "text": "hello"}, reply="said")`

    `name` is the name in results. `data` is JSON and bytes: None for no argument, a tuple for several arguments, any
    other value for one argument. Each emission has a token of its own in place of `{token}` in any string. In place of
    `{uuid}` it has a UUID, and in place of `{int}` an integer. A string that is nothing but `{int}` becomes a number.
    A function within the data is called without arguments for each emission, and its value is sent: something that a
    `setup` has learnt, say. `data` can also be a function as a whole, which takes the token and returns the data.
    `reply` is the event that answers, or a tuple of the events that may answer; None stands for the acknowledgement.

    A reply belongs to each emission whose token it carries, however deep in the reply the token lies. `token_of` finds
    it elsewhere: a function that takes the reply's arguments and returns the token, a list of tokens, or None. A
    function as `data` needs it (`bench.scenarios.tokens.any_token` is the usual function). Without a token, replies are
    matched in order, with a single emission in flight on a connection. An acknowledgement is matched by its id and
    needs no token.

    `check` takes the reply's arguments and returns None for a right reply, or the reason why it is wrong, as a text.
    With several events that may answer, it takes the event's name first. A wrong reply is an error.

    A change of the given data after this has no effect.
    """

    name: str
    emit: str
    data: Any = None
    reply: str | tuple[str, ...] | None = None
    token_of: Callable[..., str | Sequence[str] | None] | None = None
    check: Callable[..., str | None] | None = None
    #: The function that takes a token and returns the data of that emission.
    request: Callable[[str], Any] = field(init=False, repr=False, compare=False)
    #: The function that takes a reply's arguments and returns the token in it. None: none is looked for.
    find_token: Callable[..., str | Sequence[str] | None] | None = field(init=False, repr=False, compare=False)
    #: The kind of token that each emission has.
    token_kind: TokenKind = field(init=False, repr=False, compare=False)
    #: The events that may answer; none if it is the acknowledgement.
    events: tuple[str, ...] = field(init=False, repr=False, compare=False)
    #: The event that answers, if there is no other and its reply needs no check. Most round trips have it.
    plain_reply: str | None = field(init=False, repr=False, compare=False)
    #: True if a reply that was matched may still be wrong.
    is_checked: bool = field(init=False, repr=False, compare=False)
    #: True if replies are matched by their order, for want of a token.
    matched_in_order: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make once what every emission needs. Raises TypeError and ValueError."""
        _check_names("a round trip", self.name, self.emit)
        reply, events = _events_of(self.reply)
        _check_function(self.name, self.check)
        kinds = () if callable(self.data) else kinds_in(self.data)
        if len(kinds) > 1 and (events or self.token_of is not None):
            words = " and ".join(PLACEHOLDERS[kind] for kind in kinds)
            raise ValueError(f"{self.name} has {words} in its data: keep the placeholder that its reply repeats")
        kind: TokenKind = kinds[0] if kinds else "token"
        find_token = self.token_of
        if find_token is any_token or (find_token is None and events and kinds):
            find_token = SEARCHES[kind]
        made = {
            "reply": reply,
            "events": events,
            "token_kind": kind,
            "find_token": find_token,
            "request": self.data if callable(self.data) else filler(self.data, kind),
            "plain_reply": events[0] if len(events) == 1 and self.check is None else None,
            "is_checked": self.check is not None or (not events and find_token is not None),
            "matched_in_order": bool(events) and find_token is None,
        }
        for name, value in made.items():
            object.__setattr__(self, name, value)

    @cached_property
    def message_parts(self) -> tuple[bytes, ...] | None:
        """The parts of each emission's message in JSON, between which its token stands; None: they differ in more."""
        return message_parts(self.emit, self.data, self.request, self.token_kind)

    def __hash__(self) -> int:
        """Return the same for equal round trips. The data may have no hash."""
        return hash((self.name, self.emit, self.reply))

    @property
    def event(self) -> str:
        """The former name of `emit`."""
        return self.emit

    @property
    def answers(self) -> str | None:
        """The events that may answer, in words; None for the acknowledgement."""
        return " or ".join(self.events) or None

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


def _events_of(reply: object) -> tuple[str | tuple[str, ...] | None, tuple[str, ...]]:
    """Return a reply in its usual form, and the events in it. Raises TypeError and ValueError."""
    if reply is None:
        return None, ()
    events = (reply,) if isinstance(reply, str) else reply
    if (
        not isinstance(events, (list, tuple))
        or not events
        or not all(isinstance(event, str) for event in events)
        or len(set(events)) < len(events)
    ):
        raise TypeError(f"reply is an event's name, a tuple of different names, or None, and {reply!r:.60} is none")
    for event in events:
        _check_event(event)
    return (events[0] if len(events) == 1 else tuple(events)), tuple(events)


def _check_function(name: str, check: object) -> None:
    """Raise TypeError unless the check of that round trip is None, or a function that is not async."""
    if check is None:
        return
    if not callable(check):
        raise TypeError(f"the check of {name} is no function, but of type {type(check).__name__}")
    if iscoroutinefunction(check):
        raise TypeError(f"the check of {name} is async: write it with def, it has nothing to wait for")


def shared_reply(first: RoundTrip, second: RoundTrip) -> str | None:
    """Return the event that would answer both on a connection, if it could be of either: not both have a token."""
    if first.matched_in_order == second.matched_in_order and (not first.matched_in_order or first.emit == second.emit):
        return None
    return next((event for event in first.events if event in second.events), None)


def round_trip_of(event: str, reply: str | tuple[str, ...] | None, payload: Any) -> RoundTrip:
    """Return the round trip that a user can type: an event, a reply (None: the acknowledgement) and a JSON payload.

    The payload is None for no argument, and a tuple for several. Several events may answer, as a tuple.
    """
    if reply is None:
        return RoundTrip(f"{event} acknowledged", event, payload)
    events = (reply,) if isinstance(reply, str) else tuple(reply)
    return RoundTrip(f"{event}→{'/'.join(events)}", event, payload, reply, any_token if has_token(payload) else None)
