"""The first round trips of a burst, after bursts with other processes: how much longer they take than the rest."""

from __future__ import annotations

import argparse
import sys
from statistics import median

from measurements.connections import client_core, connected, loop_runner, servers


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m measurements.lead_in", description=__doc__)
    parser.add_argument("--processes", type=int, default=5, help="server processes that take turns (5)")
    parser.add_argument("--bursts", type=int, default=60, help="bursts of each (60)")
    parser.add_argument("--burst", type=int, default=50, help="round trips of a burst (50)")
    options = parser.parse_args()
    apps = {f"service {number}": "app.main:app" for number in range(options.processes)}
    bursts: list[list[int]] = []
    with servers(apps) as urls, loop_runner() as runner, client_core():
        subjects = [runner.run(connected(name, url)) for name, url in urls.items()]
        for subject in subjects:
            runner.run(subject.times_ns(500))
        for _ in range(options.bursts):
            bursts += [runner.run(subject.times_ns(options.burst)) for subject in subjects]
    usual_ns = median(time_ns for burst in bursts for time_ns in burst[options.burst // 2 :])
    for place in range(10):
        print(f"round trip {place + 1:2}: {median(burst[place] for burst in bursts) / usual_ns:.2f} times the usual")
    return 0


if __name__ == "__main__":
    sys.exit(main())
