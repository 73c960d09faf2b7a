"""The objectives of the candidate, by the restarts of both servers."""

import math
from pathlib import Path

import pytest

from bench.ab.errors import AbError
from bench.ab.objectives import judged_candidate
from bench.ab.options import plan
from bench.ab.plan import AbPlan
from bench.ab.restart import Figure, Figures
from bench.objectives.parsing import parse_objectives


def restarts(*p50_us: float, name: str = "say") -> list[Figures]:
    return [{(name, "p50"): Figure(0.0, a_us=999.0, b_us=time_us)} for time_us in p50_us]


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("p50 < 300 µs", "met"),
        ("say: p50 < 150 µs", "missed"),
        ("p50 < 202 µs", "undecided"),
        ("p99 < 1 s", "not judged"),
    ],
)
def test_the_candidate_is_judged_and_not_the_baseline(text: str, verdict: str) -> None:
    (found,) = judged_candidate(parse_objectives(text), ["say"], restarts(190, 200, 210, 205, 195), 60.0)

    assert (found.verdict, found.operation) == (verdict, "say")


def test_the_interval_is_students_t_over_the_restarts() -> None:
    (found,) = judged_candidate(parse_objectives("p50 < 300 µs"), ["say"], restarts(100, 200, 400), 60.0)

    reach = 4.302653 * math.log(2) / math.sqrt(3)
    assert found.value == 200
    assert found.low == pytest.approx(200 * math.exp(-reach), rel=1e-4)
    assert found.high == pytest.approx(200 * math.exp(reach), rel=1e-4)


def test_a_single_restart_decides_nothing() -> None:
    (found,) = judged_candidate(parse_objectives("p50 < 300 µs"), ["say"], restarts(200), 60.0)

    assert (found.verdict, found.reason) == (
        "undecided",
        "a single restart has no interval: give more --max-time",
    )


def test_an_objective_without_a_name_speaks_of_each_benchmark() -> None:
    both = [{**say, **join} for say, join in zip(restarts(190, 200), restarts(90, 100, name="join"), strict=True)]

    found = judged_candidate(parse_objectives("p50 < 1 s; join: p50 < 1 µs"), ["say", "join"], both, 60.0)

    assert [(objective.operation, objective.verdict) for objective in found] == [
        ("say", "met"),
        ("join", "met"),
        ("join", "missed"),
    ]


def planned(*slo: str) -> AbPlan:
    return plan(app="chat:app", event="say", reply="said", payload='{"id": "{token}"}', slo=slo)


def test_objectives_of_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.socketio-bench]\nslo = ["p99 < 1 s", "errors < 1 %", "max < 1 s"]\n'
    )

    of_project, given = planned().slo, planned("p50 < 2 s").slo

    assert [objective.text for objective in of_project.objectives] == ["p99 < 1 s"]
    assert of_project.remark == "only a load can judge these objectives: errors < 1 %; max < 1 s"
    assert [objective.text for objective in given.objectives] == ["p50 < 2 s"]


@pytest.mark.parametrize(
    ("slo", "reason"),
    [
        ("max < 1 s", "`bench ab` measures p50 and p99, and no max"),
        ("p99.9 < 1 s", "`bench ab` measures p50 and p99, and no p99.9"),
        ("errors < 1 %", "only a load has errors"),
        # Its benchmarks have no cases: nothing would judge it.
        ("say-said[websocket]: p50 < 1 s", "no such benchmark: there are say-said"),
        ("sya: p50 < 1 s", "no such benchmark: there are say-said"),
        ("p50", "expected METRIC < LIMIT"),
    ],
)
def test_what_cannot_be_judged_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slo: str, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AbError) as refused:
        planned(slo)

    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)
