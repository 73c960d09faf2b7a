"""Results stored by processes that are killed, come at once or run out of disk; and pytest-benchmark's own files."""

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from bench.results.latency import LatencyResult
from bench.results.references import Store
from bench.results.store import load, write_numbered
from tests.support.example_results import load_result, run_latency_session
from tests.support.folders import ROOT


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


@pytest.fixture(scope="module")
def latency_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of a result that pytest-benchmark itself has stored."""
    folder = tmp_path_factory.mktemp("session")
    run_latency_session(folder, folder / "results")
    (path,) = (folder / "results" / "latency").glob("*/*.json")
    return path


def in_processes(code: str, *arguments: object, count: int = 1) -> list[subprocess.Popen[str]]:
    """Run `code` in Python processes that begin when their standard input is closed."""
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{textwrap.dedent(code)}"
    return [
        subprocess.Popen(
            [sys.executable, "-c", script, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]


class TestSaving:
    def test_a_disk_that_is_full_leaves_nothing(self, store: Store) -> None:
        code = """
            import resource, sys
            from pathlib import Path
            from tests.support.example_results import load_result
            from bench.results.references import Store
            from bench.results.store import ResultError
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
            try:
                Store(Path(sys.argv[1])).save(load_result())
            except ResultError as error:
                print(error)
        """
        (process,) = in_processes(code, store.root)
        said, _ = process.communicate()
        assert said == f"cannot store a result in {store.folder('load')}: File too large\n"
        assert list(store.folder("load").iterdir()) == []

    def test_processes_that_save_at_once_get_a_number_each(self, store: Store) -> None:
        code = """
            import sys
            from pathlib import Path
            from tests.support.example_results import load_result
            from bench.results.references import Store
            sys.stdin.read()
            for _ in range(10):
                Store(Path(sys.argv[1])).save(load_result())
        """
        processes = in_processes(code, store.root, count=4)
        time.sleep(1)
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()
        assert [process.wait() for process in processes] == [0] * 4
        for process in processes:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            process.stderr.close()
        paths = sorted(store.folder("load").iterdir())
        assert [int(path.name.partition("_")[0]) for path in paths] == list(range(1, 41))
        assert all(load(path) == load_result() for path in paths)

    @pytest.mark.parametrize("moment", ["before the data is synced", "before the file is linked"])
    def test_a_process_killed_while_it_saves_leaves_no_half_file(self, store: Store, moment: str) -> None:
        code = """
            import os, pathlib, signal, sys
            from tests.support.example_results import load_result
            from bench.results.references import Store
            def die(*_):
                os.kill(os.getpid(), signal.SIGKILL)
            if sys.argv[2] == "before the data is synced":
                os.fsync = die
            else:
                pathlib.Path.hardlink_to = die
            Store(pathlib.Path(sys.argv[1])).save(load_result())
        """
        (process,) = in_processes(code, store.root, moment)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        (leftover,) = store.folder("load").iterdir()
        assert leftover.suffix == ".tmp"  # pytest-benchmark looks for *.json, hidden or not
        path = store.save(load_result())
        assert path.name.startswith("0001_")
        assert list(store.folder("load").iterdir()) == [path]


class TestReading:
    def test_a_latency_result_of_pytest_benchmark(self, latency_file: Path) -> None:
        result = load(latency_file)
        assert isinstance(result, LatencyResult)
        assert [benchmark.name for benchmark in result.benchmarks] == [
            "test_sum[10]",
            "test_sum[1000]",
            "test_illustration",
        ]
        benchmark = result.benchmarks[0]
        assert (benchmark.fullname, benchmark.group) == ("test_session.py::test_sum[10]", "sum")
        assert 0 < benchmark.stats.min <= benchmark.stats.median <= benchmark.stats.max < 1
        assert benchmark.p99_us == 15.0
        assert result.packages == {"uvicorn": "0.54.0"}
        assert result.commit_info.id == "unversioned"
        assert result.machine_info.node
        assert result.datetime.tzinfo is not None


def test_pytest_benchmark_reads_what_was_written_through_the_store(store: Store, latency_file: Path) -> None:
    write_numbered(store.folder("latency"), "a", latency_file.read_bytes())
    write_numbered(store.folder("latency"), "b", latency_file.read_bytes())
    shown = subprocess.run(
        [
            *(sys.executable, "-m", "pytest_benchmark", "--storage", store.root / "latency"),
            *("compare", "0001", "0002"),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "test_sum[10] (0001_a)" in shown
    assert "test_sum[10] (0002_b)" in shown
