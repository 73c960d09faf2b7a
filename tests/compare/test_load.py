"""Comparisons of load results: paired operations, verdicts, censored times, failures."""

import datetime as dt
import itertools
import math
from typing import Any

import numpy as np
import pytest

from bench.compare.load import WHOLE_RUN, chance_of_order, compare_load
from bench.results.figure import Figure
from bench.results.lateness import Lateness
from bench.results.load import Generator, LoadResult
from bench.timing.histogram import Histogram
from tests.support.comparisons import START, compared, load_runs, open_scenario, row
from tests.support.example_results import distribution, load_result, operation


class TestLoad:
    OLD = (1.0, 1.01, 0.99, 1.0, 1.005)

    def test_operations_are_paired_by_name(self) -> None:
        faster = operation("echo", throughput_per_s=2000.8, service_us=distribution(p50=65.7))
        old = load_result(operations=(operation("connect", throughput_per_s=None), operation("echo"), operation("a")))
        new = load_result(operations=(faster, operation("connect", throughput_per_s=None), operation("b")))
        found = compared([old], [new])
        assert [benchmark.name for benchmark in found.benchmarks] == ["echo", "connect", WHOLE_RUN]
        assert (found.only_old, found.only_new) == (("a",), ("b",))
        echo, connect, _ = found.benchmarks
        assert row(echo, "throughput").effect == pytest.approx(1.0)
        assert row(echo, "service p50").effect == pytest.approx(-0.5)
        assert "response p50" not in [found.metric for found in echo.rows]
        assert "throughput" not in [found.metric for found in connect.rows]

    def test_operations_of_the_same_name_are_paired_by_their_kind(self) -> None:
        sent = {"timeouts": 0, "errors": {}, "unfinished": 0, "late": 0, "ok": 1010, "service_us": None}
        rows = (operation("buy"), operation("buy", kind="transaction"), operation("buy", kind="emission", **sent))
        longer = operation("buy", kind="transaction", service_us=distribution(p50=200.0))
        found = compared([load_result(operations=rows)], [load_result(operations=(rows[2], longer, rows[0]))])
        effects = {benchmark.name: {one.metric: one.effect for one in benchmark.rows} for benchmark in found.benchmarks}
        assert effects["buy"]["service p50"] == 0
        assert effects["buy (transaction)"]["service p50"] == pytest.approx(200.0 / 131.4 - 1)
        assert set(effects["buy (emission)"]) == {"throughput", "failed"}, "an emission has no time"
        assert (found.only_old, found.only_new) == ((), ())

    @pytest.mark.parametrize("times", [1.2, 1.99])
    def test_one_run_a_side_has_ratios_and_no_verdict(self, times: float) -> None:
        found = compared(load_runs((1.0,)), load_runs((times,), first=1))
        p50 = row(found.benchmarks[0], "service p50")
        assert p50.effect == pytest.approx(times - 1)
        assert (p50.low, p50.verdict) == (None, "inconclusive")
        assert found.worse == ()
        assert any(remark.startswith("one run a side: a load run has no processes") for remark in found.remarks)

    def test_several_runs_in_alternation_have_verdicts(self) -> None:
        slower = compared(load_runs(self.OLD), load_runs(tuple(1.2 * scale for scale in self.OLD), first=1))
        assert row(slower.benchmarks[0], "service p50").verdict == "slower"
        assert row(slower.benchmarks[0], "throughput").verdict == "same"
        assert slower.worse == (f"{slower.benchmarks[0].label} (service p50, service p90)",)
        same = compared(load_runs(self.OLD), load_runs(self.OLD[::-1], first=1))
        assert same.worse == ()

    def test_throughput_is_better_where_it_is_higher(self) -> None:
        def at(rates: tuple[float, ...], first: int) -> list[LoadResult]:
            return [
                one.model_copy(update={"operations": (operation(throughput_per_s=rate),)})
                for one, rate in zip(load_runs((1.0,) * len(rates), first=first), rates, strict=True)
            ]

        old, new = at((1000.0, 1010.0, 1000.0, 990.0), 0), at((900.0, 910.0, 900.0, 890.0), 1)
        lower = row(compared(old, new).benchmarks[0], "throughput")
        assert lower.higher_is_better
        assert lower.verdict == "slower"
        assert lower.effect == pytest.approx(-0.1, abs=0.001)
        assert lower.low is not None
        assert lower.high is not None
        assert lower.low < -0.1 < lower.high < 0
        assert row(compared(new, old).benchmarks[0], "throughput").verdict == "faster"

    def test_rates_that_differ_beyond_all_measure(self) -> None:
        def at(rates: tuple[float, ...], first: int) -> list[LoadResult]:
            return [
                one.model_copy(update={"operations": (operation(throughput_per_s=rate),)})
                for one, rate in zip(load_runs((1.0,) * len(rates), first=first), rates, strict=True)
            ]

        throughput = row(compared(at((1e6, 1e-6), 0), at((1e3, 1e2), 1)).benchmarks[0], "throughput")
        assert throughput.high is None  # it is too much for a number
        assert throughput.verdict == "inconclusive"

    def test_sides_measured_one_after_the_other_are_not_judged(self) -> None:
        found = compared(load_runs(self.OLD), load_runs(tuple(1.2 * scale for scale in self.OLD), first=100))
        p50 = row(found.benchmarks[0], "service p50")
        assert p50.low is not None
        assert p50.low > 0.1
        assert (p50.verdict, p50.reason) == ("inconclusive", "the runs of the two sides do not alternate in time")
        assert found.worse == ()
        assert any("load has no control" in remark for remark in found.remarks)

    def test_a_single_run_far_beyond_any_drift_is_slower(self) -> None:
        def at(scale: float, **changed: Any) -> LoadResult:
            times = distribution(p50=400 * scale, p90=700 * scale, p99=900 * scale, p99_9=1000 * scale)
            return load_result(operations=(operation(service_us=times),), **changed)

        slower = compared([at(1.0)], [at(2.6, datetime=START)])
        found = {row.metric: row.verdict for row in slower.benchmarks[0].rows}
        assert [found[f"service {name}"] for name in ("p50", "p90", "p99", "p99.9")] == ["slower"] * 4
        assert found["throughput"] == "inconclusive"
        assert slower.worse
        assert "beyond any drift" in str(row(slower.benchmarks[0], "service p50").reason)
        faster = compared([at(2.6)], [at(1.0, datetime=START)])
        assert row(faster.benchmarks[0], "service p50").verdict == "faster"
        assert faster.worse == ()

    def test_a_tail_alone_is_not_beyond_any_drift(self) -> None:
        old = load_result(operations=(operation(service_us=distribution(p50=100.0, p90=200.0)),))
        new = load_result(operations=(operation(service_us=distribution(p50=120.0, p90=900.0)),), datetime=START)
        assert row(compared([old], [new]).benchmarks[0], "service p90").verdict == "inconclusive"

    def test_a_percentile_of_few_times_has_no_row(self) -> None:
        """Of 99 times the p99 is the longest: the row would be of the maximum."""
        few = Histogram()
        few.record(np.array([1_000_000] * 98 + [5_000_000]))
        longest = distribution(p50=1000.0, p90=1000.0, p99=5000.0, p99_9=5000.0, max=5000.0)
        one = load_result(operations=(operation(service_us=longest, service_histogram=few.encode()),))
        found = compare_load([load_result()], [one], force=False)
        metrics = [shown.metric for shown in found.compared[0].rows]
        assert [name for name in metrics if name.startswith("service")] == ["service p50", "service p90"]
        assert found.remarks[1:] == (
            "no row for the p99 of FOO → BAR: of fewer than 100 times in a run it is their maximum",
            "no row for the p99.9 of FOO → BAR: of fewer than 1,000 times in a run it is their maximum",
        )

    def test_a_handful_of_replies_claims_nothing(self) -> None:
        few: dict[str, Any] = {"scheduled": 30, "sent": 30, "ok": 30, "timeouts": 0, "errors": {}, "unfinished": 0}
        found = compared(load_runs((1.0,), **few), load_runs((3.0,), first=1, **few))
        assert row(found.benchmarks[0], "service p50").verdict == "inconclusive"

    def test_runs_that_do_not_alternate_are_far_apart_only_if_all_are(self) -> None:
        apart = compared(load_runs((1.0, 1.1)), load_runs((2.3, 2.4), first=100))
        assert row(apart.benchmarks[0], "service p50").verdict == "slower"
        one_like_before = compared(load_runs((1.0, 1.1)), load_runs((1.1, 5.0), first=100))
        assert row(one_like_before.benchmarks[0], "service p50").verdict == "inconclusive"

    def test_no_pair_of_runs_of_the_same_code_on_a_busy_machine_is_claimed_to_differ(self) -> None:
        """Use figures as measured at 200/s with other work on both cores: median, and p99 of the loop lag, in µs."""
        measured = [
            *((394, 3113), (470, 2324), (383, 1240), (466, 4600), (563, 3611), (251, 3049), (346, 946)),
            *((289, 3709), (302, 2869), (417, 3004), (1243, 5263), (3049, 11444), (479, 1734), (757, 11264)),
        ]

        def run(median: float, lag: float, minute: int) -> LoadResult:
            times = distribution(min=100.0, p50=median, p90=1e4, p99=2e4, p99_9=3e4, max=4e4)
            waited = Lateness(p50=40.0, p99=lag, max=2 * lag)
            return load_result(
                datetime=START + dt.timedelta(minutes=minute),
                generator=Generator(processes=1, verdict="ok", loop_lag_us=waited),
                operations=(operation(service_us=times),),
            )

        runs = [run(median, lag, minute) for minute, (median, lag) in enumerate(measured)]
        pairs = list(itertools.combinations(runs, 2))
        claimed = [
            pair
            for pair in pairs
            if row(compared([pair[0]], [pair[1]]).benchmarks[0], "service p50").verdict in ("slower", "faster")
        ]
        assert claimed == []
        quiet = [run(median, 100.0, minute) for minute, (median, _) in enumerate(measured)]
        assert row(compared([quiet[5]], [quiet[11]]).benchmarks[0], "service p50").verdict == "slower"

    def test_response_times_of_an_open_load(self) -> None:
        at_rate = load_result(scenario=open_scenario(), operations=(operation(response_us=distribution(p50=150.0)),))
        found = compared([at_rate], [at_rate.model_copy(update={"datetime": START})])
        assert [row.metric for row in found.benchmarks[0].rows] == [
            "throughput",
            *(f"response {name}" for name in ("p50", "p90", "p99", "p99.9")),
            *(f"service {name}" for name in ("p50", "p90", "p99", "p99.9")),
            "failed",
        ]

    def test_no_times_at_all(self) -> None:
        found = compared(
            [load_result(operations=(operation(service_us=None, throughput_per_s=None),))], [load_result()]
        )
        p50 = row(found.benchmarks[0], "service p50")
        assert (p50.old, p50.ratio, p50.verdict) == (None, None, "inconclusive")
        assert p50.reason == "not measured on both sides"

    def test_cpu_per_round_trip_is_of_the_whole_run(self) -> None:
        found = compared([load_result()], [load_result()])
        whole = found.benchmarks[-1]
        assert whole.name == WHOLE_RUN
        assert [(row.metric, row.old, row.verdict) for row in whole.rows] == [
            ("server CPU per round trip", Figure(72.3), "inconclusive"),
            ("generator CPU per round trip", Figure(11.2), None),
        ]
        unmeasured = load_result(server=None, generator=Generator(processes=1))
        assert [benchmark.name for benchmark in compared([unmeasured], [unmeasured]).benchmarks] == ["FOO → BAR"]


class TestCensored:
    CENSORED = distribution(mean=None, p99=None, p99_9=None, max=None, censored_above_us=500_000.0)

    def runs(self, count: int, *, first: int, is_censored: bool) -> list[LoadResult]:
        times = {"service_us": self.CENSORED if is_censored else distribution()}
        return [
            run.model_copy(update={"operations": (operation("echo", **times),)})
            for run in load_runs((1.0,) * count, first=first)
        ]

    def test_it_is_longer_than_any_time_below_it(self) -> None:
        found = compared(self.runs(1, first=0, is_censored=False), self.runs(1, first=1, is_censored=True))
        p99 = row(found.benchmarks[0], "service p99")
        assert p99.new == Figure(500_000.0, "above")
        assert p99.ratio == Figure(500_000.0 / 1234.5, "above")
        assert (p99.effect, p99.verdict) == (None, "inconclusive")
        assert p99.reason is not None
        assert p99.reason.startswith(
            "beyond the limit in 0 of 1 old and 1 of 1 new runs, which is longer than every old"
        )

    def test_a_median_beyond_the_limit_is_slower_in_a_single_run_too(self) -> None:
        beyond = distribution(
            mean=None, p50=None, p90=None, p99=None, p99_9=None, max=None, censored_above_us=500_000.0
        )
        new = load_result(operations=(operation(service_us=beyond),), datetime=START)
        found = compared([load_result()], [new])
        assert row(found.benchmarks[0], "service p50").verdict == "slower"
        assert row(compared([new], [load_result()]).benchmarks[0], "service p50").verdict == "faster"
        low = distribution(mean=None, p50=None, p90=None, p99=None, p99_9=None, max=None, censored_above_us=200.0)
        barely = load_result(operations=(operation(service_us=low),), datetime=START)
        assert row(compared([load_result()], [barely]).benchmarks[0], "service p50").verdict == "inconclusive"

    @pytest.mark.parametrize(("count", "verdict"), [(3, "inconclusive"), (4, "slower")])
    def test_from_four_runs_a_side_it_is_slower(self, count: int, verdict: str) -> None:
        old, new = self.runs(count, first=0, is_censored=False), self.runs(count, first=1, is_censored=True)
        assert row(compared(old, new).benchmarks[0], "service p99").verdict == verdict
        back = row(compared(new, old).benchmarks[0], "service p99").verdict
        assert back == ("faster" if verdict == "slower" else "inconclusive")
        assert chance_of_order(count, count) == pytest.approx(2 / math.comb(2 * count, count))

    @pytest.mark.parametrize(("count", "verdict"), [(3, "inconclusive"), (4, "slower")])
    def test_what_failed_without_a_limit_is_longer_than_any_time(self, count: int, verdict: str) -> None:
        failed = distribution(mean=None, p99=None, p99_9=None, max=None)
        new = [
            run.model_copy(update={"operations": (operation("echo", service_us=failed),)})
            for run in load_runs((1.0,) * count, first=1)
        ]
        p99 = row(compared(self.runs(count, first=0, is_censored=False), new).benchmarks[0], "service p99")
        assert (p99.new, p99.ratio, p99.verdict) == (Figure(math.inf, "above"), None, verdict)
        assert p99.reason is None or p99.reason.startswith("among what failed in 0 of")

    def test_times_of_the_run_are_not_judged_against_those_of_the_window(self) -> None:
        of_run, of_window = (
            [
                run.model_copy(update={"operations": (operation("echo", times_of=times_of),)})
                for run in load_runs((1.0,) * 4, first=first)
            ]
            for first, times_of in ((0, "run"), (1, "window"))
        )
        p50 = row(compared(of_run, of_window).benchmarks[0], "service p50")
        assert (p50.verdict, p50.reason) == (
            "inconclusive",
            "times of the whole run in some, of the steady window in others",
        )
        assert row(compared(of_run, of_run).benchmarks[0], "service p50").reason != p50.reason

    def test_not_where_the_runs_do_not_alternate(self) -> None:
        old, new = self.runs(4, first=0, is_censored=False), self.runs(4, first=100, is_censored=True)
        assert row(compared(old, new).benchmarks[0], "service p99").verdict == "inconclusive"

    def test_a_limit_below_what_was_known(self) -> None:
        low = distribution(mean=None, p99=None, p99_9=None, max=None, censored_above_us=900.0)
        new = [
            run.model_copy(update={"operations": (operation("echo", service_us=low),)})
            for run in load_runs((1.0,) * 4, first=1)
        ]
        found = compared(self.runs(4, first=0, is_censored=False), new)
        assert row(found.benchmarks[0], "service p99").verdict == "inconclusive"

    def test_on_both_sides(self) -> None:
        found = compared(self.runs(4, first=0, is_censored=True), self.runs(4, first=1, is_censored=True))
        p99 = row(found.benchmarks[0], "service p99")
        assert (p99.ratio, p99.verdict) == (None, "inconclusive")


class TestFailures:
    @staticmethod
    def with_failures(timeouts: int, errors: dict[str, int] | None = None) -> LoadResult:
        failed = timeouts + sum((errors or {}).values())
        one = operation(
            scheduled=1000, sent=1000, ok=1000 - failed, timeouts=timeouts, errors=errors or {}, unfinished=0
        )
        return load_result(operations=(one,))

    @pytest.mark.parametrize(
        ("old", "new", "verdict", "worse"),
        [(0, 1, "worse", True), (1, 0, "better", False), (0, 0, "same", False), (5, 50, "inconclusive", False)],
    )
    def test_exactly(self, old: int, new: int, verdict: str, worse: bool) -> None:
        found = compared([self.with_failures(old)], [self.with_failures(new)])
        failed = row(found.benchmarks[0], "failed")
        assert (failed.old, failed.new) == (Figure(old), Figure(new))
        assert failed.verdict == verdict
        assert bool(found.worse) == worse

    def test_by_kind(self) -> None:
        found = compared([self.with_failures(2)], [self.with_failures(1, {"disconnected": 5})])
        assert row(found.benchmarks[0], "failed").reason == (
            "there were failures before, 0.2 % → 0.6 %; timeouts 2 → 1, disconnected 0 → 5"
        )

    def test_of_all_runs_of_a_side(self) -> None:
        found = compared([self.with_failures(0)] * 2, [self.with_failures(0), self.with_failures(3)])
        assert row(found.benchmarks[0], "failed").new == Figure(3)
        assert found.worse == ("FOO → BAR (failed)",)
