"""The catalogue: the scenarios that are measured out of the box, all of the FOO→BAR service.

It is the only list of them. An entry says under which name `pytest bench` and `bench ab` store a scenario. Stored
results are compared by these names, so they never change. Users of a load name a scenario themselves, in
locustfile.py; the load stores it under the scenario's own name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from bench.scenarios.model import RoundTrip

ReplyKind = Literal["event", "acknowledged"]

# The request without padding takes about this many bytes less than its size says.
_UNPADDED_BYTES = 16


@dataclass(frozen=True)
class Benchmark:
    """A scenario under the name by which results are compared."""

    name: str
    scenario: RoundTrip

    @property
    def reply(self) -> ReplyKind:
        """Return the kind of reply that is awaited."""
        return "acknowledged" if self.scenario.reply is None else "event"


@dataclass(frozen=True)
class Entry:
    """A scenario, and its names in results of `pytest bench` and of `bench ab`. None: it is not measured there."""

    scenario: RoundTrip
    latency: str | None = None
    ab: str | None = None


def _foo(reply: Any = None, *_: Any) -> str | None:
    foo = reply.get("foo") if isinstance(reply, dict) else None
    return foo if isinstance(foo, str) else None


def _padded(size_bytes: int, words: str) -> RoundTrip:
    """Return FOO→BAR with a request of about that size. The service ignores a field that it does not know."""
    data = {"name": "{token}", "padding": "x" * (size_bytes - _UNPADDED_BYTES)}
    return RoundTrip(f"FOO→BAR, {words}", "FOO", data, "BAR", _foo)


#: The service as it was first written: BAR goes to everyone. The request is the token, about 20 bytes.
FOO_BAR = RoundTrip("FOO→BAR", "FOO", {"name": "{token}"}, "BAR", _foo)

#: The same with a reply to the sender alone: the cost of a client's load does not depend on how many clients there are.
FOO_BAR_TO_SENDER = RoundTrip("FOO→BAR to sender", "FOO", {"name": "{token}", "to": "sender"}, "BAR", _foo)

#: The reply is the acknowledgement. The service also sends BAR to the sender.
FOO_ACKNOWLEDGED = RoundTrip("FOO acknowledged", "FOO", {"name": "{token}", "to": "sender"}, token_of=_foo)

#: All of them.
CATALOGUE = (
    Entry(FOO_BAR, latency="foo_bar", ab="event"),
    Entry(FOO_ACKNOWLEDGED, latency="foo_bar", ab="acknowledged"),
    Entry(FOO_BAR_TO_SENDER),
    Entry(_padded(1_000, "1 kB"), ab="event-1kB"),
    Entry(_padded(16_000, "16 kB"), ab="event-16kB"),
)

#: The part that `pytest bench` measures.
LATENCY_BENCHMARKS = tuple(Benchmark(entry.latency, entry.scenario) for entry in CATALOGUE if entry.latency)

#: The part that `bench ab` measures.
AB_BENCHMARKS = tuple(Benchmark(entry.ab, entry.scenario) for entry in CATALOGUE if entry.ab)
