"""The charts of latency, of two revisions, of trends and of checks: which there are, and whose figures they show."""

import datetime as dt
import math
from pathlib import Path

import numpy as np
import pytest

from bench.report.ab import ab_document
from bench.report.ab_charts import ab_charts
from bench.report.chart import AnyChart, Chart, Forest
from bench.report.latency import latency_document
from bench.report.latency_charts import latency_charts
from bench.report.trend import trend_document
from bench.report.trend_charts import trend_charts
from bench.results.ab import AbResult
from bench.results.figure import Figure
from bench.results.latency import LatencyResult
from bench.results.store import open_file
from bench.statistics.estimates import Estimate
from bench.timing.histogram import Histogram
from bench.trend.series import Level, Point, Series, Step, Trends
from bench.validation.accuracy.charts import accuracy_charts
from bench.validation.accuracy.model import Accuracy, FigureCheck, Quantity
from bench.validation.peers.charts import peers_charts
from bench.validation.peers.model import Peers
from bench.validation.wire.charts import wire_charts
from bench.validation.wire.model import Wire
from tests.support.latency_results import latency

RESULTS = Path(__file__).parent.parent / "data" / "results"


def stored(kind: str) -> Path:
    return sorted((RESULTS / kind).glob("*/0001_*.json"))[0]


def chart(charts: tuple[AnyChart, ...], name: str) -> Chart:
    (found,) = (each for each in charts if each.name == name)
    assert isinstance(found, Chart)
    return found


class TestLatency:
    def test_a_distribution_for_each_benchmark_beside_its_controls(self) -> None:
        result = latency(0.1, run=0, commit="a" * 40)
        drawn = latency_charts(result)
        assert not drawn.missing
        assert [each.name for each in drawn.charts] == ["distribution-1", "distribution-2", "restarts"]
        (panel,) = chart(drawn.charts, "distribution-1").panels
        # The stored result is of a version that has no distributions of controls.
        assert [(line.label, line.mark) for line in panel.series] == [
            ("service", "line"),
            ("control on the same stack, p50 and p99", "points"),
            ("bare echo server, p50 and p99", "points"),
        ]
        control = result.benchmarks[0].controls["same-stack"]
        assert control is not None
        assert [(point.x, point.y) for point in panel.series[1].points] == [
            (0.5, control.median_us),
            (0.99, control.p99_us),
        ]

    def test_a_control_has_its_own_distribution(self) -> None:
        result = latency(0.1, run=0, commit="a" * 40)
        changed = []
        for benchmark in result.benchmarks:
            controls = benchmark.extra_info["controls"]
            controls = controls | {"bare": controls["bare"] | {"histogram": benchmark.histogram}}
            info = benchmark.extra_info | {"controls": controls}
            changed.append(benchmark.model_copy(update={"extra_info": info}))
        (panel,) = chart(
            latency_charts(result.model_copy(update={"benchmarks": tuple(changed)})).charts, "distribution-1"
        ).panels
        assert panel.series[2].label == "bare echo server"
        assert panel.series[2].points == panel.series[0].points

    def test_server_processes_are_points_beside_their_controls(self) -> None:
        result = latency(0.1, run=0, commit="a" * 40)
        found = chart(latency_charts(result).charts, "restarts")
        assert [panel.title for panel in found.panels] == [benchmark.name for benchmark in result.benchmarks]
        service, control = found.panels[0].series
        processes = result.benchmarks[0].processes
        assert [point.y for point in service.points] == [process.median_us for process in processes]
        assert [point.y for point in control.points] == [
            process.control.median_us for process in processes if process.control is not None
        ]
        assert service.points[0].text == "hash seed 1"

    def test_a_damaged_distribution_is_left_out_and_named(self) -> None:
        result = latency(0.1, run=0, commit="a" * 40)
        first, second = result.benchmarks
        damaged = first.model_copy(update={"extra_info": first.extra_info | {"histogram": "HISTFAAAnonsense"}})
        document = latency_document(result.model_copy(update={"benchmarks": (damaged, second)}))
        assert [each.name for each in document.charts] == ["distribution-2", "restarts"]
        assert document.notes[0].text.startswith(f"{first.name}: its distribution cannot be drawn: not a histogram")
        assert document.notes[0].style == "warning"

    def test_where_it_was_measured(self) -> None:
        document = latency_document(open_file(stored("latency")).as_model(LatencyResult))
        facts = {fact.label: fact.text for fact in document.environment}
        assert {"commit", "machine", "Python", "event loop", "packages", "measured"} <= facts.keys()
        assert "uvloop" in facts["event loop"]


class TestTwoRevisions:
    def test_the_effects_and_each_restart(self) -> None:
        result = open_file(stored("ab")).as_model(AbResult)
        forest, restarts = ab_charts(result).charts
        assert isinstance(forest, Forest)
        metrics = [metric for benchmark in result.benchmarks for metric in benchmark.metrics]
        assert [(effect.value, effect.low, effect.high) for effect in forest.effects] == [
            (metric.effect, metric.low, metric.high) for metric in metrics
        ]
        assert isinstance(restarts, Chart)
        assert [panel.title for panel in restarts.panels] == [benchmark.name for benchmark in result.benchmarks]
        *_, points = restarts.panels[0].series
        assert [point.y for point in points.points] == [math.expm1(effect) for effect in metrics[0].log_effects]

    def test_both_distributions_over_each_other(self) -> None:
        result = open_file(stored("ab")).as_model(AbResult)
        times = Histogram()
        times.record(np.array([100_000, 200_000, 300_000], dtype=np.int64))
        first = result.benchmarks[0].model_copy(update={"a_histogram": times.encode(), "b_histogram": times.encode()})
        drawn = ab_charts(result.model_copy(update={"benchmarks": (first, *result.benchmarks[1:])}))
        assert [each.name for each in drawn.charts] == ["effects", "distribution-1", "restarts"]
        (panel,) = chart(drawn.charts, "distribution-1").panels
        assert [line.label for line in panel.series] == [f"A: {result.a.label}", f"B: {result.b.label}"]
        assert panel.series[0].points[0].y == pytest.approx(100, rel=0.002)
        damaged = first.model_copy(update={"b_histogram": "HISTFAAAnonsense"})
        drawn = ab_charts(result.model_copy(update={"benchmarks": (damaged, *result.benchmarks[1:])}))
        assert [each.name for each in drawn.charts] == ["effects", "restarts"]
        assert drawn.missing[0].startswith(f"{first.name}: its distributions cannot be drawn: not a histogram")

    def test_the_command_that_repeats_it(self) -> None:
        document = ab_document(open_file(stored("ab")).as_model(AbResult))
        assert (
            document.command
            == "bench ab 'HEAD~1' HEAD --app app.main:app --precision 0.3 --threshold 0.5 --max-time 12"
        )
        facts = [(fact.label, fact.text) for fact in document.environment]
        assert facts[0][0] == "A"
        assert facts[0][1].startswith("HEAD~1: ")


def trend_series(values: list[float], remarks: dict[int, tuple[str, ...]] | None = None) -> Series:
    points = tuple(
        Point(
            commit=f"{place:040x}",
            commit_known=True,
            dirty=False,
            time=dt.datetime(2026, 3, 1, tzinfo=dt.UTC) + dt.timedelta(hours=place),
            value=Figure(value) if math.isfinite(value) else Figure(math.inf, "above"),
            remarks=(remarks or {}).get(place, ()),
            judged=math.isfinite(value),
            environment={},
        )
        for place, value in enumerate(values)
    )
    half = len(values) // 2
    step = Step(half - 1, half, Estimate(0.1, 0.08, 0.12, 0.02, 0.01, 18, 10), 0.001, ())
    levels = (Level(0, half - 1, values[0]), Level(half, len(values) - 1, values[half]))
    return Series(
        "load", "echo", "here", (), "p50 of the service time", "µs", False, points, levels, (step,), None
    )  # fmt: skip


class TestTrends:
    def trends(self) -> Trends:
        series = trend_series([100.0] * 10 + [110.0] * 9 + [math.inf], {3: ("uncommitted changes",)})
        return Trends((series,), "p50", 0.05, True, (), ())

    def test_results_levels_and_steps(self) -> None:
        (drawn,) = trend_charts(self.trends(), {f"{12:040x}": "Handler: <b>slower</b>"})
        (panel,) = drawn.panels
        levels, clean, dirty, unjudged = panel.series
        assert [(point.x, point.until) for point in levels.points] == [(0, 9), (10, 19)]
        assert len(clean.points) == 18
        assert [point.x for point in dirty.points] == [3]
        assert [point.x for point in unjudged.points] == [19]
        assert drawn.x.labels[12] == f"{12:040x}"[:7]
        assert [(event.x, event.text) for event in drawn.events] == [(9.5, "+10.0 %")]
        texts = {point.x: point.text for point in clean.points}
        assert texts[12] == f"{12:040x}"[:10] + " Handler: <b>slower</b>; 2026-03-01 12:00 UTC"
        assert "(last before)" in drawn.caption

    def test_the_page_has_the_command_that_was_typed(self) -> None:
        document = trend_document(self.trends(), 3, command="bench trend load --all")
        assert (document.command_title, document.command) == ("To show it again", "bench trend load --all")

    def test_commits_lead_to_their_pages(self) -> None:
        document = trend_document(self.trends(), 3, pages="https://example.org/commit/")
        links = [row.link for row in document.tables[0].rows if hasattr(row, "link")]
        assert links[-1] == f"https://example.org/commit/{19:040x}"
        assert not any(getattr(row, "link", "") for row in trend_document(self.trends(), 3).tables[0].rows)


class TestChecks:
    def test_our_errors_as_shares_of_their_bounds(self) -> None:
        result = open_file(stored("accuracy")).as_model(Accuracy)
        (forest,) = accuracy_charts(result)
        rows = [row for scenario in result.scenarios for row in scenario.rows if not row.is_exact]
        row = rows[0]
        assert row.shown.ours is not None
        expected = (row.shown.ours.value - row.shown.truth.value) / row.shown.bound
        assert forest.effects[0].value == pytest.approx(expected)
        assert len(forest.effects) == len(rows)

    def test_a_figure_without_a_known_error_has_no_bar(self) -> None:
        result = open_file(stored("accuracy")).as_model(Accuracy)
        beyond = FigureCheck(truth=Quantity(value=1), ours=Quantity(value=2, is_above=True), bound=1)
        scenarios = tuple(
            scenario.model_copy(
                update={"rows": tuple(row.model_copy(update={"repetitions": (beyond,)}) for row in scenario.rows)}
            )
            for scenario in result.scenarios
        )
        assert accuracy_charts(result.model_copy(update={"scenarios": scenarios})) == ()

    def test_generators_beside_ours(self) -> None:
        result = open_file(stored("peers")).as_model(Peers)
        charts = peers_charts(result)
        assert [each.name for each in charts] == [
            f"cpu-{number}" for number in dict.fromkeys(figures.connections for figures in result.figures)
        ]
        assert charts[0].effects[0].value == result.figures[0].cpu_us_per_round_trip
        assert charts[0].neutral > 0

    def test_what_tools_add_to_the_packets(self) -> None:
        result = open_file(stored("wire")).as_model(Wire)
        (forest,) = wire_charts(result)
        spans = [row.beyond for tool in result.tools for row in tool.rows if row.beyond is not None]
        assert [effect.value for effect in forest.effects] == [span.p50.value_us for span in spans]
