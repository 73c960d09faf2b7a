"""The options of `bench ab`, and the plan that follows from them."""

from pathlib import Path
from typing import Any

import pytest

from bench.ab.errors import AbError
from bench.ab.options import plan
from bench.ab.restart import BurstPlan, metrics_of
from bench.scenarios.catalogue import AB_BENCHMARKS

NOTHING: dict[str, Any] = dict.fromkeys(("app", "event", "reply", "payload"))


def test_the_plan_out_of_the_box() -> None:
    planned = plan(**NOTHING)
    assert planned.app == "app.main:app"
    assert [benchmark.name for benchmark in planned.benchmarks] == ["event", "acknowledged", "event-1kB", "event-16kB"]
    assert (planned.rule.precision, planned.threshold, planned.max_time_s) == (0.003, 0.005, 180)


def test_numbers_may_have_their_unit() -> None:
    planned = plan(**NOTHING, precision="1%", threshold="2.5 %", max_time="3m", benchmarks="event-1kB, event")
    assert (planned.rule.precision, planned.threshold, planned.max_time_s) == (0.01, 0.025, 180)
    assert [benchmark.name for benchmark in planned.benchmarks] == ["event-1kB", "event"]
    assert plan(**NOTHING, threshold="0").threshold == 0


def test_payloads_are_as_large_as_they_are_called() -> None:
    sizes = [len(str(benchmark.scenario.request("rt-01234567-0-1")).encode()) for benchmark in AB_BENCHMARKS]
    assert sizes[0] < 40
    assert 1_000 <= sizes[2] <= 1_050
    assert 16_000 <= sizes[3] <= 16_050


def test_replies_that_are_matched_in_order_are_never_many_in_flight() -> None:
    (benchmark,) = plan(app="chat:app", event="say", reply="said", payload='"x"').benchmarks
    assert metrics_of(benchmark, BurstPlan()) == ("p50", "p99", "cpu")


def test_a_restart_of_few_round_trips_has_no_p99() -> None:
    few, enough = (plan(**NOTHING, pairs=pairs, burst=10) for pairs in (9, 10))
    assert "p99" not in metrics_of(few.benchmarks[0], few.bursts)
    assert "p99" in metrics_of(enough.benchmarks[0], enough.bursts)


def test_another_unit_is_refused() -> None:
    with pytest.raises(AbError, match=r"^--max-time '3%': give seconds, or minutes as 3m, up to a day$"):
        plan(**NOTHING, max_time="3%")


def test_the_connection_of_the_command_line_comes_before_the_scenarios_file(tmp_path: Path) -> None:
    scenarios = tmp_path / "scenarios.py"
    scenarios.write_text(
        "from bench import Connection, RoundTrip\n"
        "connection = Connection(auth=1, headers={'A': '1'}, connect_timeout=7)\n"
        "say = RoundTrip('say', emit='say')\n"
    )
    texts = {"connection_auth": "2", "connection_header": ["B: 2"], "connection_transport": "polling"}
    connection = plan(**NOTHING, scenarios=str(scenarios), connection=texts).chosen.connection
    assert (connection.auth, connection.headers, connection.connect_timeout) == (2, {"A": "1", "B": "2"}, 7)
    assert connection.transports == ("polling",)
    with pytest.raises(AbError, match="--serializer 'xml'"):
        plan(**NOTHING, connection={"connection_serializer": "xml"})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "nothing says which service to measure: give --app"),
        ({"event": "NEWS"}, "nothing says which service to measure: give --app"),
        ({"app": "chat:app"}, "nothing says what to measure: give --scenarios"),
    ],
)
def test_outside_of_the_checkout_service_and_scenarios_have_to_be_named(
    given: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(AbError) as raised:
        plan(**(NOTHING | given))
    assert str(raised.value).startswith(said)
    assert plan(**(NOTHING | {"app": "chat:app", "event": "NEWS"})).app == "chat:app"
