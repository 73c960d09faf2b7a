"""By how much `pytest bench` differs from run to run of the same code: the deviation of the log ratios to the controls.

`bench compare` takes it as known where a side is a single run.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import stdev

from bench.results.latency import LatencyResult
from bench.results.store import load

PROJECT = Path(__file__).resolve().parents[1]

_HOG = "import os, sys\nwhile os.getppid() == int(sys.argv[1]): pass\n"
_SELECTED = "foo_bar and event and websocket and fast and process and uvloop"


@contextmanager
def hogs(number: int) -> Iterator[None]:
    """Run that many processes meanwhile which take what they can get of any core."""
    command = [sys.executable, "-c", _HOG, str(os.getpid())]
    processes = [subprocess.Popen(command) for _ in range(number)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def one_run(arguments: list[str]) -> LatencyResult:
    """Run `pytest bench` for a single benchmark, and return what it stored."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pytest", "bench", "-q", "-p", "no:cacheprovider", "-k", _SELECTED]
        command += [f"--benchmark-storage=file://{folder}", *arguments]
        subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)
        (path,) = Path(folder).rglob("*.json")
        result = load(path)
    assert isinstance(result, LatencyResult)
    return result


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m measurements.between_runs", description=__doc__)
    parser.add_argument("--runs", type=int, default=8, help="runs of each kind (8)")
    parser.add_argument("--effort", default="normal", help="as of pytest bench (normal)")
    options = parser.parse_args()
    for words, arguments, hog in (
        ("cores awake", [], 0),
        ("cores may halt", ["--allow-idle-cores"], 0),
        ("cores awake, beside two busy processes", [], 2),
    ):
        same_stack, bare, medians = [], [], []
        with hogs(hog):
            for _ in range(options.runs):
                (benchmark,) = one_run([f"--effort={options.effort}", *arguments]).benchmarks
                medians.append(math.log(benchmark.stats.median))
                same_stack.append(math.log(benchmark.ratio_to("same-stack") or math.nan))
                bare.append(math.log(benchmark.ratio_to("bare") or math.nan))
        print(
            f"{words}, {options.runs} runs: median ± {stdev(medians):.1%}, ratio to the control on the same stack "
            f"± {stdev(same_stack):.1%}, to the bare echo server ± {stdev(bare):.1%}",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
