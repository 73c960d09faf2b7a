"""The charts of a load, as data: what they show, of which seconds and operations, and what they leave out."""

import itertools
from typing import Any

import pytest

from bench.report.chart import AnyChart, Chart, HeatMap
from bench.report.load_charts.run import load_charts
from bench.results.load import Generator, LoadResult, Operation, Second, SecondTimes, Window
from bench.results.service_log import LogLine, ServiceLog
from bench.results.service_loss import ServiceLoss
from bench.timing.histogram import Histogram
from tests.support.example_loads import encoded, open_load, row, second, stage, times
from tests.support.example_results import distribution, load_result

#: Deflated bytes that no histogram can be read from, behind the right beginning.
DAMAGED = "HISTFAAAAAR4nAMA"


def named(drawn: tuple[AnyChart, ...], name: str) -> Any:
    (chart,) = [chart for chart in drawn if chart.name == name]
    return chart


def values(chart: Chart, panel: str, line: str) -> list[float | None]:
    (found,) = [
        series for shown in chart.panels if shown.title == panel for series in shown.series if series.label == line
    ]
    return [point.y for point in found.points]


def numbers(chart: AnyChart) -> int:
    if isinstance(chart, Chart):
        return sum(len(series.points) for panel in chart.panels for series in panel.series)
    assert isinstance(chart, HeatMap)
    return len(chart.cells)


def test_an_open_load_has_all_of_them() -> None:
    stages = (stage("100", 100.0, 1, 10), stage("200", 200.0, 10, 20))
    drawn = load_charts(open_load(how_many=2, stages=stages))
    assert [chart.name for chart in drawn] == [
        "over-time",
        "stages",
        "latency-by-percentile",
        "service-and-response",
        "heat-map",
        "latency-by-rate",
        "operations-over-time",
    ]
    for chart in drawn:
        assert chart.alt.endswith(".")
        assert numbers(chart)


class TestOverTime:
    def test_every_second_has_what_the_timeline_has(self) -> None:
        seconds = [second(0), second(1, ok=90, failed=10, dropped=3), second(2, p99_us=None)]
        chart = named(load_charts(open_load(3, a_second=lambda t, _: seconds[t])), "over-time")
        assert values(chart, "Throughput", "sent") == [100, 100, 100]
        assert values(chart, "Throughput", "ok") == [100, 90, 100]
        assert values(chart, "Throughput", "offered") == [100.0]
        assert values(chart, "Failures", "failed") == [10]
        assert values(chart, "Failures", "dropped") == [3]
        assert values(chart, "Users", "users") == [10, 10, 10]
        assert values(chart, "CPU", "service") == [0.5, 0.5, 0.5]
        assert values(chart, "CPU", "generator's busiest process") == [0.1, 0.1, 0.1]
        times = "Response time of all operations"
        assert values(chart, times, "p50") == [item.p50_us for item in seconds]
        assert values(chart, times, "p99")[2] is None, "it falls among what failed"
        assert values(chart, "Delays of the generator itself", "send lateness p99") == [50.0, 51.0, 52.0]

    def test_the_longest_time_and_the_p90_are_unknown_where_anything_failed(self) -> None:
        seconds = [second(0), second(1, failed=1), second(2, dropped=1)]
        chart = named(load_charts(open_load(3, a_second=lambda t, _: seconds[t])), "over-time")
        (longest, *lost) = values(chart, "Response time of all operations", "longest")
        assert longest == pytest.approx(3000, rel=1e-3)
        assert lost == [None, None]
        assert values(chart, "Response time of all operations", "p90")[1:] == [None, None]

    def test_the_p90_and_the_longest_are_those_of_all_operations_together(self) -> None:
        times_us = [list(range(100, 190)), list(range(1000, 1010))]
        together = Histogram()
        for part in times_us:
            together.merge(Histogram.decode(encoded(*part)))
        operations = tuple(times(f"operation {place}", part, part) for place, part in enumerate(times_us))
        result = open_load(1, 2, a_second=lambda t, _: second(t, operations=operations))
        chart = named(load_charts(result), "over-time")
        for line, percent in (("p90", 90), ("longest", 100)):
            expected_ns = together.percentile_ns(percent)
            assert expected_ns is not None
            assert values(chart, "Response time of all operations", line) == [expected_ns / 1000]

    def test_what_never_happened_has_no_panel(self) -> None:
        chart = named(load_charts(open_load()), "over-time")
        assert "Failures" not in [panel.title for panel in chart.panels]
        older = open_load(
            a_second=lambda t, called: second(
                t, called, server_cpu_share=None, generator_cpu_share=None, reading_delay_p99_us=None
            )
        )
        chart = named(load_charts(older), "over-time")
        assert "CPU" not in [panel.title for panel in chart.panels]
        assert [series.label for series in chart.panels[-1].series] == ["send lateness p99", "loop lag p99"]

    def test_the_window_a_saturation_and_the_service_s_log_are_on_the_axis(self) -> None:
        result = open_load(
            window=Window(start_s=5, end_s=19, warmup_s=2),
            generator=Generator(processes=1, verdict="saturated", reason="late", saturated_since_s=7),
        )
        lines = (LogLine(t=12.5, text="WARNING: the pool is empty"),)
        logged = result.model_copy(
            update={
                "service_log": ServiceLog(lines=1, left_out=0, first=lines),
                "service_loss": ServiceLoss.of_process(12.6, -9, ""),
            }
        )
        chart = named(load_charts(logged), "over-time")
        assert [(event.x, event.text) for event in chart.events] == [
            (3, "all users there"),
            (5, "window begins"),
            (19, "window ends"),
            (7, "generator saturated"),
            (12.6, "service died (SIGKILL)"),
            (12.5, "service: WARNING: the pool is empty"),
        ]

    def test_half_an_hour_is_thinned_and_the_page_says_so(self) -> None:
        spike = {"p99_us": 5e6, "ok": 1}
        result = open_load(1800, a_second=lambda t, called: second(t, called, **(spike if t == 1234 else {})))
        chart = named(load_charts(result), "over-time")
        assert len(values(chart, "Throughput", "ok")) <= 240
        assert "of 1,800 seconds: the least and the greatest value of each line" in chart.caption
        assert max(time for time in values(chart, "Response time of all operations", "p99") if time) == 5e6
        assert min(rate for rate in values(chart, "Throughput", "ok") if rate is not None) == 1
        places = {
            tuple(point.x for point in series.points)
            for panel in chart.panels
            for series in panel.series
            if series.mark != "level"
        }
        assert len(places) == 1, "all lines show the same seconds, so a table has whole rows"


class TestOperations:
    def test_of_many_the_most_frequent_and_the_slowest_are_drawn(self) -> None:
        rows = [
            row(f"operation {place}", sent=1000 + place, scheduled=1000 + place, ok=1000 + place) for place in range(50)
        ]
        slow = row("operation 7", response_us=distribution(p99=9e6, p99_9=9e6, max=9e6))
        failing = row("operation 8", response_us=distribution(p99=None, p99_9=None, max=None, mean=None))
        rows[7], rows[8] = slow, failing
        drawn = load_charts(open_load(5, 50, operations=tuple(rows)))
        chart = named(drawn, "latency-by-percentile")
        labels = [series.label for series in chart.panels[0].series]
        assert len(labels) == 6
        assert {"operation 7", "operation 8", "operation 47", "operation 48", "operation 49"} <= set(labels)
        assert "Of 50 operations it shows the 3 most frequent and the 3 with the greatest p99" in chart.caption
        assert "Of 50 operations" in named(drawn, "operations-over-time").caption
        assert "Of 50 operations" in named(drawn, "latency-by-rate").caption

    def test_half_an_hour_of_many_operations_is_a_few_thousand_points(self) -> None:
        drawn = load_charts(open_load(1800, 8))
        assert sum(map(numbers, drawn)) < 8_000
        assert max(map(numbers, drawn)) < 3_000


class TestPercentiles:
    def test_a_curve_ends_where_the_failures_begin(self) -> None:
        times = encoded(*range(1, 1001))
        failing = row(
            "say", scheduled=1000, sent=1000, ok=990, timeouts=10, response_histogram=times, service_histogram=times
        )
        chart = named(load_charts(open_load(operations=(failing,))), "latency-by-percentile")
        (series,) = chart.panels[0].series
        assert 0.98 < series.points[-1].x <= 0.99
        assert "A curve ends where what failed or was dropped begins" in chart.caption

    def test_the_last_point_is_the_longest_time(self) -> None:
        times = encoded(*range(1, 1001), 50_000)
        whole = load_charts(open_load(operations=(row("say", response_histogram=times),)))
        (series,) = named(whole, "latency-by-percentile").panels[0].series
        assert series.points[-1].y == pytest.approx(50_000, rel=1e-3)
        assert [point.x for point in series.points] == sorted(point.x for point in series.points)
        assert all(0 <= point.x < 1 for point in series.points)

    def test_a_closed_load_has_service_times_alone(self) -> None:
        drawn = load_charts(load_result())
        assert "service-and-response" not in [chart.name for chart in drawn]
        assert named(drawn, "latency-by-percentile").title == "Service time by percentile"

    def test_service_and_response_times_stand_beside_each_other(self) -> None:
        chart = named(load_charts(open_load()), "service-and-response")
        assert [(panel.title, [series.label for series in panel.series]) for panel in chart.panels] == [
            ("say", ["response time", "service time"])
        ]


class TestHeatMap:
    def test_every_reply_is_in_a_cell(self) -> None:
        chart = named(load_charts(open_load(20, 2)), "heat-map")
        assert sum(cell.count for cell in chart.cells) == 20 * 2 * 2
        assert {(cell.x, cell.x_end) for cell in chart.cells} == {(t, t + 1) for t in range(20)}
        for cell in chart.cells:
            assert cell.y_end > 890
            assert cell.y < 3010
            assert cell.y_end / cell.y == pytest.approx(10 ** (1 / 20), rel=1e-6)

    def test_long_runs_and_wide_times_have_wider_cells(self) -> None:
        def wide(t: int, _: object) -> Second:
            return second(t, operations=(times("say", [1, 3e7], [1, 3e7]),))

        chart = named(load_charts(open_load(801, a_second=wide)), "heat-map")
        columns, rows = {cell.x for cell in chart.cells}, sorted({(cell.y, cell.y_end) for cell in chart.cells})
        assert len(columns) <= 60
        assert max(cell.x_end for cell in chart.cells) == 801
        assert sum(cell.count for cell in chart.cells) == 1602
        assert rows[0][1] / rows[0][0] > 1.5
        assert "Each column is 14 seconds." in chart.caption


class TestByRate:
    def test_a_point_is_a_second_of_the_window(self) -> None:
        chart = named(
            load_charts(open_load(20, a_second=lambda t, called: second(t, called, ok=100 + t, failed=t % 2))),
            "latency-by-rate",
        )
        (series,) = chart.panels[1].series
        assert {(point.x, point.text) for point in series.points} == {
            (100 + t + t % 2, f"second {t}") for t in range(1, 20)
        }

    def test_stages_are_ordered_by_their_rate(self) -> None:
        stages = (
            stage("100", 100.0, 0, 5),
            stage("300", 300.0, 5, 10, p99_us=None, failed=9),
            stage("200", 200.0, 10, 15),
        )
        chart = named(load_charts(open_load(stages=stages)), "stages")
        assert [point.x for point in chart.panels[0].series[0].points] == [100.0, 200.0, 300.0]
        assert values(chart, "Response time of each stage", "p99") == [3000.0, 3000.0, None]


class TestErrors:
    def test_each_kind_has_its_bars(self) -> None:
        def failing(t: int, _: object) -> Second:
            errors = {"timeout": 2, "<b>lost</b>": 1} if t == 3 else {"timeout": 1} if t == 4 else {}
            return second(t, failed=sum(errors.values()), errors=errors)

        chart = named(load_charts(open_load(6, a_second=failing)), "errors-over-time")
        shown = [
            (panel.title, [(point.x, point.y, point.until) for point in panel.series[0].points])
            for panel in chart.panels
        ]
        assert shown == [("timeout", [(3, 2, 4), (4, 1, 5)]), ("<b>lost</b>", [(3, 1, 4)])]

    def test_of_many_kinds_the_rest_is_together(self) -> None:
        def failing(t: int, _: object) -> Second:
            errors = {f"error {letter}": number for number, letter in enumerate("abcdefgh", 1)}
            return second(t, failed=36, errors=errors)

        chart = named(load_charts(open_load(161, a_second=failing)), "errors-over-time")
        assert [panel.title for panel in chart.panels] == [*(f"error {letter}" for letter in "hgfed"), "all others"]
        assert sum(point.y for panel in chart.panels for point in panel.series[0].points) == 161 * 36
        assert chart.caption.startswith("Each bar is 3 seconds.")


@pytest.mark.parametrize(
    "changed",
    [
        {"timeline": (), "operations": ()},
        {"timeline": ()},
        {"operations": ()},
        {"window": Window(start_s=3, end_s=3, warmup_s=0)},
        {"timeline": (second(0),), "window": Window(start_s=0, end_s=1, warmup_s=0)},
        {"timeline": tuple(second(t, (), ok=0, failed=100, p50_us=None, p99_us=None) for t in range(5))},
        {"timeline": tuple(second(t, (), ok=0, sent=0, p50_us=None, p99_us=None) for t in range(5))},
        {"partial": True, "partial_reason": "a worker was lost"},
    ],
)
def test_whatever_is_missing_the_rest_is_drawn(changed: dict[str, Any]) -> None:
    drawn = load_charts(open_load(**changed))
    for chart in drawn:
        assert numbers(chart), chart.name
        assert chart.title
        assert chart.alt
    assert ("over-time" in [chart.name for chart in drawn]) == bool(changed.get("timeline", True))


def only_failures() -> Operation:
    return row(
        "say",
        ok=0,
        timeouts=1000,
        service_us=None,
        response_us=None,
        service_histogram=None,
        response_histogram=None,
    )


def test_only_failures_have_no_curve() -> None:
    seconds = tuple(
        second(t, (), ok=0, failed=100, p50_us=None, p99_us=None, errors={"timeout": 100}) for t in range(5)
    )
    drawn = load_charts(open_load(timeline=seconds, operations=(only_failures(),)))
    assert [chart.name for chart in drawn] == ["over-time", "errors-over-time"]


def test_a_damaged_histogram_leaves_out_what_needs_it_and_says_so() -> None:
    broken = SecondTimes.model_construct(
        name="say", kind="round trip", service_histogram=DAMAGED, response_histogram=None
    )
    seconds = (second(0), second(1).model_copy(update={"operations": (broken,)}))
    result: LoadResult = open_load(2).model_copy(update={"timeline": seconds})
    drawn = load_charts(result)
    assert [chart.name for chart in drawn] == ["over-time", "latency-by-percentile", "service-and-response"]
    damaged = "The file is damaged, so the seconds' times cannot be shown: second 1, say: not a histogram"
    assert damaged in drawn[0].caption


def test_names_of_charts_are_names_of_files() -> None:
    drawn = load_charts(open_load(how_many=3, stages=(stage("1", 1, 0, 5), stage("2", 2, 5, 9))))
    for left, right in itertools.combinations([chart.name for chart in drawn], 2):
        assert left != right
    for chart in drawn:
        assert chart.name == chart.name.lower()
        assert set(chart.name) <= set("abcdefghijklmnopqrstuvwxyz-")
