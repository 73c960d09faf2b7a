"""The round trip: emit this event with this payload, wait for that reply, and match the two.

`RoundTrip` is the definition that the tests, `pytest bench` and the load share. `Exchange` performs such definitions
over one connection. It hands out tokens, matches replies by them, keeps the time of either end and gives up after a
timeout. A reply belongs to an emission by its token alone, never by arrival. Only where the service's replies carry no
token are they matched in order, one in flight.

Matching in order is wrong where a reply comes that was not asked for on this connection: another client's reply, or a
reply that the server pushes. A reply that comes while none is awaited proves that, and is counted
(`Exchange.unexpected`). Taken for a reply, such an event leaves the true reply over, which comes later. So
`Exchange.settle` waits a moment at the end for what is left over. Two cases do not show: each missing reply is replaced
by another event, or what is left over comes later than that moment.

Theory of the times: `sent` is when the transport took the event, `received` when the reply's frame arrived. Both are in
nanoseconds of `time.perf_counter_ns`; their difference is the service time. Neither contains the time that the
coroutine which awaits the reply spends in the loop's queue.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterator
from functools import partial
from time import perf_counter_ns
from types import FunctionType
from typing import Any, NamedTuple

from bench.printable import one_line
from bench.scenarios.model import Emission, RoundTrip
from bench.wire.errors import Disconnected, kind_of
from bench.wire.interface import Client

_EVENTS_SHOWN = 3
_CHARACTERS_SHOWN = 100

#: The number of definitions, and of functions that find tokens, that a connection keeps at least. Among more, it looks
#: for those that nothing in flight needs. A task that makes its definition anew each time would fill the memory.
_FEW_DEFINITIONS = 16

_SETTLING_S = 0.1
_SETTLING_ROUND_TRIPS = 2
#: The longest time that replies that nobody awaits are waited for, in seconds. The time is twice the longest round
#: trip, but within these limits.
_LONGEST_SETTLING_S = 1.0


class AmbiguousReplies(ValueError):
    """A definition whose replies could not be told from others. The text is one line that says why, and what to do."""


class NoRoundTrip(TypeError):
    """An argument that is no definition of a round trip, an event's name perhaps. The text is one line."""

    def __init__(self, given: object) -> None:
        super().__init__(
            f"round_trip takes a RoundTrip, not {given!r:.60}: make it with round_trip_of(event, reply, …)"
        )


class RoundTripFailed(Exception):
    """The emission got no reply that counts. `kind` is the word that results count it under."""

    kind = "failed"

    def __init__(self, message: str, sent_ns: int) -> None:
        super().__init__(message)
        self.sent_ns = sent_ns


class ReplyTimeout(RoundTripFailed):
    """The end of the wait for a reply that did not come in time."""

    kind = "timeout"


class ConnectionLost(RoundTripFailed):
    """The end of the connection while the reply was awaited; its kind says why, without the server's own words."""

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


def carries_error(reply: tuple[Any, ...]) -> bool:
    """Return whether a reply is an object with an `error` in it. It counts as a success all the same."""
    return bool(reply) and type(reply[0]) is dict and bool(reply[0].get("error"))


#: An emission on its way: its token, its definition, when it was sent (0: not yet), and the future of its reply.
#:
#: A plain tuple, because making it costs a fraction of what an object with names costs, in every round trip.
InFlight = tuple[str, RoundTrip, int, asyncio.Future[tuple[int, tuple[Any, ...]]]]


class UnaskedEvents(deque[tuple[str, tuple[Any, ...]]]):
    """The last events of a connection that were the reply of nothing here, with their arguments."""

    #: The function that is called with the name of each such event, inside its handler.
    when_noted: Callable[[str], None] | None = None

    def append(self, noted: tuple[str, tuple[Any, ...]]) -> None:
        """Note an event."""
        super().append(noted)
        if self.when_noted is not None:
            self.when_noted(noted[0])


class Exchange:
    """A performer of round trips over one connection: any number in flight, or one if they are matched in order.

    `namespace` is that of all its events; None is the default namespace. `timeout_ns` is how long each reply is
    awaited. After the timeout of a reply that is matched in order, `broken` is set. That reply may still come and would
    be taken for the next emission's, so the connection has to be replaced.
    """

    def __init__(self, client: Client, tokens: Iterator[str], timeout_ns: int, namespace: str | None = None) -> None:
        self.client = client
        self.timeout_ns = timeout_ns
        #: By definition's name: replies that came after their emission had been given up.
        self.late: Counter[str] = Counter()
        #: By definition's name: emissions whose caller was cancelled while it waited; nobody will tell how they end.
        self.abandoned: Counter[str] = Counter()
        #: The replies without token that came while nothing was in flight for them: matching in order is wrong here.
        self.unexpected = 0
        #: The function that is called for each unexpected reply, with the definition whose reply it would be.
        self.when_unexpected: Callable[[RoundTrip], None] | None = None
        self.broken = False
        #: The number of callers that do not know yet how their emission ended.
        self.in_flight = 0
        self._tokens = tokens
        self._loop = asyncio.get_running_loop()
        self._namespace = namespace
        self._emit_now: Callable[..., int] | None = client.emit_now if client.emits_now else None
        if self._emit_now is not None and namespace is not None:
            self._emit_now = partial(self._emit_now, namespace=namespace)
        self._create_future = self._loop.create_future
        self._pending: dict[str, InFlight] = {}
        #: The tokens that are awaited no longer, each with the definition that counts its late reply.
        self._given_up: dict[str, RoundTrip] = {}
        #: Some of the definitions whose replies are handled, by identity.
        self._known: dict[int, RoundTrip] = {}
        #: The last definition that was prepared, if there is nothing to look at before each of its emissions.
        self._usual: RoundTrip | None = None
        # Of the last definition that was prepared; every round trip reads them.
        self._event = ""
        self._request: Callable[[str], Any]
        self._is_replied_to = False
        #: The functions that find the tokens in an event, by event; none if its replies are matched in order.
        self._token_finders: dict[str, list[Callable[..., str | None]]] = {}
        self._many_finders = _FEW_DEFINITIONS
        #: The last definition whose reply an event is, by event, if replies are matched in order.
        self._in_order: dict[str, RoundTrip] = {}
        #: The number of replies matched in order that are awaited no longer and may still come, by event.
        self._overdue: Counter[str] = Counter()
        #: The longest round trip that was matched in order.
        self._longest_ns = 0
        self._timer: asyncio.TimerHandle | None = None
        self._unmatched = UnaskedEvents(maxlen=_EVENTS_SHOWN)
        client.when_closed(self._closed)
        client.on("*", lambda event, *values: self._unmatched.append((event, values)), namespace)

    def in_flight_by_name(self) -> Counter[str]:
        """Return the number of emissions that await their reply, by definition's name. Any thread may call it."""
        return Counter(definition.name for _, definition, _, _ in list(self._pending.values()))

    def when_unasked(self, callback: Callable[[str], None]) -> None:
        """Call `callback(event)` inside the handler of each event that is the reply of nothing here."""
        self._unmatched.when_noted = callback

    def emit(self, emission: Emission) -> int:
        """Emit without awaiting a reply; returns when it was handed to the transport. For clients with `emit_now`.

        Raises Disconnected, MessageTooLarge, and TypeError for data that cannot be sent.
        """
        return self._emit_now(emission.emit, emission.request(next(self._tokens)))  # type: ignore[misc]

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

    def begin(self, round_trip: RoundTrip) -> InFlight:
        """Emit: the first half of a call, without a coroutine. This is the load's hot path.

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

    def end(self, emission: InFlight, error: BaseException) -> None:
        """End a call that got no reply: the second half, given what the caller got instead."""
        self.in_flight -= 1
        token, round_trip, sent_ns, _ = emission
        if (pending := self._pending.pop(token, None)) is not None and sent_ns:
            self._abandon(pending)
        if sent_ns and isinstance(error, asyncio.CancelledError):
            self.abandoned[round_trip.name] += 1

    async def _begin(self, round_trip: RoundTrip) -> InFlight:
        """Emit with a client that waits when it emits: the reply may come before the client has said when it sent."""
        self._prepare(round_trip)
        token = next(self._tokens)
        self._pending[token] = emission = (token, round_trip, 0, self._create_future())
        self.in_flight += 1
        try:
            callback = partial(self._acknowledged, token) if round_trip.reply is None else None
            data = round_trip.request(token)
            sent_ns = await self.client.emit(round_trip.emit, data, namespace=self._namespace, callback=callback)
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
        """Have the replies of a definition handled.

        Raises AmbiguousReplies, and Disconnected if an overdue reply would be taken for its own.
        """
        if id(round_trip) not in self._known:
            self._register(round_trip)
        self._event, self._request = round_trip.emit, round_trip.request
        self._is_replied_to = round_trip.reply is not None
        self._usual = None if round_trip.matched_in_order else round_trip
        if round_trip.matched_in_order:
            self._prepare_in_order(round_trip)

    def _prepare_in_order(self, round_trip: RoundTrip) -> None:
        event = round_trip.reply
        assert event is not None, "an acknowledgement is matched by its id"
        if self.broken:
            raise Disconnected(f"a {event} is overdue and may still come: replace the connection")
        for _, awaited, _, _ in self._pending.values():
            if awaited.reply == event:
                raise AmbiguousReplies(
                    f"{round_trip.name} is matched in order and one is in flight on this connection already: "
                    "wait for its reply, or give it a token"
                    if awaited is round_trip
                    else _of_another(round_trip)
                )
        self._in_order[event] = round_trip

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

    async def settle(self) -> None:
        """Wait a moment for replies that nobody awaits; return at once if none was matched in order."""
        if self._in_order:
            longest_s = _SETTLING_ROUND_TRIPS * self._longest_ns / 1e9
            await asyncio.sleep(min(max(_SETTLING_S, longest_s), _LONGEST_SETTLING_S))

    def _register(self, round_trip: RoundTrip) -> None:
        if not isinstance(round_trip, RoundTrip):
            raise NoRoundTrip(round_trip)
        event, token_of = round_trip.reply, round_trip.find_token
        if event is not None:
            finders = self._token_finders.get(event)
            known = self._in_order.get(event)
            if (finders is not None and bool(finders) is (token_of is None)) or (
                known is not None and known.emit != round_trip.emit
            ):
                raise AmbiguousReplies(_of_another(round_trip))
            if token_of is None:
                if finders is None:
                    self._token_finders[event] = []
                    self.client.on(event, partial(self._replied_in_order, event), self._namespace)
            elif finders is None:
                self._token_finders[event] = [token_of]
                self.client.on(event, self._replied(event, self._token_finders[event]), self._namespace)
            elif not any(_code_of(finder) is _code_of(token_of) for finder in finders):
                self._add_finder(event, finders, token_of)
        if len(self._known) >= _FEW_DEFINITIONS:
            self._known.clear()
        self._known[id(round_trip)] = round_trip

    def _add_finder(
        self, event: str, finders: list[Callable[..., str | None]], token_of: Callable[..., str | None]
    ) -> None:
        """Add a function that finds tokens; if there are many, drop those that nothing in flight needs.

        They are found again when needed.
        """
        if len(finders) >= self._many_finders:
            awaited = [emission[1] for emission in self._pending.values()]
            needed = {
                id(_code_of(definition.find_token))
                for definition in (*awaited, *self._given_up.values())
                if definition.reply == event and definition.find_token is not None
            }
            finders[:] = [finder for finder in finders if id(_code_of(finder)) in needed]
            self._known.clear()
            self._many_finders = max(_FEW_DEFINITIONS, 2 * len(finders))
        finders.append(token_of)

    # ------------------------------------------------------------------ replies

    def _replied(self, event: str, finders: list[Callable[..., str | None]]) -> Callable[..., None]:
        """Return the handler of a reply that carries a token: a closure, because it is called once per round trip."""
        client = self.client

        def replied(*reply: Any) -> None:
            for token_of in finders:
                token = token_of(*reply)
                if token is None:
                    continue
                # An emission that awaits its acknowledgement may also cause the reply of another definition.
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
                if emission[2]:
                    self._longest_ns = max(self._longest_ns, self.client.received_ns - emission[2])
                self._resolve(emission, reply)
                return
        self._unmatched.append((event, reply))
        definition = self._in_order.get(event)
        if definition is None:
            return
        if self._overdue[event]:
            self._overdue[event] -= 1
            self.late[definition.name] += 1
            return
        self.unexpected += 1
        if self.when_unexpected is not None:
            self.when_unexpected(definition)

    def _acknowledged(self, token: str, *reply: Any) -> None:
        emission = self._pending.pop(token, None)
        if emission is None:
            if (given_up := self._given_up.pop(token, None)) is not None:
                self.late[given_up.name] += 1
            return
        token_of = emission[1].find_token
        if token_of is not None and token_of(*reply) != token:
            shown = one_line(" ".join(map(repr, reply)))
            self._fail(emission, WrongReply(f"{self._sent(emission)}, acknowledged with {shown}", emission[2]))
            return
        self._resolve(emission, reply)

    def _resolve(self, emission: InFlight, reply: tuple[Any, ...]) -> None:
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
        """Set the timer of the connection. All emissions share it and their timeout, so the oldest is due first."""
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

    def _abandon(self, emission: InFlight) -> None:
        """Give an emission up: nobody waits any longer, but a reply may come."""
        token, round_trip, _, _ = emission
        if round_trip.matched_in_order:
            self.broken = True
            self._overdue[round_trip.reply or ""] += 1
        else:
            self._given_up[token] = round_trip

    def _give_up(self, emission: InFlight) -> None:
        seconds = self.timeout_ns / 1e9
        awaited, arrived = self._awaited(emission[1]), self._arrived()
        message = f"{self._sent(emission)}, no {awaited} within {seconds:g} s; arrived: {arrived}"
        self._fail(emission, ReplyTimeout(message, emission[2]))

    def _closed(self, reason: str) -> None:
        lost = list(self._pending.values())
        self._pending.clear()
        self._given_up.clear()
        self._overdue.clear()
        self.close()
        for emission in lost:
            text = f"{self._sent(emission)}, then the connection was lost: {reason}"
            self._fail(emission, ConnectionLost(text, emission[2], reason))

    @staticmethod
    def _fail(emission: InFlight, error: RoundTripFailed) -> None:
        answer = emission[3]
        if not answer.done():
            answer.set_exception(error)

    # ------------------------------------------------------------------ words

    @staticmethod
    def _sent(emission: InFlight) -> str:
        token, round_trip, _, _ = emission
        return one_line(f"sent {round_trip.emit} {round_trip.request(token)!r}")

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


def _of_another(round_trip: RoundTrip) -> str:
    return f"{round_trip.name}: {round_trip.reply} is the reply of another definition, so it needs a token"


def _code_of(token_of: Callable[..., Any]) -> object:
    """Return what tells functions apart.

    Functions made anew of the same code, with nothing of their own, do the same.
    """
    if type(token_of) is not FunctionType:
        return token_of
    own = token_of.__closure__ or token_of.__defaults__ or token_of.__kwdefaults__
    return token_of if own else token_of.__code__
