"""Trace contexts: derived from tokens, read by OpenTelemetry, and put where there is a place for them."""

import re
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from bench.scenarios.model import Emission, RoundTrip
from bench.scenarios.tokens import drawn, tokens
from bench.scenarios.tracing import (
    NoPlaceForContext,
    checked_field,
    refuse_untraceable,
    trace_id,
    traced_request,
    traceparent,
)


def round_trip(data: Any) -> RoundTrip:
    return RoundTrip("say", emit="say", data=data)


def test_opentelemetry_reads_the_context() -> None:
    for token in ("rt-0123abcd-0-0", next(drawn("uuid")), next(drawn("int"))):
        context = TraceContextTextMapPropagator().extract({"traceparent": traceparent(token)})
        span = trace.get_current_span(context).get_span_context()
        assert span.is_valid
        assert span.is_remote
        assert span.trace_flags.sampled
        assert f"{span.trace_id:032x}" == trace_id(token)


def test_each_emission_has_a_trace_of_its_own_and_the_same_token_the_same() -> None:
    drawn_tokens = [*zip(range(1000), tokens("a", 0), strict=False), *zip(range(1000), tokens("a", 1), strict=False)]
    contexts = [traceparent(token) for _, token in drawn_tokens]
    assert len(set(contexts)) == len({context.split("-")[1] for context in contexts}) == 2000
    assert all(re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", context) for context in contexts)
    assert contexts == [traceparent(token) for _, token in drawn_tokens]


@pytest.mark.parametrize(
    ("data", "sent"),
    [
        ({"id": "{token}"}, {"id": "t", "at": traceparent("t")}),
        ({}, {"at": traceparent("t")}),
        ({"at": None, "deep": {"id": "{token}"}}, {"at": traceparent("t"), "deep": {"id": "t"}}),
        ({"at": ""}, {"at": traceparent("t")}),
        (("lobby", 7, {"id": "{token}"}, {}), ("lobby", 7, {"id": "t", "at": traceparent("t")}, {})),
        (lambda token: {"made": token}, {"made": "t", "at": traceparent("t")}),
        ({"now": lambda: 7}, {"now": 7, "at": traceparent("t")}),
    ],
)
def test_the_context_is_in_the_first_object(data: Any, sent: Any) -> None:
    request = traced_request(round_trip(data), "at")
    assert request("t") == sent
    assert request("t") == sent  # what is sent again is not what was sent before
    assert traced_request(Emission("typing", emit="typing", data=data), "at")("t") == sent


@pytest.mark.parametrize("data", [None, "lobby", 7, [{"id": "{token}"}], ("lobby", 7), b"bytes"])
def test_without_an_object_there_is_no_place(data: Any) -> None:
    with pytest.raises(NoPlaceForContext, match="--trace-context at: say sends no object, so there is no field"):
        refuse_untraceable(round_trip(data), "at")
    with pytest.raises(NoPlaceForContext):
        traced_request(round_trip(data), "at")


def test_what_a_function_makes_is_refused_when_it_is_made() -> None:
    request = traced_request(round_trip(lambda token: [token]), "at")
    with pytest.raises(NoPlaceForContext, match="say sends no object"):
        request("t")


def test_a_field_that_is_taken_is_refused() -> None:
    with pytest.raises(NoPlaceForContext, match="the data of say has this field already; name another"):
        refuse_untraceable(round_trip({"at": "{token}"}), "at")


def test_fields() -> None:
    assert checked_field(None) is checked_field(" ") is None
    assert checked_field("traceparent") == "traceparent"
    for text in ("a\x1bb", "x" * 101):
        with pytest.raises(NoPlaceForContext, match=r"--trace-context .*give the name of a field"):
            checked_field(text)
