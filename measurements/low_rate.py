"""The CPU time of an arrival at a low rate: of this project's generator, and of the least that does the same, in C.

`all` is the CPU time of the whole process by the number of arrivals. `beyond` is what it uses more than with one
arrival a second. The C loop sets a timer, sends, and receives. Each figure is the median of several runs, in turn.
With `--awake` the cores do not halt between arrivals.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from bench.machine.child import Child, process_cpu_ns
from bench.machine.cores import generator_cores, server_core
from bench.machine.idle import NoIdle
from bench.results.load import LoadResult
from bench.results.store import load
from bench.targets.process import EchoProcess

PROJECT = Path(__file__).resolve().parents[1]
_C_LOOP = Path(__file__).with_suffix(".c")

_USERS = 20
#: The time after which all users are connected and the schedule runs, in seconds.
_STARTED_S = 2.0
_START_TIMEOUT_S = 60.0
_ALL_BUT_IDLE = 1


class Failed(Exception):
    """A run that gave no figures. The text says why."""


def _run(rate: int, seconds: int, echo: EchoProcess) -> tuple[float, float, LoadResult]:
    """Return the CPU time in a second, in microseconds, the arrivals in a second, and the result. Raises Failed."""
    with tempfile.TemporaryDirectory() as folder:
        locust = str(Path(sys.executable).with_name("locust"))
        command = [locust, "-f", "locustfile.py", "--headless", "--only-summary", "--no-progress", "--results", folder]
        command += ["--host", echo.url, "--users", str(_USERS), "--spawn-rate", str(_USERS), "--rate", str(rate)]
        command += ["--run-time", f"{seconds + 5}s"]
        child = Child(command, directory=PROJECT, cores=generator_cores()[:1])
        try:
            give_up_at = time.monotonic() + _START_TIMEOUT_S
            while echo.stats().connections < _USERS:
                if not child.is_running or time.monotonic() > give_up_at:
                    raise Failed("the load did not start")
                time.sleep(0.1)
            time.sleep(_STARTED_S)
            before_ns, cpu_ns, answered = time.perf_counter_ns(), process_cpu_ns(child.pid), echo.stats().answered
            time.sleep(seconds)
            after_ns, cpu_ns = time.perf_counter_ns(), process_cpu_ns(child.pid) - cpu_ns
            answered = echo.stats().answered - answered
            if not child.wait(_START_TIMEOUT_S):
                raise Failed("the load did not end")
        finally:
            child.kill_and_reap()
        (path,) = Path(folder).rglob("*.json")
        result = load(path)
    assert isinstance(result, LoadResult)
    took_s = (after_ns - before_ns) / 1e9
    return cpu_ns / 1e3 / took_s, answered / took_s, result


def _compiled(folder: str) -> Path | None:
    """Return the C loop as a program; None without a compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    program = Path(folder) / "low_rate"
    subprocess.run([compiler, "-O2", "-o", str(program), str(_C_LOOP), "-lpthread"], check=True)
    return program


def _of_the_loop(program: Path, rate: int, seconds: int) -> float:
    """Return the CPU time of an arrival of the C loop, in microseconds."""
    core, other = generator_cores()[:1] or (-1,), server_core()
    cores = [str(core[0]), str(-1 if other is None else other)]
    return float(subprocess.run([program, str(rate), str(seconds), *cores], check=True, capture_output=True).stdout)


def measure(rates: Iterable[int], rounds: int, seconds: int) -> None:
    """Measure in turn, and print a row for each rate. Raises Failed."""
    found: dict[tuple[int, str], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder, EchoProcess(core=server_core()) as echo:
        program = _compiled(folder)
        for _ in range(rounds):
            idle_us, idle_per_s, _result = _run(_ALL_BUT_IDLE, seconds, echo)
            for rate in rates:
                cpu_us, per_s, result = _run(rate, seconds, echo)
                found[rate, "all"].append(cpu_us / per_s)
                found[rate, "beyond"].append((cpu_us - idle_us) / (per_s - idle_per_s))
                late = result.generator.send_lateness_us
                if late is not None:
                    found[rate, "late"].append(late.p50)
                    found[rate, "late p99"].append(late.p99)
                if program is not None:
                    found[rate, "C"].append(_of_the_loop(program, rate, seconds))
    print("arrivals/s   all µs   beyond µs   C loop µs   send lateness p50, p99 µs")
    for rate in rates:
        cells = [f"{median(values):,.0f}" if (values := found[rate, name]) else "-" for name in ("all", "beyond", "C")]
        late_us = [f"{median(found[rate, name]):,.0f}" for name in ("late", "late p99") if found[rate, name]]
        print(f"{rate:10}{cells[0]:>9}{cells[1]:>12}{cells[2]:>12}   {', '.join(late_us)}", flush=True)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m measurements.low_rate", description=__doc__)
    parser.add_argument("--rates", default="50,100,500,2000", help="arrivals per second (50,100,500,2000)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each kind (3)")
    parser.add_argument("--seconds", type=int, default=8, help="of each run (8)")
    parser.add_argument("--awake", action="store_true", help="keep both cores from halting")
    options = parser.parse_args()
    core = server_core()
    cores = (*generator_cores()[:1], *(() if core is None else (core,)))
    with ExitStack() as stack:
        if options.awake:
            stack.enter_context(NoIdle(cores))
        try:
            measure([int(rate) for rate in options.rates.split(",")], options.rounds, options.seconds)
        except Failed as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
