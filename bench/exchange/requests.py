"""The round trip: emit this event with this payload, wait for that reply, and match the two.

`RoundTrip` is the definition that the tests, `pytest bench` and the load share. `Exchange` performs such definitions
over one connection. It hands out tokens, matches replies by them, keeps the time of either end and gives up after a
timeout. A reply belongs to an emission by its token alone, never by arrival. It may carry the tokens of several. Only
where the service's replies carry no token are they matched in order, one in flight.

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
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from time import perf_counter_ns
from types import FunctionType
from typing import Any, NamedTuple

from bench.exchange import words
from bench.exchange.in_flight import InFlight, begun
from bench.exchange.outcomes import (
    AmbiguousReplies,
    Answer,
    CheckFailed,
    Completed,
    ConnectionLost,
    NoRoundTrip,
    NotSent,
    ReplyTimeout,
    RoundTripFailed,
    WrongReply,
)
from bench.exchange.unasked import UnaskedEvents
from bench.printable import error_line, one_line
from bench.scenarios.model import Emission, RoundTrip
from bench.scenarios.tokens import SEARCHES, TokenKind, drawn, steps_to, tokens_in
from bench.scenarios.tracing import NoPlaceForContext, traced_request
from bench.wire.client import ArgumentsHandler, FastClient
from bench.wire.errors import ClientError, Disconnected
from bench.wire.interface import Client, acknowledged
from bench.wire.protocol import DEFAULT_NAMESPACE

#: The number of definitions, and of functions that find tokens, that a connection keeps at least. Among more, it looks
#: for those that nothing in flight needs. A task that makes its definition anew each time would fill the memory.
_FEW_DEFINITIONS = 16

#: The number of events that a connection listens to at least. Among more, it drops those that nothing in flight needs.
_FEW_EVENTS = 64

#: The number of emissions whose late reply would still be counted. Beyond it the oldest are forgotten.
_MOST_GIVEN_UP = 10_000

#: The number of times that a connection looks for the place of the token in an event's replies.
_SEARCHES_FOR_PLACE = 16

_SETTLING_S = 0.1
_SETTLING_ROUND_TRIPS = 2
#: The longest time that replies that nobody awaits are waited for, in seconds. The time is twice the longest round
#: trip, but within these limits.
_LONGEST_SETTLING_S = 1.0


_FindToken = Callable[..., Any]

#: The kind of token that each of the shared functions finds, by identity: for these the whole reply is searched.
_KINDS: dict[int, TokenKind] = {id(search): kind for kind, search in SEARCHES.items()}


class _GivenUp(NamedTuple):
    """An emission that is awaited no longer, as far as its late reply needs it."""

    name: str
    events: tuple[str, ...]
    find_token: _FindToken | None


class _Listener:
    """The way in which the replies of an event are matched: in order, or by tokens.

    `kinds` are the kinds of tokens that are looked for in the whole reply, `finders` the users' own functions.
    """

    __slots__ = ("finders", "is_in_order", "kinds")

    def __init__(self, is_in_order: bool) -> None:
        self.is_in_order = is_in_order
        self.kinds: list[TokenKind] = []
        self.finders: list[_FindToken] = []


class Exchange:
    """A performer of round trips over one connection: any number in flight, or one if they are matched in order.

    `namespace` is that of all its events; None is the default namespace. `timeout_ns` is how long each reply is
    awaited. After the timeout of a reply that is matched in order, `broken` is set. That reply may still come and would
    be taken for the next emission's, so the connection has to be replaced.
    """

    def __init__(self, client: Client, tokens: Iterator[str], timeout_ns: int, namespace: str | None = None) -> None:
        self.client = client
        self._fast = client if isinstance(client, FastClient) else None
        self.timeout_ns = timeout_ns
        #: By definition's name: replies that came after their emission had been given up.
        self.late: Counter[str] = Counter()
        #: By definition's name: emissions whose caller was cancelled while it waited; nobody will tell how they end.
        self.abandoned: Counter[str] = Counter()
        #: The replies without token that came while nothing was in flight for them: matching in order is wrong here.
        self.unexpected = 0
        #: The function that is called for each unexpected reply, with the definition whose reply it would be.
        self.when_unexpected: Callable[[RoundTrip], None] | None = None
        #: The field of the data that has the trace context of each emission; None: there is none.
        self.trace_field: str | None = None
        self.broken = False
        #: The number of callers that do not know yet how their emission ended.
        self.in_flight = 0
        self._tokens = tokens
        self._loop = asyncio.get_running_loop()
        self.namespace = namespace or DEFAULT_NAMESPACE
        self._namespace = namespace
        self._emit_now: Callable[..., int] | None = client.emit_now if client.emits_now else None
        if self._emit_now is not None and namespace is not None:
            self._emit_now = partial(self._emit_now, namespace=namespace)
        self._pending: dict[str, InFlight] = {}
        #: The tokens that are awaited no longer, each with what its late reply is known and counted by.
        self._given_up: dict[str, _GivenUp] = {}
        #: Some of the definitions whose replies are handled, by identity.
        self._known: dict[int, RoundTrip] = {}
        #: The functions that make the data of definitions with a trace context, by the definitions' identity.
        self._traced: dict[int, tuple[RoundTrip | Emission, Callable[[str], Any]]] = {}
        #: The last definition that was prepared, if there is nothing to look at before each of its emissions.
        self._usual: RoundTrip | None = None
        # Of the last definition that was prepared; every round trip reads them.
        self._event = ""
        self._request: Callable[[str], Any]
        self._is_replied_to = False
        #: The parts of the message in which only the token differs; None: the data has to be made and encoded.
        self._parts: tuple[bytes, ...] | None = None
        self._ids: Iterator[str] = tokens
        #: The ways in which replies are matched, by event.
        self._listeners: dict[str, _Listener] = {}
        self._many_finders = _FEW_DEFINITIONS
        self._many_events = _FEW_EVENTS
        #: The last definition whose reply an event is, by event, if replies are matched in order.
        self._in_order: dict[str, RoundTrip] = {}
        #: The definitions whose replies are matched in order, are awaited no longer, and may still come.
        self._overdue: list[RoundTrip] = []
        #: The longest round trip that was matched in order.
        self._longest_ns = 0
        self._timer: asyncio.TimerHandle | None = None
        #: The words for the last exception of a function that should have found a token.
        self._raised = ""
        self._unmatched = UnaskedEvents()
        client.when_closed(self._closed, self.namespace)
        client.on("*", lambda event, *values: self._unmatched.append((event, values)), namespace)

    def in_flight_by_name(self) -> Counter[str]:
        """Return the number of emissions that await their reply, by definition's name. Any thread may call it."""
        return Counter(emission.round_trip.name for emission in list(self._pending.values()))

    def _message_bytes(self) -> int:
        """Return the size of the message that is handled; 0 if it has been asked for: it may answer several emissions.

        It is known of a FastClient only.
        """
        fast = self._fast
        if fast is None:
            return 0
        size_bytes = fast.message_bytes
        fast.message_bytes = 0
        return size_bytes

    def when_unasked(self, callback: Callable[[str], None]) -> None:
        """Call `callback(event)` inside the handler of each event that is the reply of nothing here."""
        self._unmatched.when_noted = callback

    def emit(self, emission: Emission) -> int:
        """Emit without awaiting a reply; returns when it was handed to the transport. For clients with `emit_now`.

        Raises Disconnected, MessageTooLarge, and TypeError for data that cannot be sent.
        """
        request = emission.request if self.trace_field is None else self._traced_request(emission, self.trace_field)
        return self._emit_now(emission.emit, request(next(self._tokens)))  # type: ignore[misc]

    async def __call__(self, round_trip: RoundTrip) -> Completed:
        """Emit once and wait for the reply. Raises ClientError, if nothing was sent, or RoundTripFailed.

        A cancelled caller leaves the emission `abandoned`; its reply, if it comes, is counted as late.
        """
        try:
            emission = self.begin(round_trip) if self._emit_now is not None else await self._begin(round_trip)
        except (ClientError, AmbiguousReplies, NoRoundTrip, NoPlaceForContext):
            raise
        except Exception as error:
            text = f"{round_trip.name} could not be sent: {error_line(error)}{words.place(error)}"
            raise NotSent(text, sent_ns=0) from error
        try:
            await emission
        except BaseException as error:
            self.end(emission, error)
            raise
        self.in_flight -= 1
        return Completed(emission.sent_ns, emission.received_ns, emission.reply, emission.read_ns, emission.error_ns)

    def begin(self, round_trip: RoundTrip) -> InFlight:
        """Emit: the first half of a call, without a coroutine. This is the load's hot path.

        The emission's future is to be awaited. After its reply, the caller counts `in_flight` down; where it raised
        anything, the emission is given to `end`. Only for clients that emit without waiting (`emit_now`). Raises
        Disconnected.
        """
        if round_trip is not self._usual:
            self._prepare(round_trip)
        token = next(self._ids)
        if self._parts is not None and self._fast.takes_text:  # type: ignore[union-attr]  # it has parts for that alone
            sent_ns = self._fast.emit_text(token.encode().join(self._parts))  # type: ignore[union-attr]
        elif self._is_replied_to:
            sent_ns = self._emit_now(self._event, self._request(token))  # type: ignore[misc]
        else:
            callback = partial(self._acknowledged, token)
            sent_ns = self._emit_now(self._event, self._request(token), callback=callback)  # type: ignore[misc]
        self._pending[token] = emission = begun(token, round_trip, sent_ns, self._loop)
        self.in_flight += 1
        if self._timer is None:
            self._arm(self.timeout_ns)
        return emission

    def end(self, emission: InFlight, error: BaseException) -> None:
        """End a call that got no reply: the second half, given what the caller got instead."""
        self.in_flight -= 1
        if self._pending.pop(emission.token, None) is not None and emission.sent_ns:
            self._abandon(emission)
        if emission.sent_ns and isinstance(error, asyncio.CancelledError):
            self.abandoned[emission.round_trip.name] += 1

    async def _begin(self, round_trip: RoundTrip) -> InFlight:
        """Emit with a client that waits when it emits: the reply may come before the client has said when it sent."""
        self._prepare(round_trip)
        token = next(self._ids)
        self._pending[token] = emission = begun(token, round_trip, 0, self._loop)
        self.in_flight += 1
        try:
            callback = partial(self._acknowledged, token) if round_trip.reply is None else None
            emission.sent_ns = await self.client.emit(
                round_trip.emit, self._request(token), namespace=self._namespace, callback=callback
            )
        except BaseException as error:
            self.end(emission, error)
            raise
        if self._timer is None:
            self._arm(self.timeout_ns)
        return emission

    def _prepare(self, round_trip: RoundTrip) -> None:
        """Have the replies of a definition handled.

        Raises AmbiguousReplies, NoPlaceForContext, and Disconnected if an overdue reply would be taken for its own.
        """
        is_known = id(round_trip) in self._known
        if not is_known:
            self._register(round_trip)
        field = self.trace_field
        self._request = round_trip.request if field is None else self._traced_request(round_trip, field)
        self._event = round_trip.emit
        self._is_replied_to = round_trip.reply is not None
        self._ids = self._tokens if round_trip.token_kind == "token" else drawn(round_trip.token_kind)
        # Only what is performed again is worth a look at what its messages have in common.
        is_text = is_known and self._is_replied_to and self._fast is not None and self._namespace is None
        is_text = is_text and field is None  # else a message differs in more than its token
        self._parts = round_trip.message_parts if is_text else None
        self._usual = round_trip if is_known and not round_trip.matched_in_order else None
        if round_trip.matched_in_order:
            self._prepare_in_order(round_trip)

    def _traced_request(self, definition: RoundTrip | Emission, field: str) -> Callable[[str], Any]:
        """Return the function that makes a definition's data with a trace context. Raises NoPlaceForContext."""
        found = self._traced.get(id(definition))
        if found is None:
            if len(self._traced) >= _FEW_EVENTS:
                self._traced.clear()
            found = self._traced[id(definition)] = (definition, traced_request(definition, field))
        return found[1]

    def _prepare_in_order(self, round_trip: RoundTrip) -> None:
        if self.broken:
            raise Disconnected(f"a {round_trip.answers} is overdue and may still come: replace the connection")
        for awaited in [emission.round_trip for emission in self._pending.values()]:
            if not set(awaited.events).isdisjoint(round_trip.events):
                raise AmbiguousReplies(
                    f"{round_trip.name} is matched in order and one is in flight on this connection already: "
                    "wait for its reply, or give it a token"
                    if awaited is round_trip
                    else _of_another(round_trip)
                )
        for event in round_trip.events:
            self._in_order[event] = round_trip

    async def quiet(self) -> None:
        """Return once nothing is in flight, which the timeout bounds."""
        while self.in_flight:
            if emissions := list(self._pending.values()):
                await asyncio.wait(emissions)  # type: ignore[type-var]  # they are what it takes: see in_flight
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
        for event in round_trip.events:
            listener, known = self._listeners.get(event), self._in_order.get(event)
            if (listener is not None and listener.is_in_order is not round_trip.matched_in_order) or (
                known is not None and known.emit != round_trip.emit
            ):
                raise AmbiguousReplies(_of_another(round_trip))
        if len(self._listeners) + len(round_trip.events) > self._many_events:
            self._forget_events()
        for event in round_trip.events:
            self._listen(event, round_trip.find_token)
        if len(self._known) >= _FEW_DEFINITIONS:
            self._known.clear()
        self._known[id(round_trip)] = round_trip

    def _listen(self, event: str, find_token: _FindToken | None) -> None:
        """Have the replies of an event handled, if there is no handler yet that finds the tokens in them."""
        listener = self._listeners.get(event)
        if listener is None:
            listener = self._listeners[event] = _Listener(find_token is None)
            if find_token is None:
                self.client.on(event, partial(self._replied_in_order, event), self._namespace)
        if find_token is None:
            return
        kind = _KINDS.get(id(find_token))
        if kind is not None:
            if kind not in listener.kinds:
                listener.kinds.append(kind)
                self.client.on(event, _RepliesAnywhere(self, event, listener), self._namespace)
        elif not any(_code_of(finder) is _code_of(find_token) for finder in listener.finders):
            self._add_finder(event, listener.finders, find_token)
            if not listener.kinds and len(listener.finders) == 1:
                self.client.on(event, _Replies(self, event, listener.finders), self._namespace)

    def _add_finder(self, event: str, finders: list[_FindToken], find_token: _FindToken) -> None:
        """Add a function that finds tokens; if there are many, drop those that nothing in flight needs.

        They are found again when needed.
        """
        if len(finders) >= self._many_finders:
            needed = {
                id(_code_of(finder)) for events, finder in self._may_come() if event in events and finder is not None
            }
            finders[:] = [finder for finder in finders if id(_code_of(finder)) in needed]
            self._known.clear()
            self._many_finders = max(_FEW_DEFINITIONS, 2 * len(finders))
        finders.append(find_token)

    def _forget_events(self) -> None:
        """Handle the replies of an event no longer if nothing in flight needs them. They are handled again when needed.

        A service may name the event that answers anew each time.
        """
        needed = {event for events, _ in self._may_come() for event in events}
        for event in [event for event in self._listeners if event not in needed]:
            del self._listeners[event]
            self._in_order.pop(event, None)
            self.client.off(event, self._namespace)
        self._known.clear()
        self._usual = None
        self._many_events = max(_FEW_EVENTS, 2 * len(self._listeners))

    def _may_come(self) -> list[tuple[tuple[str, ...], _FindToken | None]]:
        """Return the events that may still answer, each time with the function that finds the token in them."""
        given_up = [(emission.events, emission.find_token) for emission in self._given_up.values()]
        awaited = (*(emission.round_trip for emission in self._pending.values()), *self._overdue)
        return [*((definition.events, definition.find_token) for definition in awaited), *given_up]

    # ------------------------------------------------------------------ replies

    def _note_unmatched(self, event: str, reply: tuple[Any, ...], raised: Exception | None) -> None:
        """Take note of a reply that belongs to no emission. Raises again what a definition's function raised.

        Nobody knows then to which emission it belongs: those in flight will time out, and say why.
        """
        self._unmatched.append((event, reply))
        if raised is not None:
            self._raised = f"; a token_of raised {error_line(raised)}{words.place(raised)}"
            raise raised

    def _resolve_all(self, event: str, tokens: Iterable[str], reply: tuple[Any, ...]) -> bool:
        """End each emission in flight that awaits this event and has its token in it; return whether there is any.

        An emission that was given up counts too: its reply is late.
        """
        is_matched = False
        for token in tokens:
            emission = self._pending.get(token)
            if emission is not None and event in emission.round_trip.events:
                del self._pending[token]
                if emission.round_trip.plain_reply == event:
                    self._resolve(emission, reply)
                else:
                    self._resolve_checked(emission, reply, event)
                is_matched = True
                continue
            overdue = self._given_up.get(token)
            if overdue is not None and event in overdue.events:
                del self._given_up[token]
                self.late[overdue.name] += 1
                is_matched = True
        return is_matched

    def _replied_in_order(self, event: str, *reply: Any) -> None:
        fast = self._fast
        for token, emission in self._pending.items():
            # The caller goes on inside the reading of its reply. What was read with that answers no later emission.
            if fast is not None and fast.error_ns >= 0 and fast.read_ns < emission.sent_ns:
                continue
            if event in emission.round_trip.events:
                del self._pending[token]
                if emission.sent_ns:
                    self._longest_ns = max(self._longest_ns, self.client.received_ns - emission.sent_ns)
                if emission.round_trip.plain_reply == event:
                    self._resolve(emission, reply)
                else:
                    self._resolve_checked(emission, reply, event)
                return
        definition = self._in_order.get(event)
        for position, overdue in enumerate(self._overdue if definition is not None else ()):
            if event in overdue.events:
                del self._overdue[position]
                self.late[overdue.name] += 1
                return
        self._unmatched.append((event, reply))
        if definition is None:
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
        if emission.round_trip.is_checked:
            token_of = emission.round_trip.find_token
            if token_of is not None:
                try:
                    is_wrong = (found := token_of(*reply)) != token and token not in _texts(found)
                except Exception as error:
                    kind = f"token_of raised {error_line(error)}{words.place(error)}"
                    text = f"{words.got(emission.token, emission.round_trip, reply)}: {kind}"
                    self._refuse(emission, CheckFailed(text, emission.sent_ns, kind))
                    return
                if is_wrong:
                    self._refuse(
                        emission, WrongReply(words.got(emission.token, emission.round_trip, reply), emission.sent_ns)
                    )
                    return
            if emission.round_trip.check is not None:
                self._resolve_checked(emission, reply, "")
                return
        self._resolve(emission, reply)

    def _resolve(self, emission: InFlight, reply: tuple[Any, ...]) -> None:
        """End an emission whose reply is being handled, unless the reply has come too late."""
        fast = self._fast
        received_ns = self.client.received_ns if fast is None else fast.received_ns
        # The loop may be late in giving up: what the clock says counts, not which callback ran first.
        if emission.sent_ns and received_ns - emission.sent_ns > self.timeout_ns:
            self.late[emission.round_trip.name] += 1
            self._give_up(emission)
        elif fast is None:
            if emission.resolve(received_ns, reply, 0, 0, -1):
                emission.wake_soon()
        elif emission.resolve(received_ns, reply, self._message_bytes(), fast.read_ns, fast.error_ns):
            if fast.error_ns >= 0:
                fast.wake_after(emission)
            else:
                emission.wake_soon()

    def _resolve_checked(self, emission: InFlight, reply: tuple[Any, ...], event: str) -> None:
        """Do the same where the definition has a check, or several events; `event` is empty for an acknowledgement."""
        round_trip, sent_ns = emission.round_trip, emission.sent_ns
        wrong = None
        is_in_time = not sent_ns or self.client.received_ns - sent_ns <= self.timeout_ns
        if is_in_time and not emission.done():
            arguments = reply
            if len(round_trip.events) > 1:
                arguments, reply = (event, *reply), Answer(event, acknowledged(reply))
            if round_trip.check is not None:
                wrong = self._judged(emission, round_trip.check, arguments)
        if wrong is None:
            self._resolve(emission, reply)
        else:
            self._refuse(emission, wrong)

    def _refuse(self, emission: InFlight, error: RoundTripFailed) -> None:
        """End an emission whose reply has come and does not count."""
        error.reply_bytes = self._message_bytes()
        emission.fail(error)

    def _judged(
        self, emission: InFlight, check: Callable[..., Any], arguments: tuple[Any, ...]
    ) -> RoundTripFailed | None:
        """Return the error that the definition's check makes of a reply; None for a right reply."""
        sent_ns = emission.sent_ns
        try:
            reason = check(*arguments)
        except Exception as error:
            kind = f"the check raised {error_line(error)}{words.place(error)}"
        else:
            if reason is None:
                return None
            if isinstance(reason, str) and reason.strip():
                text = f"{words.got(emission.token, emission.round_trip, arguments)}: wrong reply: {one_line(reason)}"
                return WrongReply(text, sent_ns, reason)
            shown = repr(reason) if isinstance(reason, (bool, str)) else f"a value of type {type(reason).__name__}"
            kind = f"the check returned {shown}: it has to return None, or the reason as a text"
        return CheckFailed(f"{words.got(emission.token, emission.round_trip, arguments)}: {kind}", sent_ns, kind)

    # ------------------------------------------------------------------ what ends without a reply

    def _arm(self, delay_ns: int) -> None:
        """Set the timer of the connection. All emissions share it and their timeout, so the oldest is due first."""
        self._timer = self._loop.call_later(delay_ns / 1e9, self._expire)

    def _expire(self) -> None:
        if self._fast is not None:
            self._fast.read_now()  # a reply that the machine had received in time is no timeout
        self._timer = None
        now_ns = perf_counter_ns()
        for emission in list(self._pending.values()):
            left_ns = emission.sent_ns + self.timeout_ns - now_ns if emission.sent_ns else self.timeout_ns
            if left_ns > 0:
                self._arm(left_ns)
                return
            del self._pending[emission.token]
            self._abandon(emission)
            self._give_up(emission)

    def _abandon(self, emission: InFlight) -> None:
        """Give an emission up: nobody waits any longer, but a reply may come."""
        token, round_trip = emission.token, emission.round_trip
        if round_trip.matched_in_order:
            self.broken = True
            self._overdue.append(round_trip)
        else:
            self._given_up[token] = _GivenUp(round_trip.name, round_trip.events, round_trip.find_token)
            if len(self._given_up) > _MOST_GIVEN_UP:
                oldest = next(iter(self._given_up))
                if not self._given_up.pop(oldest).events and self._fast is not None and self._fast.connected:
                    self._fast.withdraw_first(self.namespace, partial(self._is_callback_of, oldest))

    def _is_callback_of(self, token: str, callback: Callable[..., Any]) -> bool:
        """Return whether a callback is that of an emission's acknowledgement."""
        return isinstance(callback, partial) and callback.func == self._acknowledged and callback.args[0] == token

    def _give_up(self, emission: InFlight) -> None:
        seconds = self.timeout_ns / 1e9
        awaited, arrived = words.awaited(emission.round_trip), self._unmatched.shown
        sent = words.sent(emission.token, emission.round_trip)
        message = f"{sent}, no {awaited} within {seconds:g} s; arrived: {arrived}{self._raised}"
        emission.fail(ReplyTimeout(message, emission.sent_ns))

    def _closed(self, reason: str) -> None:
        lost = list(self._pending.values())
        self._pending.clear()
        self._given_up.clear()
        self._overdue.clear()
        self.close()
        for emission in lost:
            text = f"{words.sent(emission.token, emission.round_trip)}, then the connection was lost: {reason}"
            emission.fail(ConnectionLost(text, emission.sent_ns, reason))

    def without_token(self, round_trip: RoundTrip) -> str | None:
        """Return the event that came last as a reply to this round trip would, but with no token that is awaited.

        None: there was no such event lately, or the round trip is matched in order.
        """
        if round_trip.matched_in_order:
            return None
        return self._unmatched.first_of(round_trip.events)


class _Replies(ArgumentsHandler):
    """The handler of a reply whose token functions of the definitions find."""

    __slots__ = ("_event", "_exchange", "_finders")

    def __init__(self, exchange: Exchange, event: str, finders: list[_FindToken]) -> None:
        self._exchange = exchange
        self._event = event
        self._finders = finders

    def handle(self, arguments: tuple[Any, ...]) -> None:
        """End the emissions whose reply it is."""
        exchange = self._exchange
        raised = None
        for token_of in self._finders:
            try:
                token = token_of(arguments[0]) if len(arguments) == 1 else token_of(*arguments)
            except Exception as error:  # another definition's function may find it
                raised = error
                continue
            if token is None:
                continue
            # An emission that awaits its acknowledgement may also cause the reply of another definition.
            try:
                emission = exchange._pending.get(token)
            except TypeError:  # there are several tokens
                emission = None
            if emission is not None and emission.round_trip.plain_reply == self._event:
                del exchange._pending[token]
                exchange._resolve(emission, arguments)
                return
            if exchange._resolve_all(self._event, _texts(token), arguments):
                return
        exchange._note_unmatched(self._event, arguments, raised)


class _RepliesAnywhere(ArgumentsHandler):
    """The handler of a reply whose token is looked for in the whole reply.

    The usual reply is alone in flight, and its token is where the last reply had it. There it is looked for first.
    Nothing else can be in that reply: no other is awaited.
    """

    __slots__ = ("_event", "_exchange", "_listener", "_place", "_searches")

    def __init__(self, exchange: Exchange, event: str, listener: _Listener) -> None:
        self._exchange = exchange
        self._event = event
        self._listener = listener
        self._place: tuple[Any, ...] = ()
        self._searches = _SEARCHES_FOR_PLACE

    def handle(self, arguments: tuple[Any, ...]) -> None:
        """End the emissions whose reply it is."""
        exchange = self._exchange
        if self._place and len(exchange._pending) == 1 and not exchange._given_up:
            value: Any = arguments
            emission: InFlight | None
            try:
                for step in self._place:
                    value = value[step]
                emission = exchange._pending.get(value)
                if emission is None and type(value) is int:
                    value = str(value)
                    emission = exchange._pending.get(value)
            except (LookupError, TypeError):
                emission = None  # this reply has another form
            if emission is not None and emission.round_trip.plain_reply == self._event:
                del exchange._pending[value]
                exchange._resolve(emission, arguments)
                return
            if emission is not None and self._event in emission.round_trip.events:
                del exchange._pending[value]
                exchange._resolve_checked(emission, arguments, self._event)
                return
        raised = None
        tokens: list[str] = []
        for kind in self._listener.kinds:
            tokens += tokens_in(arguments, kind)
        for token_of in self._listener.finders:
            try:
                tokens += _texts(token_of(*arguments))
            except Exception as error:
                raised = error
        if self._searches and len(tokens) == 1:
            self._searches -= 1
            self._place = steps_to(tokens[0], arguments) or self._place
        if not exchange._resolve_all(self._event, tokens, arguments):
            exchange._note_unmatched(self._event, arguments, raised)


def _of_another(round_trip: RoundTrip) -> str:
    return f"{round_trip.name}: {round_trip.answers} is the reply of another definition, so it needs a token"


def _texts(found: Any) -> Sequence[str]:
    """Return the tokens that a user's function has found, as texts: it returns a token, several, or None."""
    if found is None:
        return ()
    if isinstance(found, (list, tuple, set, frozenset)):
        return [str(token) for token in found]
    return (str(found),)


def _code_of(token_of: Callable[..., Any]) -> object:
    """Return what tells functions apart.

    Functions made anew of the same code, with nothing of their own, do the same.
    """
    if type(token_of) is not FunctionType:
        return token_of
    own = token_of.__closure__ or token_of.__defaults__ or token_of.__kwdefaults__
    return token_of if own else token_of.__code__
