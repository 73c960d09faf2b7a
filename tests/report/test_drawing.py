"""Charts as specifications: what is drawn so that it can be seen."""

import json
import re

import pytest

from bench.report.chart import Axis, Chart, Effect, Event, Forest, Panel, Point, Series
from bench.report.drawing.labels import label_expression
from bench.report.drawing.look import LIGHT
from bench.report.drawing.pictures import picture
from bench.report.drawing.specification import forest_rows, panel_specifications

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


def drawn(chart: Chart) -> str:
    """Return a chart as a picture whose texts can be read."""
    return picture([chart], "svg").decode()


def over(length_s: float, *events: Event, y: Axis | None = None) -> Chart:
    points = tuple(Point(length_s * number / 4, 30 + 5 * number) for number in range(5))
    x = Axis("time", "min" if length_s > 120 else "s")
    return Chart("c", "t", "alt", x, (Panel(y or Axis("y"), (Series("a", points),)),), events)


@pytest.mark.parametrize(
    ("length_s", "labels"),
    [
        (100, ["0 s", "20 s", "100 s"]),
        (1800, ["0 s", "5 min", "30 min"]),
        (9000, ["0 s", "30 min", "1 h", "1 h 30 min", "2 h 30 min"]),
        (200, ["0 s", "30 s", "1 min", "2 min 30 s"]),
    ],
)
def test_a_long_time_has_ticks_at_minutes_and_hours(length_s: float, labels: list[str]) -> None:
    shown = re.findall(">([^<>]+)</text>", drawn(over(length_s)))
    assert set(labels) <= set(shown), shown
    assert ("500 s" in shown, "1000 s" in shown) == (False, False)


def test_a_narrow_logarithmic_axis_has_labels_at_all_ticks() -> None:
    shown = re.findall(">([^<>]+)</text>", drawn(over(10, y=Axis("y", "µs", "logarithmic"))))
    assert {"30 µs", "40 µs", "50 µs"} <= set(shown), shown


def test_labels_of_marks_stand_above_the_panel() -> None:
    chart = over(10, Event(2.0, "window begins"), Event(2.1, "generator saturated", "bad"))
    labels = re.findall(r"translate\([\d.]+,([\d.-]+)\)[^>]*>(window begins|generator saturated)<", drawn(chart))
    heights = {text: float(y) for y, text in labels}
    assert heights["window begins"] < heights["generator saturated"] < 0


def test_a_line_at_the_top_of_a_panel_is_whole() -> None:
    panel = Panel(Axis("users", from_zero=True), (Series("a", (Point(0, 20), Point(9, 20))),))
    (specification,) = panel_specifications(Chart("c", "t", "alt", Axis("x"), (panel,)), LIGHT, 500)
    ends = [layer["encoding"]["y"]["scale"]["domainMax"] for layer in specification["layer"]]
    assert min(ends) > 20


def test_a_long_label_of_an_effect_keeps_its_end() -> None:
    labels = [f"{'a generator with a long name, ' * 3}{number} in flight" for number in (10, 100)]
    chart = Forest("f", "t", "alt", Axis("x"), tuple(Effect(label, 1, 0, 2) for label in labels))
    shown = {row["n"] for row in forest_rows(chart)}
    assert len(shown) == 2
    assert all(len(label) <= 60 and label.endswith(" in flight") for label in shown)
