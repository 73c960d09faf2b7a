"""The objectives of benchmarks, by the times with each process of the service."""

import math
from pathlib import Path

import numpy as np
import pytest

from bench.latency.objectives import judged_benchmark
from bench.latency.options import OptionError, parse
from bench.objectives.model import JudgedObjective
from bench.objectives.parsing import parse_objectives

NAME = "say[event-websocket-process-uvloop]"


def times(median_us: float, number: int = 1_000, seed: int = 1) -> list[int]:
    """Return times in ns around a median, with a tail."""
    drawn = np.random.default_rng(seed).lognormal(math.log(median_us * 1_000), 0.2, number)
    return [int(time) for time in drawn]


def judged(text: str, processes: list[list[int]], *, is_replicated: bool = True) -> list[JudgedObjective]:
    return list(judged_benchmark(parse_objectives(text), NAME, "say", processes, is_replicated))


def three(*medians_us: float) -> list[list[int]]:
    return [times(median_us, seed=seed) for seed, median_us in enumerate(medians_us)]


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("p50 < 300 µs", "met"),
        ("p50 < 150 µs", "missed"),
        ("p50 < 205 µs", "undecided"),
        ("say: p99 < 1 ms", "met"),
        (f"{NAME}: mean < 1 ms", "met"),
        ("max < 1 µs", "missed"),
        ("max < 1 s", "met"),
    ],
)
def test_the_processes_decide(text: str, verdict: str) -> None:
    (found,) = judged(text, three(190, 200, 210))

    assert (found.verdict, found.operation, found.times) == (verdict, NAME, "service")


def test_processes_that_differ_make_a_figure_less_sure_however_many_times_each_has() -> None:
    (alike,) = judged("p50 < 250 µs", three(199, 200, 201))
    (differ,) = judged("p50 < 250 µs", three(150, 200, 260))

    assert (alike.verdict, differ.verdict) == ("met", "undecided")
    assert differ.reason is not None
    assert differ.reason.endswith("--server-processes would decide it")


def test_the_interval_is_students_t_over_the_logarithms() -> None:
    (found,) = judged("p50 < 250 µs", [[100_000] * 10, [200_000] * 10, [400_000] * 10])

    reach = 4.302653 * math.log(2) / math.sqrt(3)
    assert found.low == pytest.approx(200 * math.exp(-reach), rel=1e-4)
    assert found.high == pytest.approx(200 * math.exp(reach), rel=1e-4)


def test_what_is_too_little_is_said() -> None:
    (single,) = judged("p50 < 300 µs", [times(200)])
    (few,) = judged("p99.9 < 300 ms", three(200, 200, 200))

    assert single.reason == "a single server process has no interval: give more --server-processes"
    assert few.verdict == "undecided" or few.high is not None
    (fewer,) = judged("p99.99 < 300 ms", three(200, 200, 200))
    assert fewer.reason == "1,000 round trips with a process are too few for a p99.99: give a greater --effort"


def test_a_server_that_is_not_ours_has_its_interval_over_time() -> None:
    (found,) = judged("p50 < 300 µs", [times(200, 4_000)], is_replicated=False)
    (late,) = judged("p50 < 150 µs", [times(200, 4_000)], is_replicated=False)

    assert (found.verdict, late.verdict) == ("met", "missed")


def test_an_objective_of_another_benchmark_does_not_speak_of_this() -> None:
    assert judged("join: p50 < 1 ms", three(190, 200, 210)) == []


SCENARIOS = """
from bench import RoundTrip

say = RoundTrip("say", emit="say", data={"id": "{token}"}, reply="said")
"""


def objectives(folder: Path, *given: str, slo: str = "", project: str = "") -> tuple[list[str], str | None]:
    (folder / "chat_scenarios.py").write_text(SCENARIOS + slo)
    (folder / "pyproject.toml").write_text(project)
    found = parse(scenarios="chat_scenarios.py", app="chat:app", directory=folder, slo=given).slo
    return [objective.text for objective in found.objectives], found.remark


def test_the_first_that_says_any_says_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    project = '[tool.socketio-bench]\nslo = ["p99 < 3 s", "errors < 1 %"]\n'
    left_out = "only a load can judge these objectives: errors < 1 %"

    assert objectives(tmp_path) == ([], None)
    assert objectives(tmp_path, project=project) == (["p99 < 3 s"], left_out)
    assert objectives(tmp_path, slo='slo = "p99 < 2 s"', project=project) == (["p99 < 2 s"], None)
    assert objectives(tmp_path, "p99 < 1 s; p50 < 1 s", slo='slo = "p99 < 2 s"') == (["p99 < 1 s", "p50 < 1 s"], None)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("errors < 1 %", "--slo: objective 'errors < 1 %': only a load has errors: judge it by `bench load`"),
        (
            "history: connects > 1 %",
            "only a load has connects: judge it by `bench load`; also, connects counts the attempts of all users: "
            "leave 'history' out",
        ),
        ("errors < 0.1", "judge it by `bench load`; also, '0.1' is neither a share, as in 0.1 %, nor a whole number"),
        ("eror < 1 %", "there is no metric 'eror': expected a percentile such as p99, mean, or max"),
        ("connect: p99 < 1 s", "only a load has connect among its operations: judge it by `bench load`"),
        ("sya: p99 < 1 s", "--slo: objective 'sya: p99 < 1 s': no such benchmark: did you mean say?"),
        ("p99 < 50", "--slo: objective 'p99 < 50': the limit has no unit"),
    ],
)
def test_what_cannot_be_judged_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionError) as refused:
        objectives(tmp_path, given)

    assert reason in str(refused.value)


def test_a_fault_in_a_file_is_told_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionError, match=r"--scenarios chat_scenarios.py: slo: objective 'p99': expected"):
        objectives(tmp_path, slo='slo = ["p99"]')
    with pytest.raises(OptionError, match=r"pyproject.toml: slo: objective 'p99': expected"):
        objectives(tmp_path, project='[tool.socketio-bench]\nslo = ["p99"]\n')
