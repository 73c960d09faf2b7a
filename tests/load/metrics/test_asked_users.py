"""The users that a run was asked for: over time, and by class."""

from pathlib import Path
from typing import Any

import pytest

from bench.compare.comparison import compare
from bench.compare.model import DifferenceKind
from bench.load.metrics.asked_users import AskedUsers
from bench.results.load import LoadResult, Scenario, UserStep
from bench.results.references import Stored
from tests.support.example_results import load_result


def test_a_number_that_stays_has_no_steps() -> None:
    asked = AskedUsers({"EchoUser"})
    assert (asked.users, asked.steps, asked.by_class) == (0, (), {})
    asked.note(0.0, 5, {})  # Locust has not shared them out yet
    asked.note(0.1, 5, {"EchoUser": 5})
    assert (asked.users, asked.steps, asked.by_class) == (5, (), {"EchoUser": 5})


def test_each_change_is_a_step_and_the_most_is_the_number() -> None:
    asked = AskedUsers({"EchoUser"})
    for t_s, users in ((0.0, 2), (0.1, 2), (2.04, 10), (4.0, 3), (4.1, 3)):
        asked.note(t_s, users, {"EchoUser": users})
    assert asked.users == 10
    assert asked.steps == (UserStep(t=0.0, users=2), UserStep(t=2.0, users=10), UserStep(t=4.0, users=3))
    assert asked.by_class == {"EchoUser": 10}


def test_users_of_other_classes_are_counted_apart() -> None:
    asked = AskedUsers({"EchoUser"}, {"PageUser"})
    asked.note(0.0, 6, {})
    assert asked.users == 0, "which of them are ours is not known yet"
    asked.note(0.1, 6, {"EchoUser": 4, "PageUser": 2})
    assert (asked.users, asked.by_class) == (4, {"EchoUser": 4, "PageUser": 2})


def stored(name: str, result: LoadResult) -> Stored:
    return Stored(Path(name), result)


def with_users(**changed: Any) -> LoadResult:
    result = load_result()
    scenario = Scenario.model_validate(result.scenario.model_dump() | changed)
    return result.model_copy(update={"scenario": scenario})


@pytest.mark.parametrize(
    "changed",
    [
        {"user_steps": ({"t": 0, "users": 1}, {"t": 2, "users": 9}), "users": 9},
        {"users_by_class": {"PageUser": 3}},
    ],
)
def test_a_run_with_other_users_over_time_is_no_pair(changed: dict[str, Any]) -> None:
    comparison = compare(
        [stored("a", load_result())], [stored("b", with_users(**changed))], threshold=0.005, force=True
    )
    (difference,) = [row for row in comparison.differences if row.kind is DifferenceKind.SETTINGS and row.void]
    assert "users" in difference.detail
