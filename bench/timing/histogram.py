"""HdrHistograms in nanoseconds: recorded by the batch, merged exactly, stored in the standard V2 form.

The layout is HdrHistogram's own: 100 ns to 1 h with 3 significant digits (Gil Tene, hdrhistogram.org), so that every
tool that reads that format reads ours. Recording is numpy over whole batches, because a pure Python record costs about
a microsecond per value; the `hdrh` package writes and reads the V2 form. Only occupied buckets are held: a run keeps a
histogram for each of its seconds, and the whole layout would be 220 kB of zeros each.

Values are whole nanoseconds. Two histograms merge into exactly the histogram of the union of their values. Minimum,
maximum and sum are kept beside the counts and are exact, not rounded to the layout.
"""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from hdrh.histogram import HdrHistogram
from numpy.typing import NDArray
from pyhdrh import decode as decode_counts  # hdrh's own reading of the counts, in C

LOWEST_NS = 100
HIGHEST_NS = 3_600_000_000_000
SIGNIFICANT_DIGITS = 3

# HdrHistogram's layout for these bounds; the names are those of its reference implementation.
_UNIT_MAGNITUDE = int(math.log2(LOWEST_NS))
_SUB_BUCKET_COUNT = 1 << math.ceil(math.log2(2 * 10**SIGNIFICANT_DIGITS))
_SUB_BUCKET_HALF_COUNT = _SUB_BUCKET_COUNT // 2
_SUB_BUCKET_HALF_COUNT_MAGNITUDE = int(math.log2(_SUB_BUCKET_HALF_COUNT))
_SUB_BUCKET_MASK = (_SUB_BUCKET_COUNT - 1) << _UNIT_MAGNITUDE

# The V2 form of a histogram (AbstractHistogram.java, encodeIntoByteBuffer and encodeIntoCompressedByteBuffer): cookie,
# length of the counts, normalising offset, digits, bounds, conversion ratio; and what stands before it when compressed.
_V2_HEAD = struct.Struct(">iiiiqqd")
_V2_COOKIE = 0x1C849313
_V2_COMPRESSED_HEAD = struct.Struct(">ii")
_V2_COMPRESSED_COOKIE = 0x1C849314

#: The number of counts that the layout has.
_COUNTS = HdrHistogram(LOWEST_NS, HIGHEST_NS, SIGNIFICANT_DIGITS).counts_len

#: The number of bytes that an inflated histogram of this layout can have at most. Each count takes up to 9 bytes there
#: (ZigZagEncoding.java). A text that inflates to more is damaged or hostile, and is not inflated any further.
MOST_INFLATED_BYTES = _V2_HEAD.size + 9 * _COUNTS

#: The greatest sum of all counts that is believed: a nanosecond each would take 290 years.
_MOST_VALUES = 2**63 - 1

_NOT_V2 = "not a histogram in HdrHistogram's V2 form: "

Values = NDArray[np.int64]


class HistogramError(ValueError):
    """An encoded histogram that cannot be read, or has another layout than ours."""


# How many recorded values wait to be sorted into their buckets at most.
_UNSORTED_LIMIT = 1 << 16


def buckets_of(values_ns: Values) -> Values:
    """Return the bucket of each duration, for recording the same durations in several histograms.

    Durations outside 0 … 1 h belong to the nearest bound's.
    """
    return _indices(np.clip(values_ns, 0, HIGHEST_NS))


def counted(values: Values) -> tuple[Values, Values]:
    """Return the distinct numbers among `values`, ascending, and the count of each. Fast where they lie close."""
    if not len(values):
        return values, values
    least = int(values.min())
    counts = np.bincount(values - least)
    occupied = np.flatnonzero(counts)
    return occupied + least, counts[occupied]


class Histogram:
    """The distribution of a number of durations, in nanoseconds."""

    __slots__ = ("_buckets", "_counts", "_max_ns", "_min_ns", "_sum_ns", "_unsorted", "_unsorted_count", "count")

    def __init__(self) -> None:
        #: The indices of the occupied buckets in HdrHistogram's counts array, ascending.
        self._buckets: Values = np.empty(0, dtype=np.int64)
        #: The number of values in each of these buckets.
        self._counts: Values = np.empty(0, dtype=np.int64)
        #: The values that are recorded, but not counted in `_counts` yet, with their buckets where these are known.
        self._unsorted: list[tuple[Values, Values | None]] = []
        self._unsorted_count = 0
        self.count = 0
        self._sum_ns = 0
        self._min_ns: int | None = None
        self._max_ns: int | None = None

    def record(self, values_ns: Values, buckets: Values | None = None) -> None:
        """Record durations; `buckets` are those of `buckets_of`, where they are known already.

        Both are kept as they are for a while: counting them together with what comes next costs less.
        """
        number = len(values_ns)
        if not number:
            return
        self._unsorted.append((values_ns, buckets))
        self._unsorted_count += number
        self.count += number
        if self._unsorted_count > _UNSORTED_LIMIT:
            self.settle()

    def settle(self) -> None:
        """Count what was recorded lately, in less memory. Reading does it as well."""
        if not self._unsorted:
            return
        unsorted, self._unsorted, self._unsorted_count = self._unsorted, [], 0
        values_ns = _in_one([values_ns for values_ns, _ in unsorted])
        known = [buckets for _, buckets in unsorted if buckets is not None]
        buckets = _in_one(known) if len(known) == len(unsorted) else buckets_of(values_ns)
        least, most = int(values_ns.min()), int(values_ns.max())
        if least < 0 or most > HIGHEST_NS:
            values_ns = np.clip(values_ns, 0, HIGHEST_NS)
        self._sum_ns += int(values_ns.sum())
        self._widen(min(max(least, 0), HIGHEST_NS), min(max(most, 0), HIGHEST_NS))
        self._add(*counted(buckets))

    @property
    def min_ns(self) -> int | None:
        """The shortest duration, or None of nothing. Exact, as the maximum and the sum are."""
        self.settle()
        return self._min_ns

    @property
    def max_ns(self) -> int | None:
        """The longest duration, or None of nothing."""
        self.settle()
        return self._max_ns

    @property
    def sum_ns(self) -> int:
        """Return the sum of all durations."""
        self.settle()
        return self._sum_ns

    def merge(self, other: Histogram) -> None:
        """Add another histogram's values to this histogram. Exact."""
        other.settle()
        if other._min_ns is None or other._max_ns is None:
            return
        self._add(other._buckets, other._counts)
        self.count += other.count
        self._sum_ns += other._sum_ns
        self._widen(other._min_ns, other._max_ns)

    @classmethod
    def union(cls, histograms: Iterable[Histogram]) -> Histogram:
        """Return the histogram of all values of many histograms. Exact, and faster than merging them singly."""
        found = cls()
        parts = [histogram for histogram in histograms if histogram.min_ns is not None]
        if not parts:
            return found
        buckets = np.concatenate([part._buckets for part in parts])
        counts = np.concatenate([part._counts for part in parts])
        least = int(buckets.min())
        numbers = np.zeros(int(buckets.max()) - least + 1, dtype=np.int64)
        np.add.at(numbers, buckets - least, counts)
        occupied = np.flatnonzero(numbers != 0)  # of booleans it is found much faster than of numbers
        found._buckets, found._counts = occupied + least, numbers[occupied]
        found.count = sum(part.count for part in parts)
        found._sum_ns = sum(part._sum_ns for part in parts)
        found._min_ns = min(part._min_ns for part in parts if part._min_ns is not None)
        found._max_ns = max(part._max_ns for part in parts if part._max_ns is not None)
        return found

    @classmethod
    def of_counts(cls, buckets: Values, counts: Values, *, sum_ns: int, min_ns: int, max_ns: int) -> Histogram:
        """Return the histogram with these numbers of durations in these buckets, which are ascending and not empty."""
        found = cls()
        found._buckets, found._counts, found.count = buckets, counts, int(counts.sum())
        found._sum_ns, found._min_ns, found._max_ns = sum_ns, min_ns, max_ns
        return found

    def copy(self) -> Histogram:
        """Return the histogram as it is now. It shares its counts, which are replaced and never changed."""
        buckets, counts = self.bucket_counts()
        if self._min_ns is None or self._max_ns is None:
            return Histogram()
        return Histogram.of_counts(buckets, counts, sum_ns=self._sum_ns, min_ns=self._min_ns, max_ns=self._max_ns)

    @property
    def mean_ns(self) -> float | None:
        """The arithmetic mean, or None of nothing."""
        return self.sum_ns / self.count if self.count else None

    def bucket_counts(self) -> tuple[Values, Values]:
        """Return the buckets that are not empty, ascending, and the number of durations in each."""
        self.settle()
        return self._buckets, self._counts

    @staticmethod
    def bucket_bounds_ns(buckets: Values) -> tuple[Values, Values]:
        """Return the shortest and the longest duration of each bucket."""
        octave = np.maximum((buckets >> _SUB_BUCKET_HALF_COUNT_MAGNITUDE) - 1, 0)
        within = buckets - (octave << _SUB_BUCKET_HALF_COUNT_MAGNITUDE)
        return within << (octave + _UNIT_MAGNITUDE), ((within + 1) << (octave + _UNIT_MAGNITUDE)) - 1

    def percentile_ns(self, percent: float, censored: int = 0) -> int | None:
        """Return the duration that `percent` (0 to 100) of all durations do not exceed; None where that is not known.

        By nearest rank: the smallest recorded value whose cumulative count reaches ceil(percent / 100 · n). It is given
        as the upper end of its histogram bucket, and never above the maximum. `censored` durations are known only to be
        longer than any recorded duration. They count in n, and a rank that falls among them has no value.
        """
        return self.percentiles_ns((percent,), censored)[0]

    def percentiles_ns(self, percents: Sequence[float], censored: int = 0) -> list[int | None]:
        """Return several percentiles, each as `percentile_ns` has it: the histogram is added up once."""
        longest_ns = self.max_ns
        if longest_ns is None:
            return [None] * len(percents)
        total = self.count + censored
        upto = np.cumsum(self._counts)
        found: list[int | None] = []
        for percent in percents:
            rank = max(1, math.ceil(percent / 100 * total - 1e-9))
            bucket = None if rank > self.count else int(self._buckets[upto.searchsorted(rank)])
            found.append(None if bucket is None else min(_highest_equivalent(bucket), longest_ns))
        return found

    def values(self) -> tuple[Values, Values]:
        """Return the durations of the occupied buckets in nanoseconds, ascending, and the number of values in each.

        A bucket's duration is its upper end, and never above the maximum, as `percentile_ns` has it.
        """
        self.settle()
        durations_ns = _highest_equivalents(self._buckets)
        return durations_ns if self._max_ns is None else np.minimum(durations_ns, self._max_ns), self._counts

    def counts_up_to(self, limits_ns: Sequence[int]) -> list[int]:
        """Return how many durations are at most as long as each limit, to the layout's precision.

        A bucket of the layout that contains a limit counts as within it, so a limit may be off by 0.1 %.
        """
        self.settle()
        if not self.count:
            return [0] * len(limits_ns)
        buckets = buckets_of(np.array(limits_ns, dtype=np.int64))
        positions = np.searchsorted(self._buckets, buckets, side="right")
        numbers: list[int] = np.concatenate(([0], np.cumsum(self._counts)))[positions].tolist()
        return numbers

    def encode(self) -> str:
        """Return the histogram in HdrHistogram's V2 form, compressed and in base64."""
        if not self.count:
            return _EMPTY
        standard = _standard()
        self.settle()
        np.ctypeslib.as_array(standard.counts)[self._buckets] = self._counts
        standard.total_count = self.count
        standard.min_value = self.min_ns
        standard.max_value = self.max_ns
        encoded = str(standard.encode().decode("ascii"))
        # It and its encoder hold each other, with all counts of the layout. A load hardly ever collects garbage.
        standard.encoder.histogram = None
        return encoded

    @classmethod
    def decode(
        cls, encoded: str, *, min_ns: int | None = None, max_ns: int | None = None, sum_ns: int | None = None
    ) -> Histogram:
        """Read a histogram in V2 form. Raises HistogramError, whatever is wrong with the text.

        The form has the counts alone. The extremes and the sum, if not given, are taken from them, to the layout's
        precision.
        """
        occupied, counts = _counts(_inflated(encoded))
        histogram = cls()
        if not len(occupied):
            return histogram
        histogram._buckets, histogram._counts = occupied, counts
        histogram.count = int(counts.sum())
        first, last = int(occupied[0]), int(occupied[-1])
        histogram._min_ns = _lowest_equivalent(first) if min_ns is None else min_ns
        histogram._max_ns = _highest_equivalent(last) if max_ns is None else max_ns
        if sum_ns is None:
            middles = (_lowest_equivalents(occupied) + _highest_equivalents(occupied)) // 2
            # Of more than centuries together, the counts of a damaged file, a sum of 64 bits would be wrong.
            fits = histogram.count * int(middles[-1]) <= _MOST_VALUES
            sum_ns = int(middles @ histogram._counts) if fits else int(middles.astype(object) @ histogram._counts)
        histogram._sum_ns = sum_ns
        return histogram

    def _add(self, buckets: Values, counts: Values) -> None:
        if not len(self._buckets):
            self._buckets, self._counts = buckets, counts
            return
        union = _union(self._buckets, buckets)
        total = np.zeros(len(union), dtype=np.int64)
        total[np.searchsorted(union, self._buckets)] = self._counts
        total[np.searchsorted(union, buckets)] += counts
        self._buckets, self._counts = union, total

    def _widen(self, low: int, high: int) -> None:
        self._min_ns = low if self._min_ns is None else min(self._min_ns, low)
        self._max_ns = high if self._max_ns is None else max(self._max_ns, high)


def _union(one: Values, other: Values) -> Values:
    """Return the numbers of two arrays, each of them ascending, without those that come twice."""
    both = np.concatenate((one, other))
    both.sort(kind="stable")  # it merges what is in order already; numpy's own union hashes it
    return both[np.concatenate(([True], both[1:] != both[:-1]))]


def _inflated(encoded: str) -> bytes:
    """Return the head and the counts of a compressed histogram. Raises HistogramError, also for an endless text."""
    try:
        data = base64.b64decode(encoded, validate=True)
    except ValueError as error:  # binascii.Error, or characters that are not ASCII
        raise HistogramError(f"{_NOT_V2}not base64: {error}") from None
    if len(data) < _V2_COMPRESSED_HEAD.size:
        raise HistogramError(f"{_NOT_V2}{len(data)} bytes are too few")
    cookie, length = _V2_COMPRESSED_HEAD.unpack_from(data)
    if cookie != _V2_COMPRESSED_COOKIE:
        raise HistogramError(f"{_NOT_V2}it begins with {cookie & 0xFFFFFFFF:#x}")
    body = memoryview(data)[_V2_COMPRESSED_HEAD.size :]
    if length != len(body):
        raise HistogramError(f"{_NOT_V2}{len(body)} compressed bytes, but its head says {length}")
    inflater = zlib.decompressobj()
    try:
        inflated = inflater.decompress(body, MOST_INFLATED_BYTES)
        if not inflater.eof:  # all bytes may be there, and only the checksum unread
            inflated += inflater.decompress(inflater.unconsumed_tail, 1)
    except zlib.error as error:
        raise HistogramError(f"{_NOT_V2}{error}") from None
    if len(inflated) > MOST_INFLATED_BYTES:
        raise HistogramError(
            f"{_NOT_V2}it inflates to more than {MOST_INFLATED_BYTES:,} bytes, the most that ours can have"
        )
    if not inflater.eof or inflater.unused_data:
        raise HistogramError(f"{_NOT_V2}its compressed bytes end too early or too late")
    return inflated


def _counts(inflated: bytes) -> tuple[Values, Values]:
    """Return the occupied buckets of an inflated histogram, and the count of each. Raises HistogramError."""
    if len(inflated) < _V2_HEAD.size:
        raise HistogramError(f"{_NOT_V2}{len(inflated)} bytes are less than its head")
    cookie, length, offset, digits, lowest, highest, _ratio = _V2_HEAD.unpack_from(inflated)
    if cookie != _V2_COOKIE:
        raise HistogramError(f"{_NOT_V2}its counts begin with {cookie & 0xFFFFFFFF:#x}")
    if (lowest, highest, digits, offset) != (LOWEST_NS, HIGHEST_NS, SIGNIFICANT_DIGITS, 0):
        shifted = f", shifted by {offset}" if offset else ""
        raise HistogramError(f"a histogram of another layout: {lowest} to {highest}, {digits} digits{shifted}")
    if length != len(inflated) - _V2_HEAD.size:
        raise HistogramError(f"{_NOT_V2}{len(inflated) - _V2_HEAD.size} bytes of counts, but its head says {length}")
    counts = np.zeros(_COUNTS, dtype=np.int64)
    try:
        decode_counts(inflated, _V2_HEAD.size, counts.ctypes.data, _COUNTS, counts.itemsize)
    except Exception as error:  # its C code may raise anything for damaged counts
        raise HistogramError(f"{_NOT_V2}{error}") from None
    occupied = np.flatnonzero(counts != 0)  # of booleans it is found twenty times as fast as of numbers
    counts = counts[occupied]
    if (counts < 0).any() or float(counts.sum(dtype=np.float64)) > _MOST_VALUES:
        raise HistogramError(f"{_NOT_V2}a count is negative, or more than can be counted")
    return occupied, counts


def _encoded_empty() -> str:
    """Return an empty histogram as the reference writes it: with one count, of 0.

    hdrh writes no count at all, and HdrHistogram_c ends reading there: "Inflate failed".
    """
    counts = b"\0"
    head = _V2_HEAD.pack(_V2_COOKIE, len(counts), 0, SIGNIFICANT_DIGITS, LOWEST_NS, HIGHEST_NS, 1.0)
    compressed = zlib.compress(head + counts, 9)
    return base64.b64encode(_V2_COMPRESSED_HEAD.pack(_V2_COMPRESSED_COOKIE, len(compressed)) + compressed).decode()


_EMPTY = _encoded_empty()


def _in_one(parts: list[Values]) -> Values:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _standard() -> Any:
    return HdrHistogram(LOWEST_NS, HIGHEST_NS, SIGNIFICANT_DIGITS)


def _indices(values: Values) -> Values:
    """Return the index of each value in HdrHistogram's counts array."""
    # frexp's exponent of a whole number below 2**53 is its bit length: the vectorised form of 64 - leading zeros.
    _, bit_length = np.frexp((values | _SUB_BUCKET_MASK).astype(np.float64))
    bucket = bit_length.astype(np.int64) - _UNIT_MAGNITUDE - (_SUB_BUCKET_HALF_COUNT_MAGNITUDE + 1)
    sub_bucket = values >> (bucket + _UNIT_MAGNITUDE)
    return ((bucket + 1) << _SUB_BUCKET_HALF_COUNT_MAGNITUDE) + (sub_bucket - _SUB_BUCKET_HALF_COUNT)


def _bucket_of(index: int) -> tuple[int, int]:
    bucket = (index >> _SUB_BUCKET_HALF_COUNT_MAGNITUDE) - 1
    sub_bucket = (index & (_SUB_BUCKET_HALF_COUNT - 1)) + _SUB_BUCKET_HALF_COUNT
    return (bucket, sub_bucket) if bucket >= 0 else (0, sub_bucket - _SUB_BUCKET_HALF_COUNT)


def _lowest_equivalents(indices: Values) -> Values:
    """Return the lower end of each bucket: `_lowest_equivalent` of all of them at once."""
    bucket = (indices >> _SUB_BUCKET_HALF_COUNT_MAGNITUDE) - 1
    sub_bucket = (indices & (_SUB_BUCKET_HALF_COUNT - 1)) + _SUB_BUCKET_HALF_COUNT * (bucket >= 0)
    lowest: Values = sub_bucket << (np.maximum(bucket, 0) + _UNIT_MAGNITUDE)
    return lowest


def _highest_equivalents(indices: Values) -> Values:
    bucket = np.maximum((indices >> _SUB_BUCKET_HALF_COUNT_MAGNITUDE) - 1, 0)
    highest: Values = _lowest_equivalents(indices) + (np.int64(1) << (bucket + _UNIT_MAGNITUDE)) - 1
    return highest


def _lowest_equivalent(index: int) -> int:
    bucket, sub_bucket = _bucket_of(index)
    return sub_bucket << (bucket + _UNIT_MAGNITUDE)


def _highest_equivalent(index: int) -> int:
    bucket, sub_bucket = _bucket_of(index)
    return ((sub_bucket + 1) << (bucket + _UNIT_MAGNITUDE)) - 1
