"""Open load: what the schedule wanted is what was sent and what was dropped, whatever becomes of the server.

The schedule is drawn again from what the result says of it, and the servers say what they did.
"""

import os
import random
import signal
import statistics
import time
from contextlib import ExitStack
from itertools import pairwise, takewhile
from pathlib import Path

import httpx
import numpy as np
import pytest

from bench.results.load import LoadResult, Operation
from bench.server import ServerProcess
from bench.targets.faults import Faults, Stall
from bench.targets.process import FaultyProcess
from bench.timing.arrivals import schedule
from bench.timing.histogram import Histogram
from bench.timing.rates import RateProfile, Share
from tests.support.folders import APPS, LOCUSTFILES
from tests.support.locust_process import (
    CONNECT,
    LIMIT_S,
    LocustProcess,
    answered,
    json_lines,
    operation,
    run,
    wait_until,
)
from tests.support.ports import free_port

OPEN = LOCUSTFILES / "open.py"
ECHO = "FOO→BAR to sender"
MS = 1_000_000


def wanted(result: LoadResult, processes: int = 1) -> int:
    """Return the number of arrivals in the schedule, drawn again, from its start to the end of the sending."""
    scenario, window = result.scenario, result.window
    assert scenario.rate is not None
    assert scenario.arrivals is not None
    assert scenario.seed is not None
    go_s = window.start_s - window.warmup_s
    until_ns = round((window.end_s - go_s) * 1e9)
    profile = RateProfile.parse(scenario.rate)
    return sum(
        sum(1 for _ in takewhile(lambda due_ns: due_ns <= until_ns, schedule(profile, scenario.arrivals, share, seed)))
        for seed in (scenario.seed,)
        for share in (Share(index, processes) for index in range(processes))
    )


def assert_accounted(result: LoadResult, row: Operation) -> None:
    """Check what the model cannot check by itself: the seconds say the same as the whole."""
    assert row.scheduled == row.ok + row.timeouts + row.error_count + row.unfinished + row.dropped
    assert sum(second.ok for second in result.timeline) == row.ok
    assert sum(second.sent for second in result.timeline) == row.sent - row.unfinished
    assert sum(second.failed for second in result.timeline) == row.timeouts + row.error_count
    assert sum(second.dropped for second in result.timeline) == row.dropped


# ---------------------------------------------------------------------------------------------- mixes of faults


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_a_mix_of_faults(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Open and closed, one process and two, each with faults drawn at random: the counts add up."""
    draw = random.Random(f"mix {seed}")
    is_open, processes = seed % 2 == 0, 1 + seed // 2 % 2
    fault = draw.choice(["faulty", "faulty", "killed", "dropping"])
    faults = Faults(
        lose=draw.choice([0, 3, 11]),
        delay_ns=draw.choice([0, 20, 450]) * MS,
        stall=draw.choice([None, Stall(300 * MS, 1000 * MS)]),
    )
    shape = draw.choice(["constant", "poisson"])
    limit = draw.choice([1, 5, 1000])
    print(f"open {is_open}, {processes} processes, {fault}, {faults}, {shape}, at most {limit}")  # noqa: T201
    monkeypatch.setenv("REPLY_TIMEOUT", "0.4")
    arguments = ["OpenUser", "-u", "6", "-r", "6"]
    if is_open:
        arguments += ["--rate", "100:1s,300:1s", "--arrivals", shape, "--max-in-flight", str(limit)]
    else:
        arguments += ["-t", "2s"]
    if processes > 1:
        arguments += ["--processes", "2"]
    with ExitStack() as stack:
        server: ServerProcess | FaultyProcess
        if fault == "dropping":
            server = stack.enter_context(ServerProcess("dropping:app", directory=APPS))
        else:
            server = stack.enter_context(FaultyProcess(faults))
        locust = stack.enter_context(LocustProcess(tmp_path, "--host", server.url, *arguments, locustfile=OPEN))
        if fault == "killed":
            assert isinstance(server, FaultyProcess)
            faulty = server
            wait_until(lambda: faulty.truth().foos > 30, "the load runs")
            server.__exit__(None, None, None)
        code = locust.wait()
        result = locust.result()
        row = operation(result)
        assert_accounted(result, row)
        assert (result.partial, result.forced, row.unfinished) == (False, False, 0)
        assert result.scenario.model == ("open" if is_open else "closed")
        assert code == (1 if row.failed or operation(result, CONNECT).error_count else 0)
        if is_open:
            assert row.scheduled == wanted(result, processes)
            assert sum(stage.dropped for stage in result.stages) == row.dropped
            assert sum(stage.failed for stage in result.stages) == row.timeouts + row.error_count
        else:
            assert (row.scheduled, row.dropped) == (row.sent, 0)
        if fault == "faulty":
            assert isinstance(server, FaultyProcess)
            truth = server.truth()
            assert truth.foos == row.sent
            assert row.timeouts >= truth.lost
            assert row.error_count == 0
        assert "Traceback" not in locust.output


# ---------------------------------------------------------------------------------------------- servers of known fault


def test_lost_replies_are_the_timeouts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLY_TIMEOUT", "1")
    with FaultyProcess(Faults(lose=20)) as server:
        code, locust = run(
            tmp_path, "OpenUser", "--host", server.url, "-u", "3", "-r", "3", "--rate", "200:2s",
            "--arrivals", "constant", locustfile=OPEN,
        )  # fmt: skip
        truth = server.truth()
    assert code == 1
    result = locust.result()
    row = operation(result)
    assert (row.scheduled, row.dropped, row.sent) == (400, 0, 400)
    assert (row.timeouts, row.ok, row.late) == (truth.lost, truth.replies, 0) == (20, 380, 0)
    for times in (row.service_us, row.response_us):
        assert times is not None
        # 5 % timed out: the 90th percentile is known, the 99th only to be beyond the timeout.
        assert times.p90 is not None
        assert (times.p99, times.max, times.censored_above_us) == (None, None, 1_000_000)
    (stage,) = result.stages
    assert (stage.failed, stage.p99_us) == (20, None), "they failed a second after the stage, and are the stage's"
    assert stage.p90_us is not None


def test_response_time_shows_a_stall(tmp_path: Path) -> None:
    stall = Stall(200 * MS, 1000 * MS)
    with FaultyProcess(Faults(stall=stall)) as server:
        code, locust = run(
            tmp_path, "OpenUser", "--host", server.url, "-u", "4", "-r", "4", "--rate", "500:3s",
            "--arrivals", "constant", locustfile=OPEN,
        )  # fmt: skip
    assert code == 0
    result = locust.result()
    row = operation(result)
    assert (row.scheduled, row.ok) == (1500, 1500)
    assert row.service_us is not None
    assert row.response_us is not None
    for percentile in ("p50", "p90", "p99", "p99_9", "max"):
        assert getattr(row.response_us, percentile) >= getattr(row.service_us, percentile)
    assert row.response_us.p99 is not None
    assert row.response_us.p99 > stall.length_ns / 2 / 1000, "in closed form 190 ms"
    assert row.response_us.mean is not None
    assert row.response_us.mean > 10_000, "in closed form 20 ms"
    assert "response time" in locust.output
    assert "service time" in locust.output
    assert "Locust's own tables are left out" in locust.output
    assert "Aggregated" not in locust.output
    assert "closed model" not in locust.output


@pytest.mark.slow
def test_beyond_the_limit_arrivals_are_dropped(tmp_path: Path) -> None:
    with FaultyProcess(Faults(delay_ns=500 * MS)) as server:
        code, locust = run(
            tmp_path, "OpenUser", "--host", server.url, "-u", "2", "-r", "2", "--rate", "100:2s",
            "--processes", "2", "--max-in-flight", "2", "--print-stats", locustfile=OPEN,
        )  # fmt: skip
        truth = server.truth()
    assert code == 1
    result = locust.result()
    row = operation(result)
    assert row.scheduled == wanted(result, processes=2)
    assert row.sent == row.ok == truth.foos
    assert 0 < row.sent <= 20, "two users, two each, each taken for half a second of two"
    assert row.dropped == row.scheduled - row.sent
    assert result.scenario.max_in_flight == 2
    assert row.response_us is not None
    assert row.response_us.p50 is None
    assert row.service_us is not None
    assert row.service_us.p50 is not None, "of what was sent, the service time is known"
    assert f"{row.dropped:,}" in locust.output
    assert row.dropped_because == {"every user has 2 tasks on their way": row.dropped}
    table, _, locusts = locust.output.partition("Error report")
    assert "dropped: every user has 2 tasks on their way" in table
    assert "dropped: every user has 2 tasks on their way" in locusts, "in Locust's own table"


@pytest.mark.slow
def test_a_dead_server_and_its_successor(tmp_path: Path) -> None:
    with ServerProcess() as first:
        with LocustProcess(
            tmp_path, "OpenUser", "--host", first.url, "-u", "5", "-r", "5", "--rate", "200", locustfile=OPEN
        ) as locust:
            wait_until(lambda: answered(first.url) > 50, "the load runs")
            os.kill(first.pid, signal.SIGKILL)
            wait_until(lambda: not first.is_running, "the service is dead")
            with ServerProcess(port=first.port) as second:
                wait_until(lambda: answered(second.url) > 50, "the load goes on")
                locust.interrupt()
                assert locust.wait() == 1
        result = locust.result()
        row = operation(result)
        assert_accounted(result, row)
        assert row.scheduled == wanted(result)
        assert row.dropped > 0, "while nobody had a connection"
        assert all(kind.startswith("connection lost: the server ") for kind in row.errors)
        assert row.ok > 100
        assert row.unfinished == row.timeouts == 0


# ---------------------------------------------------------------------------------------------- one task at a time


@pytest.mark.slow
def test_round_trips_that_belong_together_are_not_disturbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next arrival goes to a user that has left; were it not so, whoever left would wait for its work in vain."""
    monkeypatch.setenv("REPLY_TIMEOUT", "5")
    with ServerProcess("rooms:app", directory=APPS) as server:
        # The seconds without arrivals are for the tasks that are still under way at the end of the others: a busy
        # machine stands still for longer than a second.
        code, locust = run(tmp_path, "VisitingUser", "--host", server.url, "-u", "5", "-r", "5",
            "--rate", "100:2s,0:4s", locustfile=OPEN,
        )  # fmt: skip
    assert code == 0, locust.output
    result = locust.result()
    enter, work, leave = (
        operation(result, name) for name in ("enter acknowledged", "work→worked", "leave acknowledged")
    )
    assert enter.scheduled == wanted(result)
    assert enter.dropped == 0
    assert enter.ok == work.ok == leave.ok == enter.sent > 100
    scenario, generator = result.scenario, result.generator
    assert (scenario.pipelined, scenario.max_in_flight, scenario.max_wait_s) == ((), None, 5)
    assert generator.waited_for_user_share is not None


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_too_few_users(tmp_path: Path, processes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORK_S", "0.2")
    more = ["--processes", "2"] if processes > 1 else []
    with ServerProcess("rooms:app", directory=APPS) as server:
        code, locust = run(
            tmp_path, "VisitingUser", "--host", server.url, "-u", "2", "-r", "2", "--rate", "100:2s",
            "--arrivals", "constant", "--max-wait", "0.5s", "--print-stats", *more, locustfile=OPEN,
        )  # fmt: skip
    assert code == 1
    result = locust.result()
    row = operation(result, "enter acknowledged")
    assert row.scheduled == 200
    assert row.sent == row.ok <= 28, "two users, each taken for a fifth of a second"
    assert row.dropped_because == {"no user was free within 0.5 s": row.dropped}, "the last ones have their time, too"
    assert row.response_us is not None
    assert row.response_us.p50 is None, "most of them were never sent"
    assert result.scenario.max_wait_s == 0.5
    generator = result.generator
    for trust in (generator, *generator.per_process):
        assert trust.waited_for_user_share is not None
        assert trust.waited_for_user_share > 0.9
        assert trust.waited_for_user_us is not None
        assert trust.waited_for_user_us.p99 > 400_000
        assert trust.send_lateness_us is not None
        assert trust.send_lateness_us.p99 < 400_000, "the wait for a user is no lateness"
    assert "too few users: " in locust.output
    table, _, locusts = locust.output.partition("Error report")
    assert "enter acknowledged: dropped: no user was free within 0.5 s" in table
    assert "dropped: no user was free within 0.5 s" in locusts


@pytest.mark.slow
def test_a_stop_does_not_wait_for_what_waits(tmp_path: Path) -> None:
    """The users are taken for longer than the run lasts, and arrivals may wait for an hour."""
    with FaultyProcess(Faults(delay_ns=100_000 * MS)) as server:
        with LocustProcess(
            tmp_path, "SingleUser", "--host", server.url, "-u", "2", "-r", "2", "--rate", "100:1s",
            "--arrivals", "constant", "--max-wait", "1h", locustfile=OPEN,
        ) as locust:  # fmt: skip
            locust.wait_for_output("Stopping: replies in flight")
            locust.interrupt()
            assert locust.wait() == 1
        assert server.truth().foos == 2
    row = operation(locust.result())
    assert (row.scheduled, row.sent, row.unfinished) == (100, 2, 2)
    assert row.dropped_because == {"the run ended while it waited for a user": 98}


# ---------------------------------------------------------------------------------------------- what is dropped early


@pytest.mark.slow
def test_a_service_that_is_away_at_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrivals dropped before the task's operation was known are in the operation's row, and in its percentiles."""
    requests = tmp_path / "requests"
    requests.mkdir()
    monkeypatch.setenv("REQUESTS_FOLDER", str(requests))

    def heard(text: str) -> int:
        return sum(path.read_text().count(text) for path in requests.glob("*.jsonl"))

    port = free_port()
    with LocustProcess(
        tmp_path, "OpenUser", "--host", f"http://127.0.0.1:{port}", "-u", "3", "-r", "3", "--rate", "200",
        locustfile=OPEN,
    ) as locust:  # fmt: skip
        wait_until(lambda: heard('"foo_bar"') > 100, "arrivals are dropped, though no user has ever been connected")
        with ServerProcess(port=port) as server:
            wait_until(lambda: answered(server.url) > 50, "the load runs")
            locust.interrupt()
            assert locust.wait() == 1
    result = locust.result()
    row = operation(result)
    assert [each.name for each in result.operations] == [CONNECT, ECHO]
    assert_accounted(result, row)
    assert row.scheduled == wanted(result)
    assert row.dropped > 100
    assert sum(row.dropped_because.values()) == row.dropped
    # Between its connection and its first task there is a moment.
    assert {"no user was connected"} <= row.dropped_because.keys()
    assert row.dropped_because.keys() <= {"no user was connected", "no user had ended its on_start"}
    assert row.response_us is not None
    assert (row.response_us.p99, row.response_us.max) == (None, None)
    assert "foo_bar" not in locust.output, "nor in Locust's own tables"


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_what_another_knows_is_known(tmp_path: Path, shared: ServerProcess, processes: int) -> None:
    """There are two users; in the second of two workers no task ever comes to its round trip."""
    more = ["--processes", "2"] if processes > 1 else []
    code, locust = run(
        tmp_path, "LearningUser", "--host", shared.url, "-u", "2", "-r", "2", "--rate", "60:1s", "--arrivals",
        "constant", *more, locustfile=OPEN,
    )  # fmt: skip
    assert code == 1
    result = locust.result()
    row = operation(result)
    assert [each.name for each in result.operations] == [CONNECT, ECHO]
    assert_accounted(result, row)
    dropped = 10 if processes == 1 else 35
    assert (row.scheduled, row.ok) == (60, 60 - dropped)
    assert row.dropped_because == {"its task raised ZeroDivisionError before it was sent": dropped}
    assert row.response_us is not None
    assert (row.response_us.p50 is None) == (dropped > 30)
    _, _, locusts = locust.output.partition("Type     Name")
    assert "foo_bar" not in "".join(line for line in locusts.splitlines() if "SIO" in line)


# ---------------------------------------------------------------------------------------------- workers


@pytest.mark.slow
def test_two_workers_share_one_schedule_and_their_figures_merge(
    tmp_path: Path, shared: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = tmp_path / "requests"
    requests.mkdir()
    monkeypatch.setenv("REQUESTS_FOLDER", str(requests))
    code, locust = run(
        tmp_path, "OpenUser", "--host", shared.url, "-u", "4", "-r", "4", "--rate", "300:2s", "--arrivals", "constant",
        "--processes", "2", locustfile=OPEN,
    )  # fmt: skip
    assert code == 0
    row = operation(locust.result())
    assert row.scheduled == row.ok == 600
    heard = [
        [entry for entry in json_lines(path.read_text()) if entry["name"] == ECHO]
        for path in sorted(requests.glob("*.jsonl"))
    ]
    assert [len(entries) for entries in heard] == [300, 300]
    # Where the load is open, a request begins when it was intended: every 1/300 s there is one, of either worker.
    began = sorted(entry["start_s"] for entries in heard for entry in entries)
    assert all(after - before == pytest.approx(1 / 300, abs=1 / 1000) for before, after in pairwise(began))
    union = Histogram()
    union.record(np.array([round(entry["response_ms"] * MS) for entries in heard for entry in entries]))
    assert row.response_us is not None
    assert row.response_histogram is not None
    assert Histogram.decode(row.response_histogram).count == 600
    for percent, figure in ((50, row.response_us.p50), (90, row.response_us.p90), (99, row.response_us.p99)):
        value_ns = union.percentile_ns(percent)
        assert value_ns is not None
        assert figure == pytest.approx(value_ns / 1000, rel=1e-9)
    assert union.max_ns is not None
    assert row.response_us.max == pytest.approx(union.max_ns / 1000)


@pytest.mark.slow
def test_a_worker_that_dies_leaves_what_it_had_reported(tmp_path: Path, shared: ServerProcess) -> None:
    with LocustProcess(
        tmp_path, "OpenUser", "--host", shared.url, "-u", "4", "-r", "4", "--rate", "200:4s", "--arrivals", "constant",
        "--processes", "2", locustfile=OPEN,
    ) as locust:  # fmt: skip
        before = answered(shared.url)
        wait_until(lambda: answered(shared.url) - before > 350, "the load has run for more than a report's interval")
        os.kill(locust.workers()[0], signal.SIGKILL)
        assert locust.wait() == 1
    result = locust.result()
    assert result.partial
    row = operation(result)
    assert row.ok <= answered(shared.url) - before
    assert row.ok > 400, "the other's whole share, and some of its own"
    assert result.generator.processes == 2


@pytest.mark.slow
def test_a_worker_that_quits_leaves_its_share_to_the_other(tmp_path: Path, shared: ServerProcess) -> None:
    with LocustProcess(
        tmp_path, "OpenUser", "--host", shared.url, "-u", "4", "-r", "4", "--rate", "200:6s", "--arrivals", "constant",
        "--processes", "2", locustfile=OPEN,
    ) as locust:  # fmt: skip
        before = answered(shared.url)
        wait_until(lambda: answered(shared.url) - before > 150, "the load runs")
        os.kill(locust.workers()[0], signal.SIGINT)
        assert locust.wait() == 0
    result = locust.result()
    row = operation(result)
    assert_accounted(result, row)
    assert not result.partial
    assert row.ok == row.sent == answered(shared.url) - before
    # What a busy machine sends late is in a later second, and is there all the same.
    last = sum(second.sent for second in result.timeline[round(result.window.start_s) + 4 :])
    assert last > 300, "in the last two seconds of the schedule the other has the whole rate, and not its half"
    assert row.scheduled <= 1200


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_the_rate_stays_when_the_number_of_users_changes(tmp_path: Path, shared: ServerProcess, processes: int) -> None:
    port = free_port()
    more = ["--processes", "2"] if processes > 1 else []
    with (
        LocustProcess(
            tmp_path, "OpenUser", "--web-host", "127.0.0.1", "--web-port", str(port), *more,
            locustfile=OPEN, headless=False,
        ) as locust,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=LIMIT_S) as page,
    ):  # fmt: skip
        form = {"spawn_rate": 10, "host": shared.url, "arrivals": "constant"}

        def swarm(users: int, rate: str = "200") -> None:
            before = answered(shared.url)
            assert page.post("/swarm", data={"user_count": users, "rate": rate, **form}).json()["success"]
            wait_until(lambda: page.get("/stats/requests").json()["user_count"] == users, f"there are {users} users")
            wait_until(lambda: answered(shared.url) - before > 200, "a second's worth is answered")

        wait_until(lambda: is_up(page), "the page is there")
        if processes > 1:
            wait_until(lambda: page.get("/stats/requests").json()["workers"].__len__() == 2, "both workers are there")
        for users in (4, 1):  # one user is one worker with users, and one without
            swarm(users)
        swarm(6, rate="300")  # a running test keeps its rate
        page.post("/stop").raise_for_status()
        wait_until(lambda: bool(locust.results()), "the result is written")
        locust.interrupt()
        assert locust.wait() == 0
    result = locust.result()
    row = operation(result)
    assert_accounted(result, row)
    assert row.ok == row.sent
    assert result.scenario.rate == "200"
    if processes == 1:
        assert row.scheduled == wanted(result)
    else:
        # At most a hand-over of shares is missed or doubled: it takes the time of a few messages.
        assert row.scheduled == pytest.approx(wanted(result), abs=200)
    assert "Traceback" not in locust.output


def is_up(page: httpx.Client) -> bool:
    try:
        return page.get("/").status_code == 200
    except httpx.TransportError:
        return False


# ---------------------------------------------------------------------------------------------- users' own arrivals


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_users_with_arrivals_of_their_own(
    tmp_path: Path, shared: ServerProcess, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = tmp_path / "requests"
    requests.mkdir()
    monkeypatch.setenv("REQUESTS_FOLDER", str(requests))
    monkeypatch.setenv("RATE", "10")
    monkeypatch.setenv("SHAPE", "constant")
    more = ["--processes", "2"] if processes > 1 else []
    code, locust = run(
        tmp_path, "PacedUser", "--host", shared.url, "-u", "10", "-r", "10", "-t", "2s", *more, locustfile=OPEN
    )
    assert code == 0
    result = locust.result()
    row = operation(result)
    assert_accounted(result, row)
    assert (result.scenario.model, result.scenario.rate, result.scenario.rate_per_s) == ("open", None, 100)
    assert result.scenario.arrivals == "constant"
    assert row.response_us is not None
    # The users of one process are staggered: once all are there, its arrivals are evenly spaced.
    for path in requests.glob("*.jsonl"):
        began = sorted(entry["start_s"] for entry in json_lines(path.read_text()) if entry["name"] == ECHO)
        gaps = [after - before for before, after in pairwise(began[-60 // processes :])]
        assert statistics.median(gaps) == pytest.approx(processes / 100, abs=1 / 1000)
        assert max(gaps) - min(gaps) < 1 / 1000


# ---------------------------------------------------------------------------------------------- tasks and the end


def notes(locust: LocustProcess) -> list[str]:
    return [note["what"] for note in json_lines(locust.output)]


def test_only_the_first_emission_of_a_task_is_scheduled(tmp_path: Path, shared: ServerProcess) -> None:
    code, locust = run(
        # The second without arrivals is for the tasks that are still under way at the end of the first.
        tmp_path, "GatheringUser", "--host", shared.url, "-u", "2", "-r", "2", "--rate", "50:1s,0:1s",
        "--arrivals", "constant", locustfile=OPEN,
    )  # fmt: skip
    assert code == 0
    result = locust.result()
    row = operation(result)
    assert (row.scheduled, row.ok, row.dropped) == (200, 200, 0), "fifty arrivals, four emissions each"
    assert_accounted(result, row)


def test_users_that_stop_in_a_task(tmp_path: Path, shared: ServerProcess) -> None:
    code, locust = run(
        tmp_path, "StoppingUser", "--host", shared.url, "-u", "3", "-r", "3", "--rate", "50:1s",
        "--arrivals", "constant", locustfile=OPEN,
    )  # fmt: skip
    assert code == 0
    row = operation(locust.result())
    assert notes(locust) == ["on_stop"] * 3
    assert row.ok == row.sent >= 15
    assert row.unfinished == 0


@pytest.mark.slow
def test_exceptions_in_tasks(tmp_path: Path, shared: ServerProcess) -> None:
    code, locust = run(
        # An arrival that waits for its user at the end of the first second goes to it in the next.
        tmp_path, "FailingUser", "--host", shared.url, "-u", "1", "-r", "1", "--rate", "35:1s,0:1s",
        "--arrivals", "constant", locustfile=OPEN,
    )  # fmt: skip
    assert code == 1
    result = locust.result()
    row = operation(result)
    assert_accounted(result, row)
    assert (row.scheduled, row.dropped, row.ok) == (35, 5, 30), "what failed before its round trip was not sent"
    assert "after the round trip" in locust.output


@pytest.mark.slow
def test_a_task_that_catches_what_was_not_sent(tmp_path: Path) -> None:
    """The task's arrival is dropped all the same."""
    with ServerProcess() as first:
        with LocustProcess(
            tmp_path, "StubbornUser", "--host", first.url, "-u", "2", "-r", "2", "--rate", "200", locustfile=OPEN
        ) as locust:
            wait_until(lambda: answered(first.url) > 50, "the load runs")
            os.kill(first.pid, signal.SIGKILL)
            time.sleep(1)  # arrivals go on
            locust.interrupt()
            assert locust.wait() == 1
        result = locust.result()
        row = operation(result)
        assert row.scheduled == wanted(result)
        assert row.dropped > 0
        assert_accounted(result, row)


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_ctrl_c_awaits_replies_and_a_second_one_does_not(tmp_path: Path, processes: int) -> None:
    more = ["--processes", "2"] if processes > 1 else []
    with (
        FaultyProcess(Faults(delay_ns=30_000 * MS)) as server,
        LocustProcess(
            tmp_path, "OpenUser", "--host", server.url, "-u", "4", "-r", "4", "--rate", "100", *more, locustfile=OPEN
        ) as locust,
    ):
        wait_until(lambda: server.truth().foos > 50, "the load runs")
        locust.interrupt()
        locust.wait_for_output("Stopping: replies in flight")
        wait_until(lambda: _is_quiet(server), "nothing more is sent")
        assert locust.results() == []
        locust.interrupt()
        assert locust.wait() == 1
        truth = server.truth()
    result = locust.result()
    row = operation(result)
    assert result.forced
    assert (row.sent, row.unfinished) == (truth.foos, truth.foos)
    if processes == 1:
        assert row.scheduled == wanted(result)
    assert f"{row.unfinished} replies were still awaited" in locust.output
    assert "Traceback" not in locust.output


def _is_quiet(server: FaultyProcess) -> bool:
    """Return true if the server receives nothing for a while."""
    before = server.truth().foos
    time.sleep(0.3)
    return server.truth().foos == before


def test_stop_timeout_lets_tasks_finish(tmp_path: Path, shared: ServerProcess) -> None:
    before = answered(shared.url)
    with LocustProcess(
        tmp_path, "SlowTaskUser", "--host", shared.url, "-u", "2", "-r", "2", "--rate", "40", "--stop-timeout", "10",
        locustfile=OPEN,
    ) as locust:  # fmt: skip
        wait_until(lambda: answered(shared.url) - before > 20, "the load runs")
        locust.interrupt()
        assert locust.wait() == 0
    result = locust.result()
    row = operation(result)
    assert row.scheduled == wanted(result) == row.ok
    assert len(notes(locust)) == row.ok, "each task came to its end"
    assert not result.forced


@pytest.mark.slow
def test_stages_have_a_row_each(tmp_path: Path, shared: ServerProcess) -> None:
    code, locust = run(
        tmp_path, "OpenUser", "--host", shared.url, "-u", "3", "-r", "3", "--rate", "50:1s,100..300:1s,20",
        "--arrivals", "constant", "--warmup", "1s", "-t", "5s", locustfile=OPEN,
    )  # fmt: skip
    assert code == 0
    result = locust.result()
    row = operation(result)
    assert row.scheduled == wanted(result)
    assert [stage.stage for stage in result.stages] == ["50:1s", "100..300:1s", "20"]
    assert [stage.offered_per_s for stage in result.stages] == pytest.approx([50, 200, 20])
    assert [stage.end_s - stage.start_s for stage in result.stages][:2] == [1, 1]
    assert result.window.warmup_s == 1
    assert row.response_histogram is not None
    assert Histogram.decode(row.response_histogram).count == row.ok - 50, "the first second is the warm-up"
    assert result.stages[-1].end_s <= result.window.end_s


def test_what_is_matched_in_order_is_refused(tmp_path: Path, shared: ServerProcess) -> None:
    code, locust = run(
        tmp_path, "InOrderUser", "--host", shared.url, "-u", "2", "-r", "2", "--rate", "50:1s", locustfile=OPEN
    )
    assert code == 1
    assert locust.output.count("is matched in order, one in flight") == 1
    assert "Traceback" not in locust.output
    assert all(row.sent == 0 for row in locust.result().operations if row.name != CONNECT)
