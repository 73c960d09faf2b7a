"""The output of `bench compare`: the table, the Markdown, and the charts of effects and distributions."""

import datetime as dt
import io
import math
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from bench.compare.comparison import compare
from bench.compare.model import Comparison
from bench.report.chart import Chart
from bench.report.chart_file import chart_file
from bench.report.comparison import comparison_document
from bench.report.comparison_charts import distribution_charts, effects_chart
from bench.report.formats import markdown
from bench.report.formats.text import print_document
from bench.report.nines import nines_points
from bench.results.header import CommitInfo
from bench.results.latency import LatencyResult
from bench.results.load import Generator, LoadResult, Scenario
from bench.results.references import Stored
from bench.timing.histogram import Histogram, HistogramError
from tests.support.example_results import COMMIT, distribution, load_result, operation
from tests.support.latency_results import latency, stored

OTHER = "b" * 40
CENSORED: dict[str, float | None] = {"censored_above_us": 500_000.0, **dict.fromkeys(("mean", "p99", "p99_9", "max"))}
START = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)


def compared(old: Any, new: Any, **options: Any) -> Comparison:
    olds, news = ([side] if not isinstance(side, list) else side for side in (old, new))
    return compare(stored(*olds, side="old"), stored(*news, side="new"), **options)


def lines(comparison: Comparison, width: int = 80) -> list[str]:
    written = io.StringIO()
    print_document(comparison_document(comparison), Console(file=written, width=width))
    return written.getvalue().splitlines()


def latency_runs(effect: float, first: int, commit: str, count: int = 5) -> list[LatencyResult]:
    slowness = math.log(1.5) + math.log1p(effect)
    return [latency(slowness, run=first + run, commit=commit) for run in range(count)]


class TestCommand:
    def test_it_names_the_files_and_what_changes_the_answer(self) -> None:
        plain = comparison_document(compared(latency(), latency(run=1)), command="bench compare latest~1 latest")
        assert plain.command == "bench compare old0.json new0.json"
        assert plain.command_title == "To compare them again"
        other = compared(latency(), latency(run=1, machine={"node": "there"}), threshold=0.02, force=True)
        assert comparison_document(other).command == "bench compare old0.json new0.json --threshold 2 --force"

    def test_of_several_files_it_is_what_was_typed(self) -> None:
        several = compared(latency_runs(0, 0, COMMIT), latency_runs(0, 9, OTHER))
        assert comparison_document(several, command="bench compare '1?' '2?'").command == "bench compare '1?' '2?'"

    def test_the_page_has_the_commands_that_measured_each_side_once(self) -> None:
        olds = [load_result(command="locust --rate 5"), load_result(command="locust --rate 5")]
        sides = stored(*olds, side="old"), stored(load_result(command="locust --rate 6"), side="new")
        document = comparison_document(compare(*sides), *sides)
        told = [(fact.label, fact.text) for fact in document.environment if "measured by" in fact.label]
        assert told == [
            ("baseline measured by", "locust --rate 5"),
            ("candidate measured by", "locust --rate 6"),
        ]


class TestTable:
    def test_load(self) -> None:
        new = load_result(
            commit_info=CommitInfo(id="a" * 40, dirty=True),
            operations=(
                operation(throughput_per_s=900.36, service_us=distribution(p90=300.0, **CENSORED)),
                operation("new [1]"),
            ),
        )
        found = compared(load_result(operations=(operation(), operation("gone"))), new)
        shown = lines(found)
        assert [" ".join(line.split()) for line in shown] == [
            f"old {COMMIT[:12]} 2026-11-23 11:26:45 UTC old0.json",
            "new aaaaaaaaaaaa + changes 2026-11-23 11:26:45 UTC new0.json",
            "",
            "old new effect 95% interval verdict",
            "FOO → BAR",
            "throughput 1,000/s 900/s -10.00 % - inconclusive",
            "service p50 131.4 µs 131.4 µs +0.00 % - inconclusive",
            "service p90 240.0 µs 300.0 µs +25.00 % - inconclusive",
            "service p99 1.234 ms > 500 ms > +40,402 % - inconclusive",
            "service p99.9 5.000 ms > 500 ms > +9,900 % - inconclusive",
            "failed 10 10 - - inconclusive",
            "whole run, per round trip",
            "server CPU 72.30 µs 72.30 µs +0.00 % - inconclusive",
            "generator CPU 11.20 µs 11.20 µs +0.00 % - -",
            "",
            "nothing is known to be slower by more than 0.5 %: 7 inconclusive",
            "uncommitted changes: the new result is of aaaaaaaaaaaa and changes to it",
            "note: one run a side: a load run has no processes to see a spread from, so there are ratios without "
            "intervals; several runs a side (--last 5), made in alternation, give them",
            "inconclusive, a single run does not show how much runs differ: FOO → BAR (throughput, service p50, "
            "service p90), whole run (server CPU per round trip)",
            "inconclusive, beyond the limit in 0 of 1 old and 1 of 1 new runs, which is longer than every old one; "
            "four runs a side could show that it is no chance: FOO → BAR (service p99, service p99.9)",
            "inconclusive, there were failures before, 0.99 % → 0.99 %; timeouts 3 → 3, unfinished 1 → 1, "
            "disconnected 5 → 5, REJECTED 1 → 1: FOO → BAR (failed)",
            "only in the old results: gone",
            "only in the new results: new [1]",
        ]
        heading, first = shown[3], shown[5]
        assert len(heading) == len(first) <= 80

    def test_latency(self) -> None:
        shown = lines(compared(latency_runs(0, 0, COMMIT), latency_runs(0.1, 100, OTHER)))
        assert sum(line.startswith("old  ") for line in shown) == 5
        p50 = next(line for line in shown if line.startswith("  p50 "))
        effect, _, verdict = p50.split()[5], p50.split()[6], p50.split()[-1]
        assert verdict == "slower"
        assert 5 < float(effect) < 15
        assert (
            "slower by more than 0.5 %, or newly failing: foo_bar[event-fast-process-uvloop] (p50, p99, server CPU), "
            "foo_bar[acknowledged-fast-process-uvloop] (p50, p99, server CPU)"
        ) in shown
        assert any("ratios to the control on the same stack" in line for line in shown)

    def test_forced_verdicts_say_so(self) -> None:
        saturated = load_result(generator=Generator(processes=1, verdict="saturated", reason="CPU share 99 %"))
        shown = lines(compared(load_result(), saturated, force=True), width=100)
        assert all("inconclusive (forced)" in line for line in shown if line.startswith("  service"))
        assert "generator saturated (void): in the new result: CPU share 99 %" in shown
        assert any(line.startswith("void, and forced: nothing is known to be slower") for line in shown)

    @pytest.mark.parametrize("width", [1, 40])
    def test_nothing_is_cut(self, width: int) -> None:
        name = "x" * 300
        one = load_result(operations=(operation(name),))
        assert name in lines(compared(one, one), width)

    def test_names_cannot_steer_the_terminal(self) -> None:
        one = load_result(operations=(operation("\x1b[31mred"),))
        assert "\x1b" not in "".join(lines(compared(one, one)))


class TestMarkdown:
    def test_the_answer_comes_first_and_names_are_no_markup(self) -> None:
        named = "a|b <b>*c*</b> @all"
        old = load_result(
            operations=(operation(named, scheduled=1000, sent=1000, errors={}, timeouts=0, unfinished=0),)
        )
        new = load_result(
            operations=(operation(named, scheduled=1003, sent=1003, errors={}, timeouts=3, unfinished=0),)
        )
        text = markdown.render(comparison_document(compared(old, new)))
        escaped = "a\\|b &lt;b&gt;\\*c\\*&lt;/b&gt; @\u200ball"
        heading, _, header, rule, *rest = text.splitlines()
        assert heading == f"### slower by more than 0.5 %, or newly failing: {escaped} (failed)"
        assert header == "| | old | new | effect | 95% interval | verdict |"
        assert rule == "| --- | ---: | ---: | ---: | :---: | --- |"
        assert f"| {escaped} failed | 0 | 3 | - | - | **worse** |" in rest
        assert f"- worse, timeouts 0 → 3: {escaped} (failed)" in rest
        assert named not in text
        assert text.count("<details>") == text.count("</details>") == 2

    def test_what_is_worse_is_never_folded(self) -> None:
        text = markdown.render(comparison_document(compared(latency_runs(0, 0, COMMIT), latency_runs(0.2, 100, OTHER))))
        table = text.split("<details>")[0]
        assert table.count("**slower**") == 6
        assert text.count("- new: bbbbbbbbbbbb 2026") == 5


def distributed(values_us: list[float], failed: int = 0, name: str = "echo") -> LoadResult:
    times = Histogram()
    times.record(np.array([round(us * 1e3) for us in values_us], dtype=np.int64))
    count = len(values_us)
    one = operation(
        name, scheduled=count + failed, sent=count + failed, ok=count, timeouts=failed, errors={}, unfinished=0,
        service_histogram=times.encode(),
    )  # fmt: skip
    return load_result(operations=(one,))


def distributions(old: list[Stored], new: list[Stored]) -> tuple[Chart, ...]:
    return distribution_charts(compare(old, new, force=True), old, new)


def points(chart: Chart, place: int) -> dict[float, float | None]:
    return {point.x: point.y for point in chart.panels[0].series[place].points}


class TestCharts:
    def test_the_points_are_the_percentiles_of_the_distribution(self) -> None:
        times = Histogram.decode(
            distributed([float(us) for us in range(100, 1100)]).operations[0].service_histogram or ""
        )
        found = {point.x: point.y or 0.0 for point in nines_points(times)}
        assert min(found) == 0
        for share, expected in ((0.0, 100), (0.9, 999), (0.99, 1089)):
            time_us = min(found.items(), key=lambda point: abs(point[0] - share))[1]
            assert time_us == pytest.approx(expected, rel=0.002)
        assert max(found) == pytest.approx(0.999)
        assert sorted(found.values()) == list(found.values())

    def test_a_curve_ends_where_what_failed_begins(self) -> None:
        times = Histogram.decode(distributed([100.0] * 900).operations[0].service_histogram or "")
        assert 0.88 < max(point.x for point in nines_points(times, 100)) <= 0.9

    def test_a_chart_for_each_benchmark_with_both_sides(self) -> None:
        old, new = stored(*latency_runs(0, 0, COMMIT, 1)), stored(*latency_runs(0.1, 100, OTHER, 3), side="n")
        charts = distributions(old, new)
        assert [chart.title for chart in charts] == [
            "Service time of foo_bar[event-fast-process-uvloop]",
            "Service time of foo_bar[acknowledged-fast-process-uvloop]",
        ]
        assert charts[0].caption == "Baseline: 300 round trips in 1 run. Candidate: 900 round trips in 3 runs."
        (panel,) = charts[0].panels
        # Of the new side each run, and both sides.
        assert [line.role for line in panel.series] == ["faint", "faint", "faint", "baseline", "candidate"]
        assert [line.label for line in panel.series[-2:]] == [
            f"baseline: {COMMIT[:10]}, 2026-03-01 12:00 UTC, on here",
            "candidate: bbbbbbbbbb, 2026-03-01 13:40 UTC to 2026-03-01 13:42 UTC, on here",
        ]
        assert charts[0].x.scale == "nines"

    def test_what_failed_is_said(self) -> None:
        old, new = stored(distributed([100.0] * 1000)), stored(distributed([100.0] * 900, 100), side="n")
        (chart,) = distributions(old, new)
        assert chart.caption.endswith(
            "Candidate: 900 round trips in 1 run, and 100 that failed, beyond the end of the curve."
        )

    def test_response_times_where_there_are_any(self) -> None:
        (echo,) = distributed([100.0] * 100).operations
        (slow,) = distributed([900.0] * 100).operations
        both = echo.model_copy(update={"response_histogram": slow.service_histogram, "response_us": distribution()})
        connect = echo.model_copy(update={"name": "connect"})
        scenario = Scenario(user_classes=("EchoUser",), users=50, model="open", rate_per_s=100, transport="websocket")
        one = load_result(scenario=scenario, operations=(connect, both))
        charts = distributions(stored(one), stored(one, side="n"))
        assert [chart.panels[0].y.title for chart in charts] == ["service time", "response time"]
        least = [min(time for time in points(chart, 0).values() if time is not None) for chart in charts]
        assert least == pytest.approx([100, 900], rel=0.01)

    def test_the_effects_are_in_one_chart_with_their_verdicts(self) -> None:
        found = compared(latency_runs(0, 0, COMMIT), latency_runs(0.1, 100, OTHER))
        chart = effects_chart(found)
        assert chart is not None
        rows = [row for benchmark in found.benchmarks for row in benchmark.rows if row.effect is not None]
        assert [(effect.value, effect.low, effect.high) for effect in chart.effects] == [
            (row.effect, row.low, row.high) for row in rows
        ]
        assert {effect.role for effect in chart.effects} == {"bad"}
        assert chart.effects[0].label == "foo_bar[event-fast-process-uvloop]: p50"
        assert chart.effects[0].text.startswith("slower, ")
        assert "worse: foo_bar" in chart.alt

    def test_of_many_effects_the_first_to_read_are_shown(self) -> None:
        operations = tuple(operation(f"operation {number}") for number in range(20))
        chart = effects_chart(compared(load_result(operations=operations), load_result(operations=operations)))
        assert chart is not None
        assert {effect.label.rpartition(": ")[2] for effect in chart.effects} == {"throughput"}
        assert "effects these are the first to read" in chart.caption

    @pytest.mark.unhurried
    @pytest.mark.parametrize(("form", "begins"), [("html", b"<!DOCTYPE html>"), ("svg", b"<svg"), ("png", b"\x89PNG")])
    def test_formats(self, form: Any, begins: bytes) -> None:
        old = stored(distributed([100.0, 120.0, 150.0] * 100, name="</script><b>echo"))
        new = stored(distributed([110.0, 125.0, 190.0] * 100, name="</script><b>echo"), side="n")
        drawn = chart_file(comparison_document(compare(old, new), old, new), form)
        assert drawn.startswith(begins)
        if form == "html":
            page = drawn.decode()
            assert "</script><b>" not in page
            assert 'src="http' not in page
            assert "<link" not in page

    def test_without_any_distribution(self) -> None:
        bare = load_result(operations=(operation(service_histogram=None),))
        old, new = stored(bare), stored(bare, side="n")
        assert not distributions(old, new)

    def test_a_distribution_that_cannot_be_read(self) -> None:
        (one,) = latency_runs(0, 0, COMMIT, 1)
        damaged = tuple(
            each.model_copy(update={"extra_info": each.extra_info | {"histogram": "HISTFAAAnonsense"}})
            for each in one.benchmarks
        )
        old = stored(one.model_copy(update={"benchmarks": damaged}))
        new = stored(*latency_runs(0, 100, OTHER, 1), side="n")
        with pytest.raises(HistogramError, match="not a histogram"):
            distributions(old, new)
