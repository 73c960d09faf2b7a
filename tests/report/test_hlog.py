"""The interval log: its lines, its file, and that HdrHistogram's own reader in Python finds in it what was written."""

import base64
import math
import os
import resource
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

from bench.report.hlog import Interval, hlog, write_hlog
from bench.results.store import ResultError
from bench.timing.histogram import HIGHEST_NS, LOWEST_NS, SIGNIFICANT_DIGITS, Histogram
from tests.support.interval_logs import (
    ODD_TEXTS,
    PERCENTS,
    SECONDS,
    STARTED_AT,
    TAGS,
    Log,
    Read,
    ReadingTests,
    ReadInterval,
    Total,
    histogram_of,
    write_run,
)


def read_by_python(path: Path) -> Log:
    intervals: list[ReadInterval] = []
    sums: dict[str, Any] = {}
    for histogram in python_intervals(path):
        tag = histogram.get_tag()
        start_ms, end_ms = round(histogram.get_start_time_stamp()), round(histogram.get_end_time_stamp())
        intervals.append(ReadInterval(tag, start_ms, end_ms, histogram.get_total_count()))
        sums.setdefault(tag, empty()).add(histogram)
    totals = {
        tag: Total(total.get_total_count(), {p: total.get_value_at_percentile(float(p)) for p in PERCENTS})
        for tag, total in sums.items()
    }
    return Log(intervals, totals)


def python_intervals(path: Path, *time_range_s: float) -> Iterator[Any]:
    reader = HistogramLogReader(str(path), empty())
    try:
        while (histogram := reader.get_next_interval_histogram(*time_range_s)) is not None:
            yield histogram
    finally:
        reader.close()


def empty() -> Any:
    return HdrHistogram(LOWEST_NS, HIGHEST_NS, SIGNIFICANT_DIGITS)


class TestAsPythonReadsIt(ReadingTests):
    @pytest.fixture
    def read(self) -> Read:
        return read_by_python

    def test_a_range_of_time_has_every_tag(self, log_path: Path) -> None:
        found = [histogram.get_tag() for histogram in python_intervals(log_path, 2.5, 3.5)]
        assert found == list(TAGS)


class TestTags:
    def test_an_operations_name_stays_readable(self) -> None:
        assert tags_of("FOO→BAR to sender/service") == ["FOO_BAR_to_sender/service"]

    @pytest.mark.parametrize("texts", [("a b", "a_b", "a,b"), ("a,b", "a b", "a_b")])
    def test_the_order_of_intervals_does_not_matter(self, texts: tuple[str, ...]) -> None:
        assert dict(zip(texts, tags_of(*texts), strict=True)) == {"a_b": "a_b", "a b": "a_b~2", "a,b": "a_b~3"}

    @pytest.mark.parametrize("text", ["FOO/service", "a.b:c-d_e/response", "9"])
    def test_what_fits_is_left_as_it_is(self, text: str) -> None:
        assert tags_of(text) == [text]
        assert not any(line.startswith("#[Tag") for line in hlog(STARTED_AT, [Interval(text, 0, 1, Histogram())], ""))


def tags_of(*texts: str) -> list[str]:
    lines = hlog(STARTED_AT, [Interval(text, 0, 1, Histogram()) for text in texts], "bench")
    return [line[len("Tag=") :].partition(",")[0] for line in lines if line.startswith("Tag=")]


class TestLines:
    def test_the_header(self) -> None:
        assert list(hlog(STARTED_AT, [], "bench 1.0, load/x")) == [
            "#[Logged with bench 1.0, load/x]",
            "#[Histogram log format version 1.3]",
            "#[BaseTime: 1772361015.250 (seconds since epoch)]",
            "#[StartTime: 1772361015.250 (seconds since epoch), 2026-03-01 12:30:15.250+02:00]",
            '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"',
        ]

    def test_the_maximum_is_in_milliseconds_as_the_reference_rounds_it(self, tmp_path: Path) -> None:
        lines = [line for line in write_run(tmp_path).read_text().splitlines() if line.startswith("Tag=")]
        assert len(lines) == SECONDS * len(TAGS)
        for line in lines:
            _, _, _, max_ms, encoded = line.split(",")
            assert max_ms == f"{HdrHistogram.decode(encoded).get_max_value() / 1e6:.3f}"

    @pytest.mark.parametrize("values", [[], [0]])
    def test_the_maximum_of_nothing_and_of_nothing_but_zeros(self, values: list[int]) -> None:
        *_, line = hlog(STARTED_AT, [Interval("a", 0.5, 0.25, histogram_of(values))], "bench")
        assert line.startswith("Tag=a,0.500,0.250,0.000,HIST")

    def test_an_empty_interval_is_what_the_reference_writes(self) -> None:
        """Compare with what Java's HistogramLogWriter wrote for `new Histogram(100, 3600000000000L, 3)`.

        hdrh's writer fails in C.
        """
        *_, line = hlog(STARTED_AT, [Interval("a", 1, 1, Histogram())], "bench")
        head, encoded = line.rsplit(",", 1)
        assert head == "Tag=a,1.000,1.000,0.000"
        java = "HISTFAAAACF42pNpmSzMwMDAyAABzFA6Bch0M9ixgMH+A1QEAFmcBK8="
        assert uncompressed(encoded) == uncompressed(java)

    def test_comments_are_what_the_c_reader_takes(self) -> None:
        """The C reader takes 128 bytes a line with its end, and none after the legend (src/hdr_histogram_log.c)."""
        lines = list(hlog(STARTED_AT, [Interval(text, 0, 1, Histogram()) for text in ODD_TEXTS], "→ a\nb" * 100))
        legend = next(index for index, line in enumerate(lines) if line.startswith('"StartTimestamp"'))
        assert all(line.startswith("#") and len(line) <= 126 for line in lines[:legend])
        assert all(line.startswith("Tag=") for line in lines[legend + 1 :])
        assert all(line.isascii() and line.isprintable() for line in lines)

    def test_a_start_without_time_zone_is_refused(self) -> None:
        with pytest.raises(ValueError, match="no time zone"):
            list(hlog(STARTED_AT.replace(tzinfo=None), [], "bench"))

    @pytest.mark.parametrize("value", [-0.001, math.nan, math.inf])
    def test_times_that_readers_would_skip_are_refused(self, value: float) -> None:
        with pytest.raises(ValueError, match=r"start_s of an interval of 'a' is"):
            Interval("a", value, 1, Histogram())
        with pytest.raises(ValueError, match=r"length_s of an interval of 'a' is"):
            Interval("a", 0, value, Histogram())


def uncompressed(encoded: str) -> bytes:
    data = base64.b64decode(encoded)
    assert int.from_bytes(data[4:8]) == len(data) - 8
    return data[:4] + zlib.decompress(data[8:])


class TestWriting:
    def test_replaces_what_was_there(self, tmp_path: Path) -> None:
        path = tmp_path / "x.hlog"
        path.write_text("old")
        write_hlog(path, ["a", "b"])
        assert path.read_bytes() == b"a\nb\n"
        assert list(tmp_path.iterdir()) == [path]

    def test_lines_that_end_in_an_error_leave_what_was_there(self, tmp_path: Path) -> None:
        def lines() -> Iterator[str]:
            yield "a"
            raise KeyboardInterrupt

        path = tmp_path / "x.hlog"
        path.write_text("old")
        with pytest.raises(KeyboardInterrupt):
            write_hlog(path, lines())
        assert path.read_text() == "old"
        assert list(tmp_path.iterdir()) == [path]

    def test_a_full_disk_leaves_what_was_there(self, tmp_path: Path) -> None:
        path = tmp_path / "x.hlog"
        path.write_text("old")
        with files_up_to(100), pytest.raises(ResultError) as caught:
            write_hlog(path, ["x" * 1000])
        assert str(caught.value) == f"cannot write {path}: File too large"
        assert path.read_text() == "old"
        assert list(tmp_path.iterdir()) == [path]

    def test_an_unwritable_folder_is_one_line(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x.hlog"
            Path(folder).chmod(0o555)
            with without_root(), pytest.raises(ResultError) as caught:
                write_hlog(path, ["a"])
            assert str(caught.value) == f"cannot write {path}: Permission denied"
            assert list(Path(folder).iterdir()) == []

    def test_a_missing_folder_is_one_line(self, tmp_path: Path) -> None:
        path = tmp_path / "missing" / "x.hlog"
        with pytest.raises(ResultError) as caught:
            write_hlog(path, ["a"])
        assert str(caught.value) == f"cannot write {path}: No such file or directory"

    def test_a_folder_that_is_a_file_is_one_line(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        path = tmp_path / "file" / "x.hlog"
        with pytest.raises(ResultError) as caught:
            write_hlog(path, ["a"])
        assert str(caught.value) == f"cannot write {path}: Not a directory"

    def test_a_file_that_is_a_folder_is_one_line(self, tmp_path: Path) -> None:
        path = tmp_path / "x.hlog"
        path.mkdir()
        with pytest.raises(ResultError) as caught:
            write_hlog(path, ["a"])
        assert str(caught.value) == f"cannot write {path}: Is a directory"
        assert list(tmp_path.iterdir()) == [path]


@contextmanager
def files_up_to(size_bytes: int) -> Iterator[None]:
    """Let no file grow beyond that meanwhile: the nearest thing to a full disk that needs no disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def without_root() -> Iterator[None]:
    """Root may write everywhere: be somebody else meanwhile."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
