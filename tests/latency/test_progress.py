"""The time that a session has left, and the words for it."""

import pytest

from bench.latency.progress import TimeLeft, time_left_text


def test_the_first_guess_counts_until_a_benchmark_has_ended() -> None:
    left = TimeLeft([4.0, 4.0, 2.0], started_s=100)
    assert left.at(100) == 10
    assert left.at(101) == 9
    assert left.at(107) == 6  # the first takes longer than expected: nothing is known of the others


def test_then_what_the_first_have_taken_corrects_it() -> None:
    left = TimeLeft([4.0, 4.0, 2.0], started_s=100)
    left.end(108)
    assert left.at(108) == 12
    assert left.at(110) == 10
    left.end(112)
    assert left.at(112) == 3
    left.end(115)
    assert left.at(115) == 0


@pytest.mark.parametrize(
    ("left_s", "said"),
    [(0.0, "about 1 s left"), (7.4, "about 7 s left"), (42.0, "about 40 s left"), (83.0, "about 1 min 25 s left")],
)
def test_it_is_said_no_finer_than_it_is_known(left_s: float, said: str) -> None:
    assert time_left_text(left_s) == said
