"""The messages of this package between a master and its workers: their forms, and the version that both must share.

    HELLO   worker to master   its version, as soon as it is connected and again when a test starts
    READY   worker to master   all of its users are there, or none is any more
    GO      master to worker   when the schedule starts, and which share of it is the worker's
    REPORT  worker to master   its tally so far; the last one is final
    ROWS    worker to master   the rows of a unique feed that its next users need; the master answers with numbers
    DRAIN   master to worker   stop all sessions, then report for the last time

Somebody else wrote whatever arrives. `read` and `read_report` raise MessageError, with a text of one line, for all that
is not in order. Pure.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, StrictBool, ValidationError

from bench.load.metrics.report import OperationReport, Report, SecondReport, StoredHistogram, StoredReceiveTimes
from bench.printable import one_line
from bench.timing.histogram import HistogramError

HELLO = "bench_hello"
READY = "bench_ready"
GO = "bench_go"
REPORT = "bench_report"
ROWS = "bench_rows"
DRAIN = "bench_drain"

MOST_OPERATIONS = 10_000

#: The number of operations that a report may have, and of kinds of errors that each operation may have.
MOST_KINDS = 10_000

#: The time by which a worker's clock may be ahead of the master's, in seconds.
_CLOCKS_S = 60

_LONGEST_SHOWN = 120

#: The number of characters that the name of a feed may have, and the number of rows that a worker may ask for at once.
_LONGEST_NAME, _MOST_ROWS = 400, 10_000_000

_STRICT = ConfigDict(frozen=True, extra="forbid")


class MessageError(Exception):
    """A message that is not in order; the text says why, in one line."""


class Version(BaseModel):
    """The version of one process: the package's, and a hash of the form of its reports."""

    model_config = _STRICT

    package: Annotated[str, Field(max_length=40)]
    reports: Annotated[str, Field(max_length=40)]

    def __str__(self) -> str:
        return f"{shown(self.package)} (reports {shown(self.reports)})"


class Ready(BaseModel):
    """The data of READY. Only users with tasks take arrivals."""

    model_config = _STRICT

    users: StrictBool
    takes_arrivals: StrictBool = True


class Go(BaseModel):
    """The data of GO. The share counts from `since_start_ns` on; a worker that takes no arrivals has none."""

    model_config = _STRICT

    start_unix_ns: int
    since_start_ns: NonNegativeInt
    index: NonNegativeInt
    count: PositiveInt
    has_share: StrictBool = True


class Drain(BaseModel):
    """The data of DRAIN."""

    model_config = _STRICT

    force: StrictBool


class RowsWanted(BaseModel):
    """The data of ROWS to the master. `test` is the worker's name of its test, which the answer repeats."""

    model_config = _STRICT

    feed: Annotated[str, Field(max_length=_LONGEST_NAME)]
    number: Annotated[PositiveInt, Field(le=_MOST_ROWS)]
    test: Annotated[str, Field(max_length=_LONGEST_NAME)]


class RowsGiven(BaseModel):
    """The data of ROWS to a worker: it has so many rows, from the first on. Rows are counted from 0."""

    model_config = _STRICT

    feed: Annotated[str, Field(max_length=_LONGEST_NAME)]
    first: NonNegativeInt
    number: PositiveInt
    test: Annotated[str, Field(max_length=_LONGEST_NAME)]


_Data = TypeVar("_Data", bound=BaseModel)


@cache
def own_version() -> Version:
    """Return the version of this process."""
    try:
        package = version("socketio-bench")
    except PackageNotFoundError:  # a checkout that is not installed
        package = "unknown"
    form = json.dumps(Report.model_json_schema(), sort_keys=True)
    return Version(package=package, reports=hashlib.sha256(form.encode()).hexdigest()[:8])


def read(form: type[_Data], data: object) -> _Data:
    """Return the data of a message. Raises MessageError."""
    try:
        return form.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise MessageError(shown(f"{where}: {first['msg']}" if where else first["msg"])) from None


def read_report(data: object, elapsed_s: float) -> Report:
    """Return a report of a run that began `elapsed_s` ago. Raises MessageError, also for impossible numbers."""
    report = read(Report, data)
    if len(report.operations) > MOST_OPERATIONS:
        raise MessageError(f"{len(report.operations)} operations: expected at most {MOST_OPERATIONS}")
    for operation in report.operations:
        _check_counts(operation)
    for second in report.seconds:
        _check_counts(second)
        if second.second > elapsed_s + _CLOCKS_S:
            raise MessageError(
                f"second {second.second} of a run that is {elapsed_s:.0f} s old: set the clock of its machine right"
            )
    try:
        for histogram in _histograms(report):
            histogram.restored()
    except HistogramError as error:
        raise MessageError(shown(str(error))) from None
    return report


def shown(text: str) -> str:
    """Return a text from elsewhere in one line: short, without control characters."""
    return one_line(text, _LONGEST_SHOWN)


def _check_counts(part: OperationReport | SecondReport) -> None:
    for name, value in part:
        numbers: list[Any] = [value] if isinstance(value, int | float) else []
        if isinstance(value, StoredReceiveTimes):
            numbers = [value.exact, value.bounded, value.unstamped]
        if isinstance(value, dict):
            if len(value) > MOST_KINDS:
                raise MessageError(f"{name}: {len(value)} kinds: expected at most {MOST_KINDS}")
            numbers = list(value.values())
        for number in numbers:
            if not 0 <= number < 1 << 63:
                raise MessageError(f"{name}: {number}: expected a count")


def _histograms(report: Report) -> Iterator[StoredHistogram]:
    for part in (*report.operations, *report.seconds):
        for _, value in part:
            for stored in value if isinstance(value, list) else (value,):
                if isinstance(stored, StoredHistogram):
                    yield stored
                elif isinstance(stored, StoredReceiveTimes):
                    yield from (stored.errors, stored.reading)
    for second in report.seconds:
        for times in second.operations:
            yield times.service
            if times.response is not None:
                yield times.response
