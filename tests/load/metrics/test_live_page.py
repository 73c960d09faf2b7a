"""The content of the live page, from made-up notes: what it shows of which seconds, and its banner."""

from array import array
from dataclasses import replace

import pytest

from bench.load.metrics.live import Interval, LiveProcess
from bench.load.metrics.live_page import HISTORY_S, NOW_S, LiveFigures, LiveWatch, banner
from bench.load.metrics.recorder import TIMEOUT, LoopDelays, Recorder
from bench.load.metrics.saturation import Saturation
from bench.load.metrics.tally import Tally
from bench.results.service_loss import ServiceLoss

MS, S = 1_000_000, 1_000_000_000
START = 5_000 * S


def offered(of: Interval) -> float | None:
    """Return the rate of a schedule that starts in second 2."""
    return 10.0 if of.first_s >= 2 else 0.0


def replied(tally: Tally, second: int, took_ns: int = 2 * MS, name: str = "echo") -> None:
    log = Recorder(name)
    at_ns = START + second * S + S // 2
    if tally.is_open:
        log.answered(at_ns - MS, at_ns, at_ns + took_ns)
    else:
        log.succeeded(at_ns, at_ns + took_ns)
    take(tally, log)
    tally.note_delays(LoopDelays(array("q", (at_ns, MS)), array("q"), array("q")))
    tally.note_users(at_ns, 3)


def take(tally: Tally, log: Recorder) -> None:
    batch = log.flush()
    assert batch is not None
    tally.add(batch)


def run_of(seconds: int, is_open: bool = True, window_s: int | None = 0) -> Tally:
    tally = Tally(START, is_open)
    if window_s is not None:
        tally.open_window(START + window_s * S)
    for second in range(seconds):
        replied(tally, second)
    return tally


def look(tally: Tally) -> LiveFigures:
    processes: dict[str, LiveProcess] = {"local": tally}
    return LiveWatch(timeout_us=10e6).look(processes, offered)


def test_now_is_the_last_complete_seconds_and_begins_with_the_schedule() -> None:
    now = look(run_of(20)).now
    assert now is not None
    assert (now.since_s, now.until_s, now.users, now.done_per_s, now.offered_per_s) == (18 - NOW_S, 18, 3, 1, 10)
    assert now.p50_us == pytest.approx(3_000, rel=0.01)  # from when it was intended
    assert now.lateness_p99_us == pytest.approx(1_000, rel=0.01)
    assert now.is_p99_longest
    young = look(run_of(6)).now
    assert young is not None
    assert (young.since_s, young.until_s) == (2, 4)


def test_before_a_second_is_complete_there_is_no_now() -> None:
    figures = look(run_of(2))
    assert (figures.now, figures.history.t, figures.has_verdict) == (None, [], False)


def test_a_process_is_lost_when_the_others_are_far_ahead_and_not_before_any_has_begun() -> None:
    def heard(*seconds: int) -> int:
        return LiveWatch(10e6).look({str(n): run_of(each) for n, each in enumerate(seconds)}, offered).heard

    assert (heard(0, 0), heard(3, 0), heard(9, 9, 9), heard(9, 9, 2), heard(20)) == (2, 2, 3, 2, 1)


def test_of_a_test_that_has_ended_all_seconds_are_complete_and_none_comes_after_it() -> None:
    tally = run_of(20)
    watch = LiveWatch(timeout_us=10e6)
    processes: dict[str, LiveProcess] = {"local": tally, "lost": run_of(3)}
    assert watch.look(processes, offered).history.t[-1] == 17
    for ended_s in (19, 15):  # it was known late that it ended
        ended = watch.look(processes, offered, ended_s)
        assert ended.now is not None
        assert (ended.history.t[-1], ended.now.until_s) == (ended_s - 1, ended_s)
        assert ended.now.done_per_s == 1
    assert look(run_of(2)).now is None
    assert LiveWatch(10e6).look({"local": run_of(0)}, offered, 0).now is None


def test_history_has_a_value_for_each_second_of_each_figure_and_is_bounded() -> None:
    tally = run_of(HISTORY_S + 40)
    watch = LiveWatch(timeout_us=10e6)
    processes: dict[str, LiveProcess] = {"local": tally}
    history = watch.look(processes, offered).history
    assert history.t == list(range(38, HISTORY_S + 38))
    assert {len(values) for values in vars(history).values()} == {HISTORY_S}
    assert set(history.done_per_s) == {1}
    replied(tally, HISTORY_S + 40)
    again = watch.look(processes, offered).history
    assert again.t == list(range(39, HISTORY_S + 39)), "each second is there once"


def test_a_row_has_the_times_of_the_window_and_what_failed_is_longer_than_all() -> None:
    tally = run_of(10, window_s=4)
    (row,) = look(tally).rows
    assert (row.label, row.times_of, row.ok, row.failed, row.dropped, row.per_s) == ("echo", "response", 10, 0, 0, 1)
    assert row.times_us["max"] == pytest.approx(3_000)
    assert row.longest == ["p90", "p99", "p99_9"], "of six times"
    log = Recorder("echo")
    for _ in range(6):
        log.failed(START + 5 * S, START + 6 * S, TIMEOUT, START + 5 * S)
    take(tally, log)
    (row,) = look(tally).rows
    assert row.times_us == {
        "p50": pytest.approx(3_000, rel=0.01), "p90": None, "p99": None, "p99_9": None, "max": None,
    }  # fmt: skip
    assert row.longest == []


def test_a_time_beyond_the_timeout_is_not_known_once_something_timed_out() -> None:
    tally = run_of(4)
    replied(tally, 4, took_ns=12 * S)
    log = Recorder("echo")
    log.failed(START + 2 * S, START + 3 * S, TIMEOUT, START + 2 * S)
    take(tally, log)
    (row,) = look(tally).rows
    assert row.times_us["p50"] is not None
    assert row.times_us["p90"] is None


def test_a_closed_load_has_service_times_and_no_lateness() -> None:
    figures = look(run_of(10, is_open=False))
    (row,) = figures.rows
    assert row.times_of == "service"
    assert figures.now is not None
    assert figures.now.lateness_p99_us is None


def test_a_curve_ends_with_the_longest_time_or_where_failures_begin() -> None:
    tally = run_of(100)
    (curve,) = look(tally).curves
    assert curve.percents[0] == 0
    assert curve.percents[-1] == 99.25, "of a hundred, this is the longest already"
    assert curve.times_us == sorted(curve.times_us)
    log = Recorder("echo")
    for _ in range(100):
        log.failed(START + 5 * S, START + 6 * S, "wrong", START + 5 * S)
    take(tally, log)
    (curve,) = look(tally).curves
    assert curve.percents[-1] == 50
    assert look(Tally(START)).curves == []


def test_the_banner_says_first_what_spoils_the_figures() -> None:
    steady = look(run_of(10))
    assert (banner("steady", steady, "").level, banner("steady", None, "").level) == ("good", "neutral")
    saturated = replace(steady, saturation=Saturation("it is late", 4, ("throughput",)), heard=1, processes=2)
    shown = banner("steady", saturated, "")
    assert (shown.level, shown.title) == ("wrong", "The generator cannot keep up")
    assert shown.text == (
        "since second 4: it is late; the throughput is the generator's, not the service's; the service times are true; "
        "1 of 2 generator processes cannot be heard"
    )
    gone = banner("steady", saturated, "", ServiceLoss.of_process(4.2, 3, ""))
    assert (gone.level, gone.title) == ("wrong", "The service died")
    assert gone.text == "the service died at second 4.2 of the run: exit code 3"
    lost = banner("steady", replace(steady, heard=1, processes=3), "")
    assert (lost.level, lost.title) == ("warning", "2 of 3 generator processes cannot be heard")
    arriving = banner("arriving", look(run_of(10, window_s=None)), "users arrive, 2 of 9")
    assert (arriving.level, arriving.title) == ("neutral", "Users arrive, 2 of 9")
    nothing = banner("steady", replace(steady, rows=[]), "")
    assert (nothing.level, nothing.text) == ("neutral", "nothing has been answered so far")
