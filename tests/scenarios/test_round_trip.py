"""A round trip as a user writes it down: what it emits, and by what its reply is known."""

import dataclasses
import os
import uuid
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.roundtrip import RoundTrip as FromOldPlace
from bench.scenarios.model import Emission, RoundTrip, round_trip_of
from bench.scenarios.tokens import (
    LEAST_INTEGER,
    PLACEHOLDERS,
    TokenKind,
    any_integer,
    any_token,
    any_uuid,
    drawn,
    filled,
    filler,
    has_token,
)

TOKEN = "rt-0badcafe-1-2"

texts = st.one_of(st.text(max_size=4), st.sampled_from(["{token}", "a{token}", "{token}{token} b"]))
TOKENS: dict[TokenKind, tuple[str, ...]] = {
    "token": (TOKEN, "another"),
    "uuid": ("0a1b2c3d-0000-4000-8000-0123456789ab",),
    "int": ("4503599627370497",),
}
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


@given(data, st.sampled_from(["token", "uuid", "int"]))
def test_what_is_made_once_says_what_a_search_would_say(tokens_data: Any, kind: TokenKind) -> None:
    given_data = filled(tokens_data, PLACEHOLDERS[kind])  # the same with the placeholders of this kind
    made = filler(given_data, kind)
    for token in TOKENS[kind]:
        assert repr(made(token)) == repr(filled(given_data, token, kind))  # types and the order of keys included
        assert (token in repr(made(token))) is has_token(given_data, kind)


def test_a_placeholder_of_each_kind_and_the_types_that_it_becomes() -> None:
    order = RoundTrip("order", emit="order", data={"n": "{int}", "text": "no {int}", "{int}": 1}, reply="ordered")
    (number,) = TOKENS["int"]
    assert order.request(number) == {"n": 4503599627370497, "text": f"no {number}", number: 1}
    assert (order.token_kind, order.matched_by) == ("int", "token")
    assert RoundTrip("n", emit="n", data="{int}", reply="m").request(number) == 4503599627370497
    assert RoundTrip("n", emit="n", data=("{int}", "x"), reply="m").request(number) == (4503599627370497, "x")
    find = RoundTrip("find", emit="find", data=["{uuid}"], reply="found")
    assert find.request(TOKENS["uuid"][0]) == [TOKENS["uuid"][0]]
    assert find.find_token is any_uuid
    assert any_uuid({"found": TOKENS["uuid"][0].upper()}) == TOKENS["uuid"][0]
    assert any_integer({"n": 7, "m": int(number)}) == any_integer({"n": f"no {number}"}) == number
    assert any_uuid(number) is any_integer(TOKENS["uuid"]) is None


def test_uuids_and_integers_are_valid_and_differ_from_all_others() -> None:
    uuids = [next(drawn("uuid")) for _ in range(1000)]
    assert len(set(uuids)) == 1000
    assert {(uuid.UUID(text).version, uuid.UUID(text).variant, str(uuid.UUID(text)) == text) for text in uuids} == {
        (4, uuid.RFC_4122, True)
    }
    integers = [int(next(drawn("int"))) for _ in range(1000)]
    assert len(set(integers)) == 1000
    assert all(LEAST_INTEGER <= number <= 2**53 - 1 for number in integers)
    integers.sort()
    assert min(after - before for before, after in pairwise(integers)) > 1_000_000, "no service counts up to another"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_process_that_was_forked_draws_others() -> None:
    source: dict[TokenKind, Iterator[str]] = {"uuid": drawn("uuid"), "int": drawn("int")}
    for kind in source:
        next(source[kind])
    reading, writing = os.pipe()
    if not (child := os.fork()):
        os.write(writing, " ".join(next(source[kind]) for kind in source for _ in range(10)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reading, 10_000).decode().split()
    os.close(reading)
    os.close(writing)
    ours = [next(source[kind]) for kind in source for _ in range(10)]
    assert len({*ours, *theirs}) == 40
    assert not {text[8:] for text in ours[:10]} & {text[8:] for text in theirs[:10]}


def test_two_placeholders_are_refused_where_the_reply_is_matched_by_them() -> None:
    mixed = {"a": "{token}", "b": "{int}"}
    said = r"^say has \{token\} and \{int\} in its data: keep the placeholder that its reply repeats$"
    with pytest.raises(ValueError, match=said):
        RoundTrip("say", emit="say", data=mixed, reply="said")
    with pytest.raises(ValueError, match=said):
        RoundTrip("say", emit="say", data=mixed, token_of=any_token)
    assert RoundTrip("say", emit="say", data=mixed).request("t").keys() == mixed.keys()
    typing = Emission("typing", emit="typing", data={**mixed, "c": "{uuid}"})
    first, second = typing.request("t"), typing.request("t")
    assert first["a"] == second["a"] == "t"
    assert first["b"] != second["b"]
    assert first["c"] != second["c"]


def test_several_events_may_answer() -> None:
    say = RoundTrip("say", emit="say", data="{token}", reply=("said", "refused"))
    assert (say.events, say.answers, say.plain_reply) == (("said", "refused"), "said or refused", None)
    assert RoundTrip("say", emit="say", reply=["said", "refused"]).reply == ("said", "refused")  # type: ignore[arg-type]
    only = RoundTrip("say", emit="say", reply=("said",))
    assert (only.reply, only.events, only.answers, only.plain_reply) == ("said", ("said",), "said", "said")
    assert RoundTrip("say", emit="say").answers is None
    typed = round_trip_of("say", ("said", "refused"), {"id": "{uuid}"})
    assert (typed.name, typed.events, typed.token_kind) == ("say→said/refused", ("said", "refused"), "uuid")


@pytest.mark.parametrize("reply", [(), 7, ("said", 7), ("said", "said"), {"said"}])
def test_what_is_no_reply_is_refused(reply: Any) -> None:
    with pytest.raises(TypeError, match="reply is an event's name, a tuple of different names, or None, and"):
        RoundTrip("say", emit="say", reply=reply)


def test_a_check_is_a_function_that_does_not_wait() -> None:
    async def check(reply: Any) -> None: ...

    with pytest.raises(TypeError, match="the check of say is async: write it with def, it has nothing to wait for"):
        RoundTrip("say", emit="say", check=check)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="the check of say is no function, but of type str"):
        RoundTrip("say", emit="say", check="ok")  # type: ignore[arg-type]
    assert RoundTrip("say", emit="say", reply="said", check=str).plain_reply is None


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
        ("say", "say", ("said", ""), "'' is no event of a service"),
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
