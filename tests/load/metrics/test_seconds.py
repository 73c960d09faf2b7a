"""The seconds of a load, kept between two looks: the figures are those of a look that reads everything anew."""

from collections import Counter
from collections.abc import Sequence
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.load.metrics.figures import LoadFigures, SoFar
from bench.load.metrics.merge import Merger
from bench.load.metrics.objectives import ABORT_CONFIDENCE, surely_missed
from bench.load.metrics.recorder import TIMEOUT, NotedKind, Recorder
from bench.load.metrics.report import Report
from bench.load.metrics.seconds import LoadSeconds, SecondWork
from bench.load.metrics.steadiness import precisions
from bench.load.metrics.tally import Tally
from bench.objectives.judging import judge
from bench.objectives.model import Objective
from bench.objectives.parsing import parse_objectives
from bench.objectives.precision import parse_precisions
from bench.results.load import REPLIED_KINDS, GeneratorHealth, OperationKey, Window
from bench.statistics.intervals import SecondOfTimes, SteadyTimes
from bench.timing.histogram import Histogram

S, MS = 1_000_000_000, 1_000_000

#: The window begins in this second.
BEGIN_S = 2

OBJECTIVES = parse_objectives(
    "p50 < 3 ms; p99 < 20 ms; say: p90 < 5 ms; mean < 4 ms; say: max < 30 ms; p50 > 3 ms; errors < 1 %; errors <= 0;"
    "say: timeouts <= 3; dropped < 2 %; throughput >= 20/s; say: throughput >= 10/s; typing: throughput >= 5/s;"
    "typing: errors < 1 %; connects >= 99 %; join: p99.9 < 1 s; sya: p50 < 1 s"
)
PRECISIONS = parse_precisions("p50 ± 5 %; say: p99 ± 10 %; mean ± 5 %; throughput ± 5 %; typing: throughput ± 9 %")

NO_TASKS: MappingProxyType[str, OperationKey] = MappingProxyType({})


class RandomLoad:
    """A load of random work, second by second, whose failures belong to seconds before."""

    def __init__(self, seed: int, is_open: bool) -> None:
        self._random = np.random.default_rng(seed)
        self.tally = Tally(0, is_open=is_open)
        self.tally.open_window(BEGIN_S * S)

    def go_on(self, second: int) -> None:
        """Add the work of a second."""
        kinds: Sequence[tuple[str, NotedKind]] = (
            ("say", "round trip"),
            ("join", "round trip"),
            ("typing", "emission"),
            ("connect", "connect"),
        )
        for name, kind in kinds:
            if self._random.random() < 0.2:
                continue
            log = Recorder(name, kind=kind)
            for at_ns in (second * S + self._random.integers(0, S, self._random.poisson(15))).tolist():
                # Some replies are of this second or of one before: the engine's news come late.
                at_ns = max(0, at_ns - S * int(self._random.integers(0, 2)))
                received_ns = at_ns if kind == "emission" else at_ns + int(self._random.exponential(4 * MS))
                if self.tally.is_open and kind != "connect":
                    log.answered(at_ns - 1_000, at_ns, received_ns)
                else:
                    log.succeeded(at_ns, received_ns)
            for failure in ("refused", TIMEOUT):
                for _ in range(self._random.poisson(0.3)):
                    intended_ns = max(0, second - int(self._random.integers(0, 12))) * S
                    log.failed(intended_ns, second * S, failure, intended_ns)
            if self.tally.is_open and kind != "connect" and self._random.random() < 0.1:
                log.drop(second * S, "no user")
            if (batch := log.flush()) is not None:
                self.tally.add(batch)


def reported(tallies: Sequence[Tally], mergers: Merger) -> Merger:
    """Return what the processes report, as it arrives at a master."""
    for number, tally in enumerate(tallies):
        report = tally.report(unfinished=Counter(), late=Counter(), began=1)
        mergers.receive(str(number), Report.model_validate(report.model_dump()))
    return mergers


def counted(tallies: Sequence[Tally]) -> Merger:
    """Return the counts alone."""
    merger = Merger()
    for number, tally in enumerate(tallies):
        merger.receive(str(number), tally.counts(tasks={}, began=1))
    return merger


def window(until_s: int) -> Window:
    return Window(start_s=min(BEGIN_S, until_s), end_s=until_s, warmup_s=0)


def plain(merger: Merger, figures: LoadFigures, objective: Objective) -> SteadyTimes | None:
    """Return the times of an objective, each second read by itself, and each added up by itself."""
    chosen = figures.choose(objective)
    if isinstance(chosen, str) or chosen.times is None:
        return None
    keys = sorted(key for key in chosen.keys if key[1] in REPLIED_KINDS)
    seconds = []
    for number in figures.steady_seconds():
        work, times, censored = merger.second(number), Histogram(), 0
        for key in keys:
            times.merge(work.times.get(key, Histogram()))
            if key in work.lost:
                lost = work.lost[key]
                censored += lost.timeouts + lost.errors + (lost.dropped if chosen.is_open else 0)
        seconds.append(SecondOfTimes(times, censored))
    return SteadyTimes.of(seconds) if keys else None


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    is_open=st.booleans(),
    processes=st.integers(1, 2),
    looks=st.lists(st.integers(1, 14), min_size=2, max_size=6),
)
def test_a_look_that_goes_on_from_the_look_before_finds_the_same(
    seed: int, is_open: bool, processes: int, looks: list[int]
) -> None:
    loads = [RandomLoad(seed + number, is_open) for number in range(processes)]
    tallies = [load.tally for load in loads]
    own = {str(number): tally for number, tally in enumerate(tallies)}
    merger, of_counts, of_reports, until_s = Merger(), LoadSeconds(), LoadSeconds(), 0
    for length in looks:
        for second in range(until_s, until_s + length):
            for load in loads:
                load.go_on(second)
        until_s += length
        reported(tallies, merger)
        anew = LoadFigures(merger, window(until_s), 5e6, SoFar(until_s, merger.processes, LoadSeconds()))
        kept = LoadFigures(counted(tallies), window(until_s), 5e6, SoFar(until_s, own, of_counts))
        kept_of_reports = LoadFigures(merger, window(until_s), 5e6, SoFar(until_s, merger.processes, of_reports))
        for objective in OBJECTIVES:
            chosen, others = anew.choose(objective), kept.choose(objective)
            if isinstance(chosen, str) or isinstance(others, str):
                assert chosen == others
                continue
            for confidence in (0.95, ABORT_CONFIDENCE):
                expected = anew.measured(objective, chosen, confidence)
                found = kept.measured(objective, others, confidence)
                # What an undecided attempt to connect needs is a function, made anew.
                assert {**vars(found), "remedy": None} == {**vars(expected), "remedy": None}, objective.text
            if kept.holds(objective, others):
                assert judge(objective, kept.measured(objective, others, ABORT_CONFIDENCE)).verdict != "missed"
            steady, by_itself = kept.steady_times(others), plain(merger, anew, objective)
            assert (steady is None) == (by_itself is None)
            if steady is not None and by_itself is not None:
                assert steady.percentile(90) == by_itself.percentile(90)
                assert steady.mean() == by_itself.mean()
                if steady.number:
                    assert steady.below_median().tolist() == by_itself.below_median().tolist()
        missed = [
            surely_missed(OBJECTIVES, figures, GeneratorHealth(verdict="ok"))
            for figures in (anew, kept, kept_of_reports)
        ]
        assert missed[0] == missed[1] == missed[2]
        assert precisions(PRECISIONS, kept) == precisions(PRECISIONS, anew) == precisions(PRECISIONS, kept_of_reports)


def test_only_what_has_changed_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    load, read = RandomLoad(1, is_open=True), list[int]()
    add_second = Tally.add_second

    def noted(tally: Tally, number: int, work: SecondWork, tasks: dict[str, OperationKey]) -> None:
        read.append(number)
        add_second(tally, number, work, tasks)

    monkeypatch.setattr(Tally, "add_second", noted)
    for second in range(40):
        load.go_on(second)
    seconds = LoadSeconds()
    seconds.read({"local": load.tally}, NO_TASKS, 40)
    assert read == list(range(40))
    seconds.read({"local": load.tally}, NO_TASKS, 40)
    assert len(read) == 40
    log = Recorder("say")
    log.failed(7 * S, 40 * S, TIMEOUT, 7 * S)
    batch = log.flush()
    assert batch is not None
    load.tally.add(batch)
    seconds.read({"local": load.tally}, NO_TASKS, 41)
    assert read[40:] == [7, 40]


def test_what_a_task_lost_belongs_to_its_operation_as_soon_as_that_is_known() -> None:
    tally, seconds, key = Tally(0, is_open=True), LoadSeconds(), ("say", "round trip")
    log = Recorder("talk", task="Talker.talk")
    log.drop(1 * S, "no user")
    batch = log.flush()
    assert batch is not None
    tally.add(batch)
    seconds.read({"local": tally}, NO_TASKS, 3)
    assert seconds.of([key]).dropped == [0, 0, 0]
    seconds.read({"local": tally}, {"Talker.talk": OperationKey("say")}, 3)
    assert seconds.of([key]).dropped == [0, 1, 0]


def test_a_process_that_joins_late_has_all_its_seconds_read() -> None:
    loads, seconds = [RandomLoad(1, is_open=False), RandomLoad(2, is_open=False)], LoadSeconds()
    for load in loads:
        for second in range(5):
            load.go_on(second)
    seconds.read({"a": loads[0].tally}, NO_TASKS, 5)
    alone = list(seconds.of([("say", "round trip")]).replied)
    seconds.read({"a": loads[0].tally, "b": loads[1].tally}, NO_TASKS, 5)
    both = seconds.of([("say", "round trip")]).replied
    assert sum(both) > sum(alone)
    assert [seconds[number].replied for number in range(5)] != alone


def test_a_look_that_gives_way_has_the_figures_of_its_beginning() -> None:
    load = RandomLoad(3, is_open=True)
    for second in range(40):
        load.go_on(second)
    own, merger = {"local": load.tally}, counted([load.tally])

    def figures() -> LoadFigures:
        return LoadFigures(merger, window(40), 5e6, SoFar(40, own, LoadSeconds()))

    at_once, later = precisions(PRECISIONS, figures()), figures()
    turns = iter(range(20, 40))
    assert precisions(PRECISIONS, later, give_way=lambda: load.go_on(next(turns))) == at_once
    assert next(turns) == 20 + len(PRECISIONS)
