"""Trace contexts: a W3C `traceparent` in an emission's data, so that the service's traces tell what it did with it.

Rules of this file: pure. A context follows from the emission's token alone. So whoever knows the token knows the trace,
also in another process, and nothing has to be kept. Each emission has a trace of its own, and is sampled.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from bench.scenarios.model import Emission, RoundTrip

#: The field that OpenTelemetry's own propagator reads.
TRACEPARENT = "traceparent"

#: The help of the option, for all commands.
TRACE_CONTEXT_HELP = (
    "put a W3C trace context (traceparent) into this field of each emission's data, which is to be an object, or to "
    "have one among its arguments; a load names the traces of the slowest round trips"
)

#: The digits of a trace's id and of a span's id.
_TRACE_DIGITS, _SPAN_DIGITS = 32, 16

_LONGEST_FIELD = 100


class NoPlaceForContext(ValueError):
    """A definition whose data has no place for a trace context, or a field that cannot be. The text is one line."""


def traceparent(token: str) -> str:
    """Return the trace context of the emission with this token, as its header has it: 00-TRACE-SPAN-01."""
    digits = blake2b(token.encode(), digest_size=(_TRACE_DIGITS + _SPAN_DIGITS) // 2).hexdigest()
    return f"00-{digits[:_TRACE_DIGITS]}-{digits[_TRACE_DIGITS:]}-01"


def trace_id(token: str) -> str:
    """Return the id of the trace of the emission with this token: 32 hexadecimal digits."""
    return traceparent(token)[3 : 3 + _TRACE_DIGITS]


def checked_field(text: str | None) -> str | None:
    """Return the field for the context; None for none. Raises NoPlaceForContext."""
    field = (text or "").strip()
    if not field:
        return None
    if len(field) > _LONGEST_FIELD or not field.isprintable():
        raise NoPlaceForContext(f"--trace-context {field!r:.60}: give the name of a field, such as {TRACEPARENT}")
    return field


def traced_request(definition: RoundTrip | Emission, field: str) -> Callable[[str], Any]:
    """Return the function that takes a token and returns the data of that emission, with the context in the field.

    Raises NoPlaceForContext. If a function makes the data, the returned function raises it.
    """
    refuse_untraceable(definition, field)
    name, request = definition.name, definition.request

    def with_context(token: str) -> Any:
        data = request(token)
        if isinstance(data, dict):
            return {**data, field: traceparent(token)}
        place = _place(name, data, field)
        return (*data[:place], {**data[place], field: traceparent(token)}, *data[place + 1 :])

    return with_context


def refuse_untraceable(definition: RoundTrip | Emission, field: str) -> None:
    """Raise NoPlaceForContext if the data is known before it is sent, and has no place for the context."""
    data = definition.data
    if callable(data):
        return
    known = data if isinstance(data, dict) else data[_place(definition.name, data, field)]
    if known.get(field) not in (None, ""):
        raise NoPlaceForContext(
            f"--trace-context {field}: the data of {definition.name} has this field already; name another"
        )


def _place(name: str, data: Any, field: str) -> int:
    """Return which argument is the first object. Raises NoPlaceForContext."""
    for place, argument in enumerate(data if isinstance(data, tuple) else ()):
        if isinstance(argument, dict):
            return place
    raise NoPlaceForContext(
        f"--trace-context {field}: {name} sends no object, so there is no field for the context: have it send one, or "
        "leave it out"
    )
