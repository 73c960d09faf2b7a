"""Results that become series, in the order of their commits. No repository, no files."""

import datetime as dt
import math
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.report.formatting import duration
from bench.results.header import CommitInfo, MachineInfo
from bench.results.latency import LatencyResult
from bench.results.load import LoadResult
from bench.results.receiving import ReceiveClock
from bench.trend.metric import Metric
from bench.trend.series import in_commit_order, trends
from tests.support.example_results import distribution, load_result, operation

START = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
NOISE = 0.01


# --- series ---------------------------------------------------------------------------------------------------------


def noise(random: np.random.Generator, count: int, outliers: float = 0.0) -> NDArray[np.float64]:
    """Log deviations of 1 %, of which a share are eight times as wide."""
    wide = np.where(random.random(count) < outliers, 8, 1)
    return random.normal(0, NOISE, count) * wide


def load(p50: float = 100.0, commit: str = "a", *, run: int = 0, committed: str | None = None) -> LoadResult:
    return load_result(
        datetime=START + dt.timedelta(hours=run),
        commit_info=CommitInfo(id=commit, time=committed),
        operations=(operation(service_us=distribution(p50=p50, p90=p50 * 2, p99=p50 * 9)),),
    )


def loads(values: Sequence[float] | NDArray[np.float64]) -> list[LoadResult]:
    return [load(float(value), f"c{run}", run=run) for run, value in enumerate(values)]


def latency(run: int, ratio: float | None = None, **info: object) -> LatencyResult:
    timed = {"median_us": 1.0, "p99_us": 2.0, "rounds": 9, "hash_seed": 1, "environment_bytes": 0}
    timed |= {"warm_up_round_trips": 9, "steady": True}
    process = {**timed, "control": None, "log_ratio": {"same-stack": ratio and math.log(ratio)}, "pairs": {}}
    benchmark = {
        "name": "foo",
        "fullname": "x.py::foo",
        "stats": dict.fromkeys(("min", "max", "mean", "median"), 1e-4) | {"rounds": 3},
        "extra_info": info | ({"processes": [process]} if ratio else {}),
    }
    content = {"datetime": START + dt.timedelta(hours=run), "version": "5", "benchmarks": [benchmark]}
    return LatencyResult.model_validate(
        content | {"commit_info": CommitInfo(id=f"c{run}"), "machine_info": MachineInfo(node="here")}
    )


def ids(results: Sequence[object]) -> str:
    return "".join(result.commit_info.id for result in results if isinstance(result, LoadResult))


class TestSimulated:
    def test_the_interval_covers_the_change(self) -> None:
        random = np.random.default_rng(3)
        covered = 0
        for _ in range(20):
            values = 100 * np.exp(noise(random, 16) + np.where(np.arange(16) >= 8, math.log(1.05), 0))
            (series,) = trends(loads(values)).series
            change = series.steps[0].change
            assert change.low is not None
            assert change.high is not None
            covered += change.low <= 0.05 <= change.high
        assert covered >= 17


class TestReceiveClock:
    @staticmethod
    def conditions(
        results: Sequence[LoadResult | LatencyResult], metric: Metric = "p50"
    ) -> list[tuple[str | None, int]]:
        found = trends(results, metric).series
        return [(dict(series.conditions).get("received clock"), len(series.points)) for series in found]

    def test_another_clock_begins_another_series(self) -> None:
        newer = [
            run.model_copy(update={"operations": (run.operations[0].model_copy(update={"received_clock": "kernel"}),)})
            for run in loads([80.0, 80.0])
        ]
        results = [*loads([100.0, 100.0, 100.0]), *newer]
        assert self.conditions(results) == [("process", 3), ("kernel", 2)]
        assert self.conditions(results, "cpu") == [("process", 3), ("kernel", 2)]

    def test_latency(self) -> None:
        results = [latency(0), latency(1, received_clock="process"), latency(2, received_clock="kernel")]
        assert self.conditions(results) == [("process", 2), ("kernel", 1)]

    def test_a_run_without_an_answer_is_in_the_series_of_its_clock(self) -> None:
        answered, unanswered = (
            load_result(
                datetime=START + dt.timedelta(hours=hour),
                operations=(operation(received_clock=clock, throughput_per_s=3.0),),
                receive_clock=ReceiveClock(bound_us=0.1),
            )
            for hour, clock in enumerate(("kernel", None))
        )
        assert self.conditions([answered, unanswered], "throughput") == [("kernel", 2)]

    def test_an_emission_has_no_clock(self) -> None:
        sent = load_result(operations=(operation(kind="emission", service_us=None, service_histogram=None),))
        assert self.conditions([sent], "throughput") == [(None, 1)]


class TestCommitOrder:
    def test_history_goes_before_time(self) -> None:
        results = [load(commit=commit, run=run) for run, commit in enumerate("cab")]
        assert ids(in_commit_order(results, ["a", "b", "c", "d"])) == "abc"

    def test_results_of_one_commit_are_in_the_order_of_their_runs(self) -> None:
        results = [load(3, "a", run=3), load(1, "a", run=1), load(9, "b", run=0), load(2, "a", run=2)]
        (series,) = trends(results, history=["a", "b"]).series
        assert [point.value.value for point in series.points] == [1, 2, 3, 9]

    def test_without_history_the_run_decides(self) -> None:
        results = [load(commit="a", run=2, committed="2020-01-01T00:00:00Z"), load(commit="b", run=1)]
        assert ids(in_commit_order(results, None)) == "ba"
        found = trends(results)
        assert not found.history
        assert found.unknown_commits == ()

    def test_an_unknown_commit_goes_by_its_date_and_is_named(self) -> None:
        dates = {"a": "2026-01-01T00:00:00Z", "b": "2026-01-03T00:00:00Z", "x": "2026-01-02T00:00:00+00:00"}
        results = [load(commit=commit, committed=dates[commit]) for commit in "xba"]
        assert ids(in_commit_order(results, ["a", "b"])) == "axb"
        assert trends(results, history=["a", "b"]).unknown_commits == ("x",)

    def test_history_holds_where_clocks_were_wrong(self) -> None:
        dates = {"a": "2026-01-09T00:00:00Z", "b": "2026-01-01T00:00:00Z", "x": "2026-01-05T00:00:00"}
        results = [load(commit=commit, committed=dates[commit]) for commit in "bxa"]
        order = ids(in_commit_order(results, ["a", "b"]))
        assert order.index("a") < order.index("b")
        assert sorted(order) == ["a", "b", "x"]

    def test_a_date_that_is_none_gives_way_to_the_run(self) -> None:
        results = [load(commit="x", run=1, committed="soon"), load(commit="a", run=0), load(commit="b", run=2)]
        assert ids(in_commit_order(results, ["a", "b"])) == "axb"


class TestSeries:
    def test_a_step_is_between_two_results_and_says_what_else_changed(self) -> None:
        results = loads([100.0, 100.5, 99.5, 100, 100.2, 110, 110.5, 109.5, 110, 110.2])
        newer = [result.model_copy(update={"packages": {"uvicorn": "0.60"}}) for result in results[5:]]
        (series,) = trends([*results[:5], *newer]).series
        (step,) = series.steps
        assert (step.before, step.after) == (4, 5)
        assert step.change.effect == pytest.approx(0.1, abs=0.005)
        assert "uvicorn 0.54.0 → 0.60" in step.also_changed
        assert [(level.first, level.last) for level in series.levels] == [(0, 4), (5, 9)]
        assert series.levels[1].value == pytest.approx(110.04, abs=0.01)

    def test_the_control_ratio_needs_all_results(self) -> None:
        (series,) = trends([latency(0, 1.1), latency(1, 1.2)]).series
        assert series.unit == "x control"
        assert [point.value.value for point in series.points] == pytest.approx([1.1, 1.2])
        assert series.without_control is None
        (raw,) = trends([latency(0, 1.1), latency(1, 1.2)], raw=True).series
        assert (raw.unit, raw.without_control) == ("µs", None)
        (mixed,) = trends([latency(0, 1.1), latency(1)]).series
        assert (mixed.unit, mixed.without_control) == ("µs", 1)
        assert mixed.points[0].value.value == pytest.approx(100)

    def test_settings_are_series_of_their_own(self) -> None:
        found = trends([latency(0, loop="uvloop"), latency(1, loop="asyncio"), latency(2, loop="uvloop")])
        assert [len(series.points) for series in found.series] == [2, 1]
        found = trends([latency(0, awake={"cores": [0, 1]}), latency(1, awake={"cores": []})])
        assert len(found.series) == 2

    def test_kinds_of_the_same_name_are_series_of_their_own(self) -> None:
        rows = operation("buy"), operation("buy", kind="transaction")
        series = trends([load_result(operations=rows), load_result(operations=rows)]).series
        assert [(line.benchmark, len(line.points)) for line in series] == [("buy", 2), ("buy (transaction)", 2)]

    def test_the_duration_and_the_port_are_not_the_scenario(self) -> None:
        scenario = load().scenario
        same = scenario.model_copy(update={"duration_s": 99.0, "url": "http://127.0.0.1:1234"})
        (series,) = trends([load(), load().model_copy(update={"scenario": same})]).series
        assert len(series.points) == 2

    def test_another_rule_of_what_a_user_takes_is_another_series(self) -> None:
        before = load().scenario.model_copy(update={"model": "open", "rate_per_s": 100.0, "max_in_flight": 1000})
        same = before.model_copy(update={"pipelined": before.user_classes})
        single = before.model_copy(update={"pipelined": (), "max_in_flight": None, "max_wait_s": 10.0})
        longer = single.model_copy(update={"max_wait_s": 20.0})
        results = [load().model_copy(update={"scenario": scenario}) for scenario in (before, same, single, longer)]
        assert sorted(len(series.points) for series in trends(results).series) == [1, 1, 2]

    def test_illustrations_are_left_out_and_named(self) -> None:
        found = trends([latency(0, illustrative=True)])
        assert found.series == ()
        assert found.illustrative == ("foo",)

    def test_a_percentile_beyond_the_limit_counts_as_the_limit(self) -> None:
        censored = distribution(p99=None, p99_9=None, max=None, mean=None, censored_above_us=500_000.0)
        result = load_result(operations=(operation(service_us=censored),))
        (series,) = trends([result], "p99").series
        (point,) = series.points
        assert (point.value.value, point.value.bound) == (500_000, "above")
        assert point.remarks == ("a lower bound",)

    def test_a_percentile_among_what_failed_is_shown_and_not_judged(self) -> None:
        failed = distribution(p99=None, p99_9=None, max=None, mean=None)
        (series,) = trends([load_result(), load_result(operations=(operation(service_us=failed),))], "p99").series
        assert [point.judged for point in series.points] == [True, False]
        assert series.points[1].remarks == ("among what failed", "not judged")
        assert duration(series.points[1].value) == "failed"

    def test_the_p99_of_few_is_in_no_series(self) -> None:
        few = latency(0, p99_us=200.0)
        benchmark = few.benchmarks[0]
        for rounds, number in ((99, 0), (100, 1)):
            stats = benchmark.stats.model_copy(update={"rounds": rounds})
            result = few.model_copy(update={"benchmarks": (benchmark.model_copy(update={"stats": stats}),)})
            assert len(trends([result], "p99").series) == number

    def test_wrong_figures_are_shown_and_not_judged(self) -> None:
        (series,) = trends([load_result(), load_result(invalid_reason="replies of others")]).series
        assert [point.judged for point in series.points] == [True, False]
        assert series.points[1].remarks == ("wrong figures",)

    def test_times_of_the_whole_run_are_a_series_of_their_own(self) -> None:
        of_run = load_result(operations=(operation(times_of="run"),))
        assert len(trends([load_result(), of_run]).series) == 2

    @pytest.mark.parametrize(
        ("metric", "value", "better"), [("cpu", 72.3, False), ("throughput", 1000.4, True), ("p50", 131.4, False)]
    )
    def test_metrics_of_load(self, metric: str, value: float, better: bool) -> None:
        (series,) = trends([load_result()], metric).series  # type: ignore[arg-type]
        assert series.points[0].value.value == value
        assert series.higher_is_better is better

    def test_an_open_load_shows_response_time(self) -> None:
        scenario = load().scenario.model_copy(update={"model": "open", "rate_per_s": 100.0})
        times = operation(response_us=distribution(p50=200.0))
        (series,) = trends([load_result(scenario=scenario, operations=(times,))]).series
        assert series.measured == "p50 of the response time"
        assert series.points[0].value.value == 200
