"""Locust's tables at the end: left out where ours have all of it, else with the same percentiles."""

import logging
from argparse import Namespace

import pytest
from locust import events
from locust import stats as locust_stats
from locust.env import Environment

from bench.load.plugin import locust_tables
from bench.load.plugin.locust_tables import LEFT_OUT, note_shown
from tests.support.example_results import load_result, operation

RESULT = load_result(operations=(operation("say"),))


@pytest.fixture
def environment(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Environment:
    caplog.set_level(logging.INFO, logger="locust.stats_logger")
    monkeypatch.setattr(locust_stats.console_logger, "propagate", True)
    locust_tables.install()
    made = Environment(parsed_options=Namespace(print_stats=False))
    made.stats.log_request("SIO", "say", 12, 0)
    return made


def printed(environment: Environment, caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the lines that Locust prints as it shuts down."""
    caplog.clear()
    locust_stats.print_stats(environment.stats, current=False)
    locust_stats.print_percentile_stats(environment.stats)
    locust_stats.print_error_report(environment.stats)
    return [record.getMessage() for record in caplog.records]


def test_they_are_left_out_if_the_result_has_all_of_it(
    environment: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    note_shown(environment, RESULT)
    assert printed(environment, caplog) == [LEFT_OUT]
    caplog.clear()
    locust_stats.print_stats(environment.stats)  # while a test runs
    assert any("Aggregated" in record.getMessage() for record in caplog.records)


def test_requests_of_others_are_printed_with_our_percentiles(
    environment: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    environment.stats.log_request("GET", "/", 12, 0)
    note_shown(environment, RESULT)
    lines = printed(environment, caplog)
    assert lines[0].split()[:2] == ["Type", "Name"]
    (heading,) = [line for line in lines if "99%" in line]
    assert heading.split() == ["Type", "Name", "50%", "90%", "99%", "99.9%", "100%", "#", "reqs"]
    assert len(locust_stats.PERCENTILES_TO_REPORT) == 11  # as Locust's files have them


def test_percentiles_of_the_locustfile_are_kept(
    environment: Environment, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locust_stats, "PERCENTILES_TO_REPORT", [0.95])
    assert any(line.split() == ["Type", "Name", "95%", "#", "reqs"] for line in printed(environment, caplog))


def test_an_option_and_a_test_without_a_result_have_them_printed(
    environment: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    note_shown(environment, RESULT)
    events.test_start.fire(environment=environment)
    assert LEFT_OUT not in printed(environment, caplog)
    environment.parsed_options = Namespace(print_stats=True)
    note_shown(environment, RESULT)
    assert LEFT_OUT not in printed(environment, caplog)


def test_where_nothing_was_sent_there_is_nothing_to_print(
    caplog: pytest.LogCaptureFixture, environment: Environment
) -> None:
    idle = Environment(parsed_options=Namespace(print_stats=False))
    assert len(printed(idle, caplog)) > 5, "users of others alone"
    locust_tables.take_part(idle)
    assert printed(idle, caplog) == []
    idle.stats.log_request("GET", "/", 12, 0)
    assert any("GET" in line for line in printed(idle, caplog))
    asked = Environment(parsed_options=Namespace(print_stats=True))
    locust_tables.take_part(asked)
    assert len(printed(asked, caplog)) > 5
