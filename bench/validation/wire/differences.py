"""The figures of a row, from what a tool reported and what the observer saw: pure functions of plain values."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.statistics.block_bootstrap import Percentile, percentiles
from bench.validation.wire.model import Span, Stamps, WirePercentile
from bench.validation.wire.sightings import Sighting

#: The error beyond what a time says of itself with which it still counts as true: reading and converting clocks.
TOLERANCE_NS = 10_000

_PERCENTS = (50.0, 99.0)


class NothingMatchedError(Exception):
    """A run of which no round trip was both seen and reported."""


class Record(NamedTuple):
    """A round trip as a tool reports it, in nanoseconds of `perf_counter_ns`.

    `error_ns` is by how much `received_ns` can be too late: 0 for a kernel time, -1 for one of the process's clock.
    """

    token: str
    sent_ns: int
    received_ns: int
    error_ns: int = -1


@dataclass(frozen=True)
class Differences:
    """The figures of a tool that reports each round trip."""

    matched: int
    unseen: int
    wire: Span
    beyond: Span
    to_packet: Span
    to_received: Span
    stamps: Stamps


def records_in(lines: Iterable[str]) -> list[Record]:
    """Return the records of a file: token, sent, received and, where it is told, the error. Raises ValueError."""
    found = []
    for line in lines:
        token, sent, received, *more = line.split()
        found.append(Record(token, int(sent), int(received), int(more[0]) if more else -1))
    return found


def differences(records: Sequence[Record], seen: Mapping[str, Sighting]) -> Differences:
    """Compare each round trip with what was seen of it. Raises NothingMatchedError."""
    matched = sorted((record for record in records if record.token in seen), key=lambda record: record.sent_ns)
    if not matched:
        raise NothingMatchedError("no round trip was both seen and reported")
    sights = [seen[record.token] for record in matched]
    sent, received, error = (np.array([record[place] for record in matched], dtype=np.int64) for place in (1, 2, 3))
    emission = np.array([sight.emission_ns for sight in sights], dtype=np.int64)
    reply = np.array([sight.reply_ns for sight in sights], dtype=np.int64)
    late = received - reply
    bounded = error > 0
    # Too early, or later than it says; of the process's own clock nothing is said.
    wrong = (error >= 0) & ((late < -TOLERANCE_NS) | (late > error + TOLERANCE_NS))
    return Differences(
        matched=len(matched),
        unseen=len(records) - len(matched),
        wire=span(reply - emission),
        beyond=span((received - sent) - (reply - emission)),
        to_packet=span(emission - sent),
        to_received=span(late),
        stamps=Stamps(
            exact=int((error == 0).sum()),
            bounded=int(bounded.sum()),
            process=int((error < 0).sum()),
            wrong=int(wrong.sum()),
            tolerance_us=TOLERANCE_NS / 1000,
            bounded_error=span(late[bounded]) if bounded.any() else None,
            bounded_limit=span(error[bounded]) if bounded.any() else None,
        ),
    )


def reported_beyond(times_us: Mapping[str, float], wire: Span) -> Span | None:
    """Return how far reported percentiles are above those of the wire; None if a tool does not tell both."""
    if "p50" not in times_us or "p99" not in times_us:
        return None
    return Span(p50=_beyond(times_us["p50"], wire.p50), p99=_beyond(times_us["p99"], wire.p99))


def wire_span(seen: Iterable[Sighting]) -> Span:
    """Return the times between the packets of all round trips that were seen. Raises NothingMatchedError."""
    in_order = sorted(seen, key=lambda sight: sight.emission_ns)
    if not in_order:
        raise NothingMatchedError("no round trip was seen")
    return span(np.array([sight.reply_ns - sight.emission_ns for sight in in_order], dtype=np.int64))


def between_copies_us(seen: Iterable[Sighting]) -> float | None:
    """Return the median time between the two copies of a reply, in µs; None if no reply's first copy was seen."""
    times = [sight.reply_ns - sight.reply_left_ns for sight in seen if sight.reply_left_ns is not None]
    return float(np.median(times)) / 1000 if times else None


def span(times_ns: NDArray[np.int64]) -> Span:
    """Return the percentiles of times that are in the order in which they were sent, in nanoseconds."""
    p50, p99 = percentiles(times_ns / 1000, _PERCENTS)
    return Span(p50=_stored(p50), p99=_stored(p99))


def _stored(percentile: Percentile) -> WirePercentile:
    return WirePercentile(value_us=percentile.value, low_us=percentile.low, high_us=percentile.high)


def _beyond(reported_us: float, wire: WirePercentile) -> WirePercentile:
    return WirePercentile(
        value_us=reported_us - wire.value_us,
        low_us=None if wire.high_us is None else reported_us - wire.high_us,
        high_us=None if wire.low_us is None else reported_us - wire.low_us,
    )
