"""`python -m tests.chaos`: run scenarios one after the other until the time is over; exit code 1 after a finding.

The kept runs, which found something once, come first, for half of the time at most; then those of the seed. The command
starts no run that would not end in time. A run that hangs is ended by its own limit, so it may take a minute longer.
"""

from __future__ import annotations

import argparse
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from tests.chaos.judge import Observed, allowed_exit_codes, findings
from tests.chaos.kept import KEPT_SEEDS
from tests.chaos.perform import perform
from tests.chaos.scenario import Scenario, draw


def main() -> int:
    """Return the exit code: 1 after a finding, 130 after Ctrl-C, else 0."""
    arguments = _parser().parse_args()
    # A process that a shell starts in the background ignores Ctrl-C, and so would the generators.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    seed = secrets.randbelow(100_000) if arguments.seed is None else arguments.seed
    started_s = time.monotonic()
    give_up_at = started_s + 60 * arguments.minutes
    kept_until_s = 0.0 if arguments.without_kept else started_s + 30 * arguments.minutes
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    performed = found = 0
    was_interrupted = False
    _say(f"seed {seed}, {arguments.minutes:g} minutes; the output of what is found: {folder}")
    try:
        for scenario in _scenarios(seed, arguments.only, kept_until_s):
            if arguments.only is None and time.monotonic() + scenario.duration_s > give_up_at:
                break
            performed += 1
            found += bool(_run(scenario, folder))
    except KeyboardInterrupt:
        was_interrupted = True
    took = f"{time.monotonic() - started_s:.0f} s"
    _say(f"{performed} runs in {took}, {found} with a finding{', interrupted' if was_interrupted else ''}")
    if not found and not arguments.keep:
        shutil.rmtree(folder)
    return 1 if found else 130 if was_interrupted else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos", description="Load runs with faults injected, and checked."
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="what the scenarios are drawn from (default: another one each time)")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="only the scenario with that number of the seed")
    parser.add_argument("--without-kept", action="store_true", help="leave out the seeds that found something once")
    parser.add_argument("--keep", action="store_true", help="keep the output of runs without a finding, too")
    return parser


def _scenarios(seed: int, only: int | None, kept_until_s: float) -> Iterator[Scenario]:
    if only is not None:
        yield draw(seed, only)
        return
    performed = set[Scenario]()  # a kept run may be of this seed
    for run in KEPT_SEEDS:
        if time.monotonic() < kept_until_s:
            performed.add(scenario := draw(run.seed, run.number))
            yield scenario
    for number in count():
        if (scenario := draw(seed, number)) not in performed:
            yield scenario


def _run(scenario: Scenario, folder: Path) -> list[str]:
    """Perform and judge a scenario, and print the outcome; its folder stays if something was found."""
    _say(f"seed {scenario.seed} run {scenario.number}: {scenario}")
    own = folder / f"{scenario.seed}-{scenario.number}"
    own.mkdir()
    observed = perform(scenario, own)
    found = findings(observed)
    _say(f"  {_summary(observed)}")
    for finding in found:
        _say(f"  FOUND {finding}")
    if found:
        _say(f"  again: make chaos SEED={scenario.seed} ONLY={scenario.number}; output: {own}")
    (own / "observed.txt").write_text("\n".join([str(scenario), _summary(observed), *found, ""]))
    return found


def _summary(observed: Observed) -> str:
    injected = ", ".join(
        applied.fault.kind
        + (f" at {applied.began_s - observed.began_s:.2f} s" if observed.began_s else "")
        + (f" for {applied.lasted_s:.2f} s" if applied.lasted_s > 0.005 else "")
        for applied in observed.applied
    )
    result = observed.result
    if result is None:
        said = "no result"
    else:
        said = ", ".join(
            f"{row.name}: {row.sent} sent, {row.ok} ok, {row.timeouts} timeouts, {row.error_count} errors, "
            f"{row.unfinished} unfinished, {row.dropped} dropped"
            for row in result.operations
        )
        said += f"; {result.generator.verdict}{', partial' if result.partial else ''}"
        said += ", forced" if result.forced else ""
        said += "" if observed.results else ", not stored but put aside"
    allowed = "/".join(map(str, sorted(allowed_exit_codes(observed))))
    return (
        f"exit code {observed.exit_code} ({allowed}) after {observed.took_s:.1f} s; injected: {injected or 'nothing'}; "
        f"handled {observed.handled}, broken connections {observed.broken_connections}; {said}"
    )


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
