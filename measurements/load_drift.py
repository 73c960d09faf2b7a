"""By how much the median of a load differs from run to run of the same code, and the loop lag of its generator."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from itertools import combinations
from pathlib import Path
from statistics import fmean, stdev

from bench.results.load import LoadResult
from bench.results.store import load

PROJECT = Path(__file__).resolve().parents[1]


def one_run(arguments: list[str]) -> LoadResult:
    """Run Locust with the project's locustfile, and return what it stored."""
    locust = str(Path(sys.executable).with_name("locust"))
    with tempfile.TemporaryDirectory() as folder:
        command = [locust, "-f", "locustfile.py", "--headless", "--only-summary", "--results", folder, *arguments]
        subprocess.run(command, cwd=PROJECT, check=False, capture_output=True)
        (path,) = Path(folder).rglob("*.json")
        result = load(path)
    assert isinstance(result, LoadResult)
    return result


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m measurements.load_drift", description=__doc__)
    parser.add_argument("--runs", type=int, default=14, help="open loads of 200/s for 7 s (14)")
    options = parser.parse_args()
    medians_us, lags_us = [], []
    for _ in range(options.runs):
        result = one_run(["--users", "20", "--spawn-rate", "20", "--run-time", "7s", "--rate", "200"])
        times = result.operations[-1].response_us
        lag = result.generator.loop_lag_us
        if times is not None and times.p50 is not None and lag is not None:
            medians_us.append(times.p50)
            lags_us.append(lag.p99)
    pairs = list(combinations(medians_us, 2))
    far = sum(max(pair) > 2 * min(pair) for pair in pairs)
    print(f"medians {min(medians_us):,.0f} to {max(medians_us):,.0f} µs, ± {stdev(medians_us) / fmean(medians_us):.1%}")
    print(f"loop lag, p99: {min(lags_us) / 1e3:.1f} to {max(lags_us) / 1e3:.1f} ms")
    print(f"{far} of {len(pairs)} pairs differ by more than a factor of 2")
    return 0


if __name__ == "__main__":
    sys.exit(main())
