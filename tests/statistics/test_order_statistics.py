import numpy as np
import pytest

from bench.statistics.order_statistics import interval_ranks


@pytest.mark.parametrize(("percent", "number"), [(50, 20), (90, 200), (99, 5_000), (1, 3_000)])
def test_ranks_contain_the_percentile_as_often_as_they_say(percent: float, number: int) -> None:
    random = np.random.default_rng(5)
    low, high = interval_ranks(percent, number)
    assert low is not None
    assert high is not None
    values = np.sort(random.random((2_000, number)), axis=1)

    inside = (values[:, low - 1] <= percent / 100) & (percent / 100 <= values[:, high - 1])

    assert inside.mean() >= 0.94


def test_an_end_beyond_the_values_is_not_known() -> None:
    assert interval_ranks(99, 50).high is None
    assert interval_ranks(50, 3) == (None, None)
    assert interval_ranks(1, 50).low is None
