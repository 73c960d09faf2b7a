"""`pytest bench` as a user runs it: each test is a real run in a process of its own, kept short."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.machine.conditions import Conditions
from bench.machine.idle import idle_reason
from bench.results import store
from bench.results.latency import LatencyResult
from bench.server import ServerProcess
from bench.targets import CONTROL_SHA256
from bench.timing.histogram import Histogram
from bench.wire.stamps import received_clock
from tests.support.folders import APPS, ROOT

ANSWERS = APPS / "answers.py"
LIMIT_S = 180
QUICK = ("--effort=quick", "--benchmark-max-time=0.05", "--benchmark-min-rounds=5", "-p", "no:cacheprovider")
INTERRUPTED = 2


GUARDED = {"DOOR_USERINFO": "gardener:hunter22/?@", "DOOR_KEY": "k3y-0815", "PYTHONPATH": str(ROOT)}


def at(moment: Callable[[], bool]) -> None:
    """Return once that is so; fail after a while."""
    give_up = time.monotonic() + LIMIT_S
    while not moment():
        assert time.monotonic() < give_up
        time.sleep(0.01)


@dataclass
class Bench:
    """A starter of `pytest bench` that stores below a folder and starts in another; its processes bear a mark."""

    folder: Path
    directory: Path = ROOT
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.environment = {**os.environ, "BENCH_TEST_RUN": uuid.uuid4().hex, **self.environment}
        # There, pytest's summary repeats whole messages.
        for name in ("CI", "BUILD_NUMBER"):
            self.environment.pop(name, None)

    def command(self, *arguments: str) -> list[str]:
        pytest_script = Path(sys.executable).with_name("pytest")
        return [str(pytest_script), str(ROOT / "bench"), *QUICK, f"--benchmark-storage={self.folder}", *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        finished = subprocess.run(
            self.command(*arguments),
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
        assert self.processes() == []
        for never in ("Task was destroyed", "never retrieved", "never awaited", "Unclosed", "ResourceWarning"):
            assert never not in finished.stdout + finished.stderr
        return finished

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def processes(self) -> list[psutil.Process]:
        """Return its living processes, servers included."""
        return [one for one in psutil.process_iter() if self._is_mine(one)]

    def _is_mine(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get("BENCH_TEST_RUN") == self.environment["BENCH_TEST_RUN"]
        except psutil.Error:
            return False

    def stored(self) -> list[Path]:
        return sorted(path for path in self.folder.rglob("*") if path.is_file())

    def result(self) -> dict[str, Any]:
        """Return the only result that was stored."""
        (path,) = self.stored()
        content: dict[str, Any] = json.loads(path.read_text())
        return content


def names(result: dict[str, Any]) -> list[str]:
    return [benchmark["name"] for benchmark in result["benchmarks"]]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "stored")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Yield the URL of somebody else's running service."""
    with ServerProcess("answers:app", directory=APPS, loop="asyncio") as server:
        yield server.url


@pytest.mark.slow
def test_the_service_beside_the_suite(bench: Bench, tmp_path: Path) -> None:
    other = tmp_path / "all.json"
    run = bench.run("-k", "event-websocket-process-uvloop", f"--benchmark-json={other}")
    assert run.returncode == 0, run.stdout
    result = bench.result()
    (benchmark,) = result["benchmarks"]
    assert benchmark["name"] == "foo_bar[event-websocket-process-uvloop]"
    assert benchmark["group"] == "websocket, server in its own process"
    assert benchmark["name"] in run.stdout
    assert benchmark["stats"]["iterations"] == 1
    assert benchmark["stats"]["rounds"] >= 5
    assert benchmark["options"]["timer"] == "virtual timer"
    told = benchmark["extra_info"]
    typed = bench.command("-k", "event-websocket-process-uvloop", f"--benchmark-json={other}")[1:]
    assert told["command"] == shlex.join(["pytest", *typed])
    assert (told["service"], told["event"], told["reply"], told["matched_by"]) == (
        "app.main:app",
        "FOO",
        "BAR",
        "token",
    )
    assert (told["client"], told["transport"], told["loop"]) == ("AsyncClient", "websocket", "uvloop")
    assert (told["http"], told["ws"], told["illustrative"]) == ("httptools", "websockets-sansio", False)
    assert told["packages"].keys() >= {"python", "python-socketio", "uvicorn", "uvloop"}
    assert {told["server_core"]}.isdisjoint(told["generator_cores"])
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result["commit_info"]["id"] == head.stdout.strip()
    assert bench.stored()[0].name.startswith(f"0001_{head.stdout.strip()}_")
    assert names(json.loads(other.read_text())) == names(result)

    compare = [str(Path(sys.executable).with_name("pytest-benchmark")), f"--storage={bench.folder}", "compare", "0001"]
    compared = subprocess.run(compare, capture_output=True, text=True, timeout=LIMIT_S, check=True)
    assert benchmark["name"] in compared.stdout
    assert isinstance(store.load(bench.stored()[0]), LatencyResult)


@pytest.mark.slow
def test_server_processes_beside_controls(bench: Bench) -> None:
    run = bench.run("-k", "event-websocket-fast-process-uvloop", "--server-processes=3", "--benchmark-save-data")
    assert run.returncode == 0, run.stdout
    (benchmark,) = bench.result()["benchmarks"]
    told, stats = benchmark["extra_info"], benchmark["stats"]

    processes = told["processes"]
    assert len(processes) == 3
    everyone = processes + [process["control"] for process in processes]
    assert len({process["hash_seed"] for process in everyone}) == 6
    assert len({process["environment_bytes"] for process in everyone}) > 1
    for process in everyone:
        assert 0 < process["median_us"] <= process["p99_us"]
        assert process["server_cpu_us_per_round_trip"] > 0
        assert process["warm_up_round_trips"] > 0
    assert sum(process["rounds"] for process in processes) == stats["rounds"] == len(stats["data"])
    assert {process["rounds"] for process in processes} == {stats["rounds"] // 3}
    for process in processes:
        assert process["pairs"]["same-stack"] >= 2 * process["pairs"]["bare"] - 2 > 0
        assert process["log_ratio"].keys() == {"same-stack", "bare"}
        assert all(isinstance(ratio, float) for ratio in process["log_ratio"].values())

    controls = told["controls"]
    assert controls["same-stack"]["rounds"] == stats["rounds"]
    assert controls["same-stack"]["processes"] == 3
    assert controls["same-stack"]["sha256"] == CONTROL_SHA256
    assert controls["bare"]["processes"] == 1
    assert controls["bare"]["median_us"] < controls["same-stack"]["median_us"]
    assert told["between_processes"]["median_cv"] > 0
    assert told["between_processes"]["log_ratio_sd"]["same-stack"] > 0
    assert told["unreplicated"] is None

    assert told["received_clock"] == received_clock()
    assert sum(told["receiving"][kind] for kind in ("exact", "bounded", "unstamped")) == stats["rounds"]

    histogram = Histogram.decode(told["histogram"])
    assert histogram.count == stats["rounds"]
    middle = sorted(stats["data"])[(histogram.count - 1) // 2]  # where there are two, pytest-benchmark's is between
    assert histogram.percentile_ns(50) == pytest.approx(middle * 1e9, rel=0.002)
    assert told["p99_us"] == pytest.approx((histogram.percentile_ns(99) or 0) / 1e3, rel=0.001)
    assert told["server_cpu_us_per_round_trip"] > 0
    assert told["warm_up"].keys() == {"round_trips", "steady"}

    (read,) = LatencyResult.model_validate(bench.result()).benchmarks
    assert [process.model_dump() for process in read.processes] == processes
    ratio = read.ratio_to("same-stack")
    assert ratio is not None
    times, shape, ratios = [line for line in run.stdout.splitlines() if line.strip().startswith("fast-process-uvloop ")]
    assert times.endswith("µs")
    assert "█" in shape
    assert f"{ratio:.3f}" in ratios
    assert "Name (time in" not in run.stdout


@pytest.mark.parametrize("option", ["--allow-idle-cores", "--no-awake"])
@pytest.mark.slow
def test_what_may_spoil_it_is_stored_and_shown(bench: Bench, option: str) -> None:
    run = bench.run("-k", "event-websocket-fast-process-uvloop", option, "--server-processes=1")
    assert run.returncode == 0, run.stdout
    assert "PytestCollectionWarning" not in run.stdout
    (benchmark,) = bench.result()["benchmarks"]
    told = benchmark["extra_info"]
    assert told["awake"] == {"cores": [], "asleep_because": f"{option} was given"}
    assert told["between_processes"]["median_cv"] is None
    conditions = Conditions.model_validate(told["conditions"])
    assert set(conditions.cores) == {told["server_core"], *told["generator_cores"]} - {None}
    assert conditions.garbage_collection.frozen > 0
    assert told["interference"].keys() >= {"steal_share", "load_share", "throttled_us"}
    spoilers = LatencyResult.model_validate(bench.result()).benchmarks[0].spoilers
    assert "cores halt" in {spoiler.kind for spoiler in spoilers}
    for spoiler in spoilers:
        assert run.stdout.count(f"may have spoilt it, {spoiler.kind}: {spoiler.text}\n") == 1


@pytest.mark.skipif(idle_reason(range(2)) is not None, reason="cores cannot be kept awake here")
@pytest.mark.slow
def test_cores_are_kept_awake(bench: Bench) -> None:
    run = bench.run("-k", "event-websocket-fast-process-uvloop", "--server-processes=1")
    assert run.returncode == 0, run.stdout
    (benchmark,) = bench.result()["benchmarks"]
    told = benchmark["extra_info"]
    assert set(told["awake"]["cores"]) == {told["server_core"], *told["generator_cores"]}
    assert told["awake"]["asleep_because"] is None
    assert "cores halt" not in run.stdout


@pytest.mark.slow
def test_no_replicates_of_a_server_in_the_loop_and_over_polling_no_bare_control(bench: Bench) -> None:
    run = bench.run("--all", "-k", "event-polling and uvloop")
    assert run.returncode == 0, run.stdout
    told = {benchmark["name"]: benchmark["extra_info"] for benchmark in bench.result()["benchmarks"]}
    here, there = told["foo_bar[event-polling-in-loop-uvloop]"], told["foo_bar[event-polling-process-uvloop]"]
    assert here["processes"] == []
    assert here["controls"] == {"same-stack": None, "bare": None}
    assert here["unreplicated"].startswith("the server shares the client's loop")
    assert Histogram.decode(here["histogram"]).count > 0
    assert there["controls"]["bare"] is None
    assert [process["log_ratio"]["bare"] for process in there["processes"]] == [None] * 2
    assert all(process["pairs"]["same-stack"] >= 2 and process["pairs"]["bare"] == 0 for process in there["processes"])


@pytest.mark.parametrize(
    "option",
    [
        "--benchmark-min-rounds=301",
        pytest.param("--benchmark-precision=0.9", marks=pytest.mark.slow),
        pytest.param("--benchmark-warmup=on", marks=pytest.mark.slow),
    ],
)
def test_pytest_benchmark_decides_how_long_and_processes_are_visited_alike(bench: Bench, option: str) -> None:
    few = ("--benchmark-max-time=0.02", "--benchmark-warmup-iterations=50", "--benchmark-save-data", option)
    run = bench.run("-k", "event-websocket-fast-process-uvloop", *few)
    assert run.returncode == 0, run.stdout
    (benchmark,) = bench.result()["benchmarks"]
    rounds = [process["rounds"] for process in benchmark["extra_info"]["processes"]]
    assert rounds[0] == rounds[1] > 0
    assert benchmark["stats"]["rounds"] == len(benchmark["stats"]["data"]) <= sum(rounds)
    assert Histogram.decode(benchmark["extra_info"]["histogram"]).count == benchmark["stats"]["rounds"]
    if "min-rounds" in option:
        assert benchmark["stats"]["rounds"] >= 301


@pytest.mark.slow
def test_a_server_that_dies_fails_its_benchmark_in_one_line(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "stored", directory=APPS, environment={"ANSWERS_MOMENT": "death"})
    run = bench.run(
        "--app", "answers:app", "--event", "ASK", "--payload", '{"id": 1}', "-k", "fast-process-uvloop",
        "--benchmark-min-rounds=300",  # it dies at the 100th, which has to come however slow the machine is
    )  # fmt: skip
    assert run.returncode == 1
    assert "Traceback" not in run.stdout
    (line,) = [line for line in run.stdout.splitlines() if line.startswith("ASK[acknowledged-websocket-fast-process")]
    assert "the server of answers:app ended with exit code 3" in line
    assert bench.stored() == []


@pytest.mark.slow
def test_the_same_on_all_stages_with_pytest_benchmarks_own_options(bench: Bench) -> None:
    own = ("--benchmark-save=mine", "--benchmark-columns=median,iterations", "--benchmark-max-time=0.001")
    run = bench.run(*own, "--all", "-k", "uvloop")
    assert run.returncode == 0, run.stdout
    assert [path.name for path in bench.stored()] == ["0001_mine.json"]
    stored = names(bench.result())
    assert len(stored) == len(set(stored)) == 10 + 4
    assert {name.partition("[")[0] for name in stored} == {"foo_bar", "empty_coroutine", "round_trip"}
    around = [benchmark for benchmark in bench.result()["benchmarks"] if "[around-" in benchmark["name"]]
    assert [benchmark["extra_info"]["bias_us"] > 0 for benchmark in around] == [True] * 2
    (heading, *_) = [line for line in run.stdout.splitlines() if line.startswith("Name (time in us)")]
    assert heading.split()[4:] == ["Median", "Iterations"]


@pytest.mark.parametrize("option", ["--benchmark-disable", "--benchmark-skip"])
def test_what_measures_nothing_stores_nothing(bench: Bench, option: str) -> None:
    run = bench.run("-k", "event-websocket-in-loop-uvloop", option)
    assert run.returncode == 0, run.stdout
    assert "warning" not in run.stdout.lower()
    assert bench.stored() == []


@pytest.mark.slow
def test_another_app_from_the_working_directory(tmp_path: Path) -> None:
    service = tmp_path / "service"
    service.mkdir()
    shutil.copy(ANSWERS, service / "inquiries.py")
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=b", "commit", "-qm", "c"]):
        subprocess.run(["git", *command], cwd=service, check=True)
    bench = Bench(tmp_path / "stored", directory=service)
    run = bench.run(
        *("--app", "inquiries:app", "--event", "ASK", "--reply", "ANSWER"),
        *("--payload", '{"id": "q {token}"}', "-k", "event-websocket and uvloop"),
    )
    assert run.returncode == 0, run.stdout
    assert names(bench.result()) == [
        "ASK-ANSWER[event-websocket-in-loop-uvloop]",
        "ASK-ANSWER[event-websocket-process-uvloop]",
        "ASK-ANSWER[event-websocket-fast-process-uvloop]",
    ]
    assert bench.result()["benchmarks"][0]["extra_info"]["service"] == "inquiries:app"
    assert bench.result()["commit_info"]["project"] == "service"
    assert not bench.result()["commit_info"]["dirty"]


@pytest.mark.slow
def test_a_running_server_acknowledging(bench: Bench, url: str) -> None:
    run = bench.run("--host", url, "--event", "ASK", "--payload", '{"id": 1}')
    assert run.returncode == 0, run.stdout
    assert names(bench.result()) == [
        f"ASK[acknowledged-{connection}-url-{loop}]"
        for loop in ("asyncio", "uvloop")
        for connection in ("websocket", "polling", "websocket-fast")
    ]
    clocks = [benchmark["extra_info"]["received_clock"] for benchmark in bench.result()["benchmarks"]]
    assert clocks == ["process", "process", received_clock()] * 2
    told = bench.result()["benchmarks"][0]["extra_info"]
    assert (told["service"], told["http"], told["server_core"], told["matched_by"]) == (
        *(url, None, None),
        "acknowledgement",
    )
    assert told["processes"] == []
    assert told["controls"] == {"same-stack": None, "bare": None}
    assert told["unreplicated"].startswith("the server is not ours")
    assert bench.result()["commit_info"]["id"] == "unknown"
    assert url in bench.result()["commit_info"]["error"]


def test_replies_without_a_token(bench: Bench, url: str) -> None:
    arguments = ("--url", url, "--event", "PLAIN", "--reply", "REPLY", "-k", "fast-url-uvloop", "--process-clock")
    run = bench.run(*arguments)
    assert run.returncode == 0, run.stdout
    told = bench.result()["benchmarks"][0]["extra_info"]
    assert (told["matched_by"], told["received_clock"]) == ("order", "process")
    assert told["receive_clock"]["process_because"] == "the process's clock was asked for"


def test_replies_that_others_cause_cannot_be_matched_in_order(bench: Bench, url: str) -> None:
    run = bench.run("--url", url, "--event", "TWICE", "--reply", "REPLY", "-k", "websocket-url-uvloop")
    assert run.returncode == 1
    assert "REPLY came that no TWICE of ours had asked for" in run.stdout
    assert "Nothing was stored: every benchmark failed." in run.stdout
    assert bench.stored() == []


def test_a_reply_that_never_comes_fails_its_benchmark_and_no_other(bench: Bench, url: str) -> None:
    run = bench.run(
        *("--url", url, "--event", "PICKY", "--reply", "REPLY", "--payload", '"{token}"'),
        *("--reply-timeout", "1", "-k", "uvloop"),
    )
    assert run.returncode == 1
    (line,) = [line for line in run.stdout.splitlines() if line.startswith("PICKY-REPLY[event-polling-url-uvloop]: ")]
    assert "sent PICKY 'rt-" in line
    assert "no REPLY with its token within 1 s; arrived: COMPLAINT 'rt-" in line
    for never in ("Traceback", "Error", "During handling"):
        assert never not in run.stdout
    assert names(bench.result()) == [
        "PICKY-REPLY[event-websocket-url-uvloop]",
        "PICKY-REPLY[event-websocket-fast-url-uvloop]",
    ]


@pytest.mark.parametrize(
    ("moment", "server"),
    [
        ("asked", "process"),
        ("import", "in-loop"),
        pytest.param("import", "process", marks=pytest.mark.slow),
        pytest.param("asked", "in-loop", marks=pytest.mark.slow),
    ],
)
def test_ctrl_c(tmp_path: Path, moment: str, server: str) -> None:
    mark, other = tmp_path / "mark", tmp_path / "all.json"
    environment = {"ANSWERS_MOMENT": moment, "ANSWERS_MARK": str(mark)}
    bench = Bench(tmp_path / "stored", directory=APPS, environment=environment)
    options = ("--app", "answers:app", "--event", "ASK", "--payload", '{"id": 1}', "--benchmark-max-time=30")
    with bench.start(*options, "-k", f"{server}-uvloop", f"--benchmark-json={other}") as running:
        at(mark.exists)
        running.send_signal(signal.SIGINT)
        output, _ = running.communicate(timeout=LIMIT_S)
    assert running.returncode == INTERRUPTED, output
    assert "KeyboardInterrupt" in output
    assert "Nothing was stored: the session did not run to its end." in output
    for never in ("Task was destroyed", "never retrieved", "never awaited", "INTERNALERROR"):
        assert never not in output
    assert bench.processes() == []
    assert bench.stored() == []
    assert not other.exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs SIGSTOP")
def test_a_measuring_process_that_was_stopped_says_so(bench: Bench) -> None:
    with bench.start("-k", "event-websocket-fast-process-uvloop", "--benchmark-max-time=1") as running:
        while running.poll() is None:  # again and again, so that some of them are within the measurement
            running.send_signal(signal.SIGSTOP)
            time.sleep(0.1)
            running.send_signal(signal.SIGCONT)
            time.sleep(0.4)
        output, _ = running.communicate(timeout=LIMIT_S)
    assert running.returncode == 0, output
    assert "may have spoilt it, stopped: this process was stopped " in output
    (benchmark,) = bench.result()["benchmarks"]
    assert benchmark["extra_info"]["interference"]["stops"] > 0


@pytest.mark.slow
def test_two_ctrl_c_in_haste_are_one(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    environment = {"ANSWERS_MOMENT": "asked", "ANSWERS_MARK": str(mark)}
    bench = Bench(tmp_path / "stored", directory=APPS, environment=environment)
    options = ("--app", "answers:app", "--event", "ASK", "--payload", '{"id": 1}', "--benchmark-max-time=30")
    with bench.start(*options, "-k", "process-uvloop") as running:
        at(mark.exists)
        for _ in range(3):
            running.send_signal(signal.SIGINT)
            time.sleep(0.02)
        output, _ = running.communicate(timeout=LIMIT_S)
    assert running.returncode == INTERRUPTED, output
    assert "Traceback" not in output
    assert bench.processes() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGHUP, marks=pytest.mark.slow)])
def test_a_signal_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    mark = tmp_path / "mark"
    (tmp_path / "temporary").mkdir()
    environment = {"ANSWERS_MOMENT": "asked", "ANSWERS_MARK": str(mark), "TMPDIR": str(tmp_path / "temporary")}
    bench = Bench(tmp_path / "stored", directory=APPS, environment=environment)
    options = ("--app", "answers:app", "--event", "ASK", "--payload", '{"id": 1}', "--benchmark-max-time=30")
    with bench.start(*options, "-k", "process-uvloop") as running:
        at(mark.exists)
        running.send_signal(number)
        output, _ = running.communicate(timeout=LIMIT_S)
    assert "Traceback" not in output
    at(lambda: bench.processes() == [])
    assert bench.stored() == []
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.slow
def test_figures_are_shown_where_they_cannot_be_stored(bench: Bench) -> None:
    bench.folder.write_text("a file where the folder should be")
    run = bench.run("-k", "event-websocket-fast-process-uvloop", "--benchmark-json=/dev/full")
    assert run.returncode == 1
    assert "\nfoo_bar[event-websocket-…]\n  fast-process-uvloop " in run.stdout
    assert "\nfoo_bar[event-websocket-fast-process-uvloop]: p50 " in run.stdout
    assert "stored in" not in run.stdout
    assert run.stderr.count("cannot store the result: No space left on device") == 1
    assert run.stderr.count("cannot store a result in ") == 1
    assert "Traceback" not in run.stdout + run.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--reply", "BAR"], "ERROR: --reply BAR: it belongs to an event, give that with --event"),
        (
            ["--event", "say", "--reply", "a", "--reply", "a"],
            "ERROR: --reply a is there twice: give each event that may",
        ),
        (["--event", "say", "--args", "--payload", "{}"], "ERROR: --args and --payload {}: it is no JSON list, give"),
        (["-p", "locust.user"], "ERROR: this process is patched for gevent (importing locust does that)"),
    ],
)
@pytest.mark.slow
def test_misuse_is_one_line(bench: Bench, options: list[str], said: str) -> None:
    run = bench.run(*options)
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in run.stderr.splitlines() if line.startswith("ERROR")]
    assert line.startswith(said)
    assert "Traceback" not in run.stderr + run.stdout


def test_a_service_that_wants_all_that_a_connection_may_have(tmp_path: Path) -> None:
    """Both clients connect with it, over the only transport that is asked for."""
    bench = Bench(tmp_path / "stored", directory=APPS, environment={"STRICT_TOKEN": "hush-hush"})
    run = bench.run(
        *("--app", "strict:app", "--event", "say", "--reply", "said", "--payload", '{"id": "{token}"}'),
        *("--namespace", "/chat", "--socketio-path", "ws/socket.io", "--serializer", "msgpack"),
        *('--auth={"token": "@env:STRICT_TOKEN"}', "--header", "X-Key: key-1234"),
        *("--cookie", "session=abc-1234", "--query", "tenant=acme-1234", "--transport", "websocket"),
        *("-k", "uvloop", "--benchmark-disable"),
    )
    assert run.returncode == 0, run.stdout
    assert "3 passed" in run.stdout
    assert "hush-hush" not in run.stdout + run.stderr


@pytest.mark.slow
def test_a_server_that_lets_nobody_in_is_one_line_for_each_benchmark(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "stored", directory=ANSWERS.parent)
    run = bench.run("--app", "refusing:by_word", "--event", "ASK", "-k", "websocket-fast-process-uvloop")
    assert run.returncode == 1
    assert run.stdout.count("the server refused the connection: no place for ") == 1
    for never in ("Traceback", "During handling"):
        assert never not in run.stdout + run.stderr


def test_a_server_that_is_not_there_is_one_line(bench: Bench) -> None:
    run = bench.run("--url", "http://127.0.0.1:1")
    assert run.returncode == 1
    assert run.stdout.count("http://127.0.0.1:1 cannot be reached: connection refused") == 1
    assert "Traceback" not in run.stderr + run.stdout
    assert bench.stored() == []


def test_an_app_that_cannot_be_served_is_one_line(bench: Bench) -> None:
    run = bench.run("--app", "app.main:application", "-k", "uvloop")
    assert run.returncode == 4
    assert run.stdout.count("app 'app.main:application' was not found") == 1
    assert "Traceback" not in run.stderr + run.stdout
    assert bench.stored() == []


def test_help_shows_the_options_in_a_group_of_their_own(bench: Bench) -> None:
    run = bench.run("--help")
    assert run.returncode == 0
    _, _, ours = run.stdout.partition("the service whose latency is measured:")
    for option in ("--app=", "--url=", "--event=", "--reply=", "--payload=", "--reply-timeout="):
        assert option in ours
    for option in ("--effort=", "--server-processes=", "--allow-idle-cores"):
        assert option in ours
    assert re.search(r"--no-awake\s+an older name of --allow-idle-cores", ours)


@pytest.mark.slow
def test_what_is_secret_in_a_url_is_used_and_shown_nowhere(bench: Bench) -> None:
    with ServerProcess("guarded:app", directory=APPS, environment=GUARDED) as server:
        host = server.url.removeprefix("http://")
        whole = f"http://gardener:hunter22%2F%3F%40@{host}/?apikey=k3y-0815"
        run = bench.run("--url", whole, "-k", "event and url-uvloop")
        wrong = bench.run("--url", whole.replace("hunter22", "wronghunter22"), "-k", "event and fast-url-uvloop")
    assert run.returncode == 0, run.stdout
    assert len(bench.result()["benchmarks"]) == 3
    assert bench.result()["benchmarks"][0]["extra_info"]["service"] == f"{server.url}/?..."
    assert wrong.returncode == 1
    assert "HTTP 401" in wrong.stdout
    for text in (run.stdout, run.stderr, wrong.stdout, wrong.stderr, bench.stored()[0].read_text()):
        assert "hunter22" not in text
        assert "k3y-0815" not in text


@pytest.mark.slow
def test_what_a_server_says_is_printed_so_that_no_terminal_obeys_it(bench: Bench) -> None:
    with ServerProcess("answers:app", directory=APPS) as server:
        run = bench.run(
            "--url", server.url, "--event", "PAINT", "--reply", "PAINTED", "--payload", '"{token}"',
            "--reply-timeout=0.3", "-k", "fast-url-uvloop",
        )  # fmt: skip
    assert run.returncode == 1
    assert "arrived: \N{REPLACEMENT CHARACTER}[31mEV\N{REPLACEMENT CHARACTER}" in run.stdout
    assert "\x1b[31mEV" not in run.stdout
    assert "\x07" not in run.stdout


@pytest.mark.slow
def test_a_service_that_raises_is_quoted(bench: Bench) -> None:
    bench.directory = APPS
    run = bench.run(
        "--app=answers:app", "--event", "BREAK", "--reply", "BROKEN", "--reply-timeout=0.5",
        "-k", "fast-process-uvloop",
        "--benchmark-min-rounds=300",  # it raises from the 101st on, which has to come however slow the machine is
    )  # fmt: skip
    assert run.returncode == 1
    assert "no BROKEN within 0.5 s; arrived: nothing; its service wrote last: " in run.stdout
    assert "RuntimeError: boom after\N{REPLACEMENT CHARACTER}[31m a hundred" in run.stdout
