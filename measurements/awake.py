"""The effect of keeping cores awake: the same processes, with halting cores and with awake ones in turn (ABBA)."""

from __future__ import annotations

import argparse
import sys
from statistics import fmean, median, stdev

from measurements.connections import client_core, connected, loop_runner, servers

APPS = {"service": "app.main:app", "control": "bench.targets.control:app"}


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m measurements.awake", description=__doc__)
    parser.add_argument("--times", type=int, default=30, help="visits with awake cores, and as many without (30)")
    parser.add_argument("--round-trips", type=int, default=600, help="round trips of a visit (600)")
    options = parser.parse_args()
    if options.times < 2:
        parser.error("--times has to be 2 or more: a spread takes two")
    found: dict[tuple[str, bool], list[float]] = {}
    with servers(APPS, with_echo=True) as urls, loop_runner() as runner:
        subjects = [runner.run(connected(name, url)) for name, url in urls.items()]
        for visit in range(2 * options.times):
            is_awake = visit % 4 in (1, 2)
            with client_core(is_awake=is_awake):
                for subject in subjects:
                    runner.run(subject.times_ns(50))
                    found.setdefault((subject.name, is_awake), []).append(
                        runner.run(subject.median_us(options.round_trips))
                    )
    print(f"{'median µs':12}{'halting':>10}{'awake':>10}{'ratio':>8}   ± standard error")
    for subject in subjects:
        halting, awake = found[subject.name, False], found[subject.name, True]
        ratios = [new / old for old, new in zip(halting, awake, strict=True)]
        error = stdev(ratios) / len(ratios) ** 0.5
        print(f"{subject.name:12}{median(halting):10.1f}{median(awake):10.1f}{fmean(ratios):8.3f}   ± {error:.3f}")
    for is_awake, words in ((False, "halting"), (True, "awake")):
        pairs = zip(found["service", is_awake], found["control", is_awake], strict=True)
        ratios = [service / control for service, control in pairs]
        print(f"ratio to the control, {words}: {fmean(ratios):.3f} ± {stdev(ratios) / len(ratios) ** 0.5:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
