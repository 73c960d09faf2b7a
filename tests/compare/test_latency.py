"""Comparisons of latency results: known effects found and no others, with the control or without."""

import math
from typing import Any

import pytest

from bench.compare.latency import BETWEEN_RUNS_AWAKE, BETWEEN_RUNS_BARE, BETWEEN_RUNS_HALTING, best_half_width
from bench.compare.model import DifferenceKind, IncomparableError
from bench.results.figure import Unit
from bench.results.latency import LatencyResult
from bench.statistics.estimates import ratio_estimate
from tests.support.comparisons import compared, differences, latency_runs, row, verdicts
from tests.support.example_results import load_result
from tests.support.latency_results import NAMES, PACKAGES


def alone(result: LatencyResult) -> LatencyResult:
    """Return the same without processes and controls."""
    without = tuple(
        benchmark.model_copy(update={"extra_info": benchmark.extra_info | {"processes": [], "controls": {}}})
        for benchmark in result.benchmarks
    )
    return result.model_copy(update={"benchmarks": without})


class TestLatency:
    def test_nothing_changed_and_nothing_is_claimed(self) -> None:
        for seed in range(12):
            for count in (1, 2, 5):
                found = compared(latency_runs(count, seed=seed), latency_runs(count, seed=seed, first=100))
                assert found.worse == (), (seed, count)
                assert "faster" not in verdicts(found, "p50"), (seed, count)

    def test_five_per_cent_are_found_in_several_runs_a_side(self) -> None:
        for seed in range(12):
            found = compared(latency_runs(5, seed=seed), latency_runs(5, 0.05, seed=seed, first=100))
            assert "slower" in verdicts(found, "p50")
            assert len(found.worse) >= 1
            back = compared(latency_runs(5, 0.05, seed=seed, first=100), latency_runs(5, seed=seed))
            assert "faster" in verdicts(back, "p50")
            assert back.worse == ()

    def test_the_machines_drift_is_in_the_figures_and_not_in_the_effect(self) -> None:
        found = compared(latency_runs(5), latency_runs(5, 0.05, first=100))
        assert found.benchmarks[0].control == "same-stack"
        for benchmark in found.benchmarks:
            p50 = row(benchmark, "p50")
            assert p50.old is not None
            assert p50.ratio is not None
            assert p50.effect is not None
            assert p50.low is not None
            assert p50.high is not None
            assert p50.low < 0.05 < p50.high
            assert abs(p50.ratio.value - 1 - p50.effect) > 0.001

    def test_the_interval_is_that_of_the_statistics(self) -> None:
        old, new = latency_runs(3), latency_runs(2, 0.02, first=100)
        p50 = row(compared(old, new).benchmarks[0], "p50")

        def ratios(results: list[LatencyResult]) -> list[list[float]]:
            return [
                [process.log_ratio["same-stack"] or 0 for process in result.benchmarks[0].processes]
                for result in results
            ]

        expected = ratio_estimate(ratios(old), ratios(new), between_runs=0)
        assert (p50.effect, p50.low, p50.high) == (expected.effect, expected.low, expected.high)
        assert [list(run) for run in p50.new_log_values] == ratios(new)
        assert p50.unit is Unit.MICROSECONDS

    @pytest.mark.parametrize(("awake", "between_runs"), [([0, 1], BETWEEN_RUNS_AWAKE), ([], BETWEEN_RUNS_HALTING)])
    def test_one_run_a_side_is_never_surer_than_runs_differ(self, awake: list[int], between_runs: float) -> None:
        kept = {"cores": awake, "asleep_because": None}
        sides = [latency_runs(1, processes=50, first=first, awake=kept) for first in (0, 100)]
        found = compared(*sides)
        best = best_half_width(between_runs, 2)
        assert best == pytest.approx(1.96 * math.sqrt(2) * between_runs, rel=0.03)
        for benchmark in found.benchmarks:
            width = row(benchmark, "p50").half_width
            assert width is not None
            assert width > best
            for metric in ("p99", "server CPU"):  # of these nobody has measured how runs differ
                other = row(benchmark, metric)
                assert (other.low, other.verdict) == (None, "inconclusive")
                assert other.reason == "a single run does not show how much runs differ"
                assert other.effect == pytest.approx(
                    math.expm1(_mean(other.new_log_values) - _mean(other.old_log_values))
                )
        (said,) = [remark for remark in found.remarks if remark.startswith("one run a side")]
        assert f"narrower than ±{best * 100:.1f} %" in said
        assert "--last 5" in said

    @pytest.mark.parametrize("kind", ["steal", "load", "throttled", "swap"])
    def test_a_single_run_that_others_spoilt_claims_nothing(self, kind: str) -> None:
        spoilt = [{"kind": kind, "text": "measure on a quieter machine", "value": 0.5}]
        old, new = latency_runs(3), latency_runs(3, 0.2, first=100, spoilers=spoilt)
        p50 = row(compared(old[:1], new[:1]).benchmarks[0], "p50")
        assert p50.low is not None
        assert p50.low > 0.05
        assert p50.verdict == "inconclusive"
        assert p50.reason == f"a single run that was spoilt by {kind} may differ more than runs usually do"
        assert set(verdicts(compared(old, new), "p50")) == {"slower"}  # these show themselves how much they differ
        far = compared(old[:1], latency_runs(1, 1.6, first=100, spoilers=spoilt))
        assert set(verdicts(far, "p50")) == {"slower"}  # by so much no other process makes it differ
        assert str(row(far.benchmarks[0], "p50").reason).endswith("than runs usually do, but not by so much")
        assert set(verdicts(compared(latency_runs(1, 1.6, first=100, spoilers=spoilt), old[:1]), "p50")) == {"faster"}
        harmless = latency_runs(1, 0.2, first=100, spoilers=[{"kind": "unoptimised python", "text": "it is slow"}])
        assert set(verdicts(compared(old[:1], harmless), "p50")) == {"slower"}

    def test_one_run_on_one_side(self) -> None:
        found = compared(latency_runs(1), latency_runs(3, first=100))
        assert any(f"±{best_half_width(BETWEEN_RUNS_AWAKE, 1) * 100:.1f} %" in remark for remark in found.remarks)
        assert row(found.benchmarks[0], "p50").low is not None
        assert row(found.benchmarks[0], "p99").low is None

    def test_several_runs_a_side_give_every_metric_an_interval(self) -> None:
        found = compared(latency_runs(5), latency_runs(5, 0.2, first=100))
        for metric in ("p50", "p99", "server CPU"):
            assert verdicts(found, metric) == ["slower", "slower"]
        assert not any("one run" in remark for remark in found.remarks)
        assert [line.split(" ")[0] for line in found.worse] == [f"foo_bar[{name}]" for name in NAMES]

    def test_the_p99_of_few_round_trips_with_a_process_has_no_row(self) -> None:
        old, new = latency_runs(1)[0], latency_runs(1, first=100)[0]
        assert "p99" in [shown.metric for shown in compared([old], [new]).benchmarks[0].rows]
        benchmark = new.benchmarks[0]
        first, *others = benchmark.extra_info["processes"]
        info = benchmark.extra_info | {"processes": [first | {"rounds": 99}, *others]}
        few = new.model_copy(
            update={"benchmarks": (benchmark.model_copy(update={"extra_info": info}), *new.benchmarks[1:])}
        )
        found = compared([old], [few])
        assert "p99" not in [shown.metric for shown in found.benchmarks[0].rows]
        assert "p99" in [shown.metric for shown in found.benchmarks[1].rows]
        said = f"no row for the p99 of {found.benchmarks[0].label}: of fewer than 100 round trips with a process it is "
        assert f"{said}their maximum" in found.remarks

    def test_a_single_process_has_no_interval(self) -> None:
        p50 = row(compared(latency_runs(1, processes=1), latency_runs(1, processes=1, first=100)).benchmarks[0], "p50")
        assert (p50.low, p50.verdict, p50.reason) == (None, "inconclusive", "a single process has no spread")

    def test_the_threshold(self) -> None:
        old, new = latency_runs(5), latency_runs(5, 0.05, first=100)
        assert compared(old, new, threshold=0.2).worse == ()
        assert set(verdicts(compared(old, new, threshold=0.2), "p50")) == {"same"}

    def test_benchmarks_are_paired_by_their_full_name_in_the_order_of_the_new_ones(self) -> None:
        (old,), (new,) = latency_runs(1), latency_runs(1, first=100)
        first, second = new.benchmarks
        only = first.model_copy(update={"fullname": "elsewhere.py::other", "name": "other"})
        found = compared([old], [new.model_copy(update={"benchmarks": (second, only)})])
        assert [benchmark.name for benchmark in found.benchmarks] == [second.fullname]
        assert [benchmark.label for benchmark in found.benchmarks] == [second.name]
        assert (found.only_old, found.only_new) == ((first.fullname,), ("elsewhere.py::other",))

    def test_a_name_that_is_there_twice_is_shown_in_full(self) -> None:
        (old,), (new,) = latency_runs(1), latency_runs(1, first=100)
        first, second = new.benchmarks
        new = new.model_copy(update={"benchmarks": (first, second.model_copy(update={"name": first.name}))})
        assert [benchmark.label for benchmark in compared([old], [new]).benchmarks] == [first.fullname, second.fullname]

    def test_a_benchmark_that_some_runs_lack(self) -> None:
        old = latency_runs(3)
        old[1] = old[1].model_copy(update={"benchmarks": old[1].benchmarks[:1]})
        found = compared(old, latency_runs(3, first=100))
        assert f"foo_bar[{NAMES[1]}] is in 2 of the 3 old results" in found.remarks
        assert len(row(found.benchmarks[1], "p50").old_log_values) == 2

    def test_no_benchmark_in_common(self) -> None:
        (result,) = latency_runs(1)
        many = tuple(result.benchmarks[0].model_copy(update={"fullname": name}) for name in "abcde")
        with pytest.raises(
            IncomparableError, match=r"^no benchmark in common: OLD has a, b, c and 2 more, NEW has none$"
        ):
            compared([result.model_copy(update={"benchmarks": many})], [result.model_copy(update={"benchmarks": ()})])

    @pytest.mark.parametrize(
        ("info", "reason"),
        [
            ({"illustrative": True}, "the server was in the client's own loop: it illustrates"),
            ({"processes": [], "unreplicated": "the server is not ours"}, "the server is not ours"),
            ({"processes": []}, "not replicated: no server processes are stored with it"),
        ],
    )
    def test_what_cannot_be_compared_is_listed_with_its_reason(self, info: dict[str, Any], reason: str) -> None:
        (old,), (new,) = latency_runs(1), latency_runs(1, first=100)
        first, second = new.benchmarks
        other = second.model_copy(update={"extra_info": second.extra_info | info})
        found = compared([old], [new.model_copy(update={"benchmarks": (first, other)})])
        assert [benchmark.name for benchmark in found.benchmarks] == [first.fullname]
        assert [(absent.label, absent.reason) for absent in found.not_compared] == [(second.name, reason)]
        with pytest.raises(IncomparableError, match=r"^nothing to compare: ") as raised:
            compared([old], [new.model_copy(update={"benchmarks": (other,)})])
        assert ("--force shows them side by side" in str(raised.value)) is not info.get("illustrative", False)

    def test_without_a_control_it_is_compared_by_force_only_and_not_judged(self) -> None:
        old, new = ([alone(run) for run in side] for side in (latency_runs(5), latency_runs(5, 0.5, first=100)))
        found = compared(old[:1], new[:1], force=True)
        p50 = row(found.benchmarks[0], "p50")
        assert found.benchmarks[0].control is None
        assert p50.ratio is not None
        assert p50.effect == pytest.approx(p50.ratio.value - 1)
        assert (p50.low, p50.verdict) == (None, "inconclusive")
        several = compared(old, new, force=True)
        assert set(verdicts(several, "p50")) == {"inconclusive"}

    def test_what_spoilt_the_measurements_is_said_once_a_kind(self) -> None:
        def spoilt(value: float) -> dict[str, Any]:
            return {"spoilers": [{"kind": "steal", "text": f"the host took {value:.0%}", "value": value}]}

        old = [*latency_runs(1, **spoilt(0.02)), *latency_runs(1, seed=1, **spoilt(0.05)), *latency_runs(1, seed=2)]
        found = compared(old, latency_runs(3, first=100))
        assert [remark for remark in found.remarks if "steal" in remark] == [
            "old results, steal (in 4 of 6 measurements, the worst): the host took 5%"
        ]


class TestVersions:
    UPGRADED = PACKAGES | {"python-socketio": "5.13.0"}

    def test_another_version_is_compared_by_the_bare_control(self) -> None:
        found = compared(latency_runs(1), latency_runs(1, first=100, packages=self.UPGRADED))
        assert {benchmark.control for benchmark in found.benchmarks} == {"bare"}
        (said,) = found.differences
        assert (said.kind, said.void) == (DifferenceKind.PACKAGES, False)
        assert said.detail == "python-socketio 5.12.1 → 5.13.0"
        p50 = row(found.benchmarks[0], "p50")
        assert p50.half_width is not None
        assert p50.half_width > best_half_width(BETWEEN_RUNS_BARE, 2)
        assert any("about 6 times as wide" in remark for remark in found.remarks)
        assert not found.forced

    def test_p99_and_cpu_have_one_ratio_a_run_then(self) -> None:
        found = compared(latency_runs(3), latency_runs(3, first=100, packages=self.UPGRADED))
        for metric in ("p99", "server CPU"):
            assert [len(run) for run in row(found.benchmarks[0], metric).new_log_values] == [1, 1, 1]

    def test_without_a_bare_control_it_is_void(self) -> None:
        (new,) = latency_runs(1, first=100, packages=self.UPGRADED)
        mute = []
        for benchmark in new.benchmarks:
            processes = [
                each | {"log_ratio": each["log_ratio"] | {"bare": None}} for each in benchmark.extra_info["processes"]
            ]
            mute.append(benchmark.model_copy(update={"extra_info": benchmark.extra_info | {"processes": processes}}))
        new = new.model_copy(update={"benchmarks": tuple(mute)})
        with pytest.raises(IncomparableError, match=r"^not comparable: different versions: .*no bare control"):
            compared(latency_runs(1), [new])
        forced = compared(latency_runs(1), [new], force=True)
        assert {benchmark.control for benchmark in forced.benchmarks} == {"same-stack"}
        assert all(row.forced for benchmark in forced.benchmarks for row in benchmark.rows)

    @pytest.mark.parametrize("name", ["locust", "pytest-benchmark"])
    def test_of_what_has_no_part_in_a_round_trip(self, name: str) -> None:
        found = compared(latency_runs(1), latency_runs(1, first=100, packages=PACKAGES | {name: "9.9"}))
        assert found.differences == ()

    def test_in_load_it_is_void(self) -> None:
        new = load_result(packages={"python": "3.11.7", "uvicorn": "0.55.0"})
        with pytest.raises(IncomparableError, match=r"different versions: uvicorn 0\.54\.0 → 0\.55\.0; --force"):
            compared([load_result()], [new])

    def test_where_a_result_has_none(self) -> None:
        assert differences(load_result(), load_result(packages={})) == {}


def _mean(runs: tuple[tuple[float, ...], ...]) -> float:
    return sum(sum(run) / len(run) for run in runs) / len(runs)
