"""Exceptions of users' own code and error texts: counted, told once, bounded, whoever raises them and however often."""

import asyncio
import logging
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from bench.load.metrics.exceptions import (
    MOST_KINDS,
    OTHER_EXCEPTIONS,
    ExceptionLog,
    Exceptions,
    KindCounts,
    Raised,
    exception_kind,
    folded,
    with_rest,
)
from bench.load.metrics.merge import Merger
from bench.load.metrics.recorder import Recorder
from bench.load.metrics.report import Report
from bench.load.metrics.tally import Tally
from bench.places import place_in


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("user 6f1c8a52-9f0e-4b6e-8a63-0123456789ab is unknown", "user … is unknown"),
        ("'rt-1a2b3c4d-12-345' is no token", "'…' is no token"),
        ("<Thing object at 0x7f840f3ff6c0>", "<Thing object at …>"),
        ("session 5f2b8c91ad3e", "session …"),
        ("order 12345678 is gone", "order … is gone"),
        ("no session lv_VI97HAXpY6yYGAAAC here", "no session … here"),
        ("at 2026-11-25 23:32:29,959: no", "at …: no"),
        ("two\nlines\r\n\tand more", "two lines and more"),
        ("\x1b[31mred\x07 \ud800", "?[31mred? ?".replace("?", "\N{REPLACEMENT CHARACTER}")),
        # What names a cause stays.
        ("HTTP 500", "HTTP 500"),
        ("http://127.0.0.1:43210 cannot be reached", "http://127.0.0.1:43210 cannot be reached"),
        ("timed out after 10.5 s", "timed out after 10.5 s"),
        ("5000000 bytes are more than 1000000 bytes", "5000000 bytes are more than 1000000 bytes"),
        ("deadbeef and faded are words", "deadbeef and faded are words"),
        ("some_function_with_2_arguments", "some_function_with_2_arguments"),
        ("connection lost", "connection lost"),
    ],
)  # fmt: skip
def test_ids_are_folded(text: str, shown: str) -> None:
    assert folded(text) == shown


def test_long_texts_are_cut() -> None:
    assert len(folded("word " * 1_000_000)) == 300
    assert folded("word " * 1_000_000).endswith("…")


def raised(function: Callable[[], Any]) -> BaseException:
    try:
        function()
    except BaseException as error:
        return error
    raise AssertionError("it did not raise")


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise ValueError("no text either")


def fail(error: BaseException) -> None:
    raise error


def test_the_kind_of_an_exception_is_its_type_text_and_place() -> None:
    line = fail.__code__.co_firstlineno + 1
    where = f"(test_exceptions.py:{line} in fail)"
    assert exception_kind(raised(lambda: fail(ValueError("order 12345678")))) == f"ValueError: order … {where}"
    assert exception_kind(raised(lambda: fail(AssertionError()))) == f"AssertionError {where}"
    assert (
        exception_kind(raised(lambda: fail(UnprintableError()))) == f"UnprintableError: its text cannot be had {where}"
    )
    assert exception_kind(ValueError("never raised")) == "ValueError: never raised"


def test_the_place_is_in_the_users_own_code() -> None:
    def users_own() -> None:
        asyncio.run(folded)  # type: ignore[arg-type]  # raises in the standard library

    assert exception_kind(raised(users_own)).endswith("in users_own)")
    assert (place_in(sys._getframe()) or "").endswith("in test_the_place_is_in_the_users_own_code")


def test_a_flood_is_a_few_items() -> None:
    exceptions = Exceptions()
    first = ValueError("first")
    assert exceptions.note("a", first) == Raised("a", 1, first)
    assert [exceptions.note("a", first) for _ in range(1000)] == [None] * 1000
    assert exceptions.take() == [Raised("a", 1000, first)]
    assert exceptions.take() == []
    assert exceptions.note("a", first) is not None, "the first after that is told at once again"
    told = [exceptions.note(f"kind {number}", first) for number in range(10_000)]
    assert sum(item is not None for item in told) < MOST_KINDS
    (others,) = exceptions.take()
    assert (others.kind, others.count) == (OTHER_EXCEPTIONS, others.texts)
    assert others.count + sum(item is not None for item in told) == 10_000


def test_the_most_frequent_texts_are_kept_however_late_they_come() -> None:
    counts = KindCounts()
    for number in range(5_000):
        counts.add({f"rare {number}": 1})
    for number in range(5_000, 6_000):
        counts.add({"frequent": 2, f"rare {number}": 1})
    kinds, rest, texts = counts.most_frequent()
    assert len(kinds) == MOST_KINDS
    assert next(iter(kinds.items())) == ("frequent", 2_000)
    assert rest == 6_000 - (MOST_KINDS - 1)
    assert texts == rest
    assert counts.total == 8_000
    assert sys.getsizeof(counts._counts) < 50_000
    assert with_rest(*counts.most_frequent(), "other errors")[f"other errors ({texts:,} texts)"] == rest


def test_errors_of_many_workers_stay_few_and_add_up() -> None:
    merger = Merger()
    for worker in range(20):
        log = Recorder("say")
        tally = Tally(0)
        for number in range(300):
            log.failed(number, number + 1, f"refused by {'xyz'[number % 3]}{worker}w{number}")
        log.failed(0, 1, "timeout")
        log.failed(0, 1, "user 6f1c8a52-9f0e-4b6e-8a63-0123456789ab")
        log.failed(0, 1, "user 0a1c8a52-9f0e-4b6e-8a63-0123456789ab")
        batch = log.flush()
        assert batch is not None
        tally.add(batch)
        tally.add_exceptions(Raised("ValueError", 5, ValueError()))
        tally.add_exceptions(Raised(OTHER_EXCEPTIONS, 70, ValueError(), texts=60))
        report = tally.report(unfinished=Counter(), late=Counter(), final=True)
        assert len(report.operations[0].errors) <= MOST_KINDS
        merger.receive(f"worker {worker}", Report.model_validate(report.model_dump()))
    (operation,) = merger.operations(1e6)
    assert operation.timeouts == 20
    assert len(operation.errors) == MOST_KINDS + 1
    assert operation.errors["user …"] == 40
    assert sum(operation.errors.values()) == 20 * 302
    assert {found.text: found.count for found in merger.exceptions()} == {
        "ValueError": 100,
        "other exceptions (1,200 texts)": 1_400,
    }


def test_the_log_tells_each_kind_once_and_then_how_many_more(caplog: pytest.LogCaptureFixture) -> None:
    log = ExceptionLog(logging.getLogger("tests.exceptions"))
    error = raised(lambda: fail(ValueError("once")))
    for second in range(100):
        log.note(Raised("once", 1000, error), float(second))
    log.summarise(100.0, at_once=True)
    messages = [record.getMessage() for record in caplog.records]
    assert "in fail" in messages[0]
    assert messages[0].startswith("once\nTraceback")
    assert all(message.endswith(" more of: once") for message in messages[1:])
    assert 1 + sum(int(message.split()[0]) for message in messages[1:]) == 100_000
    assert len(messages) <= 12


def test_the_log_of_ever_new_kinds_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    log = ExceptionLog(logging.getLogger("tests.exceptions"))
    error = raised(lambda: fail(ValueError("x" * 1_000_000)))
    for number in range(10_000):
        log.note(Raised(f"kind {number}", 1, error), 0.0)
    log.summarise(1.0, at_once=True)
    assert len(caplog.records) < 120
    assert sum("Traceback" in record.getMessage() for record in caplog.records) == MOST_KINDS
    assert max(len(record.getMessage()) for record in caplog.records) < 11_000
