"""The selfcheck: its bounds, and its conclusions from comparisons."""

import math

import pytest

from bench.results.ab import AbMetric
from bench.validation.selfcheck import Comparison, checks, most_of, slowdown_us


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


def test_slowdowns() -> None:
    assert slowdown_us("2%", 150.0) == 3.0
    assert slowdown_us("5us", 150.0) == 5.0
