"""Stored results compared: known truths found and no others, and everything that makes a comparison void."""

import datetime as dt
import itertools
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.compare.comparison import compare
from bench.compare.latency import BETWEEN_RUNS_AWAKE, BETWEEN_RUNS_BARE, BETWEEN_RUNS_HALTING, best_half_width
from bench.compare.load import WHOLE_RUN, chance_of_order
from bench.compare.model import Compared, Comparison, DifferenceKind, IncomparableError, Row
from bench.results.figure import Figure, Unit, middle, ratio
from bench.results.header import CommitInfo, MachineInfo
from bench.results.latency import LatencyResult
from bench.results.load import Generator, Lateness, LoadResult, Scenario, Server
from bench.statistics.estimates import ratio_estimate
from tests.support.example_results import distribution, load_result, operation
from tests.support.latency_results import NAMES, PACKAGES, SHA256, latency, stored, timed

FASTER_THAN = math.log(1.5)  # the service takes one and a half times as long as its control
START = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)


def compared(old: list[Any], new: list[Any], **options: Any) -> Comparison:
    return compare(stored(*old, side="old"), stored(*new, side="new"), **options)


def latency_runs(
    count: int, effect: float = 0.0, *, seed: int = 0, first: int = 0, **changed: Any
) -> list[LatencyResult]:
    slowness = FASTER_THAN + math.log1p(effect)
    commit = ("b" if first else "a") * 40
    return [latency(slowness, seed=seed, run=first + run, commit=commit, **changed) for run in range(count)]


def alone(result: LatencyResult) -> LatencyResult:
    """The same without processes and controls."""
    without = tuple(
        one.model_copy(update={"extra_info": one.extra_info | {"processes": [], "controls": {}}})
        for one in result.benchmarks
    )
    return result.model_copy(update={"benchmarks": without})


def load_runs(scale: tuple[float, ...], *, first: int = 0, step: int = 2, **changed: Any) -> list[LoadResult]:
    """A run for each scale, by which its times are longer, every `step` minutes from minute `first` on."""
    return [
        load_result(
            datetime=START + dt.timedelta(minutes=first + step * number),
            operations=(operation(service_us=distribution(p50=100 * one, p90=200 * one), **changed),),
        )
        for number, one in enumerate(scale)
    ]


def row(one: Compared, metric: str) -> Row:
    (found,) = [row for row in one.rows if row.metric == metric]
    return found


def verdicts(comparison: Comparison, metric: str) -> list[str | None]:
    return [row(one, metric).verdict for one in comparison.benchmarks]


def differences(old: Any, new: Any) -> dict[DifferenceKind, str]:
    return {one.kind: one.detail for one in compared([old], [new], force=True).differences}


class TestRatio:
    @pytest.mark.parametrize(
        ("old", "new", "expected"),
        [
            (Figure(100), Figure(125), Figure(1.25)),
            (Figure(100), Figure(500, "above"), Figure(5, "above")),
            (Figure(500, "above"), Figure(100), Figure(0.2, "below")),
            (Figure(500, "above"), Figure(500, "above"), None),
            (None, Figure(1), None),
            (Figure(1), None, None),
            (Figure(0), Figure(3), None),
            (Figure(3), Figure(0), Figure(0)),
        ],
    )
    def test_what_follows(self, old: Figure | None, new: Figure | None, expected: Figure | None) -> None:
        assert ratio(old, new) == expected

    @given(st.floats(1, 1e6), st.floats(1, 1e6), st.floats(1, 1e6))
    def test_a_bound_holds_whatever_the_censored_value_was(self, known: float, limit: float, beyond: float) -> None:
        truth = limit + beyond
        above = ratio(Figure(known), Figure(limit, "above"))
        below = ratio(Figure(limit, "above"), Figure(known))
        assert above is not None
        assert below is not None
        assert above.bound == "above"
        assert truth / known >= above.value
        assert below.bound == "below"
        assert known / truth <= below.value

    @pytest.mark.parametrize(
        ("figures", "expected"),
        [
            ([], None),
            ([None], None),
            ([Figure(3), None, Figure(1), Figure(2)], Figure(2)),
            ([Figure(1), Figure(4)], Figure(2.5)),
            ([Figure(5, "above"), Figure(9)], Figure(7, "above")),
            ([Figure(5, "above"), Figure(9), Figure(1)], Figure(9)),
            ([Figure(5, "above"), Figure(1), Figure(9), Figure(2)], Figure(5.5)),
        ],
    )
    def test_the_median_of_several_runs(self, figures: list[Figure | None], expected: Figure | None) -> None:
        assert middle(figures) == expected


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
        for one in found.benchmarks:
            p50 = row(one, "p50")
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
            return [[one.log_ratio["same-stack"] or 0 for one in result.benchmarks[0].processes] for result in results]

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
        for one in found.benchmarks:
            width = row(one, "p50").half_width
            assert width is not None
            assert width > best
            for metric in ("p99", "server CPU"):  # of these nobody has measured how runs differ
                other = row(one, metric)
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
        assert [one.split(" ")[0] for one in found.worse] == [f"foo_bar[{name}]" for name in NAMES]

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
        assert [one.name for one in found.benchmarks] == [second.fullname]
        assert [one.label for one in found.benchmarks] == [second.name]
        assert (found.only_old, found.only_new) == ((first.fullname,), ("elsewhere.py::other",))

    def test_a_name_that_is_there_twice_is_shown_in_full(self) -> None:
        (old,), (new,) = latency_runs(1), latency_runs(1, first=100)
        first, second = new.benchmarks
        new = new.model_copy(update={"benchmarks": (first, second.model_copy(update={"name": first.name}))})
        assert [one.label for one in compared([old], [new]).benchmarks] == [first.fullname, second.fullname]

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
        assert [one.name for one in found.benchmarks] == [first.fullname]
        assert [(one.label, one.reason) for one in found.not_compared] == [(second.name, reason)]
        with pytest.raises(IncomparableError, match=r"^nothing to compare: ") as raised:
            compared([old], [new.model_copy(update={"benchmarks": (other,)})])
        assert ("--force shows them side by side" in str(raised.value)) is not info.get("illustrative", False)

    def test_without_a_control_it_is_compared_by_force_only_and_not_judged(self) -> None:
        old, new = ([alone(one) for one in side] for side in (latency_runs(5), latency_runs(5, 0.5, first=100)))
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
        assert [one for one in found.remarks if "steal" in one] == [
            "old results, steal (in 4 of 6 measurements, the worst): the host took 5%"
        ]


class TestVersions:
    UPGRADED = PACKAGES | {"python-socketio": "5.13.0"}

    def test_another_version_is_compared_by_the_bare_control(self) -> None:
        found = compared(latency_runs(1), latency_runs(1, first=100, packages=self.UPGRADED))
        assert {one.control for one in found.benchmarks} == {"bare"}
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
        for one in new.benchmarks:
            processes = [
                each | {"log_ratio": each["log_ratio"] | {"bare": None}} for each in one.extra_info["processes"]
            ]
            mute.append(one.model_copy(update={"extra_info": one.extra_info | {"processes": processes}}))
        new = new.model_copy(update={"benchmarks": tuple(mute)})
        with pytest.raises(IncomparableError, match=r"^not comparable: different versions: .*no bare control"):
            compared(latency_runs(1), [new])
        forced = compared(latency_runs(1), [new], force=True)
        assert {one.control for one in forced.benchmarks} == {"same-stack"}
        assert all(row.forced for one in forced.benchmarks for row in one.rows)

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


LATENCY_VOID: list[tuple[dict[str, Any], DifferenceKind, str]] = [
    ({"machine": {"node": "there"}}, DifferenceKind.MACHINE, "node here → there"),
    ({"machine": {"cpu": {"count": 4, "brand_raw": "some processor"}}}, DifferenceKind.MACHINE, "cores 2 → 4"),
    ({"machine": {"python_version": "3.12.1"}}, DifferenceKind.PYTHON, "python 3.11.7 → 3.12.1"),
    ({"loop": "asyncio"}, DifferenceKind.SETTINGS, "loop uvloop → asyncio"),
    ({"service": "chat:app"}, DifferenceKind.SETTINGS, "service app.main:app → chat:app"),
    ({"server_core": None}, DifferenceKind.SETTINGS, "server pinned True → False"),
    ({"awake": {"cores": []}}, DifferenceKind.SETTINGS, "cores awake → may halt"),
    ({"awake": None}, DifferenceKind.SETTINGS, "cores awake → unknown"),
    (
        {"controls": {"same-stack": timed(80) | {"processes": 4, "sha256": "cd" * 32}, "bare": None}},
        DifferenceKind.CONTROL,
        f"control's source {SHA256[:12]} → {'cd' * 6}",
    ),
]

LOAD_VOID: list[tuple[dict[str, Any], DifferenceKind, str]] = [
    (
        {"machine_info": MachineInfo(node="there", system="Linux", python_version="3.11.7", cpu={"count": 4})},
        DifferenceKind.MACHINE,
        "node here → there, cores 2 → 4",
    ),
    (
        {
            "machine_info": MachineInfo(
                node="here", system="Linux", release="6.2", python_version="3.11.7", cpu={"count": 2}
            )
        },
        DifferenceKind.MACHINE,
        "kernel  → 6.2",
    ),
    (
        {"server": Server(app="app.main:app", loop="asyncio", core=0)},
        DifferenceKind.SETTINGS,
        "loop uvloop → asyncio",
    ),
    (
        {"generator": Generator(processes=1, verdict="saturated", reason="CPU share 99 %")},
        DifferenceKind.SATURATED,
        "in the new result: CPU share 99 %",
    ),
    ({"partial": True, "partial_reason": "no report from a"}, DifferenceKind.PARTIAL, "the new one: no report from a"),
    (
        {"invalid_reason": "replies of others were taken for its own"},
        DifferenceKind.INVALID,
        "in the new result: replies of others were taken for its own",
    ),
    ({"forced": True}, DifferenceKind.FORCED, "the new run did not await its outstanding replies"),
]


def scenario(**changed: Any) -> Scenario:
    fields: dict[str, Any] = {"user_classes": ("EchoUser",), "users": 50, "model": "open", "rate_per_s": 500.0}
    return Scenario.model_validate(fields | {"transport": "websocket", "app": "app.main:app"} | changed)


class TestVoid:
    @staticmethod
    def refused_and_forced(old: Any, new: Any, kind: DifferenceKind, detail: str) -> None:
        with pytest.raises(IncomparableError) as refused:
            compared([old], [new])
        assert str(refused.value) == f"not comparable: {kind}: {detail}; --force compares all the same"
        forced = compared([old], [new], force=True)
        assert forced.forced
        assert [(one.kind, one.detail) for one in forced.differences if one.void] == [(kind, detail)]
        judged = [row for one in forced.benchmarks for row in one.rows if row.verdict is not None]
        assert judged
        assert all(row.forced for row in judged)

    @pytest.mark.parametrize(("changed", "kind", "detail"), LATENCY_VOID)
    def test_latency(self, changed: dict[str, Any], kind: DifferenceKind, detail: str) -> None:
        (old,), (new,) = latency_runs(1), latency_runs(1, first=100, **changed)
        self.refused_and_forced(old, new, kind, detail)

    @pytest.mark.parametrize(("changed", "kind", "detail"), LOAD_VOID)
    def test_load(self, changed: dict[str, Any], kind: DifferenceKind, detail: str) -> None:
        self.refused_and_forced(load_result(), load_result(**changed), kind, detail)

    @pytest.mark.parametrize(
        ("changed", "detail"),
        [
            ({"users": 20}, "users 50 → 20"),
            ({"rate_per_s": 1000.0}, "rate per second 500.0 → 1000.0"),
            ({"model": "closed", "rate_per_s": None}, "model open → closed, rate per second 500.0 → none"),
            ({"arrivals": "constant"}, "arrivals none → constant"),
            ({"transport": "polling"}, "transport websocket → polling"),
            ({"user_classes": ("A", "B")}, "user classes EchoUser → A, B"),
            (
                {"pipelined": (), "max_wait_s": 10.0},
                "one task at a time none → EchoUser, longest wait for a user s none → 10.0",
            ),
        ],
    )
    def test_load_that_was_asked_for_otherwise(self, changed: dict[str, Any], detail: str) -> None:
        old, new = load_result(scenario=scenario()), load_result(scenario=scenario(**changed))
        self.refused_and_forced(old, new, DifferenceKind.SETTINGS, detail)

    def test_the_longest_wait_for_a_user(self) -> None:
        old, new = (load_result(scenario=scenario(pipelined=(), max_wait_s=wait_s)) for wait_s in (5.0, 10.0))
        self.refused_and_forced(old, new, DifferenceKind.SETTINGS, "longest wait for a user s 5.0 → 10.0")

    def test_what_had_the_rule_of_pipelined_users_before_it_had_a_name(self) -> None:
        old, new = scenario(max_in_flight=1000), scenario(max_in_flight=1000, pipelined=("EchoUser",))
        assert differences(load_result(schema_="load/1", scenario=old), load_result(scenario=new)) == {}

    def test_a_difference_within_a_side(self) -> None:
        old = [*load_runs((1.0,)), load_result(scenario=scenario())]
        with pytest.raises(IncomparableError, match="model open or closed → closed"):
            compared(old, load_runs((1.0, 1.0), first=1))

    def test_nothing_is_forced_where_nothing_is_void(self) -> None:
        found = compared(latency_runs(1), latency_runs(1, first=100), force=True)
        assert not found.forced
        assert not any(row.forced for one in found.benchmarks for row in one.rows)


class TestOnlySaid:
    @pytest.mark.parametrize(
        ("changed", "kind", "detail"),
        [
            ({"dirty": True}, DifferenceKind.DIRTY, "the new result is of bbbbbbbbbbbb and changes to it"),
            ({"machine": {"release": "6.2"}}, DifferenceKind.MACHINE, "kernel 6.1 → 6.2"),
            ({"server_core": 1}, DifferenceKind.SETTINGS, "server core 0 → 1"),
            ({"reply_timeout_s": 9.0}, DifferenceKind.SETTINGS, "reply timeout s 5.0 → 9.0"),
        ],
    )
    def test_latency(self, changed: dict[str, Any], kind: DifferenceKind, detail: str) -> None:
        found = compared(latency_runs(1), latency_runs(1, first=100, **changed))
        assert [(one.kind, one.detail, one.void) for one in found.differences] == [(kind, detail, False)]

    def test_load(self) -> None:
        new = load_result(
            scenario=load_result().scenario.model_copy(update={"duration_s": 30.0, "seed": "another"}),
            generator=Generator(processes=2, verdict="ok"),
        )
        (said,) = compared([load_result()], [new]).differences
        assert (said.detail, said.void) == ("seconds 20.0 → 30.0, generator processes 1 → 2", False)

    def test_several_commits_on_a_side(self) -> None:
        old = [*latency_runs(1), latency(run=1, commit="c" * 40)]
        (said,) = compared(old, latency_runs(2, first=100)).differences
        assert (said.kind, said.void) == (DifferenceKind.COMMITS, False)
        assert said.detail == "the old results are of aaaaaaaaaaaa, cccccccccccc"

    def test_both_sides_of_one_commit(self) -> None:
        found = compared([latency(run=0)], [latency(run=1)])
        assert "both sides are of commit aaaaaaaaaaaa: what differs is not its code" in found.remarks

    def test_fewer_results_than_were_asked_for(self) -> None:
        found = compared(latency_runs(2), latency_runs(5, first=100), wanted=5)
        assert [one for one in found.remarks if "asked for" in one] == [
            "only 2 of the 5 results that were asked for: OLD has no more of its commit"
        ]

    def test_a_server_of_ours_may_have_another_port(self) -> None:
        def at(port: int) -> Scenario:
            return load_result().scenario.model_copy(update={"url": f"http://127.0.0.1:{port}"})

        assert differences(load_result(scenario=at(1)), load_result(scenario=at(2))) == {}
        theirs = differences(load_result(scenario=at(1), server=None), load_result(scenario=at(2), server=None))
        assert theirs == {DifferenceKind.SETTINGS: "url http://127.0.0.1:1 → http://127.0.0.1:2"}


class TestLoad:
    OLD = (1.0, 1.01, 0.99, 1.0, 1.005)

    def test_operations_are_paired_by_name(self) -> None:
        faster = operation("echo", throughput_per_s=2000.8, service_us=distribution(p50=65.7))
        old = load_result(operations=(operation("connect", throughput_per_s=None), operation("echo"), operation("a")))
        new = load_result(operations=(faster, operation("connect", throughput_per_s=None), operation("b")))
        found = compared([old], [new])
        assert [one.name for one in found.benchmarks] == ["echo", "connect", WHOLE_RUN]
        assert (found.only_old, found.only_new) == (("a",), ("b",))
        echo, connect, _ = found.benchmarks
        assert row(echo, "throughput").effect == pytest.approx(1.0)
        assert row(echo, "service p50").effect == pytest.approx(-0.5)
        assert "response p50" not in [found.metric for found in echo.rows]
        assert "throughput" not in [found.metric for found in connect.rows]

    @pytest.mark.parametrize("times", [1.2, 1.99])
    def test_one_run_a_side_has_ratios_and_no_verdict(self, times: float) -> None:
        found = compared(load_runs((1.0,)), load_runs((times,), first=1))
        p50 = row(found.benchmarks[0], "service p50")
        assert p50.effect == pytest.approx(times - 1)
        assert (p50.low, p50.verdict) == (None, "inconclusive")
        assert found.worse == ()
        assert any(one.startswith("one run a side: a load run has no processes") for one in found.remarks)

    def test_several_runs_in_alternation_have_verdicts(self) -> None:
        slower = compared(load_runs(self.OLD), load_runs(tuple(1.2 * one for one in self.OLD), first=1))
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
        found = compared(load_runs(self.OLD), load_runs(tuple(1.2 * one for one in self.OLD), first=100))
        p50 = row(found.benchmarks[0], "service p50")
        assert p50.low is not None
        assert p50.low > 0.1
        assert (p50.verdict, p50.reason) == ("inconclusive", "the runs of the two sides do not alternate in time")
        assert found.worse == ()
        assert any("load has no control" in one for one in found.remarks)

    def test_a_single_run_far_beyond_any_drift_is_slower(self) -> None:
        def at(scale: float, **changed: Any) -> LoadResult:
            times = distribution(p50=400 * scale, p90=700 * scale, p99=900 * scale, p99_9=1000 * scale)
            return load_result(operations=(operation(service_us=times),), **changed)

        slower = compared([at(1.0)], [at(2.6, datetime=START)])
        found = {one.metric: one.verdict for one in slower.benchmarks[0].rows}
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
        """As measured, 200/s, other work on both cores: median, and the loop lag's 99th percentile, in µs."""
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
        at_rate = load_result(scenario=scenario(), operations=(operation(response_us=distribution(p50=150.0)),))
        found = compared([at_rate], [at_rate.model_copy(update={"datetime": START})])
        assert [one.metric for one in found.benchmarks[0].rows] == [
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
        assert [(one.metric, one.old, one.verdict) for one in whole.rows] == [
            ("server CPU per round trip", Figure(72.3), "inconclusive"),
            ("generator CPU per round trip", Figure(11.2), None),
        ]
        unmeasured = load_result(server=None, generator=Generator(processes=1))
        assert [one.name for one in compared([unmeasured], [unmeasured]).benchmarks] == ["FOO → BAR"]


class TestCensored:
    CENSORED = distribution(mean=None, p99=None, p99_9=None, max=None, censored_above_us=500_000.0)

    def runs(self, count: int, *, first: int, is_censored: bool) -> list[LoadResult]:
        times = {"service_us": self.CENSORED if is_censored else distribution()}
        return [
            one.model_copy(update={"operations": (operation("echo", **times),)})
            for one in load_runs((1.0,) * count, first=first)
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
            one.model_copy(update={"operations": (operation("echo", service_us=failed),)})
            for one in load_runs((1.0,) * count, first=1)
        ]
        p99 = row(compared(self.runs(count, first=0, is_censored=False), new).benchmarks[0], "service p99")
        assert (p99.new, p99.ratio, p99.verdict) == (Figure(math.inf, "above"), None, verdict)
        assert p99.reason is None or p99.reason.startswith("among what failed in 0 of")

    def test_times_of_the_run_are_not_judged_against_those_of_the_window(self) -> None:
        of_run, of_window = (
            [
                one.model_copy(update={"operations": (operation("echo", times_of=times_of),)})
                for one in load_runs((1.0,) * 4, first=first)
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
            one.model_copy(update={"operations": (operation("echo", service_us=low),)})
            for one in load_runs((1.0,) * 4, first=1)
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


class TestSides:
    def test_kinds_that_differ(self) -> None:
        with pytest.raises(IncomparableError, match=r"^OLD is a latency result and NEW a load result"):
            compared(latency_runs(1), [load_result()])

    def test_both_kinds_on_one_side(self) -> None:
        with pytest.raises(IncomparableError, match=r"^NEW has results of both kinds"):
            compared(latency_runs(1), [*latency_runs(1, first=100), load_result()])

    def test_the_same_file_twice(self) -> None:
        (one,) = stored(load_result())
        with pytest.raises(IncomparableError, match=r"^OLD and NEW are the same result, a0\.json"):
            compare([one], [one])

    def test_a_side_without_results(self) -> None:
        with pytest.raises(IncomparableError, match="a side without any result"):
            compare([], stored(load_result()))

    def test_it_reads_back(self) -> None:
        for found in (
            compared(latency_runs(2), latency_runs(2, first=100)),
            compared([load_result(commit_info=CommitInfo(id="c" * 40))], [load_result(forced=True)], force=True),
        ):
            assert Comparison.model_validate_json(found.to_json()) == found


def _mean(runs: tuple[tuple[float, ...], ...]) -> float:
    return sum(sum(run) / len(run) for run in runs) / len(runs)
