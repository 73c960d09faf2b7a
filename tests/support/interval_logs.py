"""Interval logs with known contents, and tests of what a reader finds in them, whichever reader it is."""

import datetime as dt
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.report.hlog import Interval, hlog, write_hlog
from bench.timing.histogram import HIGHEST_NS, Histogram

STARTED_AT = dt.datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=dt.timezone(dt.timedelta(hours=2)))
STARTED_AT_MS = 1_772_361_015_250
PERCENTS = ("50", "90", "99", "99.9", "100")
TAGS = ("FOO/service", "FOO/response", "JOIN/service", "JOIN/response")
SECONDS = 5
EMPTY_SECOND = 2
PER_SECOND = 500
ODD_TEXTS = (
    "FOO→BAR to sender/service",
    "a_b",
    "a b",
    "a,b",
    "a, b",
    "a\nb",
    "a\r\nb",
    "a\u2028b",
    "a\x85b",
    "a_b~2",
    "注文",
    "会計",
    "",
    "#[StartTime: 1 (seconds since epoch)]",
    "Tag=x",
    '"StartTimestamp"',
    "\ud800",
    "long " * 100,
    "..[StartTime: 1 (seconds since epoch)] " * 20,
)


@dataclass(frozen=True)
class ReadInterval:
    tag: str
    start_ms: int
    end_ms: int
    count: int


@dataclass(frozen=True)
class Total:
    count: int
    percentiles_ns: dict[str, int]


@dataclass(frozen=True)
class Log:
    intervals: list[ReadInterval]
    totals: dict[str, Total]


Read = Callable[[Path], Log]


def histogram_of(values_ns: Any) -> Histogram:
    histogram = Histogram()
    histogram.record(np.asarray(values_ns, dtype=np.int64))
    return histogram


def recorded() -> dict[str, list[Any]]:
    """Return durations by tag and second: another distribution for each tag, and a long tail."""
    random = np.random.default_rng(7)
    values: dict[str, list[Any]] = {}
    for scale, tag in enumerate(TAGS, start=1):
        seconds = [(random.lognormal(12, 1, PER_SECOND) * 3**scale).astype(np.int64) for _ in range(SECONDS)]
        seconds[EMPTY_SECOND] = np.empty(0, dtype=np.int64)
        seconds[-1][0] = 1_000_000_000 * 7**scale
        values[tag] = seconds
    return values


def written(path: Path, intervals: list[Interval], described: str = "bench") -> Path:
    write_hlog(path, hlog(STARTED_AT, intervals, described))
    return path


def write_run(folder: Path) -> Path:
    """Write a run's log; its intervals are given tag by tag, not in the order of time."""
    intervals = [
        Interval(tag, float(second), 1.0, histogram_of(values))
        for tag, seconds in recorded().items()
        for second, values in enumerate(seconds)
    ]
    return written(folder / "run.hlog", intervals)


def texts_by_tag(path: Path) -> dict[str, str]:
    comments = re.sub("\n#  ", "", path.read_text("ascii"))
    return {tag: json.loads(text) for tag, text in re.findall(r"^#\[Tag (\S+): (.*)\]$", comments, re.MULTILINE)}


class ReadingTests:
    """Tests of a reader, which the fixture `read` of a subclass gives."""

    @pytest.fixture
    def log_path(self, tmp_path: Path) -> Path:
        return write_run(tmp_path)

    def test_each_tag_adds_up_to_its_distribution(self, log_path: Path, read: Read) -> None:
        totals = read(log_path).totals
        assert sorted(totals) == sorted(TAGS)
        for tag, seconds in recorded().items():
            values = np.sort(np.concatenate(seconds))
            assert totals[tag].count == len(values)
            whole = histogram_of(values)
            for percent, reported_ns in totals[tag].percentiles_ns.items():
                true_ns = values[math.ceil(float(percent) / 100 * len(values) - 1e-9) - 1]
                assert reported_ns == pytest.approx(whole.percentile_ns(float(percent)), rel=1e-3)
                assert reported_ns == pytest.approx(true_ns, rel=1e-3)

    def test_each_interval_has_its_time_and_count(self, log_path: Path, read: Read) -> None:
        assert read(log_path).intervals == [
            ReadInterval(
                tag,
                STARTED_AT_MS + 1000 * second,
                STARTED_AT_MS + 1000 * second + 1000,
                0 if second == EMPTY_SECOND else PER_SECOND,
            )
            for second in range(SECONDS)
            for tag in TAGS
        ]

    def test_only_empty_intervals(self, tmp_path: Path, read: Read) -> None:
        path = written(tmp_path / "x.hlog", [Interval("a", second, 1, Histogram()) for second in range(3)])
        assert [interval.count for interval in read(path).intervals] == [0, 0, 0]

    def test_no_intervals(self, tmp_path: Path, read: Read) -> None:
        assert read(written(tmp_path / "x.hlog", [])) == Log([], {})

    def test_the_smallest_and_the_longest_durations(self, tmp_path: Path, read: Read) -> None:
        path = written(tmp_path / "x.hlog", [Interval("a", 0, 1, histogram_of([0, HIGHEST_NS]))])
        total = read(path).totals["a"]
        assert total.count == 2
        assert total.percentiles_ns["50"] < 64
        assert total.percentiles_ns["100"] == pytest.approx(HIGHEST_NS, rel=1e-3)

    def test_a_negative_zero_is_no_lost_interval(self, tmp_path: Path, read: Read) -> None:
        path = written(tmp_path / "x.hlog", [Interval("a", -0.0, -0.0, histogram_of([5_000]))])
        assert read(path).totals["a"].count == 1

    def test_odd_texts_keep_apart_and_can_be_told(self, tmp_path: Path, read: Read) -> None:
        intervals = [
            Interval(text, 0, 1, histogram_of([1_000_000] * count)) for count, text in enumerate(ODD_TEXTS, start=1)
        ]
        path = written(tmp_path / "odd.hlog", intervals)
        log = read(path)
        stands_for = texts_by_tag(path)
        counts = {stands_for.get(tag, tag): total.count for tag, total in log.totals.items()}
        assert counts == {text: count for count, text in enumerate(ODD_TEXTS, start=1)}
        assert {interval.start_ms for interval in log.intervals} == {STARTED_AT_MS}

    def test_a_description_cannot_pass_for_a_start_time(self, tmp_path: Path, read: Read) -> None:
        described = "x]\n#[StartTime: 1 (seconds since epoch), then]" + ".[StartTime: 1 " * 20
        path = written(tmp_path / "x.hlog", [Interval("a", 0, 1, histogram_of([5_000]))], described)
        assert read(path).intervals == [ReadInterval("a", STARTED_AT_MS, STARTED_AT_MS + 1000, 1)]
