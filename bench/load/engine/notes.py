"""The notes of a session beside the round trips that succeed: what was not sent, has failed, or came unasked.

Belongs to the engine's thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any

from bench.exchange.outcomes import ReplyTimeout, RoundTripFailed
from bench.exchange.requests import Exchange
from bench.load.engine.counters import ProcessCounters
from bench.load.engine.loop import Engine
from bench.load.metrics.recorder import RECEIVED, TIMEOUT, Recorder
from bench.results.load import OperationKey
from bench.scenarios.model import RoundTrip
from bench.wire.client import FastClient
from bench.wire.errors import Disconnected, MessageTooLarge, NotRead

#: The reason of what was not sent because there was no connection.
NOT_CONNECTED = "not connected"

#: The reason of what was not sent because the server did not read what was sent before.
NOT_READ = "the server does not read"

#: The number of operations of which the log says that their replies carry no token.
_MOST_HINTS = 10


@dataclass(frozen=True)
class UnsupportedTask:
    """The news of a task whose figures are wrong, or would be: the run has to end. The text says why, in one line."""

    text: str


@dataclass(frozen=True)
class Hint:
    """The news of a mistake that a description seems to have. The text is a line for the log."""

    text: str


class Notes:
    """The notes of a session, which go into the recorders, the process's counters and the engine's news."""

    def __init__(self, engine: Engine, counters: ProcessCounters, exchange: Exchange, client: FastClient) -> None:
        self._engine = engine
        self._counters = counters
        self._exchange = exchange
        self._client = client
        #: The last event that came unasked; `_heard_recorder` is its recorder.
        self._heard: str | None = None
        self._heard_recorder: Recorder

    def received(self, event: str) -> None:
        """Count an event that came unasked, inside its handler."""
        if event != self._heard:
            self._heard, self._heard_recorder = event, self._engine.recorder(event, RECEIVED)
        client = self._client
        received_ns = client.received_ns
        self._heard_recorder.succeeded(
            received_ns, received_ns, client.message_bytes, read_ns=client.read_ns, error_ns=client.error_ns
        )

    def received_in(self, namespace: str, event: str, *_values: Any) -> None:
        """Count an event that came in a namespace that is not the user's own."""
        self.received(f"{namespace} {event}")

    def not_sent(self, key: OperationKey, error: Exception, wanted_ns: int) -> None:
        """Note that an emission, which was wanted at `wanted_ns`, could not be sent, and why."""
        recorder = self._engine.recorder(*key)
        if isinstance(error, MessageTooLarge):
            reason = f"too large: {error.size_bytes:,} bytes, the server takes {error.limit_bytes:,}"
            reason = self._counters.too_large.setdefault((recorder.name, f"{error.size_bytes:.0e}"), reason)
        elif isinstance(error, Disconnected):
            reason = "an earlier reply is overdue" if self._exchange.broken else NOT_CONNECTED
        elif isinstance(error, NotRead):
            reason = NOT_READ
        else:
            reason = "could not be encoded"
        recorder.drop(wanted_ns, reason)

    def failed(
        self, definition: RoundTrip, error: RoundTripFailed, intended_ns: int, waited_ns: int, token: str
    ) -> None:
        """Note that a round trip that was sent has failed; `token` is empty unless tokens are asked for."""
        kind = TIMEOUT if isinstance(error, ReplyTimeout) else error.kind
        recorder = self._engine.recorder(definition.name)
        recorder.failed(error.sent_ns, perf_counter_ns(), kind, intended_ns, waited_ns, token)
        recorder.received_bytes += error.reply_bytes
        if kind == TIMEOUT:
            self._look_for_token(definition)

    def unexpected(self, definition: RoundTrip) -> None:
        """Note a reply that came while none was awaited, which makes the figures wrong."""
        self._counters.unexpected[definition.name] += 1
        self.invalid(
            f"{definition.name} is matched in order, but {definition.answers} came while none was awaited: others "
            "cause it, too, or the server sends it unasked; have the service repeat a {token} of the payload"
        )

    def invalid(self, reason: str) -> None:
        """Have the run ended: its figures are wrong, or would be."""
        if not self._counters.is_invalid:
            self._counters.is_invalid = True
            self._engine.post(UnsupportedTask(reason))

    def _look_for_token(self, definition: RoundTrip) -> None:
        """Have the log say, once for an operation, that what could be its replies carries no token."""
        told = self._counters.without_token
        if definition.name in told or len(told) >= _MOST_HINTS:
            return
        came = self._exchange.without_token(definition)
        if came is not None:
            told.add(definition.name)
            self._engine.post(
                Hint(
                    f"{definition.name} timed out, and this came without the token of an emission: {came}. If the "
                    "service repeats nothing of the request, give the data without a placeholder, or as a function: "
                    "then replies are matched in order"
                )
            )
