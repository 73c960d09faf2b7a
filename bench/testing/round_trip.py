"""A round trip of a test: emit, and wait for what answers.

It is performed as every round trip of this project is, by an `Exchange`. Each has an exchange of its own. So two that
the same event answers may follow each other on a connection, and each has its own timeout.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from itertools import count
from typing import Any

from bench.exchange.outcomes import Answer, ReplyTimeout
from bench.exchange.requests import Exchange
from bench.scenarios.model import RoundTrip, round_trip_of
from bench.scenarios.tokens import tokens
from bench.testing.client import SocketIOTestClient, checked_timeout
from bench.wire.interface import acknowledged

# Nobody else who asks the same server draws these tokens.
_ORIGIN = secrets.token_hex(4)
_performed = count()


async def round_trip(
    client: SocketIOTestClient,
    emit: RoundTrip | str,
    data: Any = None,
    *,
    reply: str | Sequence[str] | None = None,
    timeout: float = 5.0,
) -> Any:
    """Emit an event, wait for what answers it, and return what that carries.

    `emit` is a RoundTrip, or the name of an event. With a name, `data` and `reply` mean what they mean in a RoundTrip:
    a tuple is several arguments, and without `reply` the acknowledgement is awaited. `timeout` is in seconds.

    Returns None, the only argument, or a tuple of several. If several events may answer, it returns an Answer, which
    names the event. Raises ReplyTimeout, which says what came instead, WrongReply if the RoundTrip's check refuses
    the reply, ConnectionLost, and what `emit` of a client raises.
    """
    __tracebackhide__ = True
    definition = _definition(emit, data, reply)
    if not isinstance(client, SocketIOTestClient):
        raise TypeError(f"round_trip takes a client of socketio_client first, not {client!r:.60}")
    client.check_loop()
    timeout_ns = round(checked_timeout(timeout) * 1e9)
    with client.listening() as listener:
        names = tokens(_ORIGIN, next(_performed))
        exchange = Exchange(listener, names, timeout_ns, client.namespace)
        exchange.when_unasked(listener.pass_on)
        try:
            done = await exchange(definition)
        except ReplyTimeout as error:
            raise ReplyTimeout(client.with_raised(str(error), listener.since), error.sent_ns) from None
        finally:
            exchange.close()
    return done.reply if isinstance(done.reply, Answer) else acknowledged(done.reply)


def _definition(emit: RoundTrip | str, data: Any, reply: str | Sequence[str] | None) -> RoundTrip:
    """Return what is to be performed. Raises TypeError and ValueError."""
    if isinstance(emit, RoundTrip):
        if data is not None or reply is not None:
            raise TypeError(f"round_trip({emit.name}): a RoundTrip has its data and reply already; leave them out")
        return emit
    if not isinstance(emit, str):
        raise TypeError(f"round_trip takes a RoundTrip, or an event's name, not {emit!r:.60}")
    return round_trip_of(emit, reply if reply is None or isinstance(reply, str) else tuple(reply), data)
