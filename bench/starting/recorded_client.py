"""The description of a kind of client, from its recorded connections: how it connects, what it does, and when.

What was not understood is a note, and never left out silently.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from bench.printable import one_line
from bench.scenarios.loading import SPECIAL_NAMES
from bench.scenarios.model import RESERVED_EVENTS
from bench.scenarios.tokens import PLACEHOLDERS, strings_in
from bench.starting.description import (
    DraftClient,
    DraftScenario,
    DraftSession,
    DraftStep,
)
from bench.starting.har import Har
from bench.starting.login import Login, own_headers
from bench.starting.matching import (
    Conversation,
    Exchange,
    Path,
    changed,
    leaves,
    origins_of,
    replies_of,
    secrets_given,
    with_ids,
)
from bench.starting.packets import Item, RecordedConnection
from bench.starting.secret_values import SecretValues, is_open_name, is_secret_part, words_of
from bench.starting.source import GIVEN, Code, Names, is_shortened, quoted, source_of
from bench.wire.protocol import DEFAULT_NAMESPACE, Connected
from bench.wire.protocol.recorded import Join

#: The most scenarios of an event; further emissions with other data use the last of them.
_MOST_VARIANTS = 5

_PLACEHOLDERS = tuple(PLACEHOLDERS.values())

#: The most source of the data of a scenario, in characters. Larger data is left out.
_MOST_SOURCE = 50_000

#: The most steps of a session that are written.
_MOST_STEPS = 500

#: The shortest time to think that is kept, in seconds.
_SHORTEST_WAIT_S = 0.02

#: The words of events with which a client begins.
_OPENING_WORDS = frozenset({
    "join", "enter", "subscribe", "sub", "login", "auth", "authenticate", "identify", "register", "hello", "init",
    "start", "open", "watch", "follow", "room", "signin", "sign", "logon", "authorize", "token",
})  # fmt: skip

#: The beginnings of the names of cookies that count visitors.
_ANALYTICS = re.compile(
    r"_ga|_gid|_gat|_gcl|_fbp|_fbc|_hj|_clck|_clsk|ajs_|amplitude|amp_|mp_|optimizely|intercom|_dd_|__utm"
)


@dataclass(frozen=True)
class Part:
    """A namespace of a recorded connection: its packets, and the emissions and replies that they are."""

    connection: RecordedConnection
    items: Sequence[Item]
    conversation: Conversation


class ClientDescriber:
    """A kind of client while it is being described, from all its connections."""

    def __init__(
        self,
        namespace: str,
        parts: Sequence[Part],
        har: Har,
        secrets: SecretValues,
        notes: list[str],
        logins: Mapping[str, str],
    ) -> None:
        self._namespace = namespace
        self._parts = parts
        self._har = har
        self._secrets = secrets
        self._notes = notes
        #: The secrets that replies of any connection gave, with the events that they answered.
        self._logins = logins
        self._names = Names(
            *SPECIAL_NAMES, "secret", "asyncio", "client", "http", "uuid4", "randrange", "constant", "on", "task",
            "self", "arguments", GIVEN,
        )  # fmt: skip
        self._scenarios: dict[tuple[Any, ...], DraftScenario] = {}
        self._variants: dict[str, list[DraftScenario]] = defaultdict(list)
        self._taken_names: set[str] = set()
        self._replies: dict[str, tuple[str, ...]] = {}
        #: The events with which a connection begins.
        self._openings: frozenset[str] = frozenset()

    def client(self, suffix: str) -> DraftClient:
        """Return the description."""
        settings, login, login_settings = self._connection(self._parts[0].connection, self._parts[0].items)
        conversations = [part.conversation for part in self._parts]
        self._replies = replies_of(conversations)
        self._openings = _opening_events(conversations)
        sessions: list[DraftSession] = []
        opening: tuple[DraftStep, ...] = ()
        for part in self._parts:
            session = self._session(part.connection, part.items, part.conversation)
            if not session.steps:
                continue
            begun = session.steps[: _opening_length([step.scenario.emit for step in session.steps])]
            if not sessions:
                opening = begun
            if [step.scenario for step in begun] == [step.scenario for step in opening]:
                session = replace(session, steps=session.steps[len(opening) :])
            sessions.append(session)
        pushes: Counter[str] = Counter()
        answers: dict[str, Any] = {}
        for conversation in conversations:
            pushes += conversation.pushes
            for event, answer in conversation.answers.items():
                if answer is None:
                    self._notes.append(f"the server asked {event}, and the recording has no answer to it")
                else:
                    clean = self._clean(_argument(answer), f"answer {event}", f"the answer to {event}")
                    answers.setdefault(event, clean)
        comments: list[str] = []
        if pushes:
            listed = ", ".join(f"{event} ({count})" for event, count in pushes.most_common(10))
            comments.append(f"Unasked, the server sent these events, with their numbers in the recording: {listed}.")
        return DraftClient(
            suffix=suffix,
            settings=settings,
            requests=login,
            login_settings=login_settings,
            scenarios=tuple(self._scenarios.values()),
            opening=opening,
            sessions=tuple(session for session in sessions if session.steps),
            answers=answers,
            comments=tuple(comments),
        )

    # ------------------------------------------------------------------ the connection

    def _connection(
        self, connection: RecordedConnection, items: Sequence[Item]
    ) -> tuple[dict[str, Any], tuple[Any, ...], dict[str, Any]]:
        """Return the fields of the Connection, the requests of the login, and the fields that come of these."""
        where = urlsplit(connection.origin).netloc
        before = [exchange for exchange in self._har.exchanges if exchange.started_s <= connection.started_s]
        login = Login(
            [each for each in before if "transport=" not in urlsplit(each.url).query], connection.origin, self._secrets
        )
        settings: dict[str, Any] = {}
        if self._namespace != DEFAULT_NAMESPACE:
            settings["namespaces"] = (self._namespace,)
        if connection.path not in ("socket.io", ""):
            settings["socketio_path"] = connection.path
        if connection.transports != ("websocket",):
            settings["transports"] = connection.transports
        if connection.serializer != "json":
            settings["serializer"] = connection.serializer
        fields: dict[str, Any] = {}
        joined = next((item.packet for item in items if isinstance(item.packet, Join)), None)
        if joined is None:
            self._notes.append("the recording begins after the connection was made: its auth is not known")
        elif joined.auth not in (None, {}):
            fields["auth"] = login.data_with_origins(joined.auth)
        if query := dict(connection.query):
            fields["query"] = login.data_with_origins(query)
        if headers := own_headers(connection.headers):
            fields["headers"] = login.data_with_origins(headers)
        cookies = self._cookies(connection, login)
        if not login.is_needed and not connection.cookies and login.take_password_requests():
            self._notes.append("a request that sends a password was taken for the login: look at before_connect")
        for name, value in fields.items():
            events = dict.fromkeys(self._logins[leaf] for _, leaf in leaves(value) if leaf in self._logins)
            self._notes += (
                f"{name} of a connection has what the reply to {event} gave on another connection: it is read from the "
                "environment, so give a new one where that is out of date"
                for event in events
            )
        requests = login.requests()
        self._notes += (
            f"the login asks another server: {request.url.partition('?')[0]}"
            for request in requests
            if "://" in request.url
        )
        login_settings: dict[str, Any] = {}
        for name, value in fields.items():
            cleaned = self._clean_setting(name, value, f"{name} of the connection to {where}")
            if cleaned != value and value == _without_code(value):
                settings[name] = cleaned
            elif value != _without_code(value):
                login_settings[name] = cleaned
            else:
                settings[name] = cleaned
        if cookies:
            settings["cookies"] = cookies
        return settings, requests, login_settings

    def _clean_setting(self, name: str, value: Any, meaning: str) -> Any:
        if name == "auth":
            return self._secrets.in_data(value, "auth", meaning, lambda field: not is_open_name(field))
        return self._secrets.in_data(value, name.removesuffix("s"), meaning, is_secret_part)

    def _cookies(self, connection: RecordedConnection, login: Login) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in connection.cookies.items():
            self._secrets.keep(value)
            if name == "io" or login.gives_cookie(name, value):
                continue
            if _ANALYTICS.match(name):
                self._notes.append(f"the cookie {one_line(name, 60)} counts visitors, and is left out")
                continue
            found[name] = self._secrets.code(value, f"cookie {name}", f"the cookie {name}")
        return found

    # ------------------------------------------------------------------ scenarios and sessions

    def _session(
        self, connection: RecordedConnection, items: Sequence[Item], conversation: Conversation
    ) -> DraftSession:
        joined_s = next((item.time_s for item in items if isinstance(item.packet, Connected)), connection.started_s)
        steps: list[DraftStep] = []
        given = {**origins_of(conversation), **secrets_given(conversation)}
        places: dict[int, int] = {}
        at_s = joined_s
        left_out = 0
        for exchange in conversation.exchanges:
            if len(steps) >= _MOST_STEPS and exchange.event.name in self._variants:
                left_out += 1
                continue
            scenario = self._scenario(exchange, conversation, given)
            if exchange.sent_s < at_s - _SHORTEST_WAIT_S:
                self._notes.append(
                    f"{exchange.event.name} was emitted before an earlier reply had come: here it waits for that"
                )
            if scenario is None:
                continue
            data = self._data_of_replies(exchange, conversation, given, steps, places)
            places[id(exchange)] = len(steps)
            steps.append(DraftStep(scenario, _wait_s(exchange.sent_s - at_s), data))
            at_s = max(at_s, exchange.finished_s)
        if left_out:
            self._notes.append(f"a session has {len(steps) + left_out} steps: the first {_MOST_STEPS} are written")
            return DraftSession(tuple(steps))
        last_s = connection.items[-1].time_s
        return DraftSession(tuple(steps), _wait_s(last_s - at_s))

    def _data_of_replies(
        self,
        exchange: Exchange,
        conversation: Conversation,
        given: Mapping[Any, tuple[Exchange, Path]],
        steps: list[DraftStep],
        places: Mapping[int, int],
    ) -> Any:
        """Return the data of an emission with code for the ids that earlier replies gave; None if there are none.

        The steps of those replies then keep them.
        """
        changes: dict[Path, Code] = {}
        for path, value in leaves(exchange.event.arguments):
            origin, place = given.get(value, (None, ())) if type(value) in (str, int) else (None, ())
            if origin is None or id(origin) not in places or origin.finished_s > exchange.sent_s:
                continue
            at = places[id(origin)]
            step = steps[at]
            steps[at] = replace(step, keeps=_kept_name(step.scenario))
            changes[path] = Code(f"self.{_kept_name(step.scenario)}{_place_in_reply(step.scenario, origin, place)}")
        if not changes:
            return None
        marked = with_ids(exchange, conversation)
        event = exchange.event.name
        return self._clean(_argument(changed(marked.data, changes)), event, f"the event {event}")

    def _scenario(
        self, exchange: Exchange, conversation: Conversation, given: Mapping[Any, tuple[Exchange, Path]]
    ) -> DraftScenario | None:
        """Return the scenario of an emission: that of an earlier one if they are alike; None if there can be none."""
        event = exchange.event.name
        if event in RESERVED_EVENTS:
            self._notes.append(f"the client emitted {event!r}, which Socket.IO reserves: it is left out")
            return None
        if exchange.like is not None:
            self._notes.append(
                f"an emission of {event} was not answered, as others were: here it awaits the answer, too"
            )
            return self._scenario(exchange.like, conversation, given)
        if any(placeholder in text for text in strings_in(exchange.event.arguments) for placeholder in _PLACEHOLDERS):
            self._notes.append(
                f"an emission of {event} has {{token}}, {{uuid}} or {{int}} in its text, and is left out"
            )
            return None
        marked = with_ids(exchange, conversation)
        logins = self._given_by_login(exchange, conversation, given)
        data = self._clean(_argument(changed(marked.data, logins)), event, f"the event {event}")
        if len(source_of(data)) > _MOST_SOURCE:
            self._notes.append(f"an emission of {event} has too much data to be written, and is left out")
            return None
        waits_for_nothing = exchange.how == "nothing"
        reply = () if exchange.reply is None else self._replies.get(event, (exchange.reply,))
        key = (event, reply, waits_for_nothing, source_of(data))
        if key in self._scenarios:
            return self._scenarios[key]
        variants = self._variants[event]
        if len(variants) >= _MOST_VARIANTS:
            self._notes.append(
                f"{event} was emitted with more than {_MOST_VARIANTS} kinds of data: the rest is left out"
            )
            return variants[-1]
        number = len(variants) + 1
        name = event if number == 1 else f"{event} {number}"
        while name in self._taken_names:
            number += 1
            name = f"{event} {number}"
        self._taken_names.add(name)
        comments = self._comments_of(exchange, marked.is_matched)
        if any(is_shortened(value) for _, value in leaves(data)):
            comments.append("Long texts and bytes are as long as in the recording, and have another content.")
        is_dependent = False
        for place, reason, value in marked.kept:
            if value in given:
                is_dependent = True
                comments.append(
                    f"{place} is an id that an earlier reply gave, and a load takes it from there. It is not measured "
                    "alone: its name begins with _."
                )
                self._notes.append(
                    f"{event} needs an id that an earlier reply gave: a load has it, alone it is not measured"
                )
            else:
                comments.append(f"{place} is an id that stays as it was recorded: {reason}.")
                self._notes.append(f"{place} of {event} is an id that stays as it was recorded: {reason}")
        made = DraftScenario(
            variable=("_" if is_dependent else "") + self._names.new(name),
            name="".join(character if character.isprintable() else "?" for character in name),
            emit=event,
            data=data,
            reply=reply,
            waits_for_nothing=waits_for_nothing,
            kinds=marked.kinds,
            comments=tuple(comments),
            is_dependent=is_dependent,
        )
        self._scenarios[key] = made
        variants.append(made)
        return made

    def _given_by_login(
        self, exchange: Exchange, conversation: Conversation, given: Mapping[Any, tuple[Exchange, Path]]
    ) -> dict[Path, Code]:
        """Return the code for each secret that an earlier reply gave, if connections begin with that emission."""
        found: dict[Path, Code] = {}
        secret = secrets_given(conversation)
        for path, value in leaves(exchange.event.arguments):
            if type(value) is not str or value not in secret:
                continue
            origin, place = secret[value]
            if origin is exchange or origin.finished_s > exchange.sent_s:
                continue
            if origin.event.name not in self._openings:
                event = origin.event.name
                self._notes.append(
                    f"{exchange.event.name} has a secret that the reply to {event} gave: a load takes it from there, "
                    "alone it is read from the environment"
                )
                continue
            login = self._scenario(origin, conversation, given)
            if login is not None:
                where = f"{GIVEN}[{quoted(_kept_name(login))}]{_place_in_reply(login, origin, place)}"
                found[path] = Code(f"lambda: {where}")
                self._secrets.keep(value)
        return found

    def _comments_of(self, exchange: Exchange, is_matched: bool) -> list[str]:
        event, reply = exchange.event.name, exchange.reply
        if exchange.is_unacknowledged:
            self._notes.append(f"the acknowledgement of {event} never came: it is written as an emission")
            return ["The client asked for an acknowledgement, which never came in the recording."]
        if exchange.how == "time":
            self._notes.append(f"{reply} is taken for the reply to {event} by its time alone")
            return [f"By its time alone, {reply} is the reply. If it is not, the measurement says so."]
        if exchange.how == "value" and not is_matched:
            return [f"{reply} repeats nothing that could be an id, so replies are matched in order."]
        return []

    def _clean(self, data: Any, name: str, meaning: str) -> Any:
        return self._secrets.in_data(data, name, meaning)


def _kept_name(scenario: DraftScenario) -> str:
    """Return the name of the variable that keeps the reply."""
    return f"{scenario.variable.strip('_')}_reply"


def _place_in_reply(scenario: DraftScenario, origin: Exchange, place: Path) -> str:
    """Return the code that follows the variable of a reply, and takes the value at a place in it."""
    inner = place if len(origin.answer) > 1 else place[1:]
    before = "[1]" if len(scenario.reply) > 1 else ""  # the first is the event's name
    return before + "".join(f"[{source_of(part)}]" for part in inner)


def _opening_events(conversations: Sequence[Conversation]) -> frozenset[str]:
    """Return the events with which the first connection that emits anything begins."""
    for conversation in conversations:
        names = [exchange.event.name for exchange in conversation.exchanges]
        if names:
            return frozenset(names[: _opening_length(names)])
    return frozenset()


def _without_code(value: Any) -> Any:
    """Return data without the code in it."""
    if isinstance(value, Code):
        return None
    if isinstance(value, dict):
        return {key: _without_code(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(_without_code, value))
    return value


def _argument(arguments: tuple[Any, ...]) -> Any:
    """Return arguments as a scenario has them: None for none, a single one by itself."""
    if not arguments:
        return None
    if len(arguments) > 1 or arguments[0] is None:
        return arguments
    return arguments[0]


def _wait_s(seconds: float) -> float:
    """Return a time to think, rounded; 0 if it is too short for one."""
    return round(seconds, 2) if seconds >= _SHORTEST_WAIT_S else 0.0


def _opening_length(names: Sequence[str]) -> int:
    """Return how many steps of these events a connection begins with, before what it does again and again."""
    counts = Counter(names)
    length = 0
    for at, name in enumerate(names):
        is_opening = bool(_OPENING_WORDS & set(words_of(name)))
        if counts[name] > 1 or not (is_opening or any(counts[later] > 1 for later in names[at + 1 :])):
            break
        length += 1
    return length if length < len(names) else length - 1
