"""The scenarios of the FOO→BAR service, which every command measures out of the box."""

from __future__ import annotations

from typing import Any

from bench.scenarios.model import RoundTrip


def _foo(reply: Any = None, *_: Any) -> str | None:
    foo = reply.get("foo") if isinstance(reply, dict) else None
    return foo if isinstance(foo, str) else None


FOO_BAR = RoundTrip("FOO→BAR", "FOO", lambda token: {"name": token}, "BAR", _foo)
"""The service as it was first written: BAR goes to everyone."""

FOO_BAR_TO_SENDER = RoundTrip("FOO→BAR to sender", "FOO", lambda token: {"name": token, "to": "sender"}, "BAR", _foo)
"""The same with a reply to the sender alone: what one client's load costs does not depend on how many there are."""

FOO_ACKNOWLEDGED = RoundTrip("FOO acknowledged", "FOO", lambda token: {"name": token, "to": "sender"}, token_of=_foo)
"""The reply is the acknowledgement. (The service sends BAR besides, to the sender.)"""
