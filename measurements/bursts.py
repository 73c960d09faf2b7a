"""Bursts of ten round trips against bursts of a hundred: how much a restart of `bench ab` differs from the next."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import stdev

from bench.results.ab import AbResult

PROJECT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m measurements.bursts", description=__doc__)
    parser.add_argument("--seconds", type=int, default=120, help="of each comparison (120)")
    options = parser.parse_args()
    bench = str(Path(sys.executable).with_name("bench"))
    for pairs, burst in ((12, 100), (120, 10)):
        with tempfile.TemporaryDirectory() as folder:
            command = [bench, "ab", "HEAD", "HEAD", "--benchmarks", "event", "--precision", "0.01"]
            command += ["--pairs", str(pairs), "--burst", str(burst), "--max-time", f"{options.seconds}"]
            subprocess.run([*command, "--results", folder], cwd=PROJECT, check=False, stdout=subprocess.DEVNULL)
            (path,) = Path(folder).rglob("*.json")
            result = AbResult.model_validate_json(path.read_bytes())
        p50 = result.benchmarks[0].metrics[0]
        print(f"{pairs} pairs of {burst}: ± {stdev(p50.log_effects):.2%} over {result.restarts} restarts", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
