"""From the handlers of an application to scenarios: what a handler reads of its data, and whether and how it answers.

Rules of this file: it is pure, and reads source. A scenario that awaits a reply is written only where the source surely
gives the reply: it returns a value, or emits an event to the sender without a condition. Everything else becomes an
emission, or a comment that says what to fill in. A guess at data is made of the keys that the handler reads. Replies
are matched in order only where no other handler of the namespace emits the same event: else any of them may have come.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import Any

from bench.scenarios.loading import SPECIAL_NAMES
from bench.scenarios.model import RESERVED_EVENTS
from bench.scenarios.tokens import PLACEHOLDERS, TokenKind
from bench.starting.application import Handler, SocketIOServer
from bench.starting.description import Description, DraftClient, DraftScenario
from bench.starting.examples import SIMPLE_VALUES, TEXTS
from bench.starting.reading import Emitted, Reading
from bench.starting.secret_values import PREFIX, is_secret_name, words_of
from bench.starting.source import Code, Names, quoted
from bench.wire.protocol import DEFAULT_NAMESPACE

#: The words of a field that is an id, the most telling first.
_ID_WORDS = ("id", "uuid", "uid", "nonce", "ref", "seq", "token", "key")

_EVENTS_BESIDE = frozenset({"connect", "disconnect"})


def described(app: str, servers: Sequence[SocketIOServer]) -> Description:
    """Return the description of the clients of an application: a kind for each namespace."""
    notes: list[str] = []
    variables: dict[str, str] = {}
    clients: list[DraftClient] = []
    suffixes = Names()
    by_namespace = [
        (server.path, namespace, [handler for handler in server.handlers if handler.namespace == namespace])
        for server in servers
        for namespace in dict.fromkeys(handler.namespace for handler in server.handlers)
        if namespace != "*"
    ]
    with_events = [each for each in by_namespace if any(handler.event not in _EVENTS_BESIDE for handler in each[2])]
    for path, namespace, handlers in with_events or by_namespace[:1]:
        suffix = suffixes.new(namespace.strip("/") or path.partition("/")[0]) if clients else ""
        clients.append(_client(path, namespace, handlers, suffix, notes, variables))
    if not servers:
        notes.append(f"no Socket.IO server was found in {app}: describe what a client does")
    elif not with_events:
        notes.append(f"{app} has no handler of an event: describe what a client does")
    if not clients:
        path = servers[0].path if servers else "socket.io"
        clients.append(DraftClient(settings={} if path == "socket.io" else {"socketio_path": path}))
    return Description(tuple(clients), app, variables, tuple(dict.fromkeys(notes)))


def unhandled(recorded: Description, app: str, servers: Sequence[SocketIOServer]) -> list[str]:
    """Return notes about events of a recorded session for which an application has no handler."""
    handled = {(handler.namespace, handler.event) for server in servers for handler in server.handlers}
    notes: dict[str, None] = {}
    for client in recorded.clients:
        namespace = client.settings.get("namespaces", (DEFAULT_NAMESPACE,))[0]
        if {(namespace, "*"), ("*", "*")} & handled:
            continue
        for scenario in client.scenarios:
            if not {(namespace, scenario.emit), ("*", scenario.emit)} & handled:
                notes[f"{app} has no handler of {scenario.emit} in the namespace {namespace}"] = None
    return list(notes) if handled else []


def _client(
    path: str, namespace: str, handlers: Iterable[Handler], suffix: str, notes: list[str], variables: dict[str, str]
) -> DraftClient:
    settings: dict[str, Any] = {}
    if namespace != DEFAULT_NAMESPACE:
        settings["namespaces"] = (namespace,)
    if path != "socket.io":
        settings["socketio_path"] = path
    names = Names(*SPECIAL_NAMES, "secret")
    scenarios: list[DraftScenario] = []
    comments: list[str] = []
    readings = [Reading.of(handler) for handler in handlers]
    for reading in readings:
        handler = reading.handler
        if handler.event == "connect":
            auth, note = _auth_of(handler, variables)
            if auth is not None:
                settings["auth"] = auth
            if note:
                notes.append(note)
        elif handler.event == "*":
            comments.append("A handler takes each event that has none of its own: its events are not known.")
        elif reading.ends_connection:
            comments.append(f"{_printable(handler.event)} has no scenario: its handler ends the connection.")
        elif handler.event not in RESERVED_EVENTS:
            others = {each.event for other in readings if other is not reading for each in other.emitted}
            scenarios.append(_scenario(reading, names, others))
    return DraftClient(suffix=suffix, settings=settings, scenarios=tuple(scenarios), comments=tuple(comments))


def _printable(event: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in event)


def _scenario(reading: Reading, names: Names, of_others: Set[str]) -> DraftScenario:
    """Return the scenario of a handler. `of_others` are the events that other handlers of the namespace emit."""
    handler = reading.handler
    variable = names.new(handler.event)
    name = _printable(handler.event)
    values = [reading.example(parameter.name, parameter.type) for parameter in reading.data_parameters]
    comments: list[str] = []
    reply: tuple[str, ...] = ()
    kinds: tuple[TokenKind, ...] = ()
    waits_for_nothing = False
    if reading.function is None:
        comments.append("The source of its handler cannot be read: fill in the data, and the reply.")
        waits_for_nothing = True
    elif reading.returns_something:
        comments += reading.doubts
    elif (emission := reading.reply) is not None:
        reply = (emission.event,)
        if (place := _token_place(emission, reading, values)) is not None:
            kinds = (place,)
        elif not emission.is_to_sender:
            reply, waits_for_nothing = (), True
            comments.append(
                f"{emission.event} goes to everyone and repeats nothing of this: to time it, have it carry an id."
            )
        elif emission.event in of_others:
            reply, waits_for_nothing = (), True
            comments.append(
                f"{emission.event} comes from other handlers, too, and repeats nothing of this: to time it, have it "
                "carry an id."
            )
        else:
            comments.append(f"{emission.event} repeats nothing of this, so replies are matched in order.")
        comments += reading.doubts
    else:
        waits_for_nothing = True
        comments += reading.doubts
        comments.append(reading.why_no_reply)
    return DraftScenario(
        variable=variable,
        name=name,
        emit=handler.event,
        data=None if not values else values[0] if len(values) == 1 and values[0] is not None else tuple(values),
        reply=reply,
        waits_for_nothing=waits_for_nothing,
        kinds=kinds,
        comments=tuple(comment for comment in comments if comment),
        is_unfinished=reading.function is None or bool(reading.doubts),
    )


def _token_place(emission: Emitted, reading: Reading, values: list[Any]) -> TokenKind | None:
    """Put a placeholder where the emitted event repeats the data; return its kind, None if there is no such place."""
    for at, parameter in enumerate(reading.data_parameters):
        keys = [key for name, key in emission.repeated if name == parameter.name]
        if not keys:
            continue
        value = values[at]
        if None in keys and isinstance(value, dict):
            known = [key for key, item in value.items() if isinstance(item, str) and not is_secret_name(key)]
            open_keys = list(filter(_is_open, known))
            key = _best_key(open_keys) if _best_key(open_keys) in open_keys else "id"
            if key not in value and parameter.type not in (None, "dict"):
                key = open_keys[0] if open_keys else ""
            if key:
                values[at] = {**value, key: PLACEHOLDERS["token"]}
                return "token"
        if None in keys and isinstance(value, str):
            values[at] = PLACEHOLDERS["token"]
            return "token"
        named = [key for key in keys if key is not None and isinstance(value, dict) and key in value]
        texts = [key for key in named if isinstance(value[key], str) and _is_open(key)]
        if texts:
            key = _best_key(texts)
            kind: TokenKind = "uuid" if value[key] == SIMPLE_VALUES["uuid"] else "token"
            values[at] = {**value, key: PLACEHOLDERS[kind]}
            return kind
        numbers = [key for key in named if type(value[key]) is int and set(words_of(key)) & set(_ID_WORDS)]
        if numbers:
            values[at] = {**value, numbers[0]: PLACEHOLDERS["int"]}
            return "int"
    return None


def _is_open(key: str) -> bool:
    """Return whether a field may have any text: a room or a user has to be there."""
    return not TEXTS.keys() & set(words_of(key)) - {"id"}


def _best_key(keys: Sequence[str]) -> str:
    """Return the key that is most likely an id; the first if there is none."""
    for word in _ID_WORDS:
        for key in keys:
            if word in words_of(key):
                return key
    return keys[0] if keys else ""


def _auth_of(handler: Handler, variables: dict[str, str]) -> tuple[Any, str | None]:
    """Return the auth that a connect handler asks for, and a note if it may refuse for another reason."""
    reading = Reading.of(handler)
    if reading.function is None or not reading.may_refuse:
        return None, None
    position = 3 if len(handler.parameters) >= 4 else 2
    if len(handler.parameters) <= position:
        return None, (
            f"the connect handler of {handler.namespace} may refuse, and sees the request alone: give headers, cookies "
            "or a query in Connection"
        )
    parameter = handler.parameters[position].name
    keys = reading.keys_of(parameter)
    if not keys and not reading.uses(parameter):
        return None, f"the connect handler of {handler.namespace} may refuse: see what it demands"
    names = Names(*variables)

    def variable(key: str) -> Code:
        name = names.new(f"{PREFIX}auth {key}", str.upper)
        variables[name] = f"{key or 'the auth'} that the connect handler of {handler.namespace} demands"
        return Code(f"secret({quoted(f'@env:{name}')})")

    return ({key: variable(key) for key in keys} if keys else variable("")), None
