"""The replies of a recorded session beside their emissions, and the parts of the data that are ids.

An acknowledgement has the number of its emission. An event is the reply if it repeats a value that this emission alone
has sent and that nobody had sent or received before. Otherwise an event may be the reply by its time: it comes within a
second, before the next emission, each time, and never at another time. All that is pure: packets in, data out.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from bench.scenarios.tokens import PLACEHOLDERS, TokenKind
from bench.starting.packets import Item
from bench.starting.secret_values import is_secret_form, is_secret_name, words_of
from bench.wire.protocol import Ack, Event

#: The longest time from an emission to the event that repeats a value of it, in seconds.
REPLY_LIMIT_S = 30.0

#: The longest time from an emission to its reply where nothing but the time says that it is the reply, in seconds.
_BY_TIME_S = 1.0

#: The shortest text and the least number that can tell two emissions apart.
_SHORTEST, _LEAST = 3, 100

#: The shortest text that is a secret which a reply may give, in characters.
_SHORTEST_SECRET = 6

#: The least number that is taken for an id, unless its field has an id's name.
_LEAST_ID = 1000

_UUID = re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}(?![0-9A-Fa-f])")
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}|[0-7][0-9a-hjkmnp-tv-z]{25}")
_HEX = re.compile(r"(?=[0-9A-Fa-f]*\d)(?=[0-9A-Fa-f]*[A-Fa-f])[0-9A-Fa-f]{8,64}")
_RANDOM = re.compile(r"(?=.*\d)(?=.*[A-Z])(?=.*[a-z])[\w-]{10,}")

_ID_WORDS = frozenset({
    "id", "ids", "uid", "uuid", "guid", "ulid", "cid", "nonce", "ref", "reference", "seq", "sequence", "number",
    "key",
})  # fmt: skip
_TEXT_WORDS = frozenset({
    "text", "message", "msg", "body", "content", "comment", "title", "subject", "caption", "description", "note",
    "query", "search", "value",
})  # fmt: skip

How: TypeAlias = Literal["acknowledgement", "value", "time", "nothing"]
Path: TypeAlias = tuple[Any, ...]


@dataclass
class Exchange:
    """An emission of a recorded session, and its reply if there is any. Times are seconds since 1970."""

    event: Event
    sent_s: float
    how: How = "nothing"
    reply: str | None = None
    end_s: float | None = None
    #: True if the client asked for an acknowledgement that never came.
    is_unacknowledged: bool = False
    #: The values that both the emission and its reply have.
    shared: frozenset[Any] = frozenset()
    #: The arguments of the reply; none if there is no reply.
    answer: tuple[Any, ...] = ()
    #: An emission of the same event that was answered, if this was not.
    like: Exchange | None = None

    @property
    def finished_s(self) -> float:
        """The time at which the next step could begin."""
        return self.sent_s if self.end_s is None else self.end_s


@dataclass
class Conversation:
    """The emissions of a client in a namespace, and what the server sent unasked."""

    exchanges: list[Exchange] = field(default_factory=list)
    #: The events that answer nothing, with their numbers.
    pushes: Counter[str] = field(default_factory=Counter)
    #: What the client answered when the server asked, by event; None where it did not answer.
    answers: dict[str, tuple[Any, ...] | None] = field(default_factory=dict)
    #: The moment at which each value was first received, in seconds since 1970.
    first_received: dict[Any, float] = field(default_factory=dict)
    #: The number of emissions that contain each value.
    sent_counts: Counter[Any] = field(default_factory=Counter)


def replies_of(conversations: Iterable[Conversation]) -> dict[str, tuple[str, ...]]:
    """Return the events that answer each event by a value, in the order in which they were first seen."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for conversation in conversations:
        for exchange in conversation.exchanges:
            if exchange.how == "value" and exchange.reply is not None:
                found[exchange.event.name][exchange.reply] = None
    return {event: tuple(replies) for event, replies in found.items()}


def leaves(data: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield all values in data that contain no others, with their paths."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from leaves(value, (*path, key))
    elif isinstance(data, (list, tuple)):
        for index, value in enumerate(data):
            yield from leaves(value, (*path, index))
    else:
        yield path, data


def matched(items: Sequence[Item], given: Mapping[Any, float] | None = None) -> Conversation:
    """Return the conversation that these packets of a connection and a namespace are.

    `given` are the values that came by other ways, such as an HTTP response, with their moments.
    """
    made = Conversation(first_received=dict(given or {}))
    received: list[tuple[float, Event]] = []
    acknowledged: dict[int, Exchange] = {}
    asked: dict[int, str] = {}
    for time_s, is_sent, packet in items:
        if isinstance(packet, Event) and is_sent:
            exchange = Exchange(packet, time_s)
            made.exchanges.append(exchange)
            made.sent_counts.update(_telling(packet.arguments))
            if packet.ack_id is not None:
                acknowledged[packet.ack_id] = exchange
                exchange.is_unacknowledged = True
        elif isinstance(packet, Ack) and is_sent:
            if packet.ack_id in asked:
                made.answers[asked.pop(packet.ack_id)] = packet.arguments
        elif isinstance(packet, Ack):
            answered = acknowledged.pop(packet.ack_id, None)
            if answered is not None:
                answered.how, answered.end_s, answered.is_unacknowledged = "acknowledgement", time_s, False
                answered.answer = packet.arguments
            _note_received(made, packet.arguments, time_s)
        elif isinstance(packet, Event):
            if packet.ack_id is not None:
                asked[packet.ack_id] = packet.name
                made.answers.setdefault(packet.name, None)
            else:
                received.append((time_s, packet))
            _note_received(made, packet.arguments, time_s)
    left = _match_by_value(made, received)
    left = _match_by_time(made, left)
    made.pushes.update(event.name for _, event in left)
    _note_likeness(made.exchanges)
    return made


def _note_likeness(exchanges: Sequence[Exchange]) -> None:
    """Have each emission without an answer know one that was asked in the same way and was answered."""
    answered: dict[tuple[str, bool], Exchange] = {}
    for exchange in exchanges:
        if exchange.how != "nothing":
            answered.setdefault((exchange.event.name, exchange.event.ack_id is None), exchange)
    for exchange in exchanges:
        if exchange.how == "nothing":
            exchange.like = answered.get((exchange.event.name, exchange.event.ack_id is None))


def _note_received(made: Conversation, arguments: Any, time_s: float) -> None:
    for value in _telling(arguments):
        made.first_received.setdefault(value, time_s)


def _telling(data: Any) -> set[Any]:
    """Return the values in data that can tell two emissions apart, and the UUIDs within its texts."""
    found: set[Any] = set()
    for _, value in leaves(data):
        if isinstance(value, str):
            if len(value) >= _SHORTEST:
                found.add(value)
                found.update(_UUID.findall(value))
        elif type(value) is int and value >= _LEAST:
            found.add(value)
    return found


def _match_by_value(made: Conversation, received: list[tuple[float, Event]]) -> list[tuple[float, Event]]:
    """Give each event to the emission of which it repeats a value; return the others."""
    owners: dict[Any, Exchange] = {}
    for exchange in made.exchanges:
        for value in _telling(exchange.event.arguments):
            came_before = made.first_received.get(value, exchange.sent_s) < exchange.sent_s
            if made.sent_counts[value] == 1 and not came_before:
                owners[value] = exchange
    left: list[tuple[float, Event]] = []
    for time_s, event in received:
        shared = _telling(event.arguments) & owners.keys()
        found = {id(owners[value]): owners[value] for value in shared}
        waiting = [
            exchange
            for exchange in found.values()
            if exchange.how == "nothing"
            and not exchange.is_unacknowledged
            and 0 <= time_s - exchange.sent_s <= REPLY_LIMIT_S
        ]
        if len(waiting) == 1:
            exchange = waiting[0]
            exchange.how, exchange.reply, exchange.end_s = "value", event.name, time_s
            exchange.answer = event.arguments
            exchange.shared = frozenset(value for value in shared if owners[value] is exchange)
        elif not found:
            left.append((time_s, event))
    return left


def _match_by_time(made: Conversation, received: list[tuple[float, Event]]) -> list[tuple[float, Event]]:
    """Give an event to the emission before it where that is so each time, and never otherwise; return the others."""
    by_name: dict[str, list[Exchange]] = defaultdict(list)
    for exchange in made.exchanges:
        by_name[exchange.event.name].append(exchange)
    counts = Counter(event.name for _, event in received)
    sent_s = [exchange.sent_s for exchange in made.exchanges]
    received_s = [time_s for time_s, _ in received]
    taken: set[int] = set()
    for exchanges in by_name.values():
        if any(exchange.how != "nothing" or exchange.is_unacknowledged for exchange in exchanges):
            continue
        replies = [_next_event(exchange, sent_s, received_s) for exchange in exchanges]
        names = {received[at][1].name for at in replies if at is not None}
        if None in replies or len(names) != 1 or counts[next(iter(names))] != len(replies):
            continue
        for exchange, at in zip(exchanges, replies, strict=True):
            assert at is not None
            exchange.how, exchange.reply, exchange.end_s = "time", received[at][1].name, received[at][0]
            exchange.answer = received[at][1].arguments
            taken.add(at)
    return [each for at, each in enumerate(received) if at not in taken]


def _next_event(exchange: Exchange, sent_s: Sequence[float], received_s: Sequence[float]) -> int | None:
    """Return the place of the first event after an emission, if it came in time and before the next emission."""
    after = bisect_right(sent_s, exchange.sent_s)
    limit_s = min([exchange.sent_s + _BY_TIME_S, *sent_s[after : after + 1]])
    at = bisect_left(received_s, exchange.sent_s)
    return at if at < len(received_s) and received_s[at] <= limit_s else None


def origins_of(conversation: Conversation) -> dict[Any, tuple[Exchange, Path]]:
    """Return the ids that first came with a reply, each with the emission that was answered, and its place in that."""
    found: dict[Any, tuple[Exchange, Path]] = {}
    for exchange in conversation.exchanges:
        for path, value in leaves(exchange.answer):
            if id_kind(value, _name(path)) is not None and conversation.first_received.get(value) == exchange.end_s:
                found.setdefault(value, (exchange, path))
    return found


def secrets_given(conversation: Conversation) -> dict[str, tuple[Exchange, Path]]:
    """Return the secrets that first came with a reply, such as a login's token, each with its emission and its place.

    They are told by their form or by their field's name.
    """
    found: dict[str, tuple[Exchange, Path]] = {}
    for exchange in conversation.exchanges:
        for path, value in leaves(exchange.answer):
            if not isinstance(value, str) or len(value) < _SHORTEST_SECRET:
                continue
            is_secret = is_secret_form(value) or any(isinstance(part, str) and is_secret_name(part) for part in path)
            if is_secret and conversation.first_received.get(value) == exchange.end_s:
                found.setdefault(value, (exchange, path))
    return found


# --- ids ----------------------------------------------------------------------------------------------------------


def id_kind(value: Any, name: str = "") -> TokenKind | None:
    """Return the kind of placeholder that can stand for a value, if that looks like an id; else None."""
    if type(value) is int:
        return "int" if value >= _LEAST_ID or (value >= _LEAST and _ID_WORDS & set(words_of(name))) else None
    if not isinstance(value, str):
        return None
    if _UUID.search(value):
        return "uuid"
    if _ULID.fullmatch(value) or _HEX.fullmatch(value) or _RANDOM.fullmatch(value):
        return "token"
    has_digit = any(character.isdigit() for character in value)
    return "token" if has_digit and len(value) >= 6 and " " not in value and _ID_WORDS & set(words_of(name)) else None


@dataclass(frozen=True)
class WithIds:
    """The data of an emission with placeholders in it. `is_matched` tells whether the reply repeats one of them."""

    data: Any
    kinds: tuple[TokenKind, ...]
    is_matched: bool
    #: The places of ids that stay as they were recorded, with the reason and the id.
    kept: tuple[tuple[str, str, Any], ...]


def with_ids(exchange: Exchange, conversation: Conversation) -> WithIds:
    """Return the data of an emission with placeholders for the ids that the client made up itself."""
    arguments = exchange.event.arguments
    own: dict[Path, tuple[Any, TokenKind]] = {}
    kept: list[tuple[str, str, Any]] = []
    for path, value in leaves(arguments):
        name = _name(path)
        kind = id_kind(value, name)
        if kind is None or any(isinstance(part, str) and is_secret_name(part) for part in path):
            continue
        if isinstance(value, str) and is_secret_form(value):
            continue
        if reason := _not_own(value, exchange, conversation):
            kept.append((_shown(path), reason, value))
        elif kind != "int" or value in exchange.shared:
            own[path] = value, kind
    if exchange.how in ("value", "time"):
        return _for_event(exchange, own, kept)
    changes = {path: _replaced(value, kind) for path, (value, kind) in own.items()}
    return WithIds(changed(arguments, changes), _kinds(own), False, tuple(kept))


def _for_event(exchange: Exchange, own: dict[Path, tuple[Any, TokenKind]], kept: list[tuple[str, str, Any]]) -> WithIds:
    """Return the data of an emission with an event as its reply, which repeats the only kind of placeholder in it."""
    arguments = exchange.event.arguments
    repeated = {path: each for path, each in own.items() if _found(each[0], exchange.shared)}
    if not repeated:
        texts = [
            (path, value)
            for path, value in leaves(arguments)
            if isinstance(value, str) and value in exchange.shared and _is_free_text(_name(path), value)
        ]
        if not texts:
            kept += [(_shown(path), "the reply does not repeat it", value) for path, (value, _) in own.items()]
            return WithIds(arguments, (), False, tuple(kept))
        path, value = texts[0]
        return WithIds(changed(arguments, {path: f"{value} {PLACEHOLDERS['token']}"}), ("token",), True, tuple(kept))
    texts_only = {path: each for path, each in repeated.items() if each[1] != "int"}
    if texts_only:
        kind: TokenKind = "uuid" if any(each[1] == "uuid" for each in own.values()) else "token"
        changes = {path: _replaced(value, kind) for path, (value, own_kind) in own.items() if own_kind != "int"}
    else:
        kind = "int"
        changes = {path: _replaced(value, kind) for path, (value, _) in repeated.items()}
    kept += [
        (_shown(path), "its data has one kind of placeholder", value)
        for path, (value, _) in own.items()
        if path not in changes
    ]
    return WithIds(changed(arguments, changes), (kind,), True, tuple(kept))


def _is_free_text(name: str, value: str) -> bool:
    """Return whether a person may have typed it, so that a token may be added."""
    return bool(_TEXT_WORDS & set(words_of(name))) or " " in value


def _not_own(value: Any, exchange: Exchange, conversation: Conversation) -> str | None:
    """Return why a value is no id that the client made up for this emission, if it is none."""
    values = [value, *_UUID.findall(value)] if isinstance(value, str) else [value]
    if any(conversation.first_received.get(each, exchange.sent_s) < exchange.sent_s for each in values):
        return "the server had sent it before"
    if any(conversation.sent_counts[each] > 1 for each in values):
        return "several emissions have it"
    return None


def _found(value: Any, shared: Iterable[Any]) -> bool:
    known = set(shared)
    return value in known or (isinstance(value, str) and any(each in known for each in _UUID.findall(value)))


def _replaced(value: Any, kind: TokenKind) -> str:
    if isinstance(value, str) and kind == "uuid" and _UUID.search(value):
        return _UUID.sub(PLACEHOLDERS["uuid"], value)
    return PLACEHOLDERS[kind]


def changed(data: Any, changes: Mapping[Path, Any], path: Path = ()) -> Any:
    """Return data with other values in these places."""
    if path in changes:
        return changes[path]
    if isinstance(data, Mapping):
        return {key: changed(value, changes, (*path, key)) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return type(data)(changed(value, changes, (*path, index)) for index, value in enumerate(data))
    return data


def _kinds(own: Mapping[Path, tuple[Any, TokenKind]]) -> tuple[TokenKind, ...]:
    return tuple(dict.fromkeys(kind for _, kind in own.values()))


def _name(path: Path) -> str:
    return next((part for part in reversed(path) if isinstance(part, str)), "")


def _shown(path: Path) -> str:
    return ".".join(map(str, path[1:])) or f"argument {path[0] + 1}" if path else "the data"
