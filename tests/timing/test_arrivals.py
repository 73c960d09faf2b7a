"""Arrival schedules: counted, compared with the integral of their rate, and with the distributions that they claim."""

import heapq
import math
import pickle
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.timing.arrivals import Arrivals, Shape, VaryingSchedule, arrivals, schedule
from bench.timing.rates import NS_PER_S, RateError, RateProfile, Share, Stage

SHAPES: tuple[Shape, ...] = ("constant", "poisson")
ALONE = Share(0, 1)
DAY_NS = 24 * 3600 * NS_PER_S

# Rates and durations as people type them, pauses among them; short enough to be counted.
rates = st.one_of(st.just("0"), st.decimals("0.01", "60", places=2).map(str), st.integers(1, 60).map(str))
stages = st.builds(
    lambda first, last, duration: f"{first}:{duration}" if last is None else f"{first}..{last}:{duration}",
    rates,
    st.none() | rates,
    st.one_of(st.integers(1, 20).map(str), st.integers(1, 20).map("{}s".format), st.sampled_from(["0.1s", "2.5s"])),
)


def _sends_something(text: str) -> bool:
    try:
        RateProfile.parse(text)
    except RateError:
        return False
    return True


finite_texts = st.lists(stages, min_size=1, max_size=4).map(",".join).filter(_sends_something)
profiles = finite_texts.map(RateProfile.parse)


def times_of(text: str, shape: Shape = "constant", share: Share = ALONE, seed: int | str = 1) -> list[int]:
    return list(schedule(RateProfile.parse(text), shape, share, seed))


# ------------------------------------------------------------------ the profile


@pytest.mark.parametrize(
    ("text", "expected", "canonical"),
    [
        ("500", [(0, None, 500, 500)], "500"),
        (" .5 ", [(0, None, 0.5, 0.5)], "0.5"),
        ("100:30s,500:30s,1000:1m", [(0, 30, 100, 100), (30, 30, 500, 500), (60, 60, 1000, 1000)], None),
        ("100..500:30s", [(0, 30, 100, 500)], None),
        ("100..100:30", [(0, 30, 100, 100)], "100:30s"),
        ("0:10s, 1.50:1h30m, 7", [(0, 10, 0, 0), (10, 5400, 1.5, 1.5), (5410, None, 7, 7)], "0:10s,1.5:1h30m,7"),
        ("5..0:90,0", [(0, 90, 5, 0), (90, None, 0, 0)], "5..0:1m30s,0"),
        ("10:0.5s,1:1h1s", [(0, 0.5, 10, 10), (0.5, 3601, 1, 1)], "10:0.5s,1:1h1s"),
    ],
)
def test_what_people_type_is_read_and_written(text: str, expected: list[Any], canonical: str | None) -> None:
    profile = RateProfile.parse(text)
    assert profile.stages == tuple(Stage(*values) for values in expected)
    assert str(profile) == (canonical or text)


@given(finite_texts, st.none() | rates)
@example("0.1:1h30m0.1s,1000000000..0.000000001:1000000000s", None)
def test_its_text_gives_the_same_profile_again(text: str, for_ever: str | None) -> None:
    profile = RateProfile.parse(text if for_ever is None else f"{text},{for_ever}")
    assert RateProfile.parse(str(profile)) == profile
    assert str(RateProfile.parse(str(profile))) == str(profile)
    assert (profile.duration_s is None) == (for_ever is not None)


@pytest.mark.parametrize(
    ("text", "named", "wanted"),
    [
        ("", "''", "expected arrivals per second"),
        ("-5", "'-5'", "expected arrivals per second"),
        ("nan", "'nan'", "expected arrivals per second"),
        ("inf", "'inf'", "expected arrivals per second"),
        ("fast", "'fast'", "expected arrivals per second"),
        ("1_000", "'1_000'", "expected arrivals per second"),
        ("٣", "'٣'", "expected arrivals per second"),
        ("5\n6", r"'5\n6'", "expected arrivals per second"),
        ("100:30s,", "''", "expected arrivals per second"),
        ("100..:30s", "'100..'", "expected arrivals per second"),
        ("100..-5:30s", "'100..-5'", "expected arrivals per second"),
        ("100,500:30s", "'100'", "as in 100:30s"),
        ("100..500", "100..500", "as in 100..500:30s"),
        ("100:30s,100..500", "100..500", "as in 100..500:30s"),
        ("100:", "''", "expected one like 30s"),
        ("100:30x", "'30x'", "expected one like 30s"),
        ("100:-30s", "'-30s'", "expected one like 30s"),
        ("100:30s1m", "'30s1m'", "expected one like 30s"),
        ("100:1:2", "'1:2'", "expected one like 30s"),
        ("100:0s", "0 seconds", "to 1000000000 seconds"),
        ("100:" + "9" * 5000 + "h", "Infinity seconds", "to 1000000000 seconds"),
        ("9" * 5000, "Infinity per second", "expected 0, or 0.000000001 to 1000000000"),
        ("0.0000000001", "0.0000000001 per second", "expected 0, or 0.000000001 to 1000000000"),
        ("0", "'0'", "expected a rate above 0"),
        ("0:10s,0..0:1m,0", "'0:10s,0:1m,0'", "expected a rate above 0"),
    ],
)
def test_what_is_no_rate_is_refused_in_a_line_that_names_it(text: str, named: str, wanted: str) -> None:
    with pytest.raises(RateError) as refused:
        RateProfile.parse(text)
    message = str(refused.value)
    assert named in message
    assert wanted in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "impossible",
    [
        lambda: Stage(0, 10, math.nan, 5),
        lambda: Stage(0, 10, 5, -5),
        lambda: Stage(0, math.nan, 5, 5),
        lambda: RateProfile(()),
        lambda: RateProfile((Stage(1, 10, 5, 5),)),
        lambda: RateProfile((Stage(0, 10, 5, 5), Stage(9, 10, 5, 5))),
        lambda: RateProfile((Stage(0, None, 5, 5), Stage(10, 10, 5, 5))),
    ],
)
def test_nor_can_an_impossible_profile_be_put_together(impossible: Any) -> None:
    with pytest.raises(RateError):
        impossible()


def test_the_rate_of_a_stage() -> None:
    assert [Stage(15, 10, 20, 40).rate_per_s(elapsed_s) for elapsed_s in (0, 5, 10)] == pytest.approx([20, 30, 40])
    assert Stage(0, None, 7, 7).rate_per_s(1e6) == 7


def test_how_many_are_expected() -> None:
    profile = RateProfile.parse("100:10s,0:5s,20..40:10s")
    expected = {-1: 0, 0: 0, 5: 500, 10: 1000, 15: 1000, 20: 1125, 25: 1300, 1000: 1300}
    assert {at_s: profile.expected(at_s) for at_s in expected} == pytest.approx(expected)
    assert profile.duration_s == 25


@given(profiles, st.floats(0, 1))
def test_the_integral_of_a_stage_and_its_inverse_belong_together(profile: RateProfile, part: float) -> None:
    for stage in profile.stages:
        assert stage.duration_s is not None
        total = stage.expected(stage.duration_s)
        elapsed_s = stage.elapsed_s(total * part)
        assert 0 <= elapsed_s <= stage.duration_s * (1 + 1e-12)
        assert stage.expected(elapsed_s) == pytest.approx(total * part, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("text", ["1000..1000.000001:1h", "1000.000001..1000:1h", "0..1000:1h", "1000..0:1h"])
def test_ramps_are_inverted_to_the_nanosecond(text: str) -> None:
    # Against rational arithmetic: the integral at the time found misses the count by less than the rate makes in 1 ns.
    profile = RateProfile.parse(text)
    (stage,) = profile.stages
    from_per_s, to_per_s = (Fraction(str(rate)) for rate in (stage.from_per_s, stage.to_per_s))
    slope = (to_per_s - from_per_s) / 3600
    total = int((from_per_s + to_per_s) / 2 * 3600)
    for count in (1, 2, 1000, total // 2, total - 1000, total - 1, total - 1 / 1024):
        at_s = Fraction(stage.elapsed_s(count))
        rate_per_s = from_per_s + slope * at_s
        missed = from_per_s * at_s + slope * at_s**2 / 2 - Fraction(count)
        assert abs(missed) < rate_per_s / NS_PER_S


# ------------------------------------------------------------------ evenly spaced arrivals


def test_evenly_spaced_arrivals_begin_at_once_and_end_with_the_profile() -> None:
    assert times_of("4:1s") == [0, 250_000_000, 500_000_000, 750_000_000]
    assert times_of("0.1:30s") == [
        0,
        10 * NS_PER_S,
        20 * NS_PER_S,
    ]  # 0.1 · 30 is above 3 in floats: no fourth at the end
    assert times_of("2:1s,0:8s,2:1s") == [0, 500_000_000, 9 * NS_PER_S, 9_500_000_000]
    assert times_of("0:3s,1:2s") == [3 * NS_PER_S, 4 * NS_PER_S]


def test_what_has_accrued_in_one_stage_counts_in_the_next() -> None:
    # 1.5 in the first: the third arrival comes after half an arrival's time of the second.
    assert times_of("1:1.5s,10:0.1s") == [0, NS_PER_S, 1_550_000_000]


@given(profiles, st.integers(1, 7))
@example(RateProfile.parse("33.3..0:20s,0:1,7:20s"), 3)
def test_the_shares_together_are_the_schedule_of_one_process(profile: RateProfile, count: int) -> None:
    shares = [list(schedule(profile, "constant", Share(index, count), index)) for index in range(count)]
    whole = list(schedule(profile, "constant", ALONE, 0))
    assert list(heapq.merge(*shares)) == whole
    assert [whole[index::count] for index in range(count)] == shares


@given(profiles)
def test_as_many_arrive_as_are_expected(profile: RateProfile) -> None:
    times_ns = list(schedule(profile, "constant", ALONE, 0))
    assert times_ns == sorted(times_ns)
    assert profile.duration_s is not None
    end_ns = profile.duration_s * NS_PER_S
    assert 0 <= times_ns[0] <= times_ns[-1] < end_ns
    assert 0 <= len(times_ns) - profile.expected(profile.duration_s) + 1e-9 < 1
    for part in (0.1, 0.37, 0.5, 0.99):
        arrived = bisect_right(times_ns, end_ns * part)
        assert abs(arrived - profile.expected(profile.duration_s * part)) <= 1 + 1e-6


@given(profiles)
def test_the_inverse_says_when_each_arrives(profile: RateProfile) -> None:
    # All but those that would be due when a pause begins, which come when it ends.
    for number, time_ns in enumerate(schedule(profile, "constant", ALONE, 0)):
        assert profile.expected(time_ns / NS_PER_S) == pytest.approx(number, abs=1e-6)


@pytest.mark.parametrize("rate", ["1000", "333.3", "0.7"])
def test_the_millionth_is_as_exact_as_the_first(rate: str) -> None:
    workers = 3
    number = 10**6
    arrived = next(islice(schedule(RateProfile.parse(rate), "constant", Share(2, workers), 0), number, None))
    assert arrived == math.floor((number * workers + 2) * NS_PER_S / Fraction(rate))


def test_even_the_last_of_very_many_is_within_the_profile() -> None:
    profile = RateProfile.parse("1000000000..999999999:1000000000s")
    total = 999_999_999_500_000_000
    (last_ns,) = schedule(profile, "constant", Share(total - 1, total), 0)
    assert 0 < last_ns < 10**18


def test_many_stages_are_exact_as_well() -> None:
    times_ns = times_of(",".join(["0.1:7s", "0.3..0.7:3s"] * 500))
    assert len(times_ns) == 1100  # 0.7 + 1.5 in each pair
    assert times_of("1:1s,1:1s,1:1s") == times_of("1:3s")


def test_a_ramp_is_evenly_spaced_in_what_is_expected() -> None:
    # 0 to 2 per second in 10 s: t²/10 expected at t.
    assert times_of("0..2:10s") == [int(math.sqrt(10 * number) * NS_PER_S) for number in range(10)]
    # And backwards: the arrivals left to come at t are (10 - t)²/10.
    backwards = times_of("2..0:10s")
    assert [10 - time_ns / NS_PER_S for time_ns in backwards] == pytest.approx(
        [math.sqrt(10 * (10 - number)) for number in range(10)]
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_a_schedule_goes_on_for_ever_or_stays_silent_for_ever(shape: Shape) -> None:
    last = list(islice(schedule(RateProfile.parse("0..7:1s,50"), shape, ALONE, 0), 10_000))[-1]
    assert last > 100 * NS_PER_S
    assert all(time_ns < 10 * NS_PER_S for time_ns in times_of("50:10s,0", shape))


# ------------------------------------------------------------------ Poisson arrivals

# Bounds of one in a thousand or less: the seeds are fixed, so a test that passes goes on to pass.
KOLMOGOROV_001 = 1.95
NORMAL_001 = 3.3


def counts_in(times_ns: list[int], profile: RateProfile, bins: int) -> NDArray[np.int64]:
    """Return the number of arrivals in each of `bins` parts of the profile's duration."""
    assert profile.duration_s is not None
    return np.histogram(times_ns, bins=bins, range=(0, profile.duration_s * NS_PER_S))[0]


def assert_exponential(intervals: NDArray[np.float64], mean: float) -> None:
    """Kolmogorov and Smirnov's test of one sample against an exponential distribution whose mean is known."""
    ordered = np.sort(intervals)
    theoretical = 1 - np.exp(-ordered / mean)
    ranks = np.arange(len(ordered) + 1) / len(ordered)
    distance = max(np.max(ranks[1:] - theoretical), np.max(theoretical - ranks[:-1]))
    assert distance * math.sqrt(len(ordered)) < KOLMOGOROV_001


@pytest.mark.parametrize("seed", [1, 2, "3"])
@pytest.mark.parametrize("text", ["200:100s", "0..400:100s", "400..0:100s", "100:25s,0:25s,50..350:25s,500:25s"])
def test_poisson_counts_have_the_integral_as_mean_and_variance(text: str, seed: int | str) -> None:
    profile = RateProfile.parse(text)
    bins = 400
    observed = counts_in(times_of(text, "poisson", seed=seed), profile, bins)
    edges_s = np.linspace(0, 100, bins + 1)
    expected = np.diff([profile.expected(at_s) for at_s in edges_s])
    assert np.all(observed[expected == 0] == 0)
    observed, expected = observed[expected >= 5], expected[expected >= 5]
    assert abs(observed.sum() - expected.sum()) < NORMAL_001 * math.sqrt(expected.sum())
    # Pearson's statistic is chi-square if and only if the variance is the mean: for evenly spaced ones it is near 0.
    degrees = len(expected)
    statistic = float(np.sum((observed - expected) ** 2 / expected))
    assert abs(statistic - degrees) < NORMAL_001 * math.sqrt(2 * degrees)


@pytest.mark.parametrize("text", ["200:100s", "0..400:100s", "400..0:100s", "100:25s,0:25s,50..350:25s,500:25s"])
@pytest.mark.parametrize("share", [Share(0, 1), Share(2, 3)])
def test_poisson_intervals_are_exponential_in_what_is_expected(text: str, share: Share) -> None:
    # Time rescaling: mapped through the integral, the arrivals of a share of n are those of a process of rate 1/n.
    profile = RateProfile.parse(text)
    times_ns = times_of(text, "poisson", share)
    assert times_ns == sorted(times_ns)
    intervals = np.diff([profile.expected(time_ns / NS_PER_S) for time_ns in times_ns])
    assert_exponential(intervals, share.count)
    # And one says nothing of the next.
    correlation = np.corrcoef(intervals[:-1], intervals[1:])[0, 1]
    assert abs(correlation) * math.sqrt(len(intervals)) < NORMAL_001


def test_the_shares_of_equal_seeds_are_independent_and_add_up() -> None:
    profile = RateProfile.parse("400:200s")
    workers = 4
    shares = [list(schedule(profile, "poisson", Share(index, workers), 7)) for index in range(workers)]
    counts = [counts_in(times_ns, profile, 1000) for times_ns in shares]
    for worker in range(workers):
        for other in range(worker):
            correlation = np.corrcoef(counts[worker], counts[other])[0, 1]
            assert abs(correlation) * math.sqrt(1000) < NORMAL_001
            assert set(shares[worker]).isdisjoint(shares[other])
    union = list(heapq.merge(*shares))
    assert_exponential(np.diff(union) / NS_PER_S, 1 / 400)
    dispersion = np.var(sum(counts)) / np.mean(sum(counts))
    assert abs(dispersion - 1) < NORMAL_001 * math.sqrt(2 / 1000)


def test_a_seed_gives_the_same_again_and_another_seed_another() -> None:
    assert times_of("50:10s", "poisson", seed=1) == times_of("50:10s", "poisson", seed=1)
    assert times_of("50:10s", "poisson", seed=1) != times_of("50:10s", "poisson", seed=2)
    # The seed of one share and index of another must not meet either.
    assert times_of("50:10s", "poisson", Share(1, 2), seed=1) != times_of("50:10s", "poisson", Share(0, 2), seed=2)


@given(profiles, st.integers(0, 100))
def test_poisson_arrivals_stay_within_the_profile(profile: RateProfile, seed: int) -> None:
    times_ns = list(schedule(profile, "poisson", ALONE, seed))
    assert times_ns == sorted(times_ns)
    assert profile.duration_s is not None
    assert all(0 <= time_ns < profile.duration_s * NS_PER_S for time_ns in times_ns)
    for time_ns in times_ns:  # not in a pause, whose last nanosecond may round to the moment at which it ends
        assert profile.expected((time_ns + 2) / NS_PER_S) > profile.expected((time_ns - 2) / NS_PER_S)


# ------------------------------------------------------------------ open load of each user


def test_arrivals_of_a_user() -> None:
    asked = arrivals(5)
    assert asked == Arrivals(5, "poisson") == arrivals(5, "poisson") != arrivals(5, "constant")
    assert asked() == asked(object()) == asked(user=object()) == 0.2
    assert pickle.loads(pickle.dumps(asked)) == asked


def test_as_the_attribute_of_a_class_it_stays_itself() -> None:
    class EchoUser:
        wait_time = arrivals(4, "constant")

    assert isinstance(EchoUser().wait_time, Arrivals)
    assert EchoUser().wait_time() == 0.25


@pytest.mark.parametrize("rate", [0, -5, math.nan, math.inf, 1e-12, True, None, "5"])
def test_arrivals_of_no_rate_are_refused(rate: Any) -> None:
    with pytest.raises(RateError, match=r"expected .*") as refused:
        arrivals(rate)
    assert "\n" not in str(refused.value)


def test_other_shapes_are_refused_at_once() -> None:
    unknown: Any = "poison"
    for refused in (
        lambda: arrivals(5, unknown),
        lambda: schedule(RateProfile.parse("5"), unknown, ALONE, 1),
        lambda: VaryingSchedule(unknown, 1, ALONE),
    ):
        with pytest.raises(ValueError, match="'poison' is no shape of arrivals: expected 'constant' or 'poisson'"):
            refused()


@pytest.mark.parametrize(("index", "count"), [(-1, 2), (2, 2), (0, 0)])
def test_other_shares_are_refused(index: int, count: int) -> None:
    with pytest.raises(ValueError, match=f"share {index} of {count}"):
        Share(index, count)


# ------------------------------------------------------------------ a rate that varies


def taken(varying: VaryingSchedule, until_ns: int) -> Iterator[int]:
    """Take what is due before `until_ns`."""
    while varying.next_ns is not None and varying.next_ns < until_ns:
        yield varying.next_ns
        varying.advance()


def follow(varying: VaryingSchedule, profile: RateProfile, *, late_by: int = 0) -> list[int]:
    """Change the rate at each stage of a profile of steps; take what is due only `late_by` stages later."""
    times_ns: list[int] = []
    starts_ns = [round(stage.start_s * NS_PER_S) for stage in profile.stages]
    for number, stage in enumerate(profile.stages):
        if number >= late_by:
            times_ns += taken(varying, starts_ns[number - late_by])
        varying.set_rate(starts_ns[number], stage.from_per_s)
    assert profile.duration_s is not None
    end_ns = round(profile.duration_s * NS_PER_S)
    times_ns += taken(varying, end_ns)
    varying.set_rate(end_ns, 0)
    assert varying.next_ns is None  # nothing was left behind
    return times_ns


steps = (
    st.lists(st.builds("{}:{}s".format, rates, st.integers(1, 20)), min_size=1, max_size=8)
    .map(",".join)
    .filter(_sends_something)
    .map(RateProfile.parse)
)


@given(steps, st.sampled_from(SHAPES), st.integers(0, 3))
@example(RateProfile.parse("5:1s,0:1s,5:1s"), "constant", 0)
@example(RateProfile.parse("0:1s,3:1s,3:1s,7:1s,0:2s,7:1s"), "constant", 2)
def test_changing_the_rate_neither_loses_nor_doubles_arrivals(profile: RateProfile, shape: Shape, late_by: int) -> None:
    # It is the schedule that had known all changes from the start, also when overdue arrivals are taken after them.
    known = list(schedule(profile, shape, ALONE, 3))
    found = follow(VaryingSchedule(shape, 3, ALONE), profile, late_by=late_by)
    assert found == sorted(found)
    # An arrival that is due the moment a stage or the profile ends may round to either side of it.
    assert abs(len(found) - len(known)) <= 1
    assert profile.duration_s is not None
    for one, other in zip(found, known, strict=False):
        here, there = profile.expected(one / NS_PER_S), profile.expected(other / NS_PER_S)
        assert here == pytest.approx(there, abs=1e-6)
    if shape == "constant":
        assert abs(len(found) - profile.expected(profile.duration_s)) <= 1 + 1e-6


def test_users_that_come_one_by_one_do_not_start_anew() -> None:
    # A user every 300 ms, each good for one arrival per second: 0.3 + 0.6 + 0.9 + 1.2 expected in 1.2 s.
    varying = VaryingSchedule("constant", 1, Share(0, 2))
    found: list[int] = []
    for users in range(1, 5):
        now_ns = (users - 1) * 300_000_000
        found += taken(varying, now_ns)
        varying.set_rate(now_ns, users)
    found += taken(varying, 1_200_000_000)
    # (1 - 0.9) / 3 s after 600 ms is 633 ms; (2 - 1.8) / 4 s after 900 ms is 950 ms.
    assert found == [0, 633_333_333, 950_000_000]
    assert varying.next_ns == 1_200_000_000


def test_the_fraction_that_has_accrued_outlives_a_pause() -> None:
    varying = VaryingSchedule("constant", 1, ALONE)
    assert varying.next_ns is None
    varying.set_rate(1000, 1)
    assert varying.next_ns == 1000
    varying.advance()
    varying.set_rate(1000 + NS_PER_S // 4, 0)
    assert varying.next_ns is None
    with pytest.raises(RuntimeError, match="the rate is 0"):
        varying.advance()
    varying.set_rate(1000 + DAY_NS, 3)
    assert varying.next_ns == 1000 + DAY_NS + NS_PER_S // 4  # three quarters of an arrival left, at 3 per second


def test_overdue_arrivals_keep_the_times_at_which_they_were_due() -> None:
    varying = VaryingSchedule("constant", 1, ALONE)
    varying.set_rate(0, 10)
    # The sender was held up for a second; meanwhile all users but one have gone.
    varying.set_rate(NS_PER_S, 1)
    due = []
    for _ in range(12):
        due.append(varying.next_ns)
        varying.advance()
    assert due == [*range(0, NS_PER_S, NS_PER_S // 10), NS_PER_S, 2 * NS_PER_S]


def test_workers_take_turns_in_a_constant_schedule() -> None:
    workers = 4
    due: Counter[int] = Counter()
    for index in range(workers):
        varying = VaryingSchedule("constant", 1, Share(index, workers))
        varying.set_rate(0, 25)  # each its own: 100 per second of all
        due.update(taken(varying, NS_PER_S))
    assert sorted(due.elements()) == list(range(0, NS_PER_S, NS_PER_S // 100))


@pytest.mark.parametrize("rate_per_s", [1000.0, 333.3])
def test_a_million_steps_do_not_drift(rate_per_s: float) -> None:
    varying = VaryingSchedule("constant", 1, Share(1, 3))
    varying.set_rate(500, rate_per_s)
    for _ in range(10**6):
        varying.advance()
    exact_ns = 500 + (10**6 + Fraction(1, 3)) * NS_PER_S / Fraction(str(rate_per_s))
    assert varying.next_ns is not None
    assert abs(varying.next_ns - exact_ns) <= 1


def test_poisson_arrivals_of_users_that_come_and_go() -> None:
    varying = VaryingSchedule("poisson", 5, Share(1, 2))
    found: list[int] = []
    expected = 0.0
    boundaries = []
    for change in range(2000):
        now_ns = change * 10_000_000
        found += taken(varying, now_ns)
        users = 1 + change % 40
        varying.set_rate(now_ns, users * 25.0)
        boundaries.append(expected)
        expected += users * 25.0 / 100
    assert abs(len(found) - expected) < NORMAL_001 * math.sqrt(expected)
    starts_ns = np.arange(2000) * 10_000_000
    rescaled = np.interp(found, starts_ns, boundaries)
    assert_exponential(np.diff(rescaled), 1)


def test_workers_of_equal_seeds_draw_different_arrivals() -> None:
    first, second = (VaryingSchedule("poisson", 5, Share(index, 2)) for index in range(2))
    first.set_rate(0, 100)
    second.set_rate(0, 100)
    assert not set(taken(first, NS_PER_S)) & set(taken(second, NS_PER_S))


@pytest.mark.parametrize("rate_per_s", [-1, math.nan, math.inf, 1e-300])
def test_impossible_rates_change_nothing(rate_per_s: float) -> None:
    varying = VaryingSchedule("constant", 1, ALONE)
    varying.set_rate(0, 4)
    varying.advance()
    with pytest.raises(RateError, match="per second: expected 0, or"):
        varying.set_rate(100, rate_per_s)
    with pytest.raises(ValueError, match="-1 ns, before the last one at 0 ns"):
        varying.set_rate(-1, 4)
    assert varying.next_ns == NS_PER_S // 4
