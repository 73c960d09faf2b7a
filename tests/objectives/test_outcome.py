from typing import Any

import pytest

from bench.objectives.judging import Measured, judge
from bench.objectives.model import JudgedObjective
from bench.objectives.outcome import exit_code, worst
from bench.objectives.parsing import parse_objective

_FIGURES: dict[str, Measured] = {
    "met": Measured(20_000, 19_000, 21_000),
    "missed": Measured(80_000, 79_000, 81_000),
    "undecided": Measured(49_000, 48_000, 51_000),
    "not judged": Measured(20_000, 19_000, 21_000, useless_because="the generator was saturated"),
}


def judged(*verdicts: str) -> list[JudgedObjective]:
    found = [judge(parse_objective("p99 < 50 ms"), _FIGURES[verdict]) for verdict in verdicts]
    assert [objective.verdict for objective in found] == list(verdicts)
    return found


@pytest.mark.parametrize(
    ("verdicts", "facts", "code"),
    [
        ((), {}, 0),
        ((), {"has_failed": True}, 1),
        ((), {"has_other_failures": True}, 1),
        (("met",), {}, 0),
        (("met",), {"has_other_failures": True}, 1),
        (("met",), {"has_failed": True}, 1),
        (("met", "missed"), {}, 3),
        (("missed",), {"has_other_failures": True}, 3),
        (("missed",), {"has_failed": True}, 1),
        (("undecided", "met"), {}, 0),
        (("undecided", "met"), {"if_undecided": "fail"}, 3),
        (("undecided",), {"has_other_failures": True}, 1),
        (("undecided",), {"has_missed": True}, 3),
        (("met",), {"has_missed": True, "has_failed": True}, 1),
        (("not judged", "met"), {}, 1),
        (("not judged", "missed"), {}, 1),
        (("not judged",), {"if_undecided": "fail"}, 1),
    ],
)
def test_the_first_that_applies_is_the_exit_code(verdicts: tuple[str, ...], facts: Any, code: int) -> None:
    assert exit_code(judged(*verdicts), **facts) == code


def test_the_worst_is_what_a_reader_has_to_know_first() -> None:
    found = worst(judged("met", "undecided", "missed"))

    assert found is not None
    assert found.verdict == "missed"
    assert worst([]) is None
