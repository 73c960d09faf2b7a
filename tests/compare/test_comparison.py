"""Comparisons as a whole: their sides, and that they read back as written."""

import pytest

from bench.compare.comparison import compare
from bench.compare.model import Comparison, IncomparableError
from bench.results.header import CommitInfo
from tests.support.comparisons import compared, latency_runs
from tests.support.example_results import load_result
from tests.support.latency_results import stored


class TestSides:
    def test_kinds_that_differ(self) -> None:
        with pytest.raises(IncomparableError, match=r"^OLD is a latency result and NEW a load result"):
            compared(latency_runs(1), [load_result()])

    def test_both_kinds_on_one_side(self) -> None:
        with pytest.raises(IncomparableError, match=r"^NEW has results of both kinds"):
            compared(latency_runs(1), [*latency_runs(1, first=100), load_result()])

    def test_the_same_file_twice(self) -> None:
        (one,) = stored(load_result())
        with pytest.raises(IncomparableError, match=r"^OLD and NEW are the same result, a0\.json"):
            compare([one], [one])

    def test_a_side_without_results(self) -> None:
        with pytest.raises(IncomparableError, match="a side without any result"):
            compare([], stored(load_result()))

    def test_it_reads_back(self) -> None:
        for found in (
            compared(latency_runs(2), latency_runs(2, first=100)),
            compared([load_result(commit_info=CommitInfo(id="c" * 40))], [load_result(forced=True)], force=True),
        ):
            assert Comparison.model_validate_json(found.to_json()) == found
