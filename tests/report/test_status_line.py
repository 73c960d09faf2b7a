"""A line that is written in its place, on a terminal that this test keeps in memory."""

import io

import pytest

from bench.report.status_line import StatusLine, fitted, is_terminal
from tests.support.terminal import screen

PARTS = ("12 s of 1 min", "50 users", "p50 297.7 µs")


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (100, "12 s of 1 min  50 users  p50 297.7 µs"),
        (32, "12 s of 1 min  50 users"),
        (14, "12 s of 1 min"),
        (4, "12 s"),
        (0, ""),
    ],
)
def test_it_is_never_wider_than_the_terminal(width: int, line: str) -> None:
    assert fitted(PARTS, width) == line


def test_each_line_takes_the_place_of_the_line_before_and_what_is_written_after_erasing_stands_above() -> None:
    stream = io.StringIO()
    line = StatusLine(stream)
    line.erase()  # there is none yet
    assert stream.getvalue() == ""
    line.show(PARTS)
    line.show(PARTS[:1])
    assert screen(stream.getvalue()) == ["12 s of 1 min"]
    line.erase()
    stream.write("said\n")
    line.show(PARTS[1:2])
    assert screen(stream.getvalue()) == ["said", "50 users"]
    line.erase()
    assert screen(stream.getvalue()) == ["said"]


def test_a_terminal_that_has_gone_is_left_alone() -> None:
    stream = io.StringIO()
    line = StatusLine(stream)
    stream.close()
    line.show(PARTS)
    line.erase()
    assert not is_terminal(stream)


def test_what_is_no_terminal_cannot_be_written_over() -> None:
    assert not is_terminal(io.StringIO())
