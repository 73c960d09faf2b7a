"""The gain of `pytest bench` and `bench ab` by the kernel's receive times: the same with either clock, in alternation.

Of `pytest bench`: p50 and p99, and how the medians and the ratios to the control differ from run to run. Of `bench ab`,
the checkout's HEAD against itself: the deviation of an effect from restart to restart, which decides how small a
difference it can find.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import fmean, median, stdev

from bench.interleave.bursts import is_reversed
from bench.results.ab import AbResult
from bench.results.latency import LatencyBenchmark
from measurements.between_runs import PROJECT, one_run

#: The clocks, by the options that ask for them.
CLOCKS = {"process": ("--process-clock",), "kernel": ()}

_METRICS = ("p50", "p99", "cpu", "saturated")


def alternating(turns: int) -> list[str]:
    """Return the clocks of so many turns of both, in the order ABBA."""
    order = list(CLOCKS)
    return [clock for turn in range(turns) for clock in (reversed(order) if is_reversed(turn) else order)]


def latency(turns: int, effort: str) -> None:
    """Print what `pytest bench` reports with either clock."""
    found: dict[str, list[LatencyBenchmark]] = {clock: [] for clock in CLOCKS}
    for clock in alternating(turns):
        (benchmark,) = one_run([f"--effort={effort}", *CLOCKS[clock]]).benchmarks
        assert benchmark.details.clock == clock, "the clock is the one that was asked for"
        found[clock].append(benchmark)
    print(f"`pytest bench`, {turns} runs with either clock: medians over the runs, and deviation from run to run")
    for clock, runs in found.items():
        medians_us = [run.stats.median * 1e6 for run in runs]
        ratios = [run.ratio_to("same-stack") or math.nan for run in runs]
        between = [run.between_processes.median_cv or 0 for run in runs if run.between_processes is not None]
        print(
            f"  {clock:8} p50 {median(medians_us):6.1f} µs ± {_deviation(medians_us):.1%}, "
            f"p99 {median(run.p99_us or math.nan for run in runs):6.1f} µs, "
            f"ratio to the control {median(ratios):.3f} ± {_deviation(ratios):.1%}, "
            f"between processes ± {median(between):.1%}",
            flush=True,
        )


def ab(turns: int, max_time_s: int) -> None:
    """Print what `bench ab` reports of HEAD against itself with either clock."""
    found: dict[str, list[AbResult]] = {clock: [] for clock in CLOCKS}
    for clock in alternating(turns):
        found[clock].append(_one_comparison(clock, max_time_s))
    print(f"`bench ab HEAD HEAD --benchmarks event`, {turns} times with either clock, {max_time_s} s each")
    for clock, results in found.items():
        for metric in _METRICS:
            effects, times_us, half_widths = [], [], []
            for result in results:
                (row,) = (row for row in result.benchmarks[0].metrics if row.metric == metric)
                effects.append(stdev(row.log_effects))
                times_us.append(row.a_us)
                half_widths.append(row.half_width or math.nan)
            restarts = sum(result.restarts for result in results)
            print(
                f"  {clock:8} {metric:9} {median(times_us):6.1f} µs, an effect ± {fmean(effects):.2%} from restart to "
                f"restart, interval ± {', '.join(f'{width:.2%}' for width in half_widths)} ({restarts} restarts)",
                flush=True,
            )


def _one_comparison(clock: str, max_time_s: int) -> AbResult:
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder, "ab.json")
        command = [sys.executable, "-m", "bench", "ab", "HEAD", "HEAD", "--benchmarks", "event", *CLOCKS[clock]]
        # It is to spend all of the time: the intervals are compared.
        command += ["--max-time", str(max_time_s), "--precision", "0.01", "--results", folder, "--json", str(written)]
        command += ["--reply-timeout", "30"]  # the machine may be busy
        told = subprocess.run(command, cwd=PROJECT, check=False, capture_output=True, text=True)
        if not written.exists():  # exit code 1 alone may also be chance: something is called slower
            sys.exit(told.stderr)
        result = AbResult.model_validate(json.loads(written.read_text()))
    assert result.benchmarks[0].received_clock == clock, "the clock is the one that was asked for"
    return result


def _deviation(values: list[float]) -> float:
    return stdev(map(math.log, values)) if len(values) > 1 else math.nan


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m measurements.receive_clock", description=__doc__)
    parser.add_argument("--runs", type=int, default=6, help="runs of pytest bench with either clock (6)")
    parser.add_argument("--effort", default="normal", help="as of pytest bench (normal)")
    parser.add_argument("--comparisons", type=int, default=2, help="runs of bench ab with either clock (2)")
    parser.add_argument("--max-time", type=int, default=150, metavar="SECONDS", help="of each of these (150)")
    options = parser.parse_args()
    if options.runs:
        latency(options.runs, options.effort)
    ab(options.comparisons, options.max_time)
    return 0


if __name__ == "__main__":
    sys.exit(main())
