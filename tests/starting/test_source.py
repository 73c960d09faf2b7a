"""Data as Python source: what is written is what was meant, whatever it contains."""

import ast
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bench.starting.source import LINE, Code, Names, comment, source_of

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
)


@given(JSON)
def test_source_is_the_data(value: Any) -> None:
    assert ast.literal_eval(source_of(value)) == value


def test_long_data_has_a_line_for_each_item() -> None:
    value = {"first": ["a" * 40, "b" * 40], "second": {"token": Code('secret("@env:TOKEN")'), "text": 'say "hi"'}}
    assert source_of(value, "    ") == (
        '{\n'
        f'        "first": ["{"a" * 40}", "{"b" * 40}"],\n'
        '        "second": {"token": secret("@env:TOKEN"), "text": \'say "hi"\'},\n'
        "    }"
    )  # fmt: skip


def test_what_is_very_long_is_written_by_its_length() -> None:
    assert source_of({"a": "y" * 20_000, "b": bytes(1000)}) == '{"a": "x" * 20000, "b": bytes(1000)}'


def test_names_are_python_and_differ() -> None:
    names = Names("connection")
    made = [names.new(text) for text in ("say", "say", "joinRoom", "connection", "class", "7 up", "žluť", "привет", "")]
    assert made == ["say", "say_2", "join_room", "connection_2", "class_", "event_7_up", "lu", "event", "event_2"]
    assert all(name.isidentifier() for name in made)


def test_a_comment_is_one_whatever_the_text_has_in_it() -> None:
    lines = comment("first\nimport os " + "word " * 60).splitlines()
    assert len(lines) > 2
    assert all(line.startswith("# ") and len(line) <= LINE for line in lines)
