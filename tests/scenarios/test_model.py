"""Round trips as definitions: where a token is put and found, and that tokens differ."""

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bench.scenarios.catalogue import FOO_BAR
from bench.scenarios.model import round_trip_of
from bench.scenarios.tokens import tokens

NEWS = round_trip_of("NEWS", "PUBLISHED", {"id": "{token}"})


# hypothesis also tries texts that it finds in our sources: the place of a token is one of them.
text = st.text().filter(lambda text: "{token}" not in text)
json = st.recursive(
    st.none() | st.booleans() | st.integers() | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=10,
)


TOKEN = "rt-0-0-7"


def wrapped(data: Any) -> st.SearchStrategy[Any]:
    """Return `data` somewhere in something larger."""
    return st.recursive(
        st.just(data),
        lambda inner: st.tuples(json, inner).map(list) | st.tuples(text, inner, json).map(lambda t: {t[0]: t[1]}),
        max_leaves=4,
    )


@given(wrapped("<{token}>"), wrapped(f"re: {TOKEN}!"))
def test_a_token_is_put_and_found_however_deep_it_lies(payload: Any, reply: Any) -> None:
    definition = round_trip_of("NEWS", "PUBLISHED", payload)
    assert TOKEN in repr(definition.request(TOKEN))
    assert "{token}" not in repr(definition.request(TOKEN))
    assert definition.token_of is not None
    assert definition.token_of(reply) == TOKEN
    assert not definition.matched_in_order


@given(json)
def test_a_payload_without_a_token_stays_as_it_is_and_is_matched_in_order(payload: Any) -> None:
    definition = round_trip_of("NEWS", "PUBLISHED", payload)
    assert definition.request(TOKEN) == payload
    assert definition.matched_in_order
    assert not round_trip_of("NEWS", None, payload).matched_in_order


@given(json)
def test_no_token_is_found_where_none_is(reply: Any) -> None:
    assert NEWS.token_of is not None
    assert NEWS.token_of(reply) is None
    assert FOO_BAR.token_of is not None
    for odd in ((reply,), ({"foo": reply},), ()):
        assert isinstance(FOO_BAR.token_of(*odd), str | None)


def test_tokens_differ_from_those_of_any_other_connection() -> None:
    drawn = [next(source) for source in (tokens("a", 1), tokens("a", 11), tokens("b", 1)) for _ in range(1)]
    first = tokens("a", 1)
    drawn += [next(first) for _ in range(200)][1:]
    assert len(set(drawn)) == len(drawn)
    assert all(re.fullmatch(r"rt-[0-9a-z]+-[0-9]+-[0-9]+", token) for token in drawn)
