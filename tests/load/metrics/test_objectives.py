"""The objectives of loads, by what processes have reported of them."""

from collections.abc import Sequence

import pytest

from bench.load.metrics.figures import LoadFigures, SoFar
from bench.load.metrics.merge import Merger
from bench.load.metrics.objectives import is_time_to_look, judged_load, surely_missed
from bench.load.metrics.recorder import TIMEOUT, NotedKind, Recorder
from bench.load.metrics.seconds import LoadSeconds
from bench.load.metrics.tally import Tally
from bench.objectives.model import JudgedObjective
from bench.objectives.parsing import parse_objective
from bench.results.load import Generator, GeneratorHealth, OperationKey, Spoilt, Window

S, MS = 1_000_000_000, 1_000_000

OK = Generator(processes=1, verdict="ok")


class Load:
    """An open load of one process, with a window from second 1 to second `end_s`."""

    def __init__(self, end_s: int = 31, is_open: bool = True) -> None:
        self.end_s = end_s
        self.tally = Tally(0, is_open=is_open)
        self.tally.open_window(1 * S)
        self.unfinished: dict[OperationKey, int] = {}
        self._merger = Merger()

    def add(
        self,
        name: str = "say",
        *,
        times_ms: Sequence[float] = (10.0,) * 100,
        kind: NotedKind = "round trip",
        failures: int = 0,
        timeouts: int = 0,
        dropped: int = 0,
        seconds: range | None = None,
    ) -> "Load":
        """Add the same to each second of the window: so many times, failures and drops."""
        for second in seconds or range(1, self.end_s):
            log = Recorder(name, kind=kind)
            for number, time_ms in enumerate(times_ms):
                sent_ns = second * S + number * 1_000
                received_ns = sent_ns + round(time_ms * MS)
                log.answered(sent_ns, sent_ns, received_ns) if self.tally.is_open else log.succeeded(
                    sent_ns, received_ns
                )
            for _ in range(failures):
                log.failed(second * S, second * S + 1_000, "refused", second * S)
            for _ in range(timeouts):
                log.failed(second * S, (second + 10) * S, TIMEOUT, second * S)
            for _ in range(dropped):
                log.drop(second * S, "no user")
            batch = log.flush()
            assert batch is not None
            self.tally.add(batch)
        return self

    def merger(self, *, is_final: bool = True) -> Merger:
        if is_final:
            self.tally.close_window(self.end_s * S)
        self._merger.receive("local", self.tally.report(unfinished=self.unfinished, late={}, final=is_final, began=1))
        return self._merger

    def figures(self, until_s: int | None = None) -> LoadFigures:
        end_s = self.end_s if until_s is None else until_s
        window = Window(start_s=1, end_s=end_s, warmup_s=0)
        merger = self.merger(is_final=until_s is None)
        so_far = None if until_s is None else SoFar(until_s, merger.processes, LoadSeconds())
        return LoadFigures(merger, window, 10e6, so_far)

    def judged(
        self, text: str, generator: GeneratorHealth = OK, refused: str | None = None, lost: str | None = None
    ) -> JudgedObjective:
        (found,) = judged_load([parse_objective(text)], self.figures(), generator, refused, lost)
        return found


def varied(number: int = 100, longest_ms: float = 40.0) -> list[float]:
    """Return times between 1 ms and the longest, evenly."""
    return [1 + (longest_ms - 1) * place / (number - 1) for place in range(number)]


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("p50 < 50 ms", "met"),
        ("say: p99 < 50 ms", "met"),
        ("p50 < 10 ms", "missed"),
        ("p50 < 20.5 ms", "undecided"),
        ("mean < 50 ms", "met"),
        ("mean < 10 ms", "missed"),
        ("max < 50 ms", "met"),
        ("max < 39 ms", "missed"),
        ("errors < 1 %", "met"),
        ("errors < 0.05 %", "undecided"),
        ("timeouts <= 0", "met"),
        ("dropped <= 0", "met"),
        ("throughput >= 90/s", "met"),
        ("throughput >= 110/s", "missed"),
    ],
)
def test_figures_of_a_load_in_which_nothing_fails(text: str, verdict: str) -> None:
    found = Load().add(times_ms=varied()).judged(text)

    assert found.verdict == verdict
    assert found.times == ("response" if found.unit == "µs" else None)


def test_a_closed_load_has_service_times() -> None:
    assert Load(is_open=False).add().judged("p50 < 50 ms").times == "service"


def test_without_a_name_all_operations_count_together_and_with_a_name_that_alone() -> None:
    load = Load().add("say", times_ms=[10.0] * 90).add("join", times_ms=[90.0] * 10)

    together, join = load.judged("p50 < 20 ms"), load.judged("join: p50 < 20 ms")

    assert (together.operation, together.verdict) == (None, "met")
    assert (join.operation, join.verdict) == ("join", "missed")
    assert together.value == pytest.approx(10_000, rel=0.001)
    assert load.judged("throughput >= 99/s").value == 100
    assert load.judged("join: throughput >= 9/s").value == 10


def test_connecting_and_transactions_are_judged_by_their_name_alone() -> None:
    load = Load().add("say").add("connect", kind="connect", times_ms=[700.0] * 20)
    load.add("check out", kind="transaction", times_ms=[900.0] * 20)

    assert load.judged("p99 < 50 ms").verdict == "met"
    assert load.judged("connect: p50 < 50 ms").verdict == "missed"
    assert load.judged("check out: p50 < 50 ms").verdict == "missed"
    assert load.judged("check out (transaction): p50 < 1 s").verdict == "met"
    connects = load.judged("connects >= 99 %")
    assert (connects.verdict, connects.operation) == ("met", None)
    assert load.judged("connect: throughput >= 1/s").verdict == "not judged"


def test_a_misspelt_operation_is_never_met() -> None:
    found = Load().add("say").judged("sya: p99 < 50 ms")

    assert (found.verdict, found.operation) == ("not judged", "sya")
    assert found.reason == "no such operation was performed: did you mean say?"


def test_a_percentile_that_falls_among_failures_is_never_a_number() -> None:
    refused = Load().add(times_ms=[1.0] * 90, failures=10)
    timed_out = Load().add(times_ms=[1.0] * 90, timeouts=10)

    found = refused.judged("p99 < 50 ms")
    assert (found.value, found.low, found.verdict) == (None, None, "missed")
    assert found.reason == "it falls among those that failed"
    late = timed_out.judged("p99 < 50 ms")
    assert (late.value, late.low, late.verdict) == (None, 10e6, "missed")
    assert timed_out.judged("p99 < 20 s").verdict == "undecided", "they are known to be longer than 10 s only"
    assert refused.judged("p99 > 5 ms").verdict == "undecided", "nor is a lower limit met by what failed"
    assert refused.judged("p50 < 50 ms").verdict == "met"
    assert refused.judged("mean < 50 ms").verdict == "undecided"
    assert refused.judged("max < 50 ms").verdict == "missed"


def test_dropped_arrivals_count_among_response_times() -> None:
    load = Load().add(times_ms=[1.0] * 90, dropped=10)

    assert load.judged("p99 < 50 ms").verdict == "missed"
    found = load.judged("dropped < 1 %")
    assert (found.verdict, found.value) == ("missed", 0.1)
    assert load.judged("dropped <= 20 %").verdict == "met"


def test_failures_of_another_operation_are_not_among_the_times_of_this() -> None:
    load = Load().add("say", times_ms=[1.0] * 90).add("join", times_ms=[1.0] * 50, failures=50)

    assert load.judged("say: p99 < 50 ms").verdict == "met"
    assert load.judged("say: errors < 1 %").verdict == "met"
    assert load.judged("join: errors < 60 %").verdict == "met"
    assert load.judged("p99 < 50 ms").verdict == "missed"


def test_failures_in_a_burst_make_a_share_less_sure() -> None:
    burst = Load().add(times_ms=[1.0] * 100).add(times_ms=[], failures=75, seconds=range(5, 7))
    even = Load().add(times_ms=[1.0] * 100).add(times_ms=[], failures=5)

    found, spread = burst.judged("errors < 7 %"), even.judged("errors < 7 %")

    assert found.value == spread.value == pytest.approx(150 / 3150)
    assert (found.verdict, spread.verdict) == ("undecided", "met")


def test_a_short_run_decides_nothing_about_times_and_says_what_would() -> None:
    found = Load(end_s=6).add(times_ms=[1.0] * 500).judged("p99 < 50 ms")

    assert found.verdict == "undecided"
    assert found.reason is not None
    assert "5 whole seconds" in found.reason
    assert found.needs_s == 10


def test_a_short_run_in_which_half_fails_has_missed_its_objective() -> None:
    assert Load(end_s=4).add(times_ms=[1.0] * 50, failures=50).judged("errors < 1 %").verdict == "missed"


@pytest.mark.parametrize(
    ("text", "spoils", "verdict"),
    [
        ("p50 < 50 ms", ("response times", "throughput"), "not judged"),
        ("p50 < 50 ms", ("throughput",), "met"),
        ("p50 < 50 ms", ("times by the process's clock",), "not judged"),
        ("p50 < 50 ms", (), "not judged"),
        ("throughput >= 90/s", ("response times", "throughput"), "not judged"),
        ("dropped <= 0", ("throughput",), "not judged"),
        ("timeouts <= 0", ("service times",), "not judged"),
        ("timeouts <= 0", ("throughput",), "met"),
        ("errors <= 0", ("service times", "response times", "throughput"), "met"),
    ],
)
def test_a_saturated_generator_spoils_the_figures_that_depend_on_it(
    text: str, spoils: tuple[Spoilt, ...], verdict: str
) -> None:
    saturated = GeneratorHealth(verdict="saturated", reason="it used 99% of a core", spoils=spoils)
    found = Load().add().judged(text, saturated)

    assert found.verdict == verdict
    assert found.value is not None, "it is shown all the same"
    if verdict == "not judged":
        assert found.reason == "the figure is the generator's, which was saturated: it used 99% of a core"


def test_a_result_that_is_wrong_or_partial_judges_nothing() -> None:
    found = Load().add().judged("p50 < 50 ms", refused="the result is partial: no final report from a worker")

    assert (found.verdict, found.reason) == ("not judged", "the result is partial: no final report from a worker")


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("p50 < 50 ms", "not judged"),
        ("p50 < 1 ms", "missed"),
        ("p50 < 20 ms", "not judged"),
        ("errors <= 0", "not judged"),
    ],
)
def test_without_its_service_a_load_may_miss_an_objective_and_never_meets_it(text: str, verdict: str) -> None:
    found = Load().add().judged(text, lost="the service died at second 4 of the run: SIGKILL")

    assert (found.verdict, found.reason) == (verdict, "the service died at second 4 of the run: SIGKILL")
    assert found.value is not None, "it is shown all the same"


def test_a_run_without_a_steady_window_judges_no_time() -> None:
    load = Load(end_s=1)
    log = Recorder("say")
    log.answered(0, 0, MS)
    batch = log.flush()
    assert batch is not None
    load.tally.add(batch)

    assert load.judged("p50 < 50 ms").verdict == "not judged"


def test_a_share_of_nothing_or_all_is_that_of_this_run() -> None:
    good = Load().add().add("connect", kind="connect", times_ms=[1.0])
    faulty = Load().add(failures=1, seconds=range(1, 2)).add("connect", kind="connect", times_ms=[1.0])

    assert [good.judged(text).verdict for text in ("errors <= 0 %", "connects >= 100 %")] == ["met", "met"]
    assert faulty.judged("errors <= 0 %").verdict == "missed"
    assert good.judged("connects >= 99.9 %").verdict == "undecided", "one attempt is too few for that"


def connecting(ok: int, failures: int = 0) -> Load:
    """Return a load in which so many attempts to connect succeeded, and failed."""
    return Load().add().add("connect", kind="connect", times_ms=[1.0] * ok, failures=failures, seconds=range(1, 2))


@pytest.mark.parametrize("text", ["connects >= 99 %", "connect: errors < 1 %"])
def test_more_users_and_no_longer_run_decide_a_share_of_the_attempts_to_connect(text: str) -> None:
    found = connecting(10).judged(text)

    assert (found.verdict, found.needs_s) == ("undecided", None)
    assert found.reason == "about 368 attempts to connect would decide it: give more --users"
    assert [connecting(number).judged(text).verdict for number in (366, 368)] == ["undecided", "met"]


def test_attempts_of_which_some_failed_are_so_near_to_the_limit_as_they_are() -> None:
    few = connecting(95, failures=5).judged("connects >= 90 %")
    assert few.reason == "about 158 attempts to connect would decide it: give more --users"
    near = connecting(95, failures=5).judged("connects >= 95 %")
    assert near.reason == "the figure is so near to the limit that 100,000 attempts to connect would not decide it"


def test_a_load_that_goes_on_is_missed_only_surely() -> None:
    objectives = [parse_objective("p50 < 9 ms")]
    slow = Load().add(seconds=range(1, 21))
    near = Load().add(times_ms=[8.5] * 49 + [9.5] * 51, seconds=range(1, 21))

    missed = surely_missed(objectives, slow.figures(until_s=20), OK)

    assert missed is not None
    assert (missed.text, missed.confidence) == ("p50 < 9 ms", 0.999)
    assert surely_missed(objectives, slow.figures(until_s=5), OK) is None, "too short to be sure"
    assert surely_missed(objectives, near.figures(until_s=20), OK) is None, "the next seconds may be better"


def test_what_is_in_flight_has_not_failed_while_a_load_goes_on() -> None:
    load = Load().add(seconds=range(1, 21))
    load.unfinished = {OperationKey("say"): 500}

    assert surely_missed([parse_objective("p99 < 50 ms")], load.figures(until_s=20), OK) is None
    assert surely_missed([parse_objective("errors < 1 %")], load.figures(until_s=20), OK) is None


def test_a_load_that_goes_on_may_still_reach_a_number() -> None:
    load = Load().add("connect", kind="connect", times_ms=[1.0]).add(failures=1, seconds=range(1, 5))

    assert surely_missed([parse_objective("connects >= 1000")], load.figures(until_s=5), OK) is None
    assert surely_missed([parse_objective("errors <= 3")], load.figures(until_s=5), OK) is not None


def test_a_load_is_looked_at_each_second_and_later_less_often() -> None:
    looks, last = 0, -1
    for second in range(3_600):
        if is_time_to_look(second, last):
            looks, last = looks + 1, second

    assert 300 < looks < 400
    assert [second for second in range(4) if is_time_to_look(second, second - 1)] == [0, 1, 2, 3]
