"""The `bench` command as a process: pipes, terminals, full disks and interrupts."""

import os
import pty
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench.results.header import CommitInfo
from bench.results.references import Store
from bench.results.store import machine_id
from tests.support.bench_command import BENCH
from tests.support.example_results import load_result, operation


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two load results."""
    folder = tmp_path_factory.mktemp("project")
    results = folder / "results"
    store = Store(results)
    store.save(load_result())
    store.save(load_result(commit_info=CommitInfo(id="a" * 40), operations=(operation(throughput_per_s=2000.8),)))
    return results


class TestAsAProcess:
    def test_in_a_file_there_is_no_colour_and_nothing_is_cut(self, results: Path) -> None:
        command = [*BENCH, "compare", "load/1", "load/2", "--results", results]
        wide, narrow = (
            subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | {"COLUMNS": columns})
            for columns in ("100", "30")
        )
        row = "  throughput      1,000/s   2,001/s  +100.00 %             -  inconclusive"
        assert f"\n{row}\n" in wide.stdout
        assert all(cell in narrow.stdout for cell in row.split("  ") if cell)
        assert "\x1b" not in wide.stdout + narrow.stdout

    def test_on_a_terminal(self, results: Path) -> None:
        terminal, its_end = pty.openpty()
        environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | {"TERM": "xterm"}
        command = [*BENCH, "compare", "load/1", "load/2", "--results", results]
        subprocess.run(command, stdout=its_end, check=True, env=environment)
        os.close(its_end)
        assert b"\x1b[1mFOO" in os.read(terminal, 65536)
        os.close(terminal)

    def test_a_reader_that_goes_away(self, results: Path) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        command = [*BENCH, "compare", "load/1", "load/2", "--results", results]
        finished = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE)
        os.close(writing)
        assert (finished.returncode, finished.stderr) == (141, b"")

    def test_a_terminal_without_the_letters(self, results: Path) -> None:
        command = [*BENCH, "compare", "load/1", "load/2", "--results", results]
        environment = os.environ | {"PYTHONIOENCODING": "ascii"}
        finished = subprocess.run(command, capture_output=True, env=environment)
        assert (finished.returncode, finished.stderr) == (0, b"")
        assert b" ?s  " in finished.stdout

    def test_ctrl_c_is_quiet(self, results: Path, tmp_path: Path) -> None:
        fifo = tmp_path / "nobody-reads-it"
        os.mkfifo(fifo)
        command = [*BENCH, "compare", "load/1", "load/2", "--results", results, "--json", fifo]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline().startswith(b"old ")  # then it waits for somebody who reads the pipe
            process.send_signal(signal.SIGINT)
            assert process.communicate()[1] == b""
        assert process.returncode == 130

    @pytest.mark.parametrize(
        "arguments",
        [("compare", "load/1", "load/2"), ("trend", "load"), ("--version",), ("--help",), ("trend", "--help")],
    )
    def test_a_full_disk_under_the_output_is_one_line(self, results: Path, arguments: tuple[str, ...]) -> None:
        where = ("--results", results) if len(arguments) > 1 and "--help" not in arguments else ()
        with Path("/dev/full").open("wb") as full:
            ended = subprocess.run([*BENCH, *arguments, *where], stdout=full, stderr=subprocess.PIPE, text=True)
        assert ended.returncode == 1
        assert ended.stderr == "bench: error: cannot write to the standard output: No space left on device\n"

    @pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
    def test_standard_streams_that_are_closed_are_the_null_device(self, results: Path, closed: str) -> None:
        command = shlex.join([sys.executable, "-m", "bench", "list", "--results", str(results)])
        ended = subprocess.run(["sh", "-c", f"{command} {closed}"], capture_output=True, text=True)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert ("load/" in ended.stdout) == (">&-" not in closed.replace("2>&-", ""))

    def test_errors_that_cannot_be_told_leave_the_exit_code(self, results: Path) -> None:
        with Path("/dev/full").open("wb") as full:
            ended = subprocess.run([*BENCH, "compare", "load/1", "load/9", "--results", results], stderr=full)
        assert ended.returncode == 2

    @pytest.mark.parametrize(
        ("arguments", "code", "said"),
        [
            (("compare", "load/1", "load/2"), 2, "bench: error: {root}/load/{machine}: Permission denied\n"),
            (
                ("trend", "load"),
                2,
                "bench: left out: {root}/load: Permission denied\n"
                "bench: error: no results in {root}/load: make one by `pytest bench` or `locust`\n",
            ),
        ],
    )
    def test_a_folder_that_may_not_be_read(
        self, tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
    ) -> None:
        store = Store(tmp_path / "results")
        for _ in range(2):
            store.save(load_result())
        as_anybody = []
        if os.getuid() == 0:  # who may read all: without these rights, not even root
            if (setpriv := shutil.which("setpriv")) is None:
                pytest.skip("setpriv is not there, which takes root's rights away")
            as_anybody = [setpriv, "--bounding-set=-dac_override,-dac_read_search"]
        (store.root / "load").chmod(0)
        try:
            ended = subprocess.run(
                [*as_anybody, *BENCH, *arguments, "--results", store.root], capture_output=True, text=True
            )
        finally:
            (store.root / "load").chmod(0o755)
        assert (ended.returncode, ended.stdout) == (code, "")
        assert ended.stderr == said.format(root=store.root, machine=machine_id())

    def test_ctrl_c_while_modules_are_imported_is_quiet(self, tmp_path: Path) -> None:
        fifo = tmp_path / "importing"
        os.mkfifo(fifo)
        (tmp_path / "typer.py").write_text(f"open({str(fifo)!r}, 'rb').read()")
        process = subprocess.Popen(
            [sys.executable, "-m", "bench", "--help"],
            env=os.environ | {"PYTHONPATH": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        with fifo.open("wb"):  # opens when the import reads
            process.send_signal(signal.SIGINT)
            assert process.communicate() == (b"", b"")
        assert process.returncode == 130

    def test_help_imports_nothing_that_takes_long(self) -> None:
        """Neither what measures, nor what reads and draws results: its own, and that of every command."""
        slow = ("locust", "gevent", "pytest", "numpy", "rich", "altair", "uvicorn", "aiohttp")
        code = f"""
import sys
import typer
from bench import cli

def slow():
    return sorted(set({slow}) & sys.modules.keys())

group = typer.main.get_command(cli.app)
# `bench load` becomes another process, and what `bench latency` imports stays imported.
names = sorted(group.list_commands(None), key=lambda name: name in ("latency", "load"))
for arguments in ([], *([name] for name in names)):
    try:
        group.main([*arguments, "--help"])
    except SystemExit:
        print("imported:", *arguments, slow())
"""
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        told = [line for line in ended.stdout.splitlines() if line.startswith("imported:")]
        assert len(told) > 10
        # Its help lists the options that the benchmarks register with pytest.
        assert [line for line in told if not line.endswith("[]") and " latency " not in line] == []
