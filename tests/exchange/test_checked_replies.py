"""Replies beyond a single event with a single token: checks, several events, several tokens, UUIDs and integers."""

import asyncio
import gc
import tracemalloc
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.exchange.in_flight import InFlight
from bench.exchange.outcomes import (
    AmbiguousReplies,
    Answer,
    CheckFailed,
    NotSent,
    ReplyTimeout,
    WrongReply,
    carries_error,
)
from bench.exchange.requests import Exchange
from bench.load.metrics.exceptions import folded
from bench.scenarios.model import RoundTrip, round_trip_of
from bench.scenarios.tokens import any_token, tokens
from bench.wire.errors import Disconnected
from tests.exchange.test_requests import LONG_NS, SHORT_NS, PromptWire

pytestmark = pytest.mark.unhurried


def in_a_loop(scenario: Callable[[PromptWire, Exchange], Any], timeout_ns: int = LONG_NS) -> None:
    """Run a scenario that awaits nothing, over a wire of its own."""

    async def run() -> None:
        wire = PromptWire()
        exchange = Exchange(wire, tokens("test", 0), timeout_ns)
        scenario(wire, exchange)
        exchange.close()

    asyncio.run(run())


def reply_of(emission: InFlight) -> tuple[Any, ...]:
    return emission.reply


def sent(wire: PromptWire, number: int = -1) -> Any:
    return wire.emitted[number][1]


# --- checks ---------------------------------------------------------------------------------------------------------


def not_ok(reply: Any = None, *_: Any) -> str | None:
    return None if reply == "ok" or (isinstance(reply, dict) and reply["ok"]) else "no such thing"


def test_a_check_decides_on_acknowledgements_and_events_with_and_without_a_token() -> None:
    def scenario(wire: PromptWire, exchange: Exchange) -> None:
        join = RoundTrip("join", emit="join", check=not_ok)
        say = RoundTrip("say", emit="say", data={"id": "{token}"}, reply="said", check=not_ok)
        own = RoundTrip("own", emit="own", data=str, reply="owned", token_of=lambda said: said["id"], check=not_ok)
        ask = RoundTrip("ask", emit="ask", reply="asked", check=not_ok)
        for ok in (True, False, False, True):
            emissions = [exchange.begin(definition) for definition in (join, say, own, ask)]
            wire.acknowledge(-4, {"ok": ok})
            wire.arrive("said", {"ok": ok, "id": sent(wire, -3)["id"]})
            wire.arrive("owned", {"ok": ok, "id": sent(wire, -2)})
            wire.arrive("asked", {"ok": ok})
            for emission in emissions:
                assert emission.done()
                if ok:
                    assert reply_of(emission)[0]["ok"] is True
                    continue
                wrong = emission.exception()
                assert isinstance(wrong, WrongReply)
                assert wrong.kind == "wrong reply: no such thing"
                assert wrong.sent_ns == emission.sent_ns
        assert exchange.unexpected == 0

    in_a_loop(scenario)


def test_a_wrong_reply_says_what_was_sent_what_came_and_why_it_is_wrong() -> None:
    def scenario(wire: PromptWire, exchange: Exchange) -> None:
        join = exchange.begin(RoundTrip("join", emit="join", data=("lobby", 7), check=not_ok))
        wire.acknowledge(0, {"ok": False})
        assert str(join.exception()) == (
            "sent join ('lobby', 7), acknowledged with {'ok': False}: wrong reply: no such thing"
        )
        say = exchange.begin(RoundTrip("say", emit="say", reply="said", check=lambda *said: f"not\n{said}"))
        wire.arrive("said", 1, "\x1b")
        assert str(say.exception()) == ("sent say None, answered by said 1 '\\x1b': wrong reply: not (1, '\\x1b')")

    in_a_loop(scenario)


@pytest.mark.parametrize(
    ("check", "kind"),
    [
        (lambda reply: reply["ok"], "the check raised TypeError: 'int' object is not subscriptable ("),
        (lambda: None, "the check raised TypeError: "),
        (lambda reply: True, "the check returned True: it has to return None, or the reason as a text"),
        (lambda reply: False, "the check returned False: it has to return None, or the reason as a text"),
        (lambda reply: "", "the check returned '': it has to return None, or the reason as a text"),
        (lambda reply: {reply: 1}, "the check returned a value of type dict: it has to return None, or the reason"),
    ],
)
def test_a_check_that_does_not_answer_is_an_error_of_its_own(check: Any, kind: str) -> None:
    def scenario(wire: PromptWire, exchange: Exchange) -> None:
        emission = exchange.begin(RoundTrip("join", emit="join", check=check))
        wire.acknowledge(0, 7)
        failed = emission.exception()
        assert isinstance(failed, CheckFailed)
        assert failed.kind.startswith(kind)
        assert str(failed) == f"sent join None, acknowledged with 7: {failed.kind}"

    in_a_loop(scenario)


def test_a_check_that_raises_is_told_with_its_line() -> None:
    def deeper(reply: Any) -> None:
        raise ValueError(f"{reply}\nis no reply")

    def check(reply: Any) -> str | None:
        deeper(reply)
        return None

    def scenario(wire: PromptWire, exchange: Exchange) -> None:
        emission = exchange.begin(RoundTrip("join", emit="join", check=check))
        wire.acknowledge(0, 7)
        line = deeper.__code__.co_firstlineno + 1
        failed = emission.exception()
        assert isinstance(failed, CheckFailed)
        assert failed.kind == f"the check raised ValueError: 7 is no reply (test_checked_replies.py:{line} in deeper)"

    in_a_loop(scenario)


def test_an_acknowledgement_whose_token_of_raises_is_an_error_and_does_not_hang() -> None:
    def scenario(wire: PromptWire, exchange: Exchange) -> None:
        emission = exchange.begin(RoundTrip("join", emit="join", data="{token}", token_of=lambda reply: reply["id"]))
        wire.acknowledge(0, {"no": 1})
        failed = emission.exception()
        assert isinstance(failed, CheckFailed)
        assert failed.kind.startswith("token_of raised KeyError: 'id' (test_checked_replies.py:")
        assert str(failed).startswith("sent join 'rt-test-0-0', acknowledged with {'no': 1}: token_of raised KeyError")

    in_a_loop(scenario)


@pytest.mark.parametrize("shared", [False, True])
async def test_an_event_whose_token_of_raises_is_shown_with_what_arrived(shared: bool) -> None:
    wire = PromptWire()
    exchange = Exchange(wire, tokens("test", 0), SHORT_NS)
    if shared:
        exchange.begin(RoundTrip("other", emit="other", data="{token}", reply="said"))
    say = RoundTrip("say", emit="say", data=str, reply="said", token_of=lambda said: said["id"])
    waiting = asyncio.create_task(exchange(say))
    await asyncio.sleep(0)
    with pytest.raises(KeyError):
        wire.arrive("said", {"no": 1})
    with pytest.raises(ReplyTimeout) as raised:
        await waiting
    assert "arrived: said {'no': 1}; a token_of raised KeyError: 'id' (test_checked_replies.py:" in str(raised.value)


@pytest.mark.parametrize("shared", [False, True])
def test_a_token_of_that_raises_at_the_replies_of_another_definition_is_passed_over(shared: bool) -> None:
    def scenario(wire: PromptWire, exchange: Exchange) -> None:
        first = RoundTrip("first", emit="say", data=str, reply="said", token_of=lambda said: said["first"])
        second = RoundTrip("second", emit="say", data=str, reply="said", token_of=lambda said: said["second"])
        third = RoundTrip("third", emit="say", data="{token}", reply="said")
        for _ in range(3):
            emissions = [exchange.begin(definition) for definition in (first, second, third)[: 3 if shared else 2]]
            for emission in reversed(emissions):
                wire.arrive("said", {emission.round_trip.name: emission.token})
                assert emission.done()

    in_a_loop(scenario)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (lambda token: {"id": token["no"]}, "say could not be sent: TypeError: string indices must be integers, not"),
        (str.encode, None),
    ],
)
async def test_data_that_cannot_be_made_is_one_line(data: Any, said: str | None) -> None:
    wire = PromptWire()
    exchange = Exchange(wire, tokens("test", 0), SHORT_NS)
    with pytest.raises(NotSent if said else ReplyTimeout) as raised:
        await exchange(RoundTrip("say", emit="say", data=data, reply="said", token_of=any_token))
    assert exchange.in_flight == 0
    if said:
        assert str(raised.value).startswith(said)
        assert "(test_checked_replies.py:" in str(raised.value)


def test_reasons_with_ids_are_few_kinds() -> None:
    kinds: set[str] = set()

    def scenario(wire: PromptWire, exchange: Exchange) -> None:
        wrong = RoundTrip("get", emit="get", data={"id": "{uuid}"}, check=lambda reply: f"{reply['id']} is not there")
        for _ in range(50):
            emission = exchange.begin(wrong)
            wire.acknowledge(-1, sent(wire))
            failed = emission.exception()
            assert isinstance(failed, WrongReply)
            kinds.add(folded(failed.kind))

    in_a_loop(scenario)
    assert kinds == {"wrong reply: … is not there"}


async def test_a_reply_that_is_late_or_awaited_no_longer_is_not_checked() -> None:
    seen: list[Any] = []
    say = RoundTrip("say", emit="say", data="{token}", reply="said", check=lambda said: seen.append(said))
    wire = PromptWire()
    exchange = Exchange(wire, tokens("test", 0), SHORT_NS)
    with pytest.raises(ReplyTimeout):
        await exchange(say)
    wire.arrive("said", sent(wire))
    waiting = asyncio.create_task(exchange(say))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    wire.arrive("said", sent(wire))
    assert (seen, exchange.late["say"], exchange.in_flight) == ([], 2, 0)
    exchange.close()


# --- several events -------------------------------------------------------------------------------------------------


def test_the_event_that_answered_comes_with_what_it_carries() -> None:
    judged: list[Any] = []

    def check(event: str, *arguments: Any) -> str | None:
        judged.append((event, *arguments))
        return "refused" if event == "refused" else None

    def scenario(wire: PromptWire, exchange: Exchange) -> None:
        say = RoundTrip("say", emit="say", data={"id": "{token}"}, reply=("said", "heard", "refused"))
        checked = RoundTrip("checked", emit="say", data={"id": "{token}"}, reply=("said", "refused"), check=check)
        for definition in (say, checked):
            said, heard, refused = (exchange.begin(definition) for _ in range(3))
            wire.arrive("refused", {"id": sent(wire)["id"], "error": "full"})
            wire.arrive("said", {"id": sent(wire, -3)["id"]})
            wire.arrive("heard", sent(wire, -2)["id"], 7)
            assert reply_of(said) == ("said", {"id": said.token})
            if definition is say:
                assert isinstance(reply_of(said), Answer)
                assert reply_of(heard) == ("heard", (heard.token, 7))
                assert reply_of(refused) == ("refused", {"id": refused.token, "error": "full"})
                assert (carries_error(reply_of(said)), carries_error(reply_of(refused))) == (False, True)
                continue
            assert not heard.done(), "heard is no reply of this definition"
            assert isinstance(refused.exception(), WrongReply)
            assert str(refused.exception()).endswith(
                f"answered by 'refused' {{'id': '{refused.token}', 'error': 'full'}}: wrong reply: refused"
            )
            exchange.end(heard, asyncio.CancelledError())
        assert [event for event, *_ in judged] == ["refused", "said"]

    in_a_loop(scenario)


async def test_several_events_in_order_are_one_reply() -> None:
    wire = PromptWire()
    exchange = Exchange(wire, tokens("test", 0), SHORT_NS)
    ask = RoundTrip("ask", emit="ask", reply=("answer", "refusal"))
    for event in ("answer", "refusal", "answer"):
        emission = exchange.begin(ask)
        with pytest.raises(AmbiguousReplies, match="ask is matched in order and one is in flight"):
            exchange.begin(ask)
        with pytest.raises(AmbiguousReplies, match="tell: refusal is the reply of another definition"):
            exchange.begin(RoundTrip("tell", emit="tell", reply="refusal"))
        wire.arrive(event)
        assert reply_of(emission) == (event, None)
        exchange.in_flight -= 1
    wire.arrive("refusal")
    assert exchange.unexpected == 1
    with pytest.raises(ReplyTimeout, match="no answer or refusal within"):
        await exchange(ask)
    with pytest.raises(Disconnected, match="a answer or refusal is overdue"):
        exchange.begin(ask)
    wire.arrive("refusal")
    assert (exchange.unexpected, exchange.late["ask"]) == (1, 1)
    wire.arrive("answer")
    assert exchange.unexpected == 2


# --- tokens in replies ----------------------------------------------------------------------------------------------


@given(st.data())
def test_a_reply_that_lists_many_ends_all_that_are_in_flight(data: st.DataObject) -> None:
    """The replies of a service that lists the last five come in any order, and some do not come."""
    kind = data.draw(st.sampled_from(["{token}", "{uuid}", "{int}"]))
    as_text = data.draw(st.booleans())
    in_flight = data.draw(st.integers(1, 8))

    def scenario(wire: PromptWire, exchange: Exchange) -> None:
        listed = RoundTrip("list", emit="list", data={"id": kind}, reply="listed")
        emissions = [exchange.begin(listed) for _ in range(in_flight)]
        ids = [sent(wire, number)["id"] for number in range(in_flight)]
        awaited = set(range(in_flight))
        for number in data.draw(st.permutations(range(in_flight))):
            last = ids[max(0, number - 4) : number + 1]
            form = data.draw(st.sampled_from(["list", "objects", "text", "keys"]))
            given: Any = [str(each) for each in last] if as_text or form != "list" else last
            if form == "objects":
                given = {"last": [{"by": {"id": each}} for each in given]}
            elif form == "text":
                given = "last: " + ", ".join(given)
            elif form == "keys":
                given = dict.fromkeys(given, "x")
            wire.arrive("listed", given)
            awaited -= set(range(max(0, number - 4), number + 1))
            assert {at for at, emission in enumerate(emissions) if not emission.done()} == awaited
        assert not awaited

    in_a_loop(scenario)


REPLIES: list[Callable[[Any], tuple[Any, ...]]] = [
    lambda given: (given,),
    lambda given: ({"id": given, "n": 7},),
    lambda given: (7, {"id": {"of": [1, given]}}),
    lambda given: ({"id": None, "text": f"re: {given}!"},),
    lambda given: ({"id": "rt-other-1-2", "of": given},),
    lambda given: ([4503599627370497, given],),
    lambda given: ({"id": ["no text"], "of": given},),
    lambda given: ({"id": given, "of": f"{given}0"},),
]


@given(
    st.lists(st.sampled_from(REPLIES), max_size=12),
    st.sampled_from(["{token}", "{uuid}", "{int}"]),
    st.booleans(),
)
def test_the_token_is_found_wherever_it_was_before(
    replies: list[Callable[[Any], tuple[Any, ...]]], placeholder: str, as_text: bool
) -> None:
    def scenario(wire: PromptWire, exchange: Exchange) -> None:
        say = RoundTrip("say", emit="say", data={"id": placeholder}, reply="said")
        for reply in replies:
            emission = exchange.begin(say)
            given = str(sent(wire)["id"]) if as_text else sent(wire)["id"]
            wire.arrive("said", *reply(given))
            assert emission.done()

    in_a_loop(scenario)


def test_a_token_that_is_the_beginning_of_another_is_not_that_one() -> None:
    def scenario(wire: PromptWire, exchange: Exchange) -> None:
        say = RoundTrip("say", emit="say", data={"id": "{token}"}, reply="said")
        emission = exchange.begin(say)
        assert emission.token == "rt-test-0-0"
        for foreign in ("rt-test-0-01", "rt-test-0-00", "xrt-test-0-1", 7, None, {"id": "rt-test-0-01"}):
            wire.arrive("said", {"id": foreign})
            assert not emission.done()
        wire.arrive("said", {"id": "rt-test-0-0"})
        assert emission.done()

    in_a_loop(scenario)


def test_a_number_of_the_services_own_is_not_taken_for_an_integer_of_ours() -> None:
    def scenario(wire: PromptWire, exchange: Exchange) -> None:
        say = RoundTrip("say", emit="say", data={"id": "{int}"}, reply="said")
        emission = exchange.begin(say)
        own = sent(wire)["id"]
        others = [0, 1, -own, 1_764_140_000_000, 1_764_140_000_000_000, own + 1, own - 1, own * 10, float(own) / 2]
        wire.arrive("said", {"id": None, "numbers": others, "text": f"{own}0 1{own}", "is": True})
        assert not emission.done()
        wire.arrive("said", {"id": float(own)})
        assert emission.done()

    in_a_loop(scenario)


def test_a_uuid_may_come_back_in_capital_letters() -> None:
    def scenario(wire: PromptWire, exchange: Exchange) -> None:
        say = RoundTrip("say", emit="say", data={"id": "{uuid}"}, reply="said")
        for _ in range(3):
            emission = exchange.begin(say)
            wire.arrive("said", {"id": sent(wire)["id"].upper()})
            assert emission.done()

    in_a_loop(scenario)


def test_definitions_of_all_kinds_may_share_an_event() -> None:
    def scenario(wire: PromptWire, exchange: Exchange) -> None:
        definitions = [
            RoundTrip(kind, emit="say", data={"id": kind}, reply="said") for kind in ("{token}", "{uuid}", "{int}")
        ]
        own = RoundTrip("own", emit="say", data=lambda token: {"id": f"<{token}>"}, reply="said", token_of=in_brackets)
        definitions.insert(1, own)
        for order in ([0, 1, 2, 3], [3, 2, 1, 0], [2, 2, 1, 3]):
            emissions = [exchange.begin(definitions[number]) for number in order]
            for number, emission in enumerate(emissions):
                wire.arrive("said", sent(wire, number - len(order)))
                assert emission.done()

    in_a_loop(scenario)


def in_brackets(said: Any) -> str | None:
    text = said["id"]
    return text[1:-1] if isinstance(text, str) and text.startswith("<") else None


def test_a_function_may_find_several_tokens() -> None:
    def scenario(wire: PromptWire, exchange: Exchange) -> None:
        listed = RoundTrip("list", emit="list", data=str, reply="listed", token_of=lambda found: found["ids"])
        emissions = [exchange.begin(listed) for _ in range(3)]
        wire.arrive("listed", {"ids": None})
        wire.arrive("listed", {"ids": ["of nobody"]})
        assert not any(emission.done() for emission in emissions)
        wire.arrive("listed", {"ids": [sent(wire, 2), "of nobody", sent(wire, 0)]})
        assert [emission.done() for emission in emissions] == [True, False, True]
        number = RoundTrip("number", emit="n", data="{int}", reply="listed", token_of=lambda found: found["ids"])
        emission = exchange.begin(number)
        wire.arrive("listed", {"ids": sent(wire)})
        assert emission.done()

    in_a_loop(scenario)


def test_an_acknowledgement_may_have_any_placeholder_and_all_of_them() -> None:
    def scenario(wire: PromptWire, exchange: Exchange) -> None:
        data = {"a": "{token}", "b": "{uuid}", "c": "{int}", "d": "no {int}"}
        made = RoundTrip("make", emit="make", data=data)
        emissions = [exchange.begin(made) for _ in range(3)]
        for number, emission in enumerate(emissions):
            wire.acknowledge(number, "made")
            assert reply_of(emission) == ("made",)
        assert len({sent(wire, number)["c"] for number in range(3)}) == 3
        assert sent(wire)["d"] == f"no {sent(wire)['c']}"
        assert uuid.UUID(sent(wire)["b"]).version == 4

    in_a_loop(scenario)


async def test_one_reply_may_be_a_late_one_and_that_of_an_emission_in_flight() -> None:
    wire = PromptWire()
    exchange = Exchange(wire, tokens("test", 0), SHORT_NS)
    say = RoundTrip("say", emit="say", data={"id": "{token}"}, reply="said")
    emission = exchange.begin(say)
    wire.arrive("said", sent(wire))
    with pytest.raises(ReplyTimeout):
        await exchange(say)
    emission = exchange.begin(say)
    wire.arrive("said", {"id": sent(wire)["id"], "before": sent(wire, -2)["id"]})
    assert (emission.done(), exchange.late["say"]) == (True, 1)
    exchange.close()


# --- memory ---------------------------------------------------------------------------------------------------------


def made_anew(number: int) -> Iterator[RoundTrip]:
    """Yield definitions of all kinds, with something in them that no other has."""
    yield round_trip_of("say", "said", {"id": "{token}", "text": str(number)})
    yield RoundTrip("u", "say", {"id": "{uuid}", "text": str(number)}, "told", check=lambda told: None if told else "")
    yield RoundTrip("own", "say", lambda token: {"id": token, "n": number}, "own", lambda own: own["id"] and own["id"])
    yield RoundTrip("several", "say", {"id": "{int}"}, (f"yes:{number}", f"no:{number}"))
    yield RoundTrip("in order", "say", {"n": number}, f"done:{number}", check=lambda done, n=number: None)
    yield RoundTrip("closure", "say", str, f"c:{number}", lambda c, n=number: c if n >= 0 else None)


def test_definitions_that_are_made_anew_each_time_are_not_kept() -> None:
    """Not the definitions, their data and functions, nor the events that answer, if these are named anew too."""

    def scenario(wire: PromptWire, exchange: Exchange) -> None:
        kept_bytes: list[int] = []
        tracemalloc.start()
        try:
            for number in range(600):
                for definition in made_anew(number):
                    emission = exchange.begin(definition)
                    wire.arrive(definition.events[0], sent(wire))
                    assert emission.done()
                    exchange.in_flight -= 1
                del emission
                wire.emitted.clear()
                if number in (299, 599):
                    gc.collect()
                    kept_bytes.append(tracemalloc.get_traced_memory()[0])
        finally:
            tracemalloc.stop()
        assert kept_bytes[1] - kept_bytes[0] < 300 * 200, kept_bytes
        assert len(wire.handlers) < 150
        assert exchange.unexpected == 0

    in_a_loop(scenario)


def test_what_is_in_flight_keeps_its_events_however_many_there_are() -> None:
    def scenario(wire: PromptWire, exchange: Exchange) -> None:
        definitions = [RoundTrip(str(n), "say", "{token}", (f"yes:{n}", f"no:{n}")) for n in range(200)]
        emissions = [exchange.begin(definition) for definition in definitions]
        for number, emission in enumerate(emissions):
            wire.arrive(f"no:{number}", emission.token)
            assert emission.done()

    in_a_loop(scenario)


def test_of_what_never_answers_a_bounded_number_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.exchange.requests._MOST_GIVEN_UP", 10)

    def scenario(wire: PromptWire, exchange: Exchange) -> None:
        say = RoundTrip("say", emit="say", data="{token}", reply="said")
        for _ in range(30):
            exchange.end(exchange.begin(say), asyncio.CancelledError())
        for number in range(30):
            wire.arrive("said", sent(wire, number))
        assert exchange.late["say"] == 10

    in_a_loop(scenario)


def test_the_shared_function_finds_whatever_the_placeholder_is() -> None:
    def scenario(wire: PromptWire, exchange: Exchange) -> None:
        for placeholder in ("{token}", "{uuid}", "{int}"):
            say = RoundTrip("say", emit="say", data={"id": placeholder}, reply="said", token_of=any_token)
            emission = exchange.begin(say)
            wire.arrive("said", {"of": sent(wire)})
            assert emission.done()

    in_a_loop(scenario)
