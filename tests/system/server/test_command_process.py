"""A server that a command starts: how it starts, what it uses, and that nothing of it is left."""

import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from bench.machine.child import process_cpu_ns
from bench.server import CommandProcess, ServeCommand, ServerError, UnservableError, command_process
from tests.support.ports import free_port
from tests.support.processes import command_of

#: Listens on a port, and answers each HTTP request with the status that its other arguments give in turn.
#: The commands whose program is not there, or cannot be run.
NO_PROGRAMS = ("no-such-program {port}", "./missing", "./text", "./nothing", "cd . && no-such-program")

LISTENER = """
import os, sys, time, socket
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("pid", os.getpid(), flush=True)
answers = sys.argv[2:]
while True:
    connection = listener.accept()[0]
    asked = connection.recv(1000)
    if asked:
        status = answers.pop(0) if len(answers) > 1 else answers[0]
        connection.sendall(f"HTTP/1.1 {status} OK\\r\\nContent-Length: 0\\r\\n\\r\\n".encode())
    connection.close()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with `listen.py`, and with programs that are none."""
    (tmp_path / "listen.py").write_text(LISTENER)
    (tmp_path / "text").write_text("no program\n")
    (tmp_path / "nothing").write_text("no program\n")
    (tmp_path / "nothing").chmod(0o755)
    (tmp_path / "listen").write_text(f"#!/bin/sh\nexec {sys.executable} listen.py $1 204\n")
    (tmp_path / "listen").chmod(0o755)
    return tmp_path


def serve(folder: Path, command: str, *, start_timeout_s: float = 60.0, **fields: object) -> ServeCommand:
    command = command.replace("PYTHON", sys.executable)
    return ServeCommand(command, folder, start_timeout_s=start_timeout_s, **fields)  # type: ignore[arg-type]


def cores_of(pid: int) -> frozenset[int]:
    return frozenset(os.sched_getaffinity(pid))


def until(condition: Callable[[], object], limit_s: float = 20.0) -> None:
    give_up_at = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


@contextlib.contextmanager
def leaves_nothing(folder: Path) -> Iterator[None]:
    """Fail if a process that works in the folder is there afterwards."""
    yield
    until(lambda: working_in(folder) == [], limit_s=5.0)  # killed processes take a moment to end


def working_in(folder: Path) -> list[list[str]]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and process.cwd() == str(folder):
                found.append(command_of(process))
    return found


class TestStarting:
    @pytest.mark.parametrize(
        "command",
        [
            "./listen {port}",
            "PYTHON listen.py {port} 204",
            "PYTHON listen.py $PORT 204",
            "sh -c 'exec PYTHON listen.py $PORT 204'",
            "true && PYTHON listen.py {port} 204",
        ],
    )
    def test_it_serves_on_a_port_that_is_free(self, folder: Path, command: str) -> None:
        with leaves_nothing(folder), CommandProcess(serve(folder, command)) as server:
            assert server.url == f"http://127.0.0.1:{server.port}"
            assert server.is_running
            assert server.wrote_last.startswith("pid ")
            socket.create_connection(("127.0.0.1", server.port)).close()

    def test_it_starts_again_on_another_port(self, folder: Path) -> None:
        server = CommandProcess(serve(folder, "./listen {port}"))
        with server:
            first = server.port
            with pytest.raises(ServerError, match=r"runs already, at http://127\.0\.0\.1:"):
                server.start()
        assert not server.is_running
        with server:
            assert server.port != first

    def test_a_ready_url_is_waited_for(self, folder: Path) -> None:
        command = serve(folder, "PYTHON listen.py {port} 503 404 302", ready_url="/health")
        with CommandProcess(command) as server:
            assert server.url == f"http://127.0.0.1:{server.port}"

    def test_it_may_open_as_many_files_as_the_system_lets_it(self, folder: Path) -> None:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        command = serve(folder, "ulimit -n; exec ./listen {port}")
        limited = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        try:
            with CommandProcess(command) as server:
                assert int(server.log.split()[0]) == min(hard, 1 << 20)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limited)

    def test_its_output_goes_to_a_named_file_without_secrets_in_what_is_shown(
        self, folder: Path, tmp_path: Path
    ) -> None:
        command = serve(folder, "echo my-token; exec ./listen {port}", hide=lambda text: text.replace("my-token", "…"))
        with CommandProcess(command, log_file=tmp_path / "service.log") as server:
            until(lambda: "pid" in server.log)
            assert server.log.startswith("…\npid ")
        assert (tmp_path / "service.log").read_text().startswith("my-token\npid ")

    @pytest.mark.parametrize(
        ("command", "fields", "reason"),
        [
            ("no-such-program {port}", {}, "did not start: there is no program 'no-such-program' on the PATH"),
            ("./missing", {}, "there is no file "),
            ("./text", {}, "is not executable: `chmod +x` it, or write its interpreter before it"),
            ("./nothing", {}, "is no program: its first line has no #! with an interpreter"),
            ("cd . && no-such-program", {}, "ended with exit code 127 before it listened; it wrote last: "),
            ("PYTHON -c 'raise SystemExit(127)'", {}, "ended with exit code 127 before it listened; it wrote last: "),
            ("true", {}, "ended with exit code 0 before it listened (a service has to stay in the foreground)"),
            ("PYTHON -c 'raise SystemExit(3)'", {}, "ended with exit code 3 before it listened; it wrote last: noth"),
            ("PYTHON -c 'import socketio_missing'", {}, "wrote last: Traceback (most recent call last): | "),
            ("echo oh; kill -9 $$", {}, "ended with exit code -9 (SIGKILL) before it listened; it wrote last: oh"),
            ("PYTHON listen.py {port} 204 &", {}, "went to the background: its command ended with exit code 0"),
            ("sleep 100", {"start_timeout_s": 0.3}, "did not start within 0.3 s: nothing listens on port "),
            ("PYTHON listen.py BUSY 204", {}, "its port is in use: write {port} where the command takes its port"),
            pytest.param(
                "PYTHON listen.py OTHER 204",
                {"start_timeout_s": 6.0},
                "it listens on port OTHER, and not on port ",
                marks=pytest.mark.slow,
            ),
            pytest.param(
                "PYTHON listen.py {port} 503",
                {"start_timeout_s": 6.0, "ready_url": "/health"},
                "/health answers 503; it wrote last: pid",
                marks=pytest.mark.slow,
            ),
        ],
    )
    def test_a_service_that_does_not_start_says_why_in_one_line(
        self, folder: Path, command: str, fields: dict[str, object], reason: str
    ) -> None:
        other = str(free_port())
        with socket.create_server(("127.0.0.1", 0)) as busy, leaves_nothing(folder):
            command = command.replace("BUSY", str(busy.getsockname()[1])).replace("OTHER", other)
            server = CommandProcess(serve(folder, command, **fields))  # type: ignore[arg-type]
            with pytest.raises(ServerError) as failure:
                server.start()
        assert reason.replace("OTHER", other) in str(failure.value)
        assert "\n" not in str(failure.value)
        assert isinstance(failure.value, UnservableError) == (command in NO_PROGRAMS)
        assert not server.is_running

    def test_a_server_of_somebody_else_on_its_port_is_not_taken_for_it(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = CommandProcess(serve(folder, "PYTHON listen.py {port} 204"))
        with leaves_nothing(folder), other:
            monkeypatch.setattr(command_process, "free_port", lambda _: other.port)
            server = CommandProcess(serve(folder, "sleep 100", start_timeout_s=0.5))
            with pytest.raises(ServerError, match=rf"process {other.pid} .*listen\.py.* listens on port {other.port}"):
                server.start()

    def test_a_port_that_a_process_outside_its_tree_opens_for_it_is_its_own(self, folder: Path) -> None:
        """As a container's: another program that runs already has the port opened."""
        with leaves_nothing(folder), contextlib.ExitStack() as stack:
            server = CommandProcess(serve(folder, "PYTHON -c 'import time; time.sleep(100)' {port}"))
            server.launch()
            stack.callback(server.stop)
            outside = subprocess.Popen([sys.executable, "listen.py", str(server.port), "204"], cwd=folder)
            stack.callback(outside.wait)
            stack.callback(outside.kill)
            server.start()
            assert server.listeners == ()

    def test_a_supervisor_that_cannot_be_started_is_one_line(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "executable", str(folder / "gone"))
        with pytest.raises(ServerError, match=r"cannot be started: .*No such file or directory"):
            CommandProcess(serve(folder, "./listen {port}")).start()

    def test_a_folder_that_is_not_there(self, folder: Path) -> None:
        with pytest.raises(ServerError, match=r"directory .*gone' does not exist"):
            CommandProcess(serve(folder / "gone", "true")).start()


#: Starts two processes that listen with it, a third that has ended, and a fourth in a session of its own.
FAMILY = """
import os, subprocess, sys, time
work = "import time; until = time.process_time() + 0.3\\nwhile time.process_time() < until: pass\\n"
subprocess.run([sys.executable, "-c", work])
subprocess.Popen([sys.executable, "-c", work + "time.sleep(1000)"])
subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(15, lambda *_: None)\\ntime.sleep(1000)"],
                 start_new_session=True)
subprocess.Popen(["sh", "-c", "sleep 1000 & sleep 1000 & exit 0"]).wait()
os.execv(sys.executable, [sys.executable, "listen.py", sys.argv[1], "204"])
"""


class TestItsProcesses:
    @pytest.fixture
    def server(self, folder: Path) -> Iterator[CommandProcess]:
        (folder / "family.py").write_text(FAMILY)
        with leaves_nothing(folder), CommandProcess(serve(folder, "PYTHON family.py {port}"), core=None) as server:
            yield server

    def test_the_use_is_that_of_all_also_of_those_that_have_ended(self, server: CommandProcess) -> None:
        assert len(server.family) == 5
        until(lambda: server.cpu_ns() > 600_000_000)
        used_ns = server.cpu_ns()
        assert used_ns > process_cpu_ns(server.pid) + 500_000_000  # that of the first and of the second
        usage = server.usage()
        assert usage.rss_bytes > psutil.Process(server.pid).memory_info().rss
        assert usage.rss_peak_bytes >= usage.rss_bytes
        assert usage.cpu_ns >= used_ns

    def test_all_are_pinned(self, server: CommandProcess) -> None:
        core = min(os.sched_getaffinity(0))
        server.pin(core)
        assert server.core == core
        assert set(map(cores_of, server.family)) == {frozenset({core})}

    def test_a_process_that_is_started_pinned_has_pinned_children(self, folder: Path) -> None:
        (folder / "family.py").write_text(FAMILY)
        core = max(os.sched_getaffinity(0))
        with CommandProcess(serve(folder, "PYTHON family.py {port}"), core=core) as server:
            assert set(map(cores_of, server.family)) == {frozenset({core})}

    def test_none_is_left_after_a_death(self, server: CommandProcess, folder: Path) -> None:
        os.kill(server.pid, signal.SIGKILL)
        until(lambda: not server.is_running)
        with pytest.raises(ServerError, match=r"ended with exit code -9 \(SIGKILL\); it wrote last: pid"):
            server.check()
        server.stop()

    @pytest.mark.parametrize("command", ["./listen {port}", "./listen {port}; true"])  # the last has a shell above it
    def test_none_is_left_if_its_supervisor_is_killed(self, folder: Path, command: str) -> None:
        with leaves_nothing(folder), CommandProcess(serve(folder, command)) as server:
            supervisor = psutil.Process(server.pid).ppid()
            os.kill(supervisor, signal.SIGKILL)
            until(lambda: not server.is_running)
            with pytest.raises(ServerError, match="somebody ended its supervisor"):
                server.check()

    def test_a_service_that_ignores_the_request_to_end_is_killed(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with leaves_nothing(folder):
            command = "trap '' TERM; PYTHON listen.py {port} 204; sleep 1000"
            server = CommandProcess(serve(folder, command)).start()
            # The supervisor would wait for seven seconds.
            monkeypatch.setattr("bench.server.supervised.STOP_TIMEOUT_S", 0.2)
            server.stop()


OWNER = """
import sys, time
from pathlib import Path
from bench.server import CommandProcess, ServeCommand
server = CommandProcess(ServeCommand(sys.argv[1], Path(sys.argv[2]))).start()
print(*server.family, flush=True)
time.sleep(1000)
"""


def test_none_is_left_if_its_owner_is_killed(folder: Path) -> None:
    (folder / "family.py").write_text(FAMILY)
    command = f"{sys.executable} family.py {{port}}"
    owner = subprocess.Popen([sys.executable, "-c", OWNER, command, folder], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    family = list(map(int, owner.stdout.readline().split()))
    assert len(family) == 5
    owner.kill()
    owner.communicate()
    until(lambda: not any(map(psutil.pid_exists, family)))
