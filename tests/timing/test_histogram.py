"""Histograms against HdrHistogram's reference implementation and against the raw values they hold."""

import base64
import gc
import math
import struct
import tracemalloc
import zlib
from typing import Any

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from bench.timing.histogram import (
    HIGHEST_NS,
    LOWEST_NS,
    MOST_INFLATED_BYTES,
    SIGNIFICANT_DIGITS,
    Histogram,
    HistogramError,
    buckets_of,
)

durations = st.lists(st.integers(0, HIGHEST_NS), min_size=1, max_size=300)
PERCENTS = (0.0, 1.0, 50.0, 90.0, 99.0, 99.9, 100.0)


def histogram_of(values: list[int]) -> Histogram:
    histogram = Histogram()
    histogram.record(np.array(values, dtype=np.int64))
    return histogram


def reference_of(values: list[int]) -> Any:
    reference = HdrHistogram(LOWEST_NS, HIGHEST_NS, SIGNIFICANT_DIGITS)
    for value in values:
        reference.record_value(value)
    return reference


def state(histogram: Histogram) -> tuple[object, ...]:
    return histogram.count, histogram.min_ns, histogram.max_ns, histogram.sum_ns, histogram.encode()


@given(durations)
def test_encodes_what_the_reference_implementation_encodes(values: list[int]) -> None:
    assert histogram_of(values).encode() == reference_of(values).encode().decode()


@given(durations)
def test_buckets_have_the_counts_and_bounds_of_their_durations(values: list[int]) -> None:
    buckets, counts = histogram_of(values).bucket_counts()
    shortest, longest = Histogram.bucket_bounds_ns(buckets)
    within = [
        int(np.count_nonzero((low <= np.array(values)) & (np.array(values) <= high)))
        for low, high in zip(shortest, longest, strict=True)
    ]
    assert within == counts.tolist()
    assert sum(within) == len(values)


@given(durations, durations)
def test_merging_is_recording_the_union(left: list[int], right: list[int]) -> None:
    merged = histogram_of(left)
    merged.merge(histogram_of(right))
    assert state(merged) == state(histogram_of(left + right))


@given(durations, st.sampled_from(PERCENTS))
def test_percentiles_are_nearest_rank_to_three_digits(values: list[int], percent: float) -> None:
    rank = max(1, math.ceil(percent / 100 * len(values) - 1e-9))
    truth = sorted(values)[rank - 1]
    reported = histogram_of(values).percentile_ns(percent)
    assert reported is not None
    assert truth <= reported <= max(truth * 1.001, truth + 64)


@given(durations, st.integers(1, 300), st.sampled_from(PERCENTS))
def test_a_percentile_among_the_censored_has_no_value(values: list[int], censored: int, percent: float) -> None:
    beyond_any = [HIGHEST_NS] * censored
    rank = max(1, math.ceil(percent / 100 * (len(values) + censored) - 1e-9))
    reported = histogram_of(values).percentile_ns(percent, censored)
    if rank > len(values):
        assert reported is None
    else:
        truth = sorted(values + beyond_any)[rank - 1]
        assert reported is not None
        assert truth <= reported <= max(truth * 1.001, truth + 64)


@given(durations)
def test_decoding_restores_what_was_encoded(values: list[int]) -> None:
    original = histogram_of(values)
    restored = Histogram.decode(
        original.encode(), min_ns=original.min_ns, max_ns=original.max_ns, sum_ns=original.sum_ns
    )
    assert state(restored) == state(original)


@given(durations)
def test_decoding_the_counts_alone_is_true_to_three_digits(values: list[int]) -> None:
    original, restored = histogram_of(values), Histogram.decode(histogram_of(values).encode())
    assert restored.count == original.count
    assert restored.mean_ns == pytest.approx(original.mean_ns, rel=1e-3, abs=64)
    assert restored.max_ns == pytest.approx(original.max_ns, rel=1e-3, abs=64)


def test_an_empty_histogram_has_no_figures() -> None:
    empty = Histogram()
    assert (empty.count, empty.mean_ns, empty.percentile_ns(50)) == (0, None, None)
    assert Histogram.decode(empty.encode()).count == 0
    empty.merge(Histogram())
    assert empty.min_ns is None


def test_values_beyond_the_layout_are_recorded_as_its_bound() -> None:
    histogram = histogram_of([-5, HIGHEST_NS * 2])
    assert (histogram.count, histogram.min_ns, histogram.max_ns) == (2, 0, HIGHEST_NS)


@pytest.mark.parametrize("damaged", ["", "not base64!", "AAAA", "HISTFAAAAB542pNpmSzMwMDA=="])
def test_what_is_no_histogram_is_refused(damaged: str) -> None:
    with pytest.raises(HistogramError, match="V2 form"):
        Histogram.decode(damaged)


def test_another_layout_is_refused() -> None:
    other = HdrHistogram(1, 1000, 2)
    other.record_value(5)
    with pytest.raises(HistogramError, match="another layout: 1 to 1000, 2 digits"):
        Histogram.decode(other.encode().decode())


def v2(counts: bytes, *, digits: int = SIGNIFICANT_DIGITS, lowest: int = LOWEST_NS, highest: int = HIGHEST_NS) -> bytes:
    """Return the inflated V2 form of a histogram with these encoded counts."""
    return struct.pack(">iiiiqqd", 0x1C849313, len(counts), 0, digits, lowest, highest, 1.0) + counts


def compressed(inflated: bytes, *, longer: int = 0) -> str:
    data = zlib.compress(inflated)
    return base64.b64encode(struct.pack(">ii", 0x1C849314, len(data) + longer) + data).decode()


def test_what_would_inflate_without_an_end_is_not_inflated() -> None:
    bomb = compressed(v2(bytes(50_000_000)))
    tracemalloc.start()
    try:
        with pytest.raises(
            HistogramError, match=r"it inflates to more than 248,872 bytes, the most that ours can have$"
        ):
            Histogram.decode(bomb)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_the_largest_histogram_of_our_layout_is_read() -> None:
    """Each bucket is occupied by the largest count that the encoding has bytes for: no histogram takes more."""
    every = np.arange(int(buckets_of(np.array([HIGHEST_NS]))[0]) + 1)
    full = Histogram()
    full._buckets, full._counts = every, np.full(len(every), 2**48)
    full.count, full._min_ns, full._max_ns = 2**48 * len(every), 0, HIGHEST_NS
    assert Histogram.decode(full.encode()).count == full.count
    assert len(v2(b"")) + 9 * len(every) <= MOST_INFLATED_BYTES


@pytest.mark.parametrize(
    ("encoded", "said"),
    [
        (compressed(v2(b"\x02", lowest=0)), "another layout: 0 to 3600000000000, 3 digits"),
        (compressed(v2(b"\x02", digits=9)), "another layout: 100 to 3600000000000, 9 digits"),
        (compressed(v2(b"\x02", highest=2**62)), "another layout: 100 to 4611686018427387904, 3 digits"),
        (compressed(v2(b"\xff\xff\xff\x7f\x02")), "overrun|overflow"),
        (compressed(v2((b"\xfe" + b"\xff" * 7 + b"\x7f") * 40)), "V2 form"),
        (compressed(v2(b"\x02") + b"\x02"), "2 bytes of counts, but its head says 1"),
        (compressed(v2(b"\x02")[:20]), "20 bytes are less than its head"),
        (compressed(b"x" * 60), "its counts begin with 0x78787878"),
        (compressed(v2(b"\x02"), longer=7), "its head says"),
        (base64.b64encode(struct.pack(">ii", 0x1C849314, 4) + b"zlib").decode(), "V2 form"),
        ("é", "not base64"),
    ],
)
def test_damage_of_any_form_is_one_kind_of_error(encoded: str, said: str) -> None:
    with pytest.raises(HistogramError, match=said):
        Histogram.decode(encoded)


@given(st.binary(max_size=60))
def test_whatever_the_counts_are_they_are_read_or_refused(counts: bytes) -> None:
    try:
        read = Histogram.decode(compressed(v2(counts)))
    except HistogramError:
        return
    assert read.count >= 0
    assert read.count == 0 or read.min_ns is not None


def test_an_encoded_histogram_leaves_nothing_for_the_collector() -> None:
    histogram = histogram_of([1_000, 2_000])
    gc.collect()
    gc.disable()
    try:
        before = sum(type(each) is HdrHistogram for each in gc.get_objects())
        histogram.encode()
        assert before == sum(type(each) is HdrHistogram for each in gc.get_objects())
    finally:
        gc.enable()


@given(durations)
def test_its_values_are_those_that_percentiles_have(values: list[int]) -> None:
    histogram = histogram_of(values)
    durations_ns, counts = histogram.values()
    ranks = np.repeat(durations_ns, counts).tolist()
    assert len(ranks) == len(values)
    for percent in PERCENTS:
        rank = max(1, math.ceil(percent / 100 * len(values) - 1e-9))
        assert ranks[rank - 1] == histogram.percentile_ns(percent)


@given(durations)
def test_the_sum_that_is_read_is_that_of_the_buckets_middles(values: list[int]) -> None:
    reference = reference_of(values)
    middles = [
        (reference.get_lowest_equivalent_value(value) + reference.get_highest_equivalent_value(value)) // 2
        for value in values
    ]
    assert Histogram.decode(reference.encode().decode()).sum_ns == sum(middles)


@given(durations, st.lists(st.integers(LOWEST_NS, HIGHEST_NS), max_size=5))
def test_counts_up_to_limits_are_right_to_the_layouts_precision(values: list[int], limits: list[int]) -> None:
    for limit, number in zip(limits, histogram_of(values).counts_up_to(limits), strict=True):
        assert sum(value <= limit for value in values) <= number
        assert number <= sum(value <= limit * 1.001 + 64 for value in values)


def test_nothing_is_within_any_limit_of_an_empty_histogram() -> None:
    assert Histogram().counts_up_to([1_000, 2_000]) == [0, 0]


@given(st.lists(st.lists(st.integers(0, HIGHEST_NS), max_size=30), max_size=6))
def test_a_union_is_the_histogram_of_all_values(parts: list[list[int]]) -> None:
    union, merged = Histogram.union(map(histogram_of, parts)), histogram_of([value for part in parts for value in part])
    assert union.encode() == merged.encode()
    assert (union.count, union.sum_ns, union.min_ns, union.max_ns) == (
        *(merged.count, merged.sum_ns, merged.min_ns, merged.max_ns),
    )
