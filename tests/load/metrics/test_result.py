"""The result of a run is made of plain values: what its processes reported, and what is known of the run."""

import datetime as dt
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from bench.load.metrics.asked_users import AskedUsers
from bench.load.metrics.merge import Merger
from bench.load.metrics.recorder import Recorder
from bench.load.metrics.report import Report
from bench.load.metrics.result import AskedLoad, RunFacts, UserClass, make_result, scenario_of
from bench.load.metrics.tally import Tally
from bench.load.metrics.troubles import Troubles
from bench.results.header import CommitInfo, MachineInfo
from bench.results.load import CONNECT, LoadResult, Server
from bench.timing.arrivals import arrivals
from bench.timing.rates import RateProfile

S = 1_000_000_000
MS = 1_000_000
STARTED_NS = 100 * S


def a_report(is_open: bool = False) -> Report:
    """Return two seconds of a process: an echo each tenth of a second, which takes 1 ms, and a connection before."""
    tally = Tally(STARTED_NS, is_open)
    tally.open_window(STARTED_NS)
    connect, echo = Recorder(CONNECT, kind=CONNECT), Recorder("echo")
    connect.succeeded(STARTED_NS, STARTED_NS + 2 * MS)
    for sent_ns in range(STARTED_NS, STARTED_NS + 2 * S, S // 10):
        if is_open:
            echo.answered(sent_ns, sent_ns, sent_ns + MS)
        else:
            echo.succeeded(sent_ns, sent_ns + MS)
    for recorder in (connect, echo):
        batch = recorder.flush()
        assert batch is not None
        tally.add(batch)
    tally.note_users(STARTED_NS, 1)
    tally.close_window(STARTED_NS + 2 * S)
    return tally.report(unfinished=Counter(), late=Counter(), final=True, began=1)


def some_users(*steps: tuple[float, int]) -> AskedUsers:
    asked = AskedUsers(["EchoUser"])
    for t_s, users in steps or ((0.0, 1),):
        asked.note(t_s, users, {"EchoUser": users})
    return asked


def some_facts(load: AskedLoad, **changes: Any) -> RunFacts:
    given: dict[str, Any] = {
        "started_at": dt.datetime(2024, 5, 6, 7, 8, 9, tzinfo=dt.UTC),
        "started_ns": STARTED_NS,
        "stopped_ns": STARTED_NS + 2 * S,
        "load_started_ns": STARTED_NS,
        "warmup_s": 0.5,
        "commit": CommitInfo(id="abc"),
        "packages": {"uvicorn": "1"},
    }
    return RunFacts(load=load, **{**given, **changes})


def made(load: AskedLoad, troubles: Troubles | None = None, merger: Merger | None = None, **more: Any) -> LoadResult:
    if merger is None:
        merger = Merger()
        merger.receive("local", a_report(load.is_open))
    service = more.pop("service", None)
    machine: Callable[[], MachineInfo] = more.pop("machine", MachineInfo)
    return make_result(some_facts(load, **more), merger, troubles or Troubles(), service, machine)


CLOSED = AskedLoad(classes=[UserClass("EchoUser")], users=some_users(), url="http://127.0.0.1:1")


def test_a_closed_load() -> None:
    result = made(CLOSED)
    assert [operation.name for operation in result.operations] == [CONNECT, "echo"]
    assert result.operations[1].ok == 20
    assert (result.window.start_s, result.window.end_s, result.window.warmup_s) == (0, 2, 0.5)
    assert result.scenario.model == "closed"
    assert (result.partial, result.partial_reason, result.stages, result.server) == (False, None, (), None)
    assert result.commit_info.id == "abc"


def test_what_is_lacking_makes_a_result_partial() -> None:
    troubles = Troubles()
    troubles.add("a step", OSError("it failed"))
    result = made(CLOSED, troubles, lacks=["only 1 of 2 users ever began"])
    assert result.partial
    assert result.partial_reason == "only 1 of 2 users ever began; a step: OSError: it failed"


def test_a_part_that_cannot_be_made_is_left_out() -> None:
    def no_machine() -> MachineInfo:
        raise OSError("no files left")

    result = made(CLOSED, machine=no_machine)
    assert result.partial_reason == "the machine: OSError: no files left"
    assert result.operations[1].ok == 20


@pytest.mark.parametrize(
    ("method", "step"), [("window", "the window"), ("timeline", "the timeline"), ("generator", "the generator")]
)
def test_counts_stay_whatever_cannot_be_made_of_them(monkeypatch: pytest.MonkeyPatch, method: str, step: str) -> None:
    def fail(*_: object) -> None:
        raise ArithmeticError("damaged")

    monkeypatch.setattr(Merger, method, fail)
    result = made(CLOSED)
    assert result.partial_reason == f"{step}: ArithmeticError: damaged"
    assert result.operations[1].ok == 20


def test_times_that_are_damaged_leave_the_counts() -> None:
    merger = Merger()
    report = a_report()
    rows = [row.model_copy(update={"service": None}) for row in report.operations]
    merger.receive("local", report.model_copy(update={"operations": rows}))
    result = made(CLOSED, merger=merger)
    assert "the times of the operations" in (result.partial_reason or "")
    assert (result.operations[1].ok, result.operations[1].service_us) == (20, None)


class FakeService:
    """A service that takes half of a core."""

    def shares(self, started_ns: int) -> dict[int, float]:
        assert started_ns == STARTED_NS
        return {0: 0.5, 1: 0.5}

    def described(self, window_start_ns: int, window_end_ns: int, round_trips: int) -> Server:
        assert (window_start_ns, window_end_ns) == (STARTED_NS, STARTED_NS + 2 * S)
        return Server(app="its.main:app", cpu_us_per_round_trip=1e6 / round_trips)


def test_a_service_of_our_own() -> None:
    result = made(CLOSED, service=FakeService())
    assert result.server is not None
    assert (result.server.app, result.server.cpu_us_per_round_trip) == ("its.main:app", 50_000)
    assert [second.server_cpu_share for second in result.timeline] == [0.5, 0.5]


# ---------------------------------------------------------------------------------------------- the scenario


def test_stages_are_of_the_schedule() -> None:
    profile = RateProfile.parse("10:1s,10:1s")
    load = AskedLoad([UserClass("EchoUser")], some_users(), is_open=True, profile=profile, seed="s")
    result = made(load)
    assert [(stage.start_s, stage.throughput_per_s) for stage in result.stages] == [(0, 10), (1, 10)]
    assert made(load, load_started_ns=None).stages == (), "the schedule never started"


def test_the_scenario_of_a_rate() -> None:
    classes = [
        UserClass("EchoUser", pipelined=True, most_at_once=7, transports=("polling", "websocket")),
        UserClass("SlowUser", max_wait_s=3.0, host="http://b"),
        UserClass("CalmUser", max_wait_s=5.0),
    ]
    profile = RateProfile.parse("10:1s,30:1s")
    scenario = scenario_of(
        AskedLoad(classes, some_users((0, 1), (1, 3)), True, profile, "constant", "seed", duration_s=2.0, app="a:b")
    )
    assert scenario.user_classes == ("CalmUser", "EchoUser", "SlowUser")
    assert (scenario.model, scenario.rate, scenario.rate_per_s) == ("open", str(profile), 20)
    assert (scenario.arrivals, scenario.seed) == ("constant", "seed")
    assert (scenario.pipelined, scenario.max_in_flight, scenario.max_wait_s) == (("EchoUser",), 7, 5.0)
    assert (scenario.transport, scenario.url, scenario.app) == ("polling+websocket, websocket", "http://b", "a:b")
    assert (scenario.users, [step.users for step in scenario.user_steps]) == (3, [1, 3])


def test_a_rate_without_an_end_is_its_last() -> None:
    load = AskedLoad([UserClass("EchoUser")], some_users(), is_open=True, profile=RateProfile.parse("40"))
    assert scenario_of(load).rate_per_s == 40


def test_arrivals_of_the_users_own_add_up() -> None:
    classes = [UserClass("EchoUser", arrivals=arrivals(5)), UserClass("OtherUser", arrivals=arrivals(2))]
    load = AskedLoad(classes, some_users(), is_open=True, counts=lambda: {"EchoUser": 3, "OtherUser": 4})
    scenario = scenario_of(load)
    assert (scenario.rate, scenario.rate_per_s, scenario.arrivals) == (None, 23, "poisson")
    assert (scenario.pipelined, scenario.max_in_flight) == ((), None)
