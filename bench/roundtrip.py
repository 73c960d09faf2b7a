"""The round trip: emit this event with this payload, wait for that reply, match them so.

`RoundTrip` is the definition that the tests, `pytest bench` and the load share. `Exchange` performs such definitions
over one connection: it hands out tokens, matches replies by them, keeps the time of either end and gives up after a
timeout. A reply belongs to an emission by its token alone, never by arrival; only where the service's replies carry no
token are they matched in order, one in flight.

Theory of the times: `sent` is when the transport took the event, `received` when the reply's frame arrived, both in
nanoseconds of `time.perf_counter_ns`; their difference is the service time. Neither contains the time that the
coroutine which awaits the reply spends in the loop's queue.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from time import perf_counter_ns
from typing import Any, NamedTuple

from bench.printable import one_line
from bench.wire.interface import Client, Disconnected
from bench.wire.reasons import kind_of

TOKEN = "{token}"
"""What stands for the token in a payload that is given as JSON."""

_EVENTS_SHOWN = 3
_CHARACTERS_SHOWN = 100


class RoundTripFailed(Exception):
    """The emission got no reply that counts. `kind` is the word that results count it under."""

    kind = "failed"

    def __init__(self, message: str, sent_ns: int) -> None:
        super().__init__(message)
        self.sent_ns = sent_ns


class ReplyTimeout(RoundTripFailed):
    """No reply came in time."""

    kind = "timeout"


class ConnectionLost(RoundTripFailed):
    """The connection ended while the reply was awaited; its kind says why, without the server's own words."""

    def __init__(self, message: str, sent_ns: int, reason: str) -> None:
        super().__init__(message, sent_ns)
        self.kind = f"connection lost: {kind_of(reason)}"


class WrongReply(RoundTripFailed):
    """The acknowledgement carries another token than the request, or none."""

    kind = "wrong reply"


class Completed(NamedTuple):
    """A round trip that succeeded. Times in nanoseconds of `time.perf_counter_ns`."""

    sent_ns: int
    received_ns: int
    reply: tuple[Any, ...]

    @property
    def service_ns(self) -> int:
        """The time from sent to received."""
        return self.received_ns - self.sent_ns


@dataclass(frozen=True)
class RoundTrip:
    """Emit `event` with `request(token)`, wait for the event `reply`, or for the acknowledgement where that is None.

    `token_of` gets the reply's arguments and returns the token that it finds in them, or None. Without `token_of` the
    service's replies carry no token: they are matched in order, one in flight per connection.
    """

    name: str
    event: str
    request: Callable[[str], Any]
    reply: str | None = None
    token_of: Callable[..., str | None] | None = None

    @property
    def matched_in_order(self) -> bool:
        """Whether replies are matched by arrival, for want of a token. Acknowledgements have an id of their own."""
        return self.reply is not None and self.token_of is None


def _foo(reply: Any = None, *_: Any) -> str | None:
    foo = reply.get("foo") if isinstance(reply, dict) else None
    return foo if isinstance(foo, str) else None


FOO_BAR = RoundTrip("FOO→BAR", "FOO", lambda token: {"name": token}, "BAR", _foo)
"""The service as it was first written: BAR goes to everyone."""

FOO_BAR_TO_SENDER = RoundTrip("FOO→BAR to sender", "FOO", lambda token: {"name": token, "to": "sender"}, "BAR", _foo)
"""The same with a reply to the sender alone: what one client's load costs does not depend on how many there are."""

FOO_ACKNOWLEDGED = RoundTrip("FOO acknowledged", "FOO", lambda token: {"name": token, "to": "sender"}, token_of=_foo)
"""The reply is the acknowledgement. (The service sends BAR besides, to the sender.)"""


def round_trip_of(event: str, reply: str | None, payload: Any) -> RoundTrip:
    """A definition from what a user can type: an event, a reply (None: the acknowledgement) and a JSON payload.

    Wherever a string of the payload contains `{token}`, each emission's token is put there, and the reply is searched
    for it, however deep it lies. Without one the replies are matched in order.
    """
    name = f"{event}→{reply}" if reply is not None else f"{event} acknowledged"
    if not any(TOKEN in text for text in _strings(payload)):
        return RoundTrip(name, event, lambda token: payload, reply)

    def token_of(*reply_arguments: Any) -> str | None:
        for text in _strings(reply_arguments):
            if found := _TOKEN_PATTERN.search(text):
                return found.group()
        return None

    # An acknowledgement is matched by its id: that the service repeats the token in it is not asked for.
    return RoundTrip(name, event, lambda token: _filled(payload, token), reply, token_of if reply else None)


# A token can be found in any text: no service's own data looks like it.
_TOKEN_PATTERN = re.compile(r"rt-[0-9a-z]+-[0-9]+-[0-9]+")


def tokens(origin: str, connection: int) -> Iterator[str]:
    """Tokens that no other connection draws, as long as `origin` (lower case letters, digits) is the process's own."""
    prefix = f"rt-{origin}-{connection}-"
    return (prefix + str(number) for number in count())


Emission = tuple[str, RoundTrip, int, asyncio.Future[tuple[int, tuple[Any, ...]]]]
"""One emission on its way: its token, its definition, when it was sent (0: not yet), and the future of its reply.

A plain tuple, because making one costs a tenth of what an object with names costs, in every round trip.
"""


class Exchange:
    """Performs round trips over one connection, any number of them in flight.

    `timeout_ns` is how long each reply is awaited. After the timeout of a reply that is matched in order, `broken` is
    set: it may still come and would be taken for the next one's, so the connection has to be replaced.
    """

    def __init__(self, client: Client, tokens: Iterator[str], timeout_ns: int) -> None:
        self.client = client
        self.timeout_ns = timeout_ns
        self.late: Counter[str] = Counter()
        """By definition's name: replies that came after their emission had been given up."""
        self.abandoned: Counter[str] = Counter()
        """By definition's name: emissions whose caller was cancelled while it waited; nobody will tell how they end."""
        self.unexpected = 0
        """Replies without token that came while nothing was in flight for them."""
        self.broken = False
        self.in_flight = 0
        """How many callers have not been told yet how their emission ended."""
        self._tokens = tokens
        self._loop = asyncio.get_running_loop()
        self._emit_now: Callable[..., int] | None = getattr(client, "emit_now", None)
        self._create_future = self._loop.create_future
        self._pending: dict[str, Emission] = {}
        self._given_up: dict[str, RoundTrip] = {}
        """Tokens that are awaited no longer, and under which definition their late reply is counted."""
        self._known: dict[int, RoundTrip] = {}
        self._usual: RoundTrip | None = None
        """The last one that was prepared, if there is nothing to look at before each of its emissions."""
        # Of the last one that was prepared, to be asked for in every round trip.
        self._event = ""
        self._request: Callable[[str], Any]
        self._is_replied_to = False
        self._token_finders: dict[str, list[Callable[..., str | None]]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._unmatched: deque[tuple[str, tuple[Any, ...]]] = deque(maxlen=_EVENTS_SHOWN)
        client.when_closed(self._closed)
        client.on("*", lambda event, *values: self._unmatched.append((event, values)))

    def in_flight_by_name(self) -> Counter[str]:
        """How many emissions await their reply, by definition's name. May be asked from another thread."""
        return Counter(definition.name for _, definition, _, _ in list(self._pending.values()))

    async def __call__(self, round_trip: RoundTrip) -> Completed:
        """Emit once and wait for the reply. Raises Disconnected, if nothing was sent, or RoundTripFailed.

        A cancelled caller leaves the emission `abandoned`; its reply, if it comes, is counted as late.
        """
        emission = self.begin(round_trip) if self._emit_now is not None else await self._begin(round_trip)
        try:
            received_ns, reply = await emission[3]
        except BaseException as error:
            self.end(emission, error)
            raise
        self.in_flight -= 1
        return Completed(emission[2], received_ns, reply)

    def begin(self, round_trip: RoundTrip) -> Emission:
        """The first half of a call, without a coroutine: the load's hot path.

        The emission's future is to be awaited. After its reply, the caller counts `in_flight` down; where it raised
        anything, the emission is given to `end`. Only for clients that emit without waiting (`emit_now`). Raises
        Disconnected.
        """
        if round_trip is not self._usual:
            self._prepare(round_trip)
        token = next(self._tokens)
        if self._is_replied_to:
            sent_ns = self._emit_now(self._event, self._request(token))  # type: ignore[misc]
        else:
            callback = partial(self._acknowledged, token)
            sent_ns = self._emit_now(self._event, self._request(token), callback=callback)  # type: ignore[misc]
        self._pending[token] = emission = (token, round_trip, sent_ns, self._create_future())
        self.in_flight += 1
        if self._timer is None:
            self._arm(self.timeout_ns)
        return emission

    def end(self, emission: Emission, error: BaseException) -> None:
        """The second half where no reply came: what the caller got instead of it."""
        self.in_flight -= 1
        token, round_trip, sent_ns, _ = emission
        if (pending := self._pending.pop(token, None)) is not None and sent_ns:
            self._abandon(pending)
        if sent_ns and isinstance(error, asyncio.CancelledError):
            self.abandoned[round_trip.name] += 1

    async def _begin(self, round_trip: RoundTrip) -> Emission:
        """The same with a client that waits when it emits: the reply may be there before it has said when it sent."""
        self._prepare(round_trip)
        token = next(self._tokens)
        self._pending[token] = emission = (token, round_trip, 0, self._create_future())
        self.in_flight += 1
        try:
            callback = partial(self._acknowledged, token) if round_trip.reply is None else None
            sent_ns = await self.client.emit(round_trip.event, round_trip.request(token), callback=callback)
        except BaseException as error:
            self.end(emission, error)
            raise
        emission = (token, round_trip, sent_ns, emission[3])
        if token in self._pending:
            self._pending[token] = emission
        if self._timer is None:
            self._arm(self.timeout_ns)
        return emission

    def _prepare(self, round_trip: RoundTrip) -> None:
        """Have its replies handled. Raises Disconnected where a reply that is overdue would be taken for its own."""
        if id(round_trip) not in self._known:
            self._register(round_trip)
        self._event, self._request = round_trip.event, round_trip.request
        self._is_replied_to = round_trip.reply is not None
        self._usual = None if round_trip.matched_in_order else round_trip
        if round_trip.matched_in_order and self.broken:
            raise Disconnected(f"a {round_trip.reply} is overdue and may still come: replace the connection")

    async def quiet(self) -> None:
        """Return once nothing is in flight, which the timeout bounds."""
        while self.in_flight:
            if answers := [answer for _, _, _, answer in self._pending.values()]:
                await asyncio.wait(answers)
            await asyncio.sleep(0)

    def close(self) -> None:
        """Stop the clock of what is in flight."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _register(self, round_trip: RoundTrip) -> None:
        event, token_of = round_trip.reply, round_trip.token_of
        if event is not None:
            finders = self._token_finders.get(event)
            in_order = token_of is None
            if finders is not None and (in_order or not finders):
                raise ValueError(f"{round_trip.name}: {event} is the reply of another definition, so it needs a token")
            if token_of is None:
                self._token_finders[event] = []
                self.client.on(event, partial(self._replied_in_order, event))
            elif finders is None:
                self._token_finders[event] = [token_of]
                self.client.on(event, self._replied(event, self._token_finders[event]))
            elif token_of not in finders:
                finders.append(token_of)
        self._known[id(round_trip)] = round_trip

    # ------------------------------------------------------------------ replies

    def _replied(self, event: str, finders: list[Callable[..., str | None]]) -> Callable[..., None]:
        """The handler of a reply that carries a token. A closure, because it is called once per round trip."""
        client = self.client

        def replied(*reply: Any) -> None:
            for token_of in finders:
                token = token_of(*reply)
                if token is None:
                    continue
                # An emission that awaits its acknowledgement may cause the reply of another definition besides.
                emission = self._pending.get(token)
                if emission is not None and emission[1].reply == event:
                    del self._pending[token]
                    _, _, sent_ns, answer = emission
                    received_ns = client.received_ns
                    if received_ns - sent_ns > self.timeout_ns:
                        self._resolve(emission, reply)
                    else:
                        try:  # noqa: SIM105 - `suppress` costs as much as what it is around
                            answer.set_result((received_ns, reply))
                        except asyncio.InvalidStateError:
                            pass  # cancelled
                    return
                overdue = self._given_up.get(token)
                if overdue is not None and overdue.reply == event:
                    del self._given_up[token]
                    self.late[overdue.name] += 1
                    return
            self._unmatched.append((event, reply))

        return replied

    def _replied_in_order(self, event: str, *reply: Any) -> None:
        for token, emission in self._pending.items():
            if emission[1].reply == event:
                del self._pending[token]
                self._resolve(emission, reply)
                return
        self.unexpected += 1
        self._unmatched.append((event, reply))

    def _acknowledged(self, token: str, *reply: Any) -> None:
        emission = self._pending.pop(token, None)
        if emission is None:
            if (given_up := self._given_up.pop(token, None)) is not None:
                self.late[given_up.name] += 1
            return
        token_of = emission[1].token_of
        if token_of is not None and token_of(*reply) != token:
            shown = one_line(" ".join(map(repr, reply)))
            self._fail(emission, WrongReply(f"{self._sent(emission)}, acknowledged with {shown}", emission[2]))
            return
        self._resolve(emission, reply)

    def _resolve(self, emission: Emission, reply: tuple[Any, ...]) -> None:
        _, round_trip, sent_ns, answer = emission
        received_ns = self.client.received_ns
        # The loop may be late in giving up: what the clock says counts, not which callback ran first.
        if sent_ns and received_ns - sent_ns > self.timeout_ns:
            self.late[round_trip.name] += 1
            self._give_up(emission)
        elif not answer.done():
            answer.set_result((received_ns, reply))

    # ------------------------------------------------------------------ what ends without a reply

    def _arm(self, delay_ns: int) -> None:
        """One timer serves all emissions of the connection: they share their timeout, so the oldest is due first."""
        self._timer = self._loop.call_later(delay_ns / 1e9, self._expire)

    def _expire(self) -> None:
        self._timer = None
        now_ns = perf_counter_ns()
        for emission in list(self._pending.values()):
            token, _, sent_ns, _ = emission
            left_ns = sent_ns + self.timeout_ns - now_ns if sent_ns else self.timeout_ns
            if left_ns > 0:
                self._arm(left_ns)
                return
            del self._pending[token]
            self._abandon(emission)
            self._give_up(emission)

    def _abandon(self, emission: Emission) -> None:
        """Nobody waits any longer, but a reply may come."""
        token, round_trip, _, _ = emission
        if round_trip.matched_in_order:
            self.broken = True
        else:
            self._given_up[token] = round_trip

    def _give_up(self, emission: Emission) -> None:
        seconds = self.timeout_ns / 1e9
        awaited, arrived = self._awaited(emission[1]), self._arrived()
        message = f"{self._sent(emission)}, no {awaited} within {seconds:g} s; arrived: {arrived}"
        self._fail(emission, ReplyTimeout(message, emission[2]))

    def _closed(self, reason: str) -> None:
        lost = list(self._pending.values())
        self._pending.clear()
        self._given_up.clear()
        self.close()
        for emission in lost:
            text = f"{self._sent(emission)}, then the connection was lost: {reason}"
            self._fail(emission, ConnectionLost(text, emission[2], reason))

    @staticmethod
    def _fail(emission: Emission, error: RoundTripFailed) -> None:
        answer = emission[3]
        if not answer.done():
            answer.set_exception(error)

    # ------------------------------------------------------------------ words

    @staticmethod
    def _sent(emission: Emission) -> str:
        token, round_trip, _, _ = emission
        return one_line(f"sent {round_trip.event} {round_trip.request(token)!r}")

    @staticmethod
    def _awaited(round_trip: RoundTrip) -> str:
        if round_trip.reply is None:
            return "acknowledgement"
        return one_line(round_trip.reply) + ("" if round_trip.matched_in_order else " with its token")

    def _arrived(self) -> str:
        if not self._unmatched:
            return "nothing"
        shown = (f"{event} {' '.join(map(repr, values))}".strip() for event, values in self._unmatched)
        return ", ".join(one_line(text, _CHARACTERS_SHOWN) for text in shown)


def _strings(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from _strings(key)
            yield from _strings(value)
    elif isinstance(data, (list, tuple)):
        for value in data:
            yield from _strings(value)


def _filled(data: Any, token: str) -> Any:
    if isinstance(data, str):
        return data.replace(TOKEN, token)
    if isinstance(data, dict):
        return {_filled(key, token): _filled(value, token) for key, value in data.items()}
    if isinstance(data, list):
        return [_filled(value, token) for value in data]
    return data
