"""ServerProcess: it serves as it was told, says how it ended, and leaves no process behind, however anything ends."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import websockets.sync.client

from bench.machine.cores import generator_cores
from bench.server import ServerCommand, ServerError, ServerOptions, ServerProcess, UnservableError, process
from tests.support.folders import APPS
from tests.support.server_traces import traces

LIMIT_S = 60


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Generator[None]:
    before = traces()
    yield
    assert traces() ^ before == set()


def server(app: str = "served:app", **options: Any) -> ServerProcess:
    return ServerProcess(app, **({"directory": APPS} | options))


def ask(running: ServerProcess, path: str = "/") -> dict[str, Any]:
    answer: dict[str, Any] = httpx.get(running.url + path, timeout=LIMIT_S).json()
    return answer


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    """Return true if it has ended, reaped or not."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


# It serves


@pytest.mark.parametrize(
    ("loop", "http", "ws"),
    [
        ("uvloop", "httptools", "websockets-sansio"),
        ("asyncio", "h11", "websockets"),
        ("uvloop", "httptools", "wsproto"),
    ],
)
def test_it_serves_with_the_implementations_that_it_was_given(loop: str, http: str, ws: str) -> None:
    with server(loop=loop, http=http, ws=ws, core=None) as running:
        assert ask(running)["loop"] == loop
        with websockets.sync.client.connect(running.url.replace("http", "ws", 1)) as client:
            client.send("hello")
            assert client.recv(timeout=LIMIT_S) == "hello"
        options = ServerOptions(loop=loop, http=http, ws=ws, core=None)
        assert running.command == ServerCommand("served:app", "127.0.0.1", running.port, options)


def test_it_has_a_process_of_its_own_with_its_environment_and_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INHERITED", "yes")
    with server(environment={"ADDED": "too"}) as running:
        assert running.is_running
        running.check()
        answer = ask(running)
        assert answer["environment"] | {"INHERITED": "yes", "ADDED": "too"} == answer["environment"]
        assert Path(answer["cwd"]) == APPS
        assert answer["session"] == running.pid != os.getsid(0)  # the terminal's Ctrl-C goes elsewhere
    assert not running.is_running


def test_auto_pins_it_to_the_last_core_and_leaves_the_others_to_the_generator() -> None:
    cores = sorted(os.sched_getaffinity(0))
    with server() as running:
        affinity = psutil.Process(running.pid).cpu_affinity()
        if len(cores) > 1:
            assert running.core == running.command.options.core == cores[-1]
            assert affinity == [cores[-1]]
            assert generator_cores() == tuple(cores[:-1])
        else:
            assert running.core is None
            assert affinity == cores
            assert generator_cores() == ()


def test_it_is_pinned_to_the_core_that_it_was_given() -> None:
    core = min(os.sched_getaffinity(0))
    with server(core=core) as running:
        assert psutil.Process(running.pid).cpu_affinity() == [core]


def test_usage_of_a_process_that_has_ended_and_was_not_reaped() -> None:
    ended = subprocess.Popen(["true"])
    try:
        wait_until(lambda: psutil.Process(ended.pid).status() == psutil.STATUS_ZOMBIE)
        assert process._usage(ended.pid).rss_peak_bytes == 0
    finally:
        ended.wait()


def test_usage_grows_with_the_work() -> None:
    with server() as running:
        before = running.usage()
        ask(running, "/work")  # 50 ms of CPU time
        after = running.usage()
        assert after.cpu_ns - before.cpu_ns >= 50_000_000
        assert after.rss_peak_bytes >= after.rss_bytes > 1_000_000
    with pytest.raises(ServerError, match="exit code 0"):
        running.usage()


def test_the_log_is_what_it_wrote_and_is_kept() -> None:
    with server(log_level="info") as running:
        ask(running, "/print")
        assert "printed by the app\n" in running.log
        ask(running)  # the log's position did not move
    assert '"GET /print HTTP/1.1" 200' in running.log
    assert "Finished server process" in running.log


def test_the_directory_comes_first_and_this_launcher_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/__init__.py").touch()
    (tmp_path / "app/main.py").write_text((APPS / "served.py").read_text())
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench/__init__.py").write_text("raise RuntimeError('this is another launcher')")
    with ServerProcess(directory=tmp_path) as running:
        assert Path(ask(running)["file"]) == tmp_path / "app/main.py"
    monkeypatch.chdir(tmp_path)
    with ServerProcess() as running:
        assert Path(ask(running)["file"]) == tmp_path / "app/main.py"


# It does not start


@pytest.mark.parametrize(
    ("app", "options", "message", "detail"),
    [
        ("no_such_module:app", {}, "'no_such_module:app' was not found", "ModuleNotFoundError|ImportFromStringError"),
        ("served:no_such_app", {}, "'served:no_such_app' was not found", "Attribute"),
        ("broken:app", {}, "'broken:app' failed to import: ZeroDivisionError: division by zero", r"broken\.py"),
        ("served:failing", {}, r"did not start: RuntimeError: no database at db\.example", r"served\.py"),
        ("served:dying", {}, r"exit code -9 \(SIGKILL\); it wrote last: out of memory, say", "out of memory, say"),
        ("served:hanging", {"start_timeout_s": 2}, "did not end within 2 s", "waiting for a database"),
        ("served:app", {"loop": "fruit"}, "loop='fruit' is unknown: use one of .*uvloop", "fruit"),
        ("served:app", {"loop": "zuvloop"}, "loop='zuvloop' cannot be used: .*zuvloop", "zuvloop"),
        ("served:app", {"ws": "pigeon"}, "ws='pigeon' is unknown: use one of .*wsproto", "pigeon"),
        ("served:app", {"log_level": "loud"}, "log_level='loud' is unknown", "loud"),
        ("served:app", {"core": 4711}, "core=4711 cannot be used here: use one of .*0", "4711"),
        ("served:app", {"port": 99999}, "port 99999 is none", "99999"),
    ],
)
def test_what_keeps_it_from_starting_is_one_clear_line(
    tmp_path: Path, app: str, options: dict[str, Any], message: str, detail: str
) -> None:
    (tmp_path / "broken.py").write_text("1 / 0")
    directory = tmp_path if app.startswith("broken") else APPS
    failed = server(app, directory=directory, **options)
    with pytest.raises(ServerError, match=message) as caught:
        failed.start()
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, UnservableError) == ("was not found" in message)
    assert caught.value.detail == failed.log
    assert re.search(detail, failed.log)
    assert not failed.is_running


def test_a_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="nowhere' does not exist"):
        server(directory=tmp_path / "nowhere").start()


def test_a_busy_port_is_an_error_and_who_has_it_keeps_it() -> None:
    with server() as first:
        with pytest.raises(ServerError, match=rf"127\.0\.0\.1 port {first.port}: .*in use.*or 0"):
            server(port=first.port).start()
        with pytest.raises(ServerError, match=f"runs already, at {first.url}"):
            first.start()
        assert ask(first)


def test_an_owner_that_is_interrupted_while_it_starts_leaves_nothing() -> None:
    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    starting = server("served:hanging")
    original = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.7)
        with pytest.raises(KeyboardInterrupt):
            starting.start()
    finally:
        signal.signal(signal.SIGALRM, original)
    assert is_gone(starting.pid)
    assert not starting.is_running


# It ends


def test_stop_works_in_every_order() -> None:
    stopped = server()
    stopped.stop()
    for property_ in ("url", "port", "pid"):
        with pytest.raises(ServerError, match="start it first"):
            getattr(stopped, property_)
    with pytest.raises(ServerError, match="is not running"):
        stopped.check()
    stopped.start()
    first = stopped.pid
    stopped.stop()
    stopped.stop()
    assert is_gone(first)
    with stopped:
        assert stopped.pid != first
        assert ask(stopped)


def test_a_server_that_was_killed_is_noticed_with_all_that_it_had_started() -> None:
    with server() as running:
        (grandchild,) = ask(running, "/spawn")["spawned"]
        os.kill(running.pid, signal.SIGKILL)
        wait_until(lambda: not running.is_running)
        wait_until(lambda: is_gone(grandchild))
        for question in (running.check, running.usage):
            with pytest.raises(ServerError, match=r"ended with exit code -9 \(SIGKILL\); it wrote last: nothing"):
                question()


def test_a_server_that_died_tells_its_last_words() -> None:
    with server() as running:
        with pytest.raises(httpx.HTTPError):
            ask(running, "/die")
        wait_until(lambda: not running.is_running)
        with pytest.raises(ServerError, match=r"exit code 7; it wrote last: a last word") as caught:
            running.check()
        assert caught.value.detail == running.log == "a last word\n"


def test_a_server_that_does_not_stop_is_stopped_by_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "STOP_TIMEOUT_S", 0.6)
    running = server("served:stubborn").start()
    running.stop()
    with pytest.raises(ServerError, match="SIGKILL"):
        running.check()


def test_an_app_that_fails_while_it_shuts_down_says_so_in_the_log() -> None:
    running = server("served:ill_at_the_end").start()
    running.stop()
    with pytest.raises(ServerError, match=r"exit code 1; .*shut-down of .* failed: RuntimeError: could not say good"):
        running.check()


# Its owner ends, or is patched


OWNER = """
import sys, time
from pathlib import Path
from bench.server import ServerProcess
running = ServerProcess(sys.argv[1], directory=Path(sys.argv[2])).start()
print(running.pid, flush=True)
if sys.argv[3] == "stay":
    time.sleep(60)
"""


def owner_of(app: str, then: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", OWNER, app, str(APPS), then], stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("app", ["served:app", "served:stubborn"])
def test_a_server_does_not_outlive_an_owner_that_was_killed(app: str) -> None:
    with owner_of(app, "stay") as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        assert not is_gone(pid)
        owner.kill()
    wait_until(lambda: is_gone(pid))


def test_a_server_does_not_outlive_an_owner_that_forgot_it() -> None:
    with owner_of("served:app", "leave") as owner:
        pid = int(owner.communicate(timeout=LIMIT_S)[0])
    wait_until(lambda: is_gone(pid))


UNDER_GEVENT = """
from gevent import monkey
monkey.patch_all()
import gevent, json, sys, threading
from pathlib import Path
from urllib.request import urlopen
from bench.server import ServerError, ServerProcess

ticks = 0
def tick():
    global ticks
    while True:
        ticks += 1
        gevent.sleep(0.01)
gevent.spawn(tick)

counts = []
def during(action):
    before = ticks
    result = action()
    counts.append(ticks - before)
    return result

directory = Path(sys.argv[1])
running = during(ServerProcess("served:app", directory=directory).start)
answer = json.load(urlopen(running.url))
used = running.usage().cpu_ns
was_running = running.is_running
during(running.stop)
failing = ServerProcess("served:hanging", directory=directory, start_timeout_s=1)
try:
    during(failing.start)
except ServerError as error:
    refused = str(error)
killed = ServerProcess("served:app", directory=directory).start()
gevent.subprocess.check_call(["kill", "-9", str(killed.pid)])
while killed.is_running:
    gevent.sleep(0.01)
try:
    killed.check()
except ServerError as error:
    death = str(error)
killed.stop()
print(json.dumps([counts, answer["loop"], used, was_running, running.is_running, refused, death, running.pid]))
"""


def test_it_works_in_a_process_that_gevent_has_patched() -> None:
    script = [sys.executable, "-c", UNDER_GEVENT, str(APPS)]
    done = subprocess.run(script, capture_output=True, text=True, timeout=LIMIT_S * 2, check=False)
    assert done.returncode == 0, done.stderr
    counts, loop, used, was_running, is_running, refused, death, pid = json.loads(done.stdout)
    assert all(count > 1 for count in counts), f"other greenlets stood still: {counts}"
    assert (loop, was_running, is_running) == ("uvloop", True, False)
    assert used > 0
    assert "did not end within 1 s" in refused
    assert "exit code -9 (SIGKILL)" in death
    assert is_gone(pid)
