"""The description of a round trip, as data: what is emitted, and what answers it.

Rules of this file: no connection, no clock, no event loop. Every use (`pytest bench`, `bench ab`, the load) reads the
same description.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.scenarios.tokens import TOKEN, any_token, filled, strings_in


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


def round_trip_of(event: str, reply: str | None, payload: Any) -> RoundTrip:
    """A definition from what a user can type: an event, a reply (None: the acknowledgement) and a JSON payload.

    Wherever a string of the payload contains `{token}`, each emission's token is put there, and the reply is searched
    for it, however deep it lies. Without one the replies are matched in order.
    """
    name = f"{event}→{reply}" if reply is not None else f"{event} acknowledged"
    if not any(TOKEN in text for text in strings_in(payload)):
        return RoundTrip(name, event, lambda token: payload, reply)
    # An acknowledgement is matched by its id: that the service repeats the token in it is not asked for.
    return RoundTrip(name, event, lambda token: filled(payload, token), reply, any_token if reply else None)
