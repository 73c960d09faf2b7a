"""The ends that a round trip can have: a reply, or the exception that says why there is none that counts."""

from __future__ import annotations

from typing import Any, NamedTuple

from bench.wire.errors import kind_of


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
        #: The size of the message that was the reply; 0 if there was none, or it is not known.
        self.reply_bytes = 0


class ReplyTimeout(RoundTripFailed):
    """The end of the wait for a reply that did not come in time."""

    kind = "timeout"


class ConnectionLost(RoundTripFailed):
    """The end of the connection while the reply was awaited; its kind says why, without the server's own words."""

    def __init__(self, message: str, sent_ns: int, reason: str) -> None:
        super().__init__(message, sent_ns)
        self.kind = f"connection lost: {kind_of(reason)}"


class WrongReply(RoundTripFailed):
    """The reply is not what it should be: its check says why, or its token is another, or there is none."""

    kind = "wrong reply"

    def __init__(self, message: str, sent_ns: int, reason: str | None = None) -> None:
        super().__init__(message, sent_ns)
        if reason is not None:
            self.kind = f"wrong reply: {reason}"


class CheckFailed(RoundTripFailed):
    """The failure of a definition's own function: its check or `token_of` raised, or a check returned no answer."""

    def __init__(self, message: str, sent_ns: int, kind: str) -> None:
        super().__init__(message, sent_ns)
        self.kind = kind


class NotSent(RoundTripFailed):
    """The failure to make or encode the data of an emission: nothing was sent."""

    kind = "not sent"


class Completed(NamedTuple):
    """A round trip that succeeded. Times in nanoseconds of `time.perf_counter_ns`."""

    sent_ns: int
    received_ns: int
    reply: tuple[Any, ...]
    #: When this process had read the reply, and by how much `received_ns` can be too late at most.
    #:
    #: The error is 0 for the kernel's own time of the reply, -1 for this process's: see `wire.transport.Listener`.
    read_ns: int = 0
    error_ns: int = -1

    @property
    def service_ns(self) -> int:
        """The time from sent to received."""
        return self.received_ns - self.sent_ns


class Answer(NamedTuple):
    """A reply where several events may answer: the event that did, and what it carries (see `acknowledged`)."""

    event: str
    carried: Any


def carries_error(reply: tuple[Any, ...]) -> bool:
    """Return whether a reply is an object with an `error` in it. It counts as a success all the same."""
    if type(reply) is Answer:
        return type(reply.carried) is dict and bool(reply.carried.get("error"))
    return bool(reply) and type(reply[0]) is dict and bool(reply[0].get("error"))
