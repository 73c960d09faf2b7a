"""The words for a round trip and its end, in messages that people read. Pure."""

from __future__ import annotations

from typing import Any

from bench.places import place_of
from bench.printable import one_line
from bench.scenarios.model import RoundTrip


def sent(token: str, round_trip: RoundTrip) -> str:
    """Return the words for an emission."""
    return one_line(f"sent {round_trip.emit} {round_trip.request(token)!r}")


def got(token: str, round_trip: RoundTrip, arguments: tuple[Any, ...]) -> str:
    """Return the words for an emission and its reply, whose event comes first if several may answer."""
    shown, events = one_line(" ".join(map(repr, arguments))), round_trip.events
    if not events:
        return f"{sent(token, round_trip)}, acknowledged with {shown or 'nothing'}"
    return f"{sent(token, round_trip)}, answered by {one_line(events[0]) + ' ' if len(events) == 1 else ''}{shown}"


def awaited(round_trip: RoundTrip) -> str:
    """Return the words for the reply that is awaited."""
    if round_trip.answers is None:
        return "acknowledgement"
    return one_line(round_trip.answers) + ("" if round_trip.matched_in_order else " with its token")


def place(error: BaseException) -> str:
    """Return the line of the user's own code that raised, in brackets; nothing if none is known."""
    is_called_here = error.__traceback__ is None or error.__traceback__.tb_next is None
    return "" if is_called_here else f" ({place_of(error)})"
