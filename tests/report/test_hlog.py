"""The interval log, read back by two of HdrHistogram's own readers: Python's and JavaScript's."""

import base64
import datetime as dt
import json
import math
import os
import re
import resource
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

from bench.report.hlog import Interval, hlog, write_hlog
from bench.results.store import ResultError
from bench.timing.histogram import HIGHEST_NS, LOWEST_NS, SIGNIFICANT_DIGITS, Histogram
from tests.support.folders import NODE
from tests.support.locust_process import LocustProcess
from tests.support.node_process import node_command

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


def read_by_javascript(path: Path) -> Log:
    folder = NODE / "hlog"
    assert (folder / "node_modules" / "hdr-histogram-js").is_dir(), "first: npm ci --prefix tests/data/node/hlog"
    ran = subprocess.run(node_command("hlog/read.js", str(path)), cwd=NODE, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    read = json.loads(ran.stdout)
    intervals = [ReadInterval(**interval) for interval in read["intervals"]]
    return Log(intervals, {tag: Total(**total) for tag, total in read["totals"].items()})


@pytest.fixture(params=[read_by_python, read_by_javascript])
def read(request: pytest.FixtureRequest) -> Read:
    reader: Read = request.param
    return reader


def histogram_of(values_ns: Any) -> Histogram:
    histogram = Histogram()
    histogram.record(np.asarray(values_ns, dtype=np.int64))
    return histogram


def recorded() -> dict[str, list[Any]]:
    """Durations by tag and second: another distribution for each tag, and a long tail."""
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


@pytest.fixture(scope="module")
def log_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's log; its intervals were given tag by tag, not in the order of time."""
    intervals = [
        Interval(tag, float(second), 1.0, histogram_of(values))
        for tag, seconds in recorded().items()
        for second, values in enumerate(seconds)
    ]
    return written(tmp_path_factory.mktemp("hlog") / "run.hlog", intervals)


class TestAsOthersReadIt:
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

    def test_a_range_of_time_has_every_tag(self, log_path: Path) -> None:
        found = [histogram.get_tag() for histogram in python_intervals(log_path, 2.5, 3.5)]
        assert found == list(TAGS)

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


class TestTags:
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


def texts_by_tag(path: Path) -> dict[str, str]:
    comments = re.sub("\n#  ", "", path.read_text("ascii"))
    return {tag: json.loads(text) for tag, text in re.findall(r"^#\[Tag (\S+): (.*)\]$", comments, re.MULTILINE)}


class TestLines:
    def test_the_header(self) -> None:
        assert list(hlog(STARTED_AT, [], "bench 1.0, load/x")) == [
            "#[Logged with bench 1.0, load/x]",
            "#[Histogram log format version 1.3]",
            "#[BaseTime: 1772361015.250 (seconds since epoch)]",
            "#[StartTime: 1772361015.250 (seconds since epoch), 2026-03-01 12:30:15.250+02:00]",
            '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"',
        ]

    def test_the_maximum_is_in_milliseconds_as_the_reference_rounds_it(self, log_path: Path) -> None:
        lines = [line for line in log_path.read_text().splitlines() if line.startswith("Tag=")]
        assert len(lines) == SECONDS * len(TAGS)
        for line in lines:
            _, _, _, max_ms, encoded = line.split(",")
            assert max_ms == f"{HdrHistogram.decode(encoded).get_max_value() / 1e6:.3f}"

    @pytest.mark.parametrize("values", [[], [0]])
    def test_the_maximum_of_nothing_and_of_nothing_but_zeros(self, values: list[int]) -> None:
        *_, line = hlog(STARTED_AT, [Interval("a", 0.5, 0.25, histogram_of(values))], "bench")
        assert line.startswith("Tag=a,0.500,0.250,0.000,HIST")

    def test_an_empty_interval_is_what_the_reference_writes(self) -> None:
        """As Java's HistogramLogWriter wrote `new Histogram(100, 3600000000000L, 3)`; hdrh's fails in C."""
        *_, line = hlog(STARTED_AT, [Interval("a", 1, 1, Histogram())], "bench")
        head, encoded = line.rsplit(",", 1)
        assert head == "Tag=a,1.000,1.000,0.000"
        java = "HISTFAAAACF42pNpmSzMwMDAyAABzFA6Bch0M9ixgMH+A1QEAFmcBK8="
        assert uncompressed(encoded) == uncompressed(java)

    def test_comments_are_what_the_c_reader_takes(self) -> None:
        """128 bytes a line with line end and terminator, none after the legend (src/hdr_histogram_log.c)."""
        lines = list(hlog(STARTED_AT, [Interval(text, 0, 1, Histogram()) for text in ODD_TEXTS], "→ a\nb" * 100))
        legend = next(index for index, line in enumerate(lines) if line.startswith('"StartTimestamp"'))
        assert all(line.startswith("#") and len(line) <= 126 for line in lines[:legend])
        assert all(line.startswith("Tag=") for line in lines[legend + 1 :])
        assert all(line.isascii() and line.isprintable() for line in lines)

    def test_a_description_cannot_pass_for_a_start_time(self, tmp_path: Path, read: Read) -> None:
        described = "x]\n#[StartTime: 1 (seconds since epoch), then]" + ".[StartTime: 1 " * 20
        path = written(tmp_path / "x.hlog", [Interval("a", 0, 1, histogram_of([5_000]))], described)
        assert read(path).intervals == [ReadInterval("a", STARTED_AT_MS, STARTED_AT_MS + 1000, 1)]

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
    """No file grows beyond that meanwhile: the nearest thing to a full disk that needs no disk."""
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


def test_the_command_exports_a_stored_result(tmp_path: Path) -> None:
    with LocustProcess(tmp_path, "-u", "3", "-r", "3", "-t", "3s", "--rate", "100") as locust:
        assert locust.wait() == 0, locust.output
    (stored,) = tmp_path.rglob("*.json")
    command = [
        str(Path(sys.executable).with_name("bench")),
        "hlog",
        str(stored),
        "--output",
        str(tmp_path / "run.hlog"),
    ]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert told.stdout == f"wrote {tmp_path / 'run.hlog'}\n"
    (row,) = [row for row in locust.result().operations if row.response_histogram]
    counts = {"service": 0, "response": 0}
    reader = HistogramLogReader(str(tmp_path / "run.hlog"), HdrHistogram(LOWEST_NS, HIGHEST_NS, SIGNIFICANT_DIGITS))
    while (interval := reader.get_next_interval_histogram()) is not None:
        counts[interval.get_tag().rpartition("/")[2]] += interval.get_total_count()
    assert counts == {"service": row.ok, "response": row.ok}
