"""The table of a chart, from the same data as its picture."""

from bench.report.chart import Axis, Cell, Chart, HeatMap, Panel, Point, Series
from bench.report.chart_table import chart_table
from bench.report.document import Row


def cells(table_rows: object) -> list[tuple[str, ...]]:
    assert isinstance(table_rows, tuple)
    return [row.cells for row in table_rows if isinstance(row, Row)]


def test_points_of_the_same_rate_have_rows_of_their_own() -> None:
    points = (Point(500, 1000, text="second 4"), Point(500, 3000, text="second 2"), Point(400, 2000, text="second 3"))
    other = (Point(500, 10, text="second 4"),)
    panel = Panel(Axis("p99", "µs"), (Series("say", points, "points"), Series("enter", other, "points")))
    table = chart_table(Chart("c", "by rate", "alt", Axis("rate", "per second"), (panel,)))
    assert cells(table.rows) == [
        ("400", "2.000 ms", "", "second 3"),
        ("500", "1.000 ms", "10.00 µs", "second 4"),
        ("500", "3.000 ms", "", "second 2"),
    ]


def test_a_line_has_a_row_for_each_x() -> None:
    lines = (Series("a", (Point(1, 5, text="here"),)), Series("b", (Point(1, 6), Point(2, 7))))
    table = chart_table(Chart("c", "t", "alt", Axis("x"), (Panel(Axis("y"), lines),)))
    assert cells(table.rows) == [("1", "5", "6", "here"), ("2", "", "7", "")]


def test_the_time_of_a_long_run_is_in_hours_minutes_and_seconds() -> None:
    points = (Point(34, 1), Point(1234.5, 2, until=5400))
    table = chart_table(Chart("c", "t", "alt", Axis("time", "min"), (Panel(Axis("y"), (Series("a", points),)),)))
    assert cells(table.rows) == [("34 s", "1"), ("20 min 34.5 s", "2 until 1 h 30 min")]


def test_a_heat_map_is_a_grid() -> None:
    heat = HeatMap(
        "h",
        "times",
        "alt",
        Axis("time", "s"),
        Axis("response time", "µs", "logarithmic"),
        (Cell(0, 1, 100, 1000, 1200), Cell(1, 2, 1000, 10_000, 3), Cell(1, 2, 100, 1000, 7)),
        "replies",
    )
    table = chart_table(heat)
    assert [column.title for column in table.columns] == ["time", "100.0 µs to 1.000 ms", "1.000 ms to 10.00 ms"]
    assert cells(table.rows) == [("0 s to 1 s", "1,200", ""), ("1 s to 2 s", "7", "3")]
    assert table.title == "times: replies of each response time"
