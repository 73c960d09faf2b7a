"""Options become values, or one line that says what is wrong with them."""

from argparse import Namespace
from typing import Any, TypeVar

import pytest
from locust import TaskSet, argument_parser, constant
from locust import task as locusts_task
from locust.argument_parser import get_empty_argument_parser, setup_parser_arguments

from bench.load.engine.pacing import WHOLE, OpenLoad
from bench.load.plugin import locust_guard
from bench.load.plugin.options import (
    MisuseError,
    add_options,
    breakdown_of,
    check_limits,
    check_run_time,
    is_open,
    labels_and_note_of,
    max_in_flight_of,
    max_wait_s_of,
    open_load_of,
    profile_of,
    shape_of,
    slowest_of,
    trace_field_of,
    warmup_s_of,
)
from bench.load.plugin.run_settings import RunSettings
from bench.load.plugin.user import SocketIOUser
from bench.misplaced_options import misplaced, misplaced_options
from bench.timing.arrivals import arrivals
from bench.timing.rates import RateProfile, Share

_task: Any = locusts_task  # whose types know no coroutines
T = TypeVar("T")


def task(function: T) -> T:
    decorated: T = _task(function)
    return decorated


class EchoUser(SocketIOUser):
    pipelined = True

    @task
    async def echo(self) -> None:
        pass


class CalmUser(SocketIOUser):
    wait_time = constant(1)

    @task
    async def echo(self) -> None:
        pass


class PacedUser(SocketIOUser):
    wait_time = arrivals(5)

    @task
    async def echo(self) -> None:
        pass


class SetUser(SocketIOUser):
    @task
    class Steps(TaskSet):
        @task
        def step(self) -> None:
            pass


def given(**options: Any) -> Namespace:
    return Namespace(**options)


@pytest.mark.parametrize("options", [given(), given(rate=""), given(rate="  "), given(rate=None)])
def test_no_rate(options: Namespace) -> None:
    assert profile_of(options) is None


def test_a_rate() -> None:
    assert profile_of(given(rate=" 100..500:30s ")) == RateProfile.parse("100..500:30s")
    with pytest.raises(MisuseError, match="fast"):
        profile_of(given(rate="fast"))


def test_a_shape() -> None:
    assert (shape_of(given()), shape_of(given(arrivals="constant"))) == ("poisson", "constant")
    with pytest.raises(MisuseError, match="--arrivals is poisson or constant, not 'bursts'"):
        shape_of(given(arrivals="bursts"))


@pytest.mark.parametrize(
    ("text", "seconds"), [("0s", 0), ("5", 5), ("0.5s", 0.5), ("1m30s", 90), (" 2s ", 2), ("", 0), (None, 0)]
)
def test_a_warmup(text: str | None, seconds: float) -> None:
    assert warmup_s_of(given(warmup=text)) == seconds


@pytest.mark.parametrize(
    ("text", "message"),
    [("soon", "--warmup 'soon' is no time"), ("9" * 12, "is too long"), ("9" * 400 + "h", "is too long")],
)
def test_a_warmup_that_cannot_be(text: str, message: str) -> None:
    with pytest.raises(MisuseError, match=message):
        warmup_s_of(given(warmup=text))


def test_limits() -> None:
    assert (max_in_flight_of(given()), max_wait_s_of(given())) == (None, None)
    assert (max_in_flight_of(given(max_in_flight=" 7 ")), max_wait_s_of(given(max_wait="0s"))) == (7, 0)
    for number in ("0", "-1", "few", "1.5"):
        with pytest.raises(MisuseError, match="expected a whole number from 1 on"):
            max_in_flight_of(given(max_in_flight=number))
    with pytest.raises(MisuseError, match="more than a day"):
        max_wait_s_of(given(max_wait="25h"))


def test_a_limit_has_to_apply_to_somebody() -> None:
    check_limits(given(max_in_flight="3", max_wait="3s"), [EchoUser, CalmUser])
    with pytest.raises(MisuseError, match="--max-in-flight 3: no user class here is pipelined"):
        check_limits(given(max_in_flight="3"), [CalmUser])
    with pytest.raises(MisuseError, match="--max-wait 3s: every user class here is pipelined"):
        check_limits(given(max_wait="3s"), [EchoUser])


def test_a_wait_time_has_to_be_callable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CalmUser, "wait_time", 2)
    with pytest.raises(MisuseError, match=r"CalmUser.wait_time is 2, .* `wait_time = constant\(2\)`"):
        check_limits(given(), [CalmUser])


def test_a_longest_wait_is_within_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CalmUser, "longest_wait", -1.0)
    with pytest.raises(MisuseError, match="longest_wait is -1 s"):
        check_limits(given(), [CalmUser])


@pytest.mark.parametrize("text", ["", "20s", "1h", "nonsense"])
def test_a_run_time_that_we_leave_to_locust(text: str) -> None:
    check_run_time(text)


@pytest.mark.parametrize(
    ("text", "message"), [("0s", "is no time"), ("99999999h", "too long"), ("9" * 400, "too long")]
)
def test_a_run_time_that_cannot_be(text: str, message: str) -> None:
    with pytest.raises(MisuseError, match=message):
        check_run_time(text)


def test_whose_clock() -> None:
    share = Share(0, 1)
    found = [
        RunSettings.of(options, [EchoUser], 7, share, share).process_clock
        for options in (given(), given(process_clock=False), given(process_clock=True))
    ]
    assert found == [False, False, True]


def test_a_breakdown() -> None:
    assert (breakdown_of(given()), breakdown_of(given(breakdown=True))) == (False, True)


def test_a_closed_load_waits_for_replies() -> None:
    assert not is_open(given(), [EchoUser, CalmUser, SetUser])


def test_an_open_load() -> None:
    assert is_open(given(rate="5"), [EchoUser, CalmUser, PacedUser])
    assert is_open(given(), [PacedUser])


def test_a_load_is_not_half_open() -> None:
    with pytest.raises(MisuseError, match="PacedUser has arrivals, EchoUser waits for its replies"):
        is_open(given(), [EchoUser, PacedUser])


def test_task_sets_have_no_place_in_an_open_load() -> None:
    with pytest.raises(MisuseError, match="SetUser has the task set Steps"):
        is_open(given(rate="5"), [EchoUser, SetUser])


def test_all_of_them_together() -> None:
    options = given(
        rate="5", arrivals="constant", seed="s", max_in_flight="3", max_wait="2s", warmup="1s", breakdown=True
    )
    share = Share(1, 2)
    load = OpenLoad(RateProfile.parse("5"), "constant", "s", share, 3, 2.0)
    assert open_load_of(options, share) == load
    assert RunSettings.of(options, [EchoUser], 7, share, share) == RunSettings(7, load, 1.0, True, True, False, share)
    assert open_load_of(given(), WHOLE) == OpenLoad()


def test_an_option_of_another_command_names_what_to_use(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refused(Exception):
        pass

    def error(text: str) -> None:
        raise Refused(text)

    parser = get_empty_argument_parser(add_help=False)
    setup_parser_arguments(parser)
    add_options(parser)
    monkeypatch.setattr(parser, "error", error)
    for option in misplaced_options("locust"):
        for arguments in ([option], [option, "5"], [f"{option}=5"]):
            with pytest.raises(Refused) as refused:
                parser.parse_args(["--headless", *arguments])
            assert str(refused.value) == misplaced("locust", option)
    assert "use --host" in str(misplaced("locust", "--url"))


def test_a_worker_does_not_make_a_parser_for_each_option_of_each_message() -> None:
    locust_guard.install()
    assert argument_parser.default_args_dict() is argument_parser.default_args_dict()


def test_the_slowest_and_their_traces() -> None:
    assert slowest_of(given()) == 0
    assert (trace_field_of(given()), trace_field_of(given(trace_context=" at "))) == (None, "at")
    assert slowest_of(given(trace_context="at")) == 10
    assert slowest_of(given(trace_context="at", slowest="0")) == 0
    assert slowest_of(given(slowest="25")) == 25
    for text in ("x", "-1", "101", "1.5"):
        with pytest.raises(MisuseError, match=f"--slowest {text!r}: expected a whole number, at most 100"):
            slowest_of(given(slowest=text))
    settings = RunSettings.of(given(trace_context="at", slowest="3"), [EchoUser], 7, WHOLE, WHOLE)
    assert (settings.slowest, settings.trace_field) == (3, "at")


def test_labels_are_one_text_however_they_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    parser = get_empty_argument_parser(add_help=False)
    setup_parser_arguments(parser)
    add_options(parser)
    options = parser.parse_args(["--label", "a=1", "--label", "b=2", "--note", "first"])
    assert options.label == "a=1; b=2"  # Locust's form makes of a value what its type makes of the form's text
    assert labels_and_note_of(options) == ({"a": "1", "b": "2"}, "first")
    monkeypatch.setenv("BENCH_LABEL", "a=1; b=2")
    assert labels_and_note_of(parser.parse_args([])) == ({"a": "1", "b": "2"}, None)
    assert labels_and_note_of(Namespace(label="c=3", note="")) == ({"c": "3"}, None)
    with pytest.raises(MisuseError, match="--label 'a': expected NAME=VALUE"):
        labels_and_note_of(Namespace(label="a", note=None))
