"""Intervals of shares beside scipy's."""

import pytest
from scipy import stats

from bench.statistics.shares import independent_share_interval


@pytest.mark.parametrize(("found", "of"), [(0, 10), (1, 1_000), (3, 7), (50, 1_000), (10, 10), (12_345, 1_000_000)])
@pytest.mark.parametrize("confidence", [0.95, 0.999])
def test_the_interval_is_that_of_clopper_and_pearson(found: int, of: int, confidence: float) -> None:
    expected = stats.binomtest(found, of).proportion_ci(confidence, method="exact")

    interval = independent_share_interval(found, of, confidence)

    assert interval == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize(("found", "of"), [(0, 0), (-1, 5), (6, 5)])
def test_what_is_no_share(found: int, of: int) -> None:
    with pytest.raises(ValueError, match="is no share"):
        independent_share_interval(found, of)
