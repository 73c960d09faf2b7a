"""The line of a load as it goes on."""

import pytest

from bench.report.live_load import LiveFigures, LiveLoad, live_parts


def figures(**changed: object) -> LiveFigures:
    known: dict[str, object] = {
        "users": 50,
        "done_per_s": 499.4,
        "offered_per_s": 500.0,
        "has_times": True,
        "p50_ns": 297_700,
        "p99_ns": 5_181_000,
        "is_p99_longest": False,
        "failed": 0,
        "cpu_share": 0.07,
    }
    return LiveFigures(**(known | changed))  # type: ignore[arg-type]


def line(known: LiveFigures | None, *, phase: str = "", duration_s: float | None = 60, failed_so_far: int = 0) -> str:
    return "  ".join(live_parts(LiveLoad(12, duration_s, phase, failed_so_far, known)))


def test_all_that_is_known() -> None:
    assert line(figures()) == (
        "12 s of 1 min  50 users  499/s of 500/s  p50 297.7 µs  p99 5.181 ms  0 failed  generator 7%"
    )


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (line(figures(offered_per_s=None)), "50 users  499/s  p50"),
        (line(figures(p99_ns=None, failed=3), failed_so_far=12), "p99 lost  3 failed (12 in all)"),
        (line(figures(is_p99_longest=True)), "p50 297.7 µs  max 5.181 ms  0 failed"),
        (line(figures(p50_ns=None, p99_ns=None, has_times=False)), "p50 -  p99 -"),
        (line(figures(), phase="warm-up, 3 s left", duration_s=None), "12 s  warm-up, 3 s left  50 users"),
    ],
)
def test_what_is_not_known_or_not_as_usual(found: str, said: str) -> None:
    assert said in found


def test_before_any_second_is_complete() -> None:
    assert (
        line(None, phase="users arrive, 3 of 500", failed_so_far=2) == "12 s of 1 min  users arrive, 3 of 500  2 failed"
    )


def test_how_far_the_precision_is_that_was_asked_for() -> None:
    found = live_parts(LiveLoad(12, 60, "", 0, figures(), precision="p99 ± 12 % of 5 %"))
    assert found[:3] == ["12 s of 1 min", "p99 ± 12 % of 5 %", "50 users"]
