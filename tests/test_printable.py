"""Text of others: nothing that a terminal would obey, on one line, of a bounded length."""

from hypothesis import given
from hypothesis import strategies as st

from bench.printable import one_line, printable


@given(st.text(), st.integers(1, 50))
def test_any_text_becomes_one_short_printable_line(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert line.isprintable()
    assert len(line) <= limit + 1


@given(st.text())
def test_printable_keeps_the_length_and_all_that_is_harmless(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown) == len(text)
    assert all(before == after or not before.isprintable() for before, after in zip(text, shown, strict=True))


def test_what_is_cut_says_so() -> None:
    assert one_line("a" * 300) == "a" * 300
    assert one_line("a" * 301) == "a" * 300 + "…"
    assert one_line(" " * 1_000_000 + "a", 10) == "…"
    assert one_line("\x1b[31m\n\n red\u202e") == "\N{REPLACEMENT CHARACTER}[31m red\N{REPLACEMENT CHARACTER}"


def test_an_error_without_a_text_is_named() -> None:
    assert one_line(KeyError()) == "KeyError"
    assert one_line("") == ""
