import pytest

from bench.objectives.parsing import ObjectiveError, parse_objective, parse_objectives


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p99 < 50 ms", (None, "p99", "<", 50_000, "µs")),
        ("p99<50ms", (None, "p99", "<", 50_000, "µs")),
        ("p99.9 <= 1.5s", (None, "p99.9", "<=", 1_500_000, "µs")),
        ("p99.90 ≤ 250 µs", (None, "p99.9", "<=", 250, "µs")),
        ("mean < 1m30s", (None, "mean", "<", 90_000_000, "µs")),
        ("max < 100 us", (None, "max", "<", 100, "µs")),
        ("say: errors < 0.1 %", ("say", "errors", "<", 0.001, "share")),
        ("errors < 0.1%", (None, "errors", "<", 0.001, "share")),
        ("timeouts <= 3", (None, "timeouts", "<=", 3, "count")),
        ("dropped <= 0", (None, "dropped", "<=", 0, "count")),
        ("throughput >= 400/s", (None, "throughput", ">=", 400, "per second")),
        ("throughput >= 99.5 / s", (None, "throughput", ">=", 99.5, "per second")),
        ("connects >= 99.9 %", (None, "connects", ">=", 0.999, "share")),
        ("connect: p99 < 1 s", ("connect", "p99", "<", 1_000_000, "µs")),
        # an operation's name may contain anything
        ("chat: say: p99 < 5 ms", ("chat: say", "p99", "<", 5_000, "µs")),
        ("FOO→BAR to sender: p50 < 5 ms", ("FOO→BAR to sender", "p50", "<", 5_000, "µs")),
        ("check out (transaction): p50 < 5 ms", ("check out (transaction)", "p50", "<", 5_000, "µs")),
        ("a < b: p50 < 5 ms", ("a < b", "p50", "<", 5_000, "µs")),
        ("  say :  p99   <  50   ms ", ("say", "p99", "<", 50_000, "µs")),
    ],
)
def test_forms_are_read(text: str, expected: tuple[object, ...]) -> None:
    found = parse_objective(text)

    assert (found.operation, found.metric, found.relation, found.limit, found.unit) == expected
    assert found.text == " ".join(text.split())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("p99", "expected METRIC < LIMIT"),
        ("p99 = 50 ms", "'=' is no relation"),
        ("p99 == 50 ms", "'=' is no relation: write <="),
        ("say: p99 =< 50 ms", "'=' is no relation: write <="),
        ("connects = 100 %", "'=' is no relation: write >="),
        ("p99 = 50", "the limit has no unit: expected a time such as 50 ms"),
        ("median < 50 ms", "there is no metric 'median': did you mean p50?"),
        ("p99 ± 5 %", "expected METRIC < LIMIT, as in 'p99 < 50 ms' or 'say: errors < 0.1 %' (how sure a figure"),
        ("< 50 ms", "it names no metric"),
        ("say: < 50 ms", "it names no metric"),
        ("p99 < 50", "the limit has no unit: expected a time such as 50 ms"),
        ("p99 < ", "'' is no time: expected one with its unit, as in 50 ms"),
        ("p99 < 50 %", "'50 %' is no time"),
        ("p99 < 50 ms more", "'50 ms more' is no time"),
        ("p99 < -5 ms", "'-5 ms' is no time"),
        ("p99 < 1e3 ms", "'1e3 ms' is no time"),
        ("p99 < " + "9" * 400 + " s", "too long"),
        ("p100 < 50 ms", "p100 is no percentile"),
        ("p0 < 50 ms", "p0 is no percentile"),
        ("p999 < 50 ms", "p999 is no percentile: did you mean p99.9?"),
        ("p200 < 50 ms", "p200 is no percentile: expected one between p0 and p100"),
        ("medain < 50 ms", "there is no metric 'medain': did you mean mean?"),
        ("eror < 1 %", "there is no metric 'eror': did you mean errors?"),
        ("latency < 50 ms", "expected a percentile such as p99"),
        ("p99_9 < 50 ms", "did you mean p99.9?"),
        ("delivered >= 99.99 %", "no operation of this version has any"),
        ("shout: delivered >= 99.99 %", "no operation of this version has any"),
        ("errors < 0.1", "'0.1' is neither a share, as in 0.1 %, nor a whole number; 0.1 % is a share"),
        ("errors < 5 ms", "'5 ms' is neither a share"),
        ("connects >= 10/s", "'10/s' is neither a share"),
        ("say: connects >= 99 %", "connects counts the attempts of all users: leave 'say' out"),
        ("throughput >= 400", "'400' is no rate: expected a number per second, as in 400/s"),
        ("errors < 0 %", "no run could meet it: write <= 0 %"),
        ("errors < 0", "no run could meet it: write <= 0"),
        ("connects > 100 %", "no run could meet it: write >= 100 %"),
        ("p99 < 0 ms", "no run could meet it"),
        ("errors <= 100 %", "every run would meet it"),
        ("throughput >= 0/s", "every run would meet it"),
        ("", "expected METRIC < LIMIT"),
        ("p99 < 50 ms\x1b[31m", "is no time"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(text: str, reason: str) -> None:
    with pytest.raises(ObjectiveError) as refused:
        parse_objective(text)

    assert reason in str(refused.value)
    assert str(refused.value).startswith("objective ")
    assert "\n" not in str(refused.value)
    assert "\x1b" not in str(refused.value)


def test_one_text_has_several_objectives_and_each_counts_once() -> None:
    found = parse_objectives(["p99 < 50 ms; errors < 0.1 %;", "p99  <  50 ms", " ; "])

    assert [objective.text for objective in found] == ["p99 < 50 ms", "errors < 0.1 %"]


def test_a_single_text_is_no_list_of_characters() -> None:
    assert len(parse_objectives("p50 < 1 ms; p99 < 50 ms")) == 2


def test_percent_is_that_of_a_percentile_alone() -> None:
    assert parse_objective("p99.99 < 1 s").percent == 99.99
    assert parse_objective("mean < 1 s").percent is None
    assert parse_objective("errors < 1 %").percent is None
