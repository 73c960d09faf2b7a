"""Histograms over time as an HdrHistogram interval log (`.hlog`), for the tools that read and plot that format.

The format is version 1.3 of HdrHistogram's own, as its reference implementation writes it (HdrHistogram/HdrHistogram,
src/main/java/org/HdrHistogram/HistogramLogWriter.java; what readers make of it: HistogramLogReader.java and
HistogramLogScanner.java there, hdrh/log.py in HdrHistogram_py, src/HistogramLogReader.ts in HdrHistogramJS,
src/hdr_histogram_log.c in HdrHistogram_c). One line for each interval:

    Tag=<tag>,<start in s since StartTime>,<length in s>,<Interval_Max>,<histogram, V2, base64>

Rules of this file, and what they are for:

- The values in a histogram are nanoseconds, which is what the tools assume unless told otherwise: HistogramLogProcessor
  divides by 1,000,000 to show milliseconds. Interval_Max is in milliseconds too (the writer's default
  maxValueUnitRatio), and is the upper end of the bucket that holds the maximum (getMaxValue), 0 where there is none.
- Start times are relative, and `#[BaseTime: …]` says to what; without it readers guess by the size of the numbers.
- Lines are in the order of their start: readers stop at the first one that begins after the range they were asked for.
- The file is ASCII: Java before 18 reads it in the machine's own character set. All comments come before the legend
  and are shorter than 128 characters, because the C reader takes no others.
- Commas, white space and line breaks end a tag. So each run of characters other than ASCII letters, digits and `._:/-`
  becomes one `_`; where two texts would get the same tag, the later ones (those that fit as they are come first, then
  by code point) get `~2`, `~3` and so on (a text's own `~` becomes `_`). A comment says what a changed tag means, as
  a JSON string: `#[Tag FOO_BAR_to_sender/service: "FOO\\u2192BAR to sender/service"]`.

Every line has a tag. HistogramLogProcessor shows one tag at a time (`-listtags`, `-tag`) and without `-tag` only lines
that have none; a reader that ignores tags would add service times to response times.
"""

import datetime as dt
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from hdrh.histogram import HdrHistogram

from bench.results.files import write_whole
from bench.results.load import LoadResult, OperationKey
from bench.results.store import ResultError
from bench.timing.histogram import HIGHEST_NS, LOWEST_NS, SIGNIFICANT_DIGITS, Histogram, HistogramError

_NS_PER_MS = 1_000_000
_COMMENT_WIDTH = 120  # HdrHistogram_c reads a header line into 128 bytes, its `#`, line end and terminator included
_UNFIT = re.compile(r"[^A-Za-z0-9._:/-]+")


@dataclass(frozen=True)
class Interval:
    """The durations of one kind that were recorded from `start_s` (since the start of the run) for `length_s`.

    `tag` says of what kind, in any characters: an operation and which of its times, as `FOO→BAR to sender/service`.
    Raises ValueError for a time that is negative or not finite: readers skip such lines without a word.
    """

    tag: str
    start_s: float
    length_s: float
    histogram: Histogram

    def __post_init__(self) -> None:
        for name, value in (("start_s", self.start_s), ("length_s", self.length_s)):
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} of an interval of {self.tag!r} is {value}, but must be 0 or more")


def hlog(started_at: dt.datetime, intervals: Iterable[Interval], described: str) -> Iterator[str]:
    """Yield the lines of an interval log, without their line ends.

    `started_at` is the moment that the intervals' `start_s` count from; `described` says in the first line what wrote
    the log, and of what. The intervals may come in any order; empty ones are kept. Each is encoded as it comes, so not
    all of their histograms need to be there at once. Raises ValueError where `started_at` has no time zone.
    """
    if started_at.utcoffset() is None:
        raise ValueError(f"the start of the log, {started_at}, has no time zone")
    layout = HdrHistogram(LOWEST_NS, HIGHEST_NS, SIGNIFICANT_DIGITS)
    found = [(interval.start_s, interval.tag, _fields(interval, layout)) for interval in intervals]
    found.sort(key=itemgetter(0))
    tags = _tags({text for _, text, _ in found})

    since_epoch = f"{started_at.timestamp():.3f} (seconds since epoch)"
    yield from _comment(f"[Logged with {json.dumps(described)[1:-1]}]")
    yield from _comment("[Histogram log format version 1.3]")
    yield from _comment(f"[BaseTime: {since_epoch}]")
    yield from _comment(f"[StartTime: {since_epoch}, {started_at.isoformat(' ', 'milliseconds')}]")
    for text, tag in tags.items():
        if tag != text:
            yield from _comment(f"[Tag {tag}: {json.dumps(text)}]")
    yield '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"'
    for _, text, fields in found:
        yield f"Tag={tags[text]},{fields}"


def write_hlog(path: Path, lines: Iterable[str]) -> None:
    """Write the lines to `path`, replacing what was there: it is there whole, or as it was before.

    The folder must exist. Raises ResultError, in one line, where the file cannot be written.
    """
    try:
        write_whole(path, (f"{line}\n".encode("ascii") for line in lines))
    except OSError as error:
        raise ResultError(f"cannot write {path}: {error.strerror or error}") from error


def _fields(interval: Interval, layout: HdrHistogram) -> str:
    """Return the fields that follow the tag in an interval's line."""
    max_ns = interval.histogram.max_ns
    max_ms = layout.get_highest_equivalent_value(max_ns) / _NS_PER_MS if max_ns else 0.0
    # z: "-0.000" is a number that hdrh's reader does not see.
    return f"{interval.start_s:z.3f},{interval.length_s:z.3f},{max_ms:.3f},{interval.histogram.encode()}"


def _tags(texts: Iterable[str]) -> dict[str, str]:
    """Return a tag of its own for each text; the same for the same texts, whatever their order."""
    tags: dict[str, str] = {}
    taken: Counter[str] = Counter()
    for text in sorted(texts, key=lambda text: (_UNFIT.search(text) is not None, text)):
        tag = _UNFIT.sub("_", text) or "_"
        taken[tag] += 1
        tags[text] = tag if taken[tag] == 1 else f"{tag}~{taken[tag]}"
    return tags


def _comment(text: str) -> Iterator[str]:
    """Yield the lines of a comment. A long comment goes on in lines that begin with `#` and two spaces."""
    yield f"#{text[:_COMMENT_WIDTH]}"
    for start in range(_COMMENT_WIDTH, len(text), _COMMENT_WIDTH):
        yield f"#  {text[start : start + _COMMENT_WIDTH]}"


def intervals_of(result: LoadResult) -> Iterator[Interval]:
    """Yield the seconds of a load run, by operation: `<operation>/service`, and `/response` if the load was open.

    Raises HistogramError, which names the second and the operation.
    """
    for second in result.timeline:
        for operation in second.operations:
            times = {"service": operation.service_histogram, "response": operation.response_histogram}
            for kind, encoded in times.items():
                if encoded is not None:
                    tag = f"{OperationKey(operation.name, operation.kind).label}/{kind}"
                    try:
                        histogram = Histogram.decode(encoded)
                    except HistogramError as error:
                        raise HistogramError(f"second {second.t:g}, {tag}: {error}") from None
                    yield Interval(tag, second.t, 1.0, histogram)
