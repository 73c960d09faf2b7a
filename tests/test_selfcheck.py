"""The selfcheck: its bounds, what it makes of comparisons, and one short comparison for real."""

import math
import subprocess
import sys
from pathlib import Path

import pytest
from latency_results import latency_content, save_latency

from bench.results.ab import AbMetric
from bench.results.store import Store
from bench.validation.selfcheck import Comparison, _stored_differ, checks, most_of, slowdown_us


def comparison(injected: str, effect: float, verdict: str, half_width: float = 0.003) -> Comparison:
    metric = AbMetric.model_validate(
        {
            "metric": "p50",
            "a_us": 100.0,
            "b_us": 100.0 * (1 + effect),
            "effect": effect,
            "low": effect - half_width,
            "high": effect + half_width,
            "half_width": half_width,
            "standard_error": half_width / 2,
            "verdict": verdict,
            "log_effects": (math.log1p(effect),) * 14,
        }
    )
    truth = float(injected.rstrip("%") or 0) / 100
    return Comparison(injected, truth, metric, 14, 30.0, "precision")


@pytest.mark.parametrize("n", [1, 5, 20, 35])
@pytest.mark.parametrize("probability", [0.01, 0.05, 0.1])
def test_the_bound_is_exceeded_in_one_of_a_hundred(n: int, probability: float) -> None:
    def beyond(most: int) -> float:
        return sum(math.comb(n, k) * probability**k * (1 - probability) ** (n - k) for k in range(most + 1, n + 1))

    most = most_of(n, probability)
    assert beyond(most) <= 0.01 + 1e-12
    assert most == 0 or beyond(most - 1) > 0.01


def test_what_is_kept_and_what_is_broken() -> None:
    fine = [comparison("", 0.001, "same")] * 20 + [comparison("2%", 0.021, "slower")] * 5
    assert all(check.is_kept for check in checks(fine))
    wolf = [comparison("", 0.001, "slower")] * 3 + fine
    assert [check.what for check in checks(wolf) if not check.is_kept] == ["A/A: said to differ"]
    blind = fine + [comparison("1%", 0.009, "same")] * 5
    assert [check.what for check in checks(blind) if not check.is_kept] == ["1% slower: not found"]
    wrong = [comparison("", 0.004, "same")] * 20
    assert [check.what for check in checks(wrong) if not check.is_kept] == ["truth outside the 95 % interval"]


@pytest.mark.slow
def test_one_comparison_for_real() -> None:
    command = [sys.executable, "-m", "bench.selfcheck", "--aa", "0", "--injected", "1", "--max-time", "4"]
    ended = subprocess.run(
        [*command, "--slowdowns", "5us,20us", "--no-stored"], capture_output=True, text=True, check=False, timeout=120
    )
    assert ended.returncode in (0, 1), ended.stderr
    assert ended.stdout.count("restarts,") == 2
    assert "truth outside the 95 % interval" in ended.stdout
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["--aa", "0", "--injected", "0", "--no-stored"],
            "--aa and --injected are numbers of runs, not both 0 without the stored ones",
        ),
        (["--slowdowns", "1%,much"], "'much' is no slowdown: expected a share as in 2% or a time as in 5us"),
        (["--slowdowns=-1%"], "'-1%' is no slowdown: expected a share as in 2% or a time as in 5us"),
    ],
)
def test_misuse_is_one_line(arguments: list[str], line: str) -> None:
    command = [sys.executable, "-m", "bench.selfcheck", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1].endswith(line)


def test_slowdowns() -> None:
    assert slowdown_us("2%", 150.0) == 3.0
    assert slowdown_us("5us", 150.0) == 5.0


def test_stored_results_differ_by_their_verdicts(tmp_path: Path) -> None:
    store = Store(tmp_path)
    one, same, slower = (
        save_latency(store, latency_content(slowness, run=run))
        for run, slowness in enumerate((math.log(1.5), math.log(1.5), math.log(1.8)))
    )
    assert not _stored_differ(one, same)
    assert _stored_differ(one, slower)
