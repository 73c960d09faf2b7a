"""Charts as specifications: what is drawn so that it can be seen."""

import json

import pytest

from bench.report.chart import Axis, Chart, Panel, Point, Series
from bench.report.drawing.labels import label_expression
from bench.report.drawing.look import LIGHT
from bench.report.drawing.specification import panel_specifications

pytestmark = pytest.mark.unhurried


def test_a_point_between_gaps_and_a_short_line_have_marks() -> None:
    broken = [Point(x, y) for x, y in enumerate([1.0] * 20 + [None, 5.0, None] + [1.0] * 20)]
    whole = [Point(x, 1.0) for x in range(43)]
    short = [Point(3, 2.0), Point(4, 2.0)]
    for points, marked in ((broken, [21]), (whole, []), (short, [3, 4])):
        panel = Panel(Axis("y"), (Series("a", tuple(points)),))
        (specification,) = panel_specifications(Chart("c", "t", "alt", Axis("x"), (panel,)), LIGHT, 500)
        filters = [
            step["filter"]
            for layer in specification["layer"]
            if layer["mark"]["type"] == "point"
            for step in layer["transform"]
        ]
        assert filters == ([f"datum.i === 0 && indexof({json.dumps(marked)}, datum.x) >= 0"] if marked else [])


def test_bars_with_ends_have_a_height() -> None:
    panel = Panel(Axis("y", from_zero=True), (Series("a", (Point(0, 5, until=3),), "bars"),))
    (specification,) = panel_specifications(Chart("c", "t", "alt", Axis("x"), (panel,)), LIGHT, 500)
    (layer,) = specification["layer"]
    assert layer["encoding"]["x2"] == {"field": "u"}
    assert layer["encoding"]["y2"] == {"datum": 0}


def test_labels_of_a_logarithmic_axis_are_round() -> None:
    assert "indexof([1, 2, 5]" in label_expression(Axis("time", "µs", "logarithmic"))
    assert "indexof" not in label_expression(Axis("time", "µs"))
