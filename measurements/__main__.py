"""`python -m measurements NAME`: run the commands behind a section of docs/measurements.md."""

import argparse
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]

#: The commands of each section, by its name. `python` and console scripts are those of this environment.
SECTIONS: Mapping[str, tuple[str, ...]] = {
    "latency": ('pytest bench -k "websocket and uvloop" --benchmark-columns=min,median,max,rounds',),
    "timing-bias": ("pytest bench --all -k timing_bias",),
    "latency-default": ("pytest bench", "pytest bench --all"),
    "awake": ("python -m measurements.awake",),
    "load": ("locust -f locustfile.py --headless --users 100 --spawn-rate 100 --run-time 10s --only-summary",),
    "peers": ("bench peers --rounds 2 --seconds 3 --processes 2",),
    "round-trip-parts": (
        "bench peers --only epoll,ours,ours-python --connections 50,1000",
        "python -m measurements.round_trip_parts",
    ),
    "capacity": ("bench connections --connections 15000 --working 1000 --seconds 300",),
    "many-connections": ("bench connections --connections 50000 --working 2000 --seconds 300",),
    "low-rate": ("python -m measurements.low_rate", "python -m measurements.low_rate --awake"),
    "accuracy": ("bench accuracy",),
    "wire": ("bench accuracy --wire",),
    "peers-many": (
        "bench peers --connections 50,1000,10000 --rounds 2 --seconds 3 --only ours,ours-python,node,epoll",
    ),
    "accuracy-rates": ("python -m measurements.accuracy_rates",),
    "ab": ("bench ab HEAD HEAD --benchmarks event", "bench ab HEAD HEAD"),
    "ab-slower": ("bench selfcheck --aa 0 --injected 1 --slowdowns 5us --no-stored",),
    "selfcheck": ("bench selfcheck",),
    "bursts": ("python -m measurements.bursts",),
    "lead-in": ("python -m measurements.lead_in",),
    "between-runs": ("python -m measurements.between_runs",),
    "receive-clock": ("python -m measurements.receive_clock",),
    "load-drift": ("python -m measurements.load_drift",),
    "ab-simulation": ("python -m measurements.ab_simulation",),
    "trend-simulation": ("python -m measurements.trend_simulation",),
    "interval-coverage": ("python -m measurements.interval_coverage",),
    "steadiness": ("python -m measurements.steadiness",),
    "saturation": ("python -m measurements.saturation",),
    "looks": ("python -m measurements.looks",),
    "spinner": ("python -m measurements.spinner",),
    "gevent-loop": ("python -m measurements.gevent_loop",),
    "install": ("python -m measurements.install --revision a773bc3", "python -m measurements.install"),
    "small": ("python -m measurements.small",),
}


def arguments_of(command: str) -> list[str]:
    """Return a command of `SECTIONS` as the arguments of a process, its program being that of this environment."""
    program, *arguments = shlex.split(command)
    executable = sys.executable if program == "python" else str(Path(sys.executable).with_name(program))
    return [executable, *arguments]


def main() -> int:
    """Run the command line; return the exit code of the first command that fails, or 0."""
    parser = argparse.ArgumentParser(prog="python -m measurements", description=__doc__)
    parser.add_argument("name", choices=[*SECTIONS, "list"], help="a section of docs/measurements.md, or list")
    name = parser.parse_args().name
    if name == "list":
        for section, commands in SECTIONS.items():
            for command in commands:
                print(f"{section:18}{command}")
        return 0
    for command in SECTIONS[name]:
        print(f"$ {command}", flush=True)
        code = subprocess.run(arguments_of(command), cwd=PROJECT, check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
