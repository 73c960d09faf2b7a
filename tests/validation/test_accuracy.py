"""The truth of a scenario, the judgement by it, and its table: all of it pure."""

import dataclasses
import io
import json
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from rich.console import Console

from bench.machine.disturbances import Disturbance
from bench.report.formats.text import print_document
from bench.results.lateness import Lateness
from bench.results.load import Operation
from bench.results.load import Scenario as Asked
from bench.results.store import ResultError
from bench.scenarios.catalogue import FOO_BAR_TO_SENDER
from bench.targets.faults import Bimodal, Stall
from bench.targets.truth import Record, Truth
from bench.timing.arrivals import schedule
from bench.timing.histogram import Histogram
from bench.timing.rates import RateProfile, Share
from bench.validation.accuracy import expected, scenarios
from bench.validation.accuracy.check import stored
from bench.validation.accuracy.document import accuracy_document
from bench.validation.accuracy.expected import NothingSeenError
from bench.validation.accuracy.measuring import quietest
from bench.validation.accuracy.model import Accuracy, FigureCheck, Quantity, Row, Run, ToolFigure
from bench.validation.accuracy.peers import PacedK6, PacedLocustContrib, k6_report, locust_report
from bench.validation.accuracy.scenarios import Load, RunEvidence, UnknownScenarioError, all_groups, chosen
from bench.validation.peers.peer import LeftOut, PacedLoad, Peer
from tests.support.accuracy_results import result_of
from tests.support.example_results import distribution, load_result, operation

MS = 1_000_000
STALL = Stall(1000 * MS, 5000 * MS)


# --- what is true -----------------------------------------------------------------------------------------------------


def test_the_closed_form_of_a_stall() -> None:
    assert [expected.stall_quantile_us(STALL, percent) for percent in (50, 80, 90, 95, 99, 100)] == pytest.approx(
        [0, 0, 500_000, 750_000, 950_000, 1_000_000], abs=0.01
    )


@given(st.integers(5_000 * MS, 60_000 * MS), st.sampled_from([90.0, 95.0, 99.0, 100.0]))
def test_the_closed_form_is_that_of_each_arrival_wherever_in_a_period_they_begin(start_ns: int, percent: float) -> None:
    arrivals = schedule(RateProfile.parse("500:10s,0:1s"), "constant", Share(0, 1), 0)
    waits = sorted(STALL.wait_ns(start_ns + arrival) for arrival in arrivals)
    assert len(waits) == 5000
    interval_us = 2000
    exact_us = expected.nearest_rank(waits, percent) / 1000
    assert expected.stall_quantile_us(STALL, percent) == pytest.approx(exact_us, abs=interval_us)


def test_bounds() -> None:
    assert expected.time_bound_us(2000) == 70
    assert expected.time_bound_us(20_000) == 250


def histogram_of(values_ns: Sequence[int]) -> Histogram:
    histogram = Histogram()
    histogram.record(np.array(values_ns, dtype=np.int64))
    return histogram


@given(st.lists(st.integers(100, 10**10), min_size=1, max_size=200), st.floats(0, 100))
def test_nearest_rank_is_the_histograms(values: list[int], percent: float) -> None:
    exact = expected.nearest_rank(sorted(values), percent)
    rounded = histogram_of(values).percentile_ns(percent)
    assert rounded is not None
    assert exact <= rounded <= exact * (1 + expected.HISTOGRAM_BOUND_SHARE) + 64


def test_the_share_within_a_limit() -> None:
    histogram = histogram_of([1 * MS] * 990 + [50 * MS] * 10)
    assert expected.share_within_percent(histogram, 25 * MS) == 99
    assert expected.share_within_percent(histogram, MS // 2) == 0
    assert expected.share_within_percent(histogram, 60 * MS) == 100
    assert expected.share_within_percent(histogram_of([1, 2, 3]), 10) == 100
    with pytest.raises(NothingSeenError):
        expected.share_within_percent(Histogram(), 1)


def test_what_is_not_the_servers() -> None:
    assert expected.network_overhead_us(histogram_of([102_399] * 9), histogram_of([3_071] * 9), 50) == 99.328
    with pytest.raises(NothingSeenError):
        expected.network_overhead_us(Histogram(), histogram_of([1]), 50)


def test_the_arrivals_of_a_load() -> None:
    assert Load(500, 10, "constant").arrivals("any") == 5000
    poisson = Load(2000, 1, processes=2)
    assert poisson.rate == "2000:1s,0:0.5s"
    expected = sum(
        len(list(schedule(RateProfile.parse("2000:1s"), "poisson", Share(index, 2), "7"))) for index in (0, 1)
    )
    assert poisson.arrivals("7") == expected != poisson.arrivals("8")


# --- what is judged ---------------------------------------------------------------------------------------------------


def held(truth: float, ours: float | None, bound: float) -> FigureCheck:
    return FigureCheck(truth=Quantity(value=truth), ours=None if ours is None else Quantity(value=ours), bound=bound)


def test_at_the_bound_is_inside_and_nothing_reported_is_not() -> None:
    assert held(2000, 2070, 70).is_inside
    assert held(2000, 1930, 70).is_inside
    assert not held(2000, 2070.1, 70).is_inside
    assert not held(2000, 1929.9, 70).is_inside
    assert held(2000, None, 1e12).error == math.inf
    assert not held(2000, None, 1e12).is_inside


def run_in_which_others_took(share: float | None) -> Run:
    return Run(
        run="1",
        sent=1,
        dropped=0,
        generator_cpu_share=None,
        send_lateness_p99_us=None,
        verdict="ok",
        reason=None,
        taken_share=share,
        spoilers=(),
    )


def test_judged_are_the_repetitions_in_which_others_took_least() -> None:
    runs = [run_in_which_others_took(share) for share in (0.03, 0.01, 0.0, 0.02, 0.001)]
    baseline = [run_in_which_others_took(share) for share in (0.0, 0.0, 0.05, 0.0, 0.0)]
    assert quietest([runs]) == (1, 2, 4)
    assert quietest([runs, baseline]) == (1, 3, 4)
    assert quietest([runs[:3]]) == (), "all of three"
    assert quietest([[*runs[:4], run_in_which_others_took(None)]]) == (), "not known of all"


def test_beyond_a_limit_is_no_value() -> None:
    beyond = Quantity(value=500_000, is_above=True)
    assert FigureCheck(truth=beyond, ours=beyond, bound=0).is_inside
    assert not FigureCheck(truth=beyond, ours=Quantity(value=500_000), bound=0).is_inside
    assert not FigureCheck(truth=Quantity(value=500_000), ours=beyond, bound=1e9).is_inside
    assert not FigureCheck(truth=beyond, ours=Quantity(value=10_000_000, is_above=True), bound=0).is_inside


def test_a_time_is_judged_by_its_median_error_and_a_count_by_all() -> None:
    good, late, early = held(100, 101, 2), held(100, 190, 2), held(100, 10, 2)
    assert Row.of("p50", "us", [late, good, early]).inside is True
    assert Row.of("p50", "us", [late, good, early]).shown == good
    assert Row.of("p50", "us", [late, good, late]).inside is False
    disturbed = Row.of("p50", "us", [late, good, late, good, good, late, late], judged=(1, 3, 6))
    assert disturbed.inside is True
    assert disturbed.shown == good
    assert Row.of("sent", "count", [good, late, good], is_exact=True).inside is False
    assert Row.of("sent", "count", [good, late, good], is_exact=True).shown == late
    assert Row.of("p50", "us", [late], is_judged=False).inside is None
    assert Row.of("sent", "count", [late], is_exact=True, is_judged=False).inside is False


# --- what is read off a run -------------------------------------------------------------------------------------------


def truth_of(delays_ns: Sequence[int], lost: Sequence[str] = (), arrived_ns: Sequence[int] = ()) -> Truth:
    record = Record()
    if arrived_ns:
        for delay_ns, since_ns in zip(delays_ns, arrived_ns, strict=True):
            record.note_reply(10**12 - delay_ns, 10**12 - since_ns if since_ns else 0, 10**12)
    else:
        record.delays_ns.extend(delays_ns)
    record.lost = len(lost)
    record.lost_names.extend(lost)
    record.foos = len(delays_ns) + len(lost)
    return record.truth(0, 0, 0, ())


def evidence_of(
    times_ns: Sequence[int], truth: Truth, *, timeouts: Sequence[str] = (), late: int = 0, **changed: Any
) -> RunEvidence:
    """Return a run whose replies took so long; all figures but p50, p90 and so on are real."""
    times = histogram_of(times_ns)
    sent = len(times_ns) + len(timeouts)
    fields = {
        "scheduled": sent,
        "sent": sent,
        "ok": len(times_ns),
        "timeouts": len(timeouts),
        "errors": {},
        "unfinished": 0,
        "late": late,
        "response_us": distribution(max=max(times_ns) / 1000),
        "response_histogram": times.encode(),
    }
    row: Operation = operation(FOO_BAR_TO_SENDER.name, **fields | changed)
    asked = Asked(user_classes=("EchoUser",), users=1, model="open", transport="websocket")
    return RunEvidence("1", load_result(scenario=asked, operations=(row,)), truth, timeouts)


def insides(measurements: Sequence[scenarios.Measurement]) -> dict[str, bool]:
    return {measurement.figure: measurement.check.is_inside for measurement in measurements}


LOAD = Load(1000, 1, "constant")
BASELINE = evidence_of([103_000] * 1000, truth_of([3_000] * 1000))


@pytest.mark.parametrize(("off_us", "is_inside"), [(0, True), (-65, True), (65, True), (80, False), (-80, False)])
def test_a_delay_is_the_servers_stamps_and_the_baseline(off_us: int, is_inside: bool) -> None:
    evidence = evidence_of([2_100_000 + off_us * 1000] * 1000, truth_of([2_000_000] * 1000))
    measurements = scenarios.delayed(LOAD, evidence, BASELINE)
    assert measurements[0].check.truth.value == pytest.approx(2100, abs=3)
    assert insides(measurements) == {"p50": is_inside, "p99": is_inside, "scheduled": True, "sent": True}


@pytest.mark.parametrize(("off_us", "is_inside"), [(0, True), (69, True), (72, False), (-72, False)])
def test_a_service_time_is_the_servers_account_since_the_arrival(off_us: int, is_inside: bool) -> None:
    arrived = truth_of([2_000_000] * 1000, arrived_ns=[2_040_000] * 1000)
    ours = histogram_of([2_040_000 + off_us * 1000] * 1000).encode()
    times = [2_100_000] * 1000
    found = scenarios.delayed(
        LOAD, evidence_of(times, arrived, service_histogram=ours, received_clock="kernel"), BASELINE
    )
    assert insides(found)["service p50"] is insides(found)["service p99"] is is_inside
    by_process = scenarios.delayed(
        LOAD, evidence_of(times, arrived, service_histogram=ours, received_clock="process"), BASELINE
    )
    assert "service p50" not in insides(by_process)
    untold = truth_of([2_000_000] * 1000, arrived_ns=[2_040_000] * 999 + [0])
    assert untold.since_arrival() is None


@pytest.mark.parametrize(("added_us", "is_inside"), [(800, True), (857, True), (859, False), (740, False)])
def test_a_response_time_adds_the_send_lateness(added_us: float, is_inside: bool) -> None:
    evidence = evidence_of(
        [2_100_000] * 1000,
        truth_of([2_000_000] * 1000),
        response_us=distribution(mean=2000.0 + added_us),
        service_us=distribution(mean=2000.0),
    )
    late = evidence.result.generator.model_copy(
        update={"send_lateness_us": Lateness(p50=500.0, p99=5000.0, max=9000.0, mean=800.0)}
    )
    late_run = dataclasses.replace(evidence, result=evidence.result.model_copy(update={"generator": late}))
    assert insides(scenarios.delayed(LOAD, late_run, BASELINE))["added, mean"] is is_inside


def test_both_modes_and_the_knee() -> None:
    modes = Bimodal(1 * MS, 50 * MS, 0.01)
    truth = truth_of([1 * MS] * 990 + [50 * MS] * 10)

    def of(usual_us: int, rare_us: int, rare: int) -> dict[str, bool]:
        return insides(
            scenarios.bimodal(
                LOAD, modes, evidence_of([usual_us * 1000] * (1000 - rare) + [rare_us * 1000] * rare, truth), BASELINE
            )
        )

    assert all(of(1100, 50_100, 10).values())
    assert set(of(1100, 50_100, 10)) == {"p50", "p99.5", "share within 25.5 ms", "scheduled", "sent"}
    assert not of(1200, 50_100, 10)["p50"]
    assert not of(1100, 51_000, 10)["p99.5"]
    assert not of(1100, 50_100, 12)["share within 25.5 ms"]


def test_a_stall_is_held_against_the_closed_form() -> None:
    load = Load(500, 10, "constant")
    waits = [STALL.wait_ns(6000 * MS + number * 2 * MS) for number in range(5000)]
    truth = truth_of([3_000] * 5000)
    assert all(insides(scenarios.stalled(load, STALL, evidence_of(waits, truth), None)).values())
    # A client that stalls with its server: of each 1,000 arrivals in a stall, it sees one.
    omitted = [wait for wait in waits if wait == 0 or wait == 1000 * MS]
    measurements = insides(scenarios.stalled(load, STALL, evidence_of(omitted, truth), None))
    assert [figure for figure, inside in measurements.items() if not inside] == [
        "p90",
        "p95",
        "p99",
        "scheduled",
        "sent",
    ]


def test_what_was_given_up_lies_beyond_the_limit() -> None:
    load = Load(1000, 1, "constant", timeout_s=0.5)
    truth = truth_of([3_000] * 1000)
    censored = distribution(p99=None, p99_9=None, max=None, mean=None, censored_above_us=500_000.0)
    evidence = evidence_of([MS] * 900, truth, timeouts=["x"] * 100, response_us=censored)
    assert all(insides(scenarios.stalled_beyond(load, evidence, None)).values())
    few = evidence_of([MS] * 960, truth, timeouts=["x"] * 40, response_us=censored)
    assert insides(scenarios.stalled_beyond(load, few, None)) == {
        "p95": False,
        "p99": True,
        "scheduled": True,
        "sent": True,
    }
    silent = evidence_of([MS] * 900, truth, timeouts=["x"] * 100)
    assert not insides(scenarios.stalled_beyond(load, silent, None))["p99"]


def test_exactly_the_lost_replies_time_out() -> None:
    lost = ["rt-a-0-1", "rt-a-1-2"]
    truth = truth_of([3_000] * 998, lost)

    def wrong(evidence: RunEvidence) -> list[str]:
        return [figure for figure, inside in insides(scenarios.lossy(LOAD, evidence, None)).items() if not inside]

    assert wrong(evidence_of([MS] * 998, truth, timeouts=lost)) == []
    assert wrong(evidence_of([MS] * 998, truth, timeouts=["rt-a-0-1", "rt-a-9-9"])) == ["timeouts of what was lost"]
    assert wrong(evidence_of([MS] * 998, truth, timeouts=lost, late=1)) == ["failed otherwise"]
    one_more = evidence_of([MS] * 997, truth, timeouts=[*lost, "rt-a-5-5"])
    assert wrong(one_more) == ["timeouts", "answered"]
    an_error = evidence_of([MS] * 997, truth, timeouts=lost, errors={"lost": 1}, scheduled=1000, sent=1000)
    assert wrong(an_error) == ["answered", "failed otherwise"]
    unread = evidence_of([MS] * 998, truth_of([3_000] * 997, lost), timeouts=lost)
    assert wrong(unread) == ["answered", "sent"]


def test_merged_percentiles_are_those_of_all_samples() -> None:
    random = Random(1)
    samples = [round(random.lognormvariate(14, 1)) for _ in range(1000)]
    evidence = dataclasses.replace(evidence_of(samples, truth_of([1] * 1000)), samples_ns=samples)
    assert all(insides(scenarios.merged(LOAD, evidence, None)).values())
    other = sorted(samples)
    other[990] = round(other[990] * 1.01)
    read = insides(scenarios.merged(LOAD, dataclasses.replace(evidence, samples_ns=other), None))
    assert not read["histograms that differ"]
    one_less = insides(scenarios.merged(LOAD, dataclasses.replace(evidence, samples_ns=samples[1:]), None))
    assert not one_less["samples"]
    with pytest.raises(NothingSeenError, match="kept no samples"):
        scenarios.merged(LOAD, dataclasses.replace(evidence, samples_ns=()), None)


def test_a_run_without_round_trips_tells_nothing() -> None:
    empty = RunEvidence("1", load_result(), truth_of([]))
    with pytest.raises(NothingSeenError, match="no round trips"):
        scenarios.accounting(LOAD, empty, None)
    timeless = evidence_of([MS], truth_of([1]), response_us=None, response_histogram=None)
    with pytest.raises(NothingSeenError, match="no response times"):
        _ = timeless.response


# --- which are run ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quick", [False, True])
def test_scenarios_have_names_of_their_own_and_whole_periods(quick: bool) -> None:
    all_of_them = [scenario for group in all_groups(quick) for scenario in group.scenarios]
    names = [scenario.name for scenario in all_of_them]
    assert len(set(names)) == len(names)
    assert [scenario.name for group in chosen(all_groups(quick), ()) for scenario in group.scenarios] == names
    for scenario in all_of_them:
        if (stall := scenario.faults.stall) is not None:
            assert scenario.load.shape == "constant"
            assert scenario.load.seconds * 1e9 % stall.period_ns == 0
            assert scenario.load.pause_s * 1e9 > stall.length_ns
            assert scenario.load.warmup_s == 0
    assert all(len(group.scenarios) > 0 and group.repetitions % 2 == 1 for group in all_groups(quick))


def test_some_of_them_bring_the_baseline_with_them() -> None:
    def names(*wanted: str) -> list[list[str]]:
        return [[scenario.name for scenario in group.scenarios] for group in chosen(all_groups(False), wanted)]

    assert names("delay-5ms", "lost") == [["baseline", "delay-5ms"], ["lost"]]
    assert names("stall") == [["stall"]]
    with pytest.raises(UnknownScenarioError, match="there is no scenario 'delay'; there are baseline, delay-2ms"):
        names("delay")


# --- what others report -----------------------------------------------------------------------------------------------


def test_locusts_report() -> None:
    rows: list[dict[str, Any]] = [
        {"method": "WSE", "response_times": {"0": 1000}, "num_failures": 0},
        {"method": "WSC", "response_times": {"1000": 2, "2": 970, "4": 28}, "num_failures": 3},
    ]
    report = locust_report(rows)
    values_us = [report.times_us[figure] for figure in ("p50", "p90", "p95", "p99", "p99.5", "max")]
    assert values_us == [2000, 2000, 2000, 4000, 4000, 1_000_000]
    assert report.timeouts == 3
    with pytest.raises(KeyError):
        locust_report(rows[:1])
    with pytest.raises(ValueError, match="no responses"):
        locust_report([{"method": "WSC", "response_times": {}, "num_failures": 0}])


def test_k6s_report() -> None:
    trend = {"p(50)": 2, "p(90)": 3, "p(95)": 3, "p(99)": 4, "p(99.5)": 5.5, "max": 11, "count": 100}
    report = k6_report({"metrics": {"round_trip": trend, "timeouts": {"count": 2}}})
    assert report.times_us["p50"] == 2000
    assert report.times_us["p99.5"] == 5500
    assert report.timeouts == 2
    assert k6_report({"metrics": {"round_trip": trend}}).timeouts == 0


@pytest.mark.parametrize("peer", [PacedLocustContrib(), PacedK6()])
def test_a_peer_without_a_report_is_left_out(tmp_path: Path, peer: Peer[PacedLoad]) -> None:
    with pytest.raises(LeftOut, match="wrote no"):
        peer.report(PacedLoad("http://127.0.0.1:1", 500, 1, 1, tmp_path), "")


# --- what is said -----------------------------------------------------------------------------------------------------


def run_of(**changed: Any) -> Run:
    fields: dict[str, Any] = {
        "run": "stall 1",
        "sent": 5000,
        "dropped": 0,
        "generator_cpu_share": 0.12,
        "send_lateness_p99_us": 90.0,
        "verdict": "ok",
        "reason": None,
        "spoilers": (),
    }
    return Run.model_validate(fields | changed)


def text_of(result: Accuracy) -> list[str]:
    console = Console(file=io.StringIO(), width=80)
    print_document(accuracy_document(result), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


P90 = Row.of("p90", "us", [held(500_000, 501_000, 10_000)], peers={"k6": ToolFigure(reported=Quantity(value=2000))})
TIMEOUTS = Row.of(
    "timeouts",
    "count",
    [held(10, 11, 0)],
    is_exact=True,
    peers={"k6": ToolFigure(reported=Quantity(value=5), truth=5)},
)
SENT = Row.of("sent", "count", [held(5000, 5000, 0)], is_exact=True)


def test_the_table() -> None:
    lines = text_of(result_of(P90, TIMEOUTS, SENT, runs=(run_of(),)))
    assert [line.split() for line in lines[1:4]] == [
        ["a", "stall"],
        ["p90", "500.0", "ms", "501.0", "ms", "±", "10.00", "ms", "yes", "2.000", "ms"],
        ["timeouts", "10", "11", "exactly", "NO", "5", "of", "5"],
    ]
    assert "in all 1 runs: as many scheduled as the schedule has, as many sent as the server has read" in lines
    assert "stall: 500/s, generator's CPU 12%" in lines
    assert "outside: stall timeouts" in lines


def test_a_wrong_account_is_a_row() -> None:
    lines = text_of(result_of(Row.of("sent", "count", [held(5000, 4999, 0)], is_exact=True), runs=(run_of(),)))
    assert [line.split() for line in lines[1:3]] == [["a", "stall"], ["sent", "5,000", "4,999", "exactly", "NO", "-"]]
    assert not any("in all" in line for line in lines)


def test_what_may_have_spoilt_rows_stands_above_them() -> None:
    runs = (
        run_of(spoilers=(Disturbance(kind="load", text="others took 7.0%", value=0.07),)),
        run_of(
            run="stall 2",
            verdict="saturated",
            reason="it was late",
            generator_cpu_share=0.6,
            spoilers=(
                Disturbance(kind="load", text="others took 41.0%", value=0.41),
                Disturbance(kind="governor", text="the governor is powersave"),
            ),
        ),
    )
    lines = text_of(result_of(P90, runs=runs))
    assert lines[1] == "a stall (may be spoilt by saturated, load 41%)"
    assert "stall 2: the generator was saturated: it was late" in lines
    assert "stall: 500/s, generator's CPU 12% to 60%, more than 50% of a core" in lines
    assert "may be spoilt: the governor is powersave" in lines


def test_whether_all_is_inside() -> None:
    assert result_of(P90, SENT).inside
    assert not result_of(P90, TIMEOUTS).inside
    assert result_of(Row.of("p50", "us", [held(1, 100, 1)], is_judged=False)).inside


def test_the_stored_form_is_strict_and_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = result_of(P90, TIMEOUTS, runs=(run_of(),))
    path = stored(result, tmp_path, None)
    assert path.parent.parent == tmp_path / "accuracy"
    assert Accuracy.model_validate_json(path.read_bytes(), strict=True) == result
    named = tmp_path / "named.json"
    named.write_text("old")
    assert stored(result, tmp_path, named) == named
    content = json.loads(named.read_text())
    assert content["schema"] == "accuracy/1"
    assert content["scenarios"][0]["rows"][1]["inside"] is False
    assert {entry.name for entry in tmp_path.iterdir()} == {"accuracy", "named.json"}
    with pytest.raises(ValidationError):
        Accuracy.model_validate_json(json.dumps(content | {"schema": "accuracy/2"}))
    rescued = tmp_path / "rescued"
    rescued.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(rescued))
    with pytest.raises(ResultError, match="No such file"):
        stored(result, tmp_path, tmp_path / "missing" / "named.json")
    (kept,) = rescued.iterdir()
    assert Accuracy.model_validate_json(kept.read_bytes(), strict=True) == result
