"""The version of Vega-Lite that charts are drawn by: altair and vl-convert are released each at its own time."""

import pytest

from bench.report.drawing.vega import drawn_version
from bench.results.errors import ResultError


@pytest.mark.parametrize(
    ("written", "known", "drawn"),
    [
        ("v6.4.1", ["5.21", "6.1", "6.4"], "6.4"),
        ("v6.4.1", ["5.21", "6.1"], "6.1"),
        ("v6.1.0", ["5.21", "6.1", "6.4"], "6.1"),
        ("v6.12.0", ["6.9", "6.10", "7.1"], "6.10"),
    ],
)
def test_it_is_the_newest_that_both_know(written: str, known: list[str], drawn: str) -> None:
    assert drawn_version(written, known) == drawn


def test_a_version_that_cannot_be_drawn_is_named() -> None:
    with pytest.raises(ResultError) as refused:
        drawn_version("v6.1.0", ["5.20", "5.21"])
    said = "altair writes Vega-Lite 6.1, and vl-convert cannot draw it: pip install --upgrade 'socketio-bench[charts]'"
    assert str(refused.value) == said
