"""The old place of the round trip, kept for locustfiles: see `bench.scenarios` and `bench.exchange`."""

from bench.exchange.outcomes import (
    AmbiguousReplies,
    Completed,
    ConnectionLost,
    NoRoundTrip,
    ReplyTimeout,
    RoundTripFailed,
    WrongReply,
)
from bench.exchange.requests import Exchange
from bench.scenarios.catalogue import FOO_ACKNOWLEDGED, FOO_BAR, FOO_BAR_TO_SENDER
from bench.scenarios.model import RoundTrip, round_trip_of
from bench.scenarios.tokens import TOKEN, tokens

__all__ = [
    "FOO_ACKNOWLEDGED",
    "FOO_BAR",
    "FOO_BAR_TO_SENDER",
    "TOKEN",
    "AmbiguousReplies",
    "Completed",
    "ConnectionLost",
    "Exchange",
    "NoRoundTrip",
    "ReplyTimeout",
    "RoundTrip",
    "RoundTripFailed",
    "WrongReply",
    "round_trip_of",
    "tokens",
]
