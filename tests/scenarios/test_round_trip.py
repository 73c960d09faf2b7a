"""A round trip as a user writes it down: what it emits, and by what its reply is known."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.roundtrip import RoundTrip as FromOldPlace
from bench.scenarios.model import Emission, RoundTrip, round_trip_of
from bench.scenarios.tokens import any_token, filled, filler, has_token

TOKEN = "rt-0badcafe-1-2"

texts = st.one_of(st.text(max_size=4), st.sampled_from(["{token}", "a{token}", "{token}{token} b"]))
data = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), texts, st.binary(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.lists(inner, max_size=3).map(tuple), st.dictionaries(texts, inner, max_size=3)
    ),
    max_leaves=8,
)


def test_the_example_of_the_docstring() -> None:
    say = RoundTrip("say", emit="say", data={"id": "{token}", "text": "hello"}, reply="said")
    assert say.request(TOKEN) == {"id": TOKEN, "text": "hello"}
    assert say.find_token is any_token
    assert (say.matched_by, say.matched_in_order) == ("token", False)


@given(data)
def test_what_is_made_once_says_what_a_search_would_say(given_data: Any) -> None:
    made = filler(given_data)
    for token in (TOKEN, "another"):
        assert repr(made(token)) == repr(filled(given_data, token))  # types and the order of keys included
    assert any(TOKEN in text for text in [repr(made(TOKEN))]) is has_token(given_data)


def test_a_tuple_is_several_arguments_and_a_list_is_one() -> None:
    assert RoundTrip("join", emit="join", data=("lobby {token}", 7)).request(TOKEN) == (f"lobby {TOKEN}", 7)
    assert RoundTrip("join", emit="join", data=["lobby", 7]).request(TOKEN) == ["lobby", 7]
    assert RoundTrip("join", emit="join").request(TOKEN) is None


def test_each_emission_has_data_of_its_own() -> None:
    say = RoundTrip("say", emit="say", data={"id": "{token}", "rooms": ["{token}"]}, reply="said")
    first, second = say.request("first"), say.request("second")
    assert first == {"id": "first", "rooms": ["first"]}
    assert second == {"id": "second", "rooms": ["second"]}


def test_a_change_of_the_data_comes_too_late() -> None:
    written: dict[str, Any] = {"id": "{token}", "rooms": ["lobby"]}
    say = RoundTrip("say", emit="say", data=written, reply="said")
    written["rooms"].append("attic")
    written["more"] = 1
    assert say.request(TOKEN) == {"id": TOKEN, "rooms": ["lobby"]}


def test_a_function_makes_the_data_of_a_token() -> None:
    say = RoundTrip("say", emit="say", data=lambda token: {"id": token.upper()}, reply="said", token_of=any_token)
    assert say.request("t") == {"id": "T"}
    assert say.matched_by == "token"


def test_without_a_token_replies_are_matched_in_order() -> None:
    assert RoundTrip("news", emit="NEWS", data={"n": 1}, reply="PUBLISHED").matched_in_order
    assert RoundTrip("news", emit="NEWS", data=lambda token: {"id": token}, reply="PUBLISHED").matched_by == "order"


def test_an_acknowledgement_is_matched_by_its_id() -> None:
    join = RoundTrip("join", emit="join", data={"id": "{token}"})
    assert (join.reply, join.find_token, join.matched_by) == (None, None, "acknowledgement")


def test_the_former_ways_to_write_it() -> None:
    def find(reply: Any) -> str | None:
        return str(reply)

    old = RoundTrip("say", "say", lambda token: {"id": token}, "said", find)
    assert (old.event, old.emit, old.request(TOKEN), old.reply, old.find_token) == (
        *("say", "say", {"id": TOKEN}, "said"),
        find,
    )
    typed = round_trip_of("say", "said", {"id": "{token}"})
    assert (typed.name, typed.request(TOKEN), typed.matched_by) == ("say→said", {"id": TOKEN}, "token")
    assert FromOldPlace is RoundTrip


def test_it_is_frozen_and_compared_by_what_it_says() -> None:
    say = RoundTrip("say", emit="say", data={"id": "{token}"}, reply="said")
    assert say == RoundTrip("say", emit="say", data={"id": "{token}"}, reply="said")
    assert len({say, dataclasses.replace(say)}) == 1
    assert say != dataclasses.replace(say, data={"id": "x{token}"})
    assert dataclasses.replace(say, data={"id": "no token"}).matched_in_order
    with pytest.raises(dataclasses.FrozenInstanceError):
        say.name = "shout"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "emit", "reply", "said"),
    [
        ("", "say", None, "a round trip needs a name, and '' is none"),
        ("say", "", None, "a round trip needs an event to emit, and '' is none"),
        ("say", 7, None, "a round trip needs an event to emit, and 7 is none"),
        ("say", "connect", None, "'connect' is no event of a service"),
        ("say", "say", "disconnect", "'disconnect' is no event of a service"),
    ],
)
def test_what_cannot_be_is_refused(name: Any, emit: Any, reply: Any, said: str) -> None:
    with pytest.raises((TypeError, ValueError)) as raised:
        RoundTrip(name, emit=emit, reply=reply)
    assert str(raised.value).startswith(said)


def test_an_emission_has_a_name_an_event_and_data_and_nothing_that_answers() -> None:
    typing = Emission("typing", emit="typing", data=("lobby", {"id": "{token}"}))
    assert typing.request(TOKEN) == ("lobby", {"id": TOKEN})
    assert Emission("typing", emit="typing").request(TOKEN) is None
    assert Emission("typing", emit="typing", data=str.upper).request("t") == "T"
    assert typing == dataclasses.replace(typing)
    assert len({typing, dataclasses.replace(typing)}) == 1
    with pytest.raises(TypeError, match="an emission needs an event to emit, and None is none"):
        Emission("typing", emit=None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'disconnect' is no event of a service"):
        Emission("typing", emit="disconnect")
