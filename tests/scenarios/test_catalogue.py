"""The catalogue: the names that stored results are compared by, and what is sent under them."""

import pytest

from bench.scenarios.catalogue import AB_BENCHMARKS, CATALOGUE, FOO_BAR_TO_SENDER, LATENCY_BENCHMARKS

TOKEN = "rt-0badcafe-1-2"


def test_names_under_which_results_are_stored_stay() -> None:
    assert [(benchmark.name, benchmark.reply, benchmark.scenario.name) for benchmark in LATENCY_BENCHMARKS] == [
        ("foo_bar", "event", "FOO→BAR"),
        ("foo_bar", "acknowledged", "FOO acknowledged"),
    ]
    assert [benchmark.name for benchmark in AB_BENCHMARKS] == ["event", "acknowledged", "event-1kB", "event-16kB"]
    assert FOO_BAR_TO_SENDER.name == "FOO→BAR to sender"


def test_no_benchmark_is_taken_for_another() -> None:
    assert len({(benchmark.name, benchmark.reply) for benchmark in LATENCY_BENCHMARKS}) == len(LATENCY_BENCHMARKS)
    assert len({benchmark.name for benchmark in AB_BENCHMARKS}) == len(AB_BENCHMARKS)
    assert len({entry.scenario.name for entry in CATALOGUE}) == len(CATALOGUE)


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.scenario.name)
def test_what_is_sent_is_json_of_which_the_token_is_a_part(entry: object) -> None:
    scenario = next(found.scenario for found in CATALOGUE if found is entry)
    assert (scenario.emit, scenario.reply) in {("FOO", "BAR"), ("FOO", None)}
    assert scenario.request(TOKEN)["name"] == TOKEN
    assert scenario.find_token is not None
    assert scenario.find_token({"foo": TOKEN}) == TOKEN
    assert scenario.find_token({"foo": 7}) is None
