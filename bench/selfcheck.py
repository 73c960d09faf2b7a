"""`python -m bench.selfcheck`: does `bench ab` say the truth here, and does it cry wolf? An hour on a quiet machine.

It compares the service with itself again and again, and with itself plus a busy loop in its handler of about 1, 2 and
5 % of a round trip. How much that really is, the service's own stamps tell before (see `calibrated`). Each comparison
is a real `bench ab`, on a copy of this repository in which the busy loops are branches. Before and after all that, and
once under a CPU hog, it runs `pytest bench` and compares what was stored.

How many mistakes are allowed: what the statistics promise is a probability for each comparison (see
bench.compare.statistics), and the bound is the number that a binomial with it exceeds in 1 % of all selfchecks. So a
check that fails means something, and one that passes with few runs means little: the table shows the numbers.
"""

import argparse
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from time import perf_counter_ns

import uvloop
from rich.console import Console

from bench.compare.ab_options import plan
from bench.compare.failure import AbError, AbFailedError
from bench.compare.interleaved import compare_revisions
from bench.latency.loop import OwnLoop
from bench.report.lines import print_line, print_table
from bench.results.ab import AbMetric
from bench.roundtrip import FOO_BAR, Exchange, tokens
from bench.server import Awake, ServerProcess, generator_cores, kept_to
from bench.server.awake import availability
from bench.wire.client import FastClient

PROJECT = Path(__file__).parent.parent

SLOWDOWNS = (0.01, 0.02, 0.05)
FALSE_ALARMS = 0.01
"""Of comparisons of a service with itself, at most so many say slower or faster."""
COVERAGE = 0.95
POWER = 0.90
"""Of true slowdowns of 1 % and more, at least so many are found, where the precision was reached."""
_TAIL = 0.01

_BEGINNING = "        began_ns = monotonic_ns() if self._stamps else 0\n"
_BUSY_LOOP = "        for _ in range({loops}):\n            pass\n"
_TIMEOUT_NS = 5_000_000_000
_CALIBRATION_ROUND_TRIPS = 2_000
_WARM_UP_ROUND_TRIPS = 300
_USUAL_US = 150.0
"""A round trip, as long as none was measured."""
_STORED = "websocket-fast-process-uvloop"
_INTERRUPTED = 130


@dataclass(frozen=True)
class Comparison:
    """One `bench ab`: how much slower B really is, and what was said. Shares, not per cent."""

    injected: float
    truth: float
    metric: AbMetric
    restarts: int
    duration_s: float
    stopped_by: str

    @property
    def is_covered(self) -> bool:
        """Whether the interval holds the truth."""
        low, high = self.metric.low, self.metric.high
        return low is not None and high is not None and low <= self.truth <= high


@dataclass(frozen=True)
class Check:
    """One promise: how often it was kept or broken, of how many, and the bound."""

    what: str
    counted: int
    of: int
    bound: str
    is_kept: bool


def most_of(n: int, probability: float) -> int:
    """The number that a binomial of n with this probability exceeds with a probability of at most 1 %."""
    total = 0.0
    for k in range(n + 1):
        total += math.comb(n, k) * probability**k * (1 - probability) ** (n - k)
        if total >= 1 - _TAIL:
            return k
    return n


def checks(comparisons: Sequence[Comparison]) -> list[Check]:
    """What the comparisons say of the promises."""
    found = []
    same = [one for one in comparisons if not one.injected]
    alarms = sum(one.metric.verdict in ("slower", "faster") for one in same)
    if same:
        bound = most_of(len(same), FALSE_ALARMS)
        found.append(Check("A/A: said to differ", alarms, len(same), f"at most {bound}", alarms <= bound))
    for injected in sorted({one.injected for one in comparisons if one.injected}):
        slower = [one for one in comparisons if one.injected == injected]
        missed = sum(one.metric.verdict != "slower" for one in slower)
        bound = most_of(len(slower), 1 - POWER)
        what = f"{injected:.0%} slower: not found"
        found.append(Check(what, missed, len(slower), f"at most {bound}", missed <= bound))
    outside = sum(not one.is_covered for one in comparisons)
    bound = most_of(len(comparisons), 1 - COVERAGE)
    found.append(
        Check("truth outside the 95 % interval", outside, len(comparisons), f"at most {bound}", outside <= bound)
    )
    return found


# --- the copy with its branches ---------------------------------------------------------------------------------------


def loop_ns() -> float:
    """How long one turn of an empty loop takes here, when nothing else runs."""
    turns = 200_000
    durations = []
    for _ in range(20):
        began_ns = perf_counter_ns()
        for _ in range(turns):
            pass
        durations.append(perf_counter_ns() - began_ns)
    return min(durations) / turns


def calibrated(copy: Path, branch: str, starts: int) -> float:
    """By how much of a round trip the branch's handler takes longer than main's: the truth to find.

    The handler's time is what the service stamps. The mean over several starts of both, one after the other: the
    difference of the medians, as a share of main's round trip in that start, so that a machine that is slow for a while
    is so in both.
    """
    shares = []
    for _ in range(starts):
        handler_us, _ = _medians_us(copy, branch)
        usual_us, round_trip_us = _medians_us(copy, "main")
        shares.append((handler_us - usual_us) / round_trip_us)
    return fmean(shares)


def _medians_us(copy: Path, branch: str) -> tuple[float, float]:
    """Of the handler and of the round trip."""
    _git(copy, "checkout", "--quiet", branch)
    try:
        with (
            ServerProcess(directory=copy, environment={"FOOBAR_STAMPS": "true"}) as server,
            kept_to(generator_cores()),
            OwnLoop.open(uvloop.new_event_loop) as loop,
        ):
            return loop.run(_timed(server.url))
    finally:
        _git(copy, "checkout", "--quiet", "main")


async def _timed(url: str) -> tuple[float, float]:
    client = FastClient()
    handled_ns: list[int] = []
    took_ns: list[int] = []
    exchange = Exchange(client, tokens("calibration", 0), _TIMEOUT_NS)
    await client.connect(url)
    try:
        for _ in range(_WARM_UP_ROUND_TRIPS + _CALIBRATION_ROUND_TRIPS):
            completed = await exchange(FOO_BAR)
            began_ns, ended_ns = completed.reply[0]["handled_ns"]
            handled_ns.append(ended_ns - began_ns)
            took_ns.append(completed.service_ns)
    finally:
        exchange.close()
        await client.disconnect()
    return median(handled_ns[_WARM_UP_ROUND_TRIPS:]) / 1000, median(took_ns[_WARM_UP_ROUND_TRIPS:]) / 1000


def awake_cores() -> tuple[int, ...]:
    """The cores that can be kept awake, as `bench ab` keeps them."""
    cores = tuple(sorted(os.sched_getaffinity(0)))
    return () if availability(cores) else cores


def _git(repository: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=selfcheck", "-c", "user.email=selfcheck@localhost"]
    subprocess.run(["git", "-C", str(repository), *identity, *arguments], check=True, capture_output=True)


def _copy(folder: Path) -> Path:
    """A repository with the service as it is here, uncommitted changes included."""
    copy = folder / "service"
    copy.mkdir()
    shutil.copytree(PROJECT / "app", copy / "app", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "requirements.lock"):
        shutil.copy(PROJECT / name, copy / name)
    _git(copy, "init", "--quiet", "--initial-branch=main")
    _git(copy, "add", "--all")
    _git(copy, "commit", "--quiet", "--message=As it is")
    return copy


def _branch(copy: Path, name: str, loops: int) -> None:
    """A branch whose handler turns round in a loop so often. Raises AbError where the handler is not found."""
    _git(copy, "checkout", "--quiet", "-b", name, "main")
    path = copy / "app" / "service.py"
    source = path.read_text()
    if source.count(_BEGINNING) != 1:
        raise AbError("the handler of FOO is not where the selfcheck looks for it, in app/service.py")
    path.write_text(source.replace(_BEGINNING, _BEGINNING + _BUSY_LOOP.format(loops=loops)))
    _git(copy, "commit", "--quiet", "--all", f"--message={name}")
    _git(copy, "checkout", "--quiet", "main")


# --- the runs ---------------------------------------------------------------------------------------------------------


def _compare(copy: Path, branch: str, injected: float, truth: float, max_time_s: float) -> Comparison:
    asked = plan(
        app=None, event=None, reply=None, payload=None, benchmarks="event", max_time=f"{max_time_s:g}"
    )  # as `bench ab` is told by default
    result = compare_revisions(asked, "main", branch, copy)
    metric = next(metric for metric in result.benchmarks[0].metrics if metric.metric == "p50")
    return Comparison(injected, truth, metric, result.restarts, result.duration_s, result.stopped_by)


@contextmanager
def _hog() -> Iterator[None]:
    """A process that takes what it can of the generator's core, in bouts, as a neighbour would."""
    cores = generator_cores() or tuple(os.sched_getaffinity(0))
    source = (
        f"import os, time\nos.sched_setaffinity(0, {set(cores)!r})\n"
        "while os.getppid() == PARENT:\n    until = time.monotonic() + 0.2\n"
        "    while time.monotonic() < until: pass\n    time.sleep(0.2)\n"
    )
    command = [sys.executable, "-c", source.replace("PARENT", str(os.getpid()))]
    with subprocess.Popen(command) as process:
        try:
            yield
        finally:
            process.kill()


def _store(results: Path) -> Path:
    """Run `pytest bench` for the benchmark that is compared; the file that it stored."""
    before = set(results.rglob("*.json"))
    command = [sys.executable, "-m", "pytest", "bench", "-q", "-p", "no:cacheprovider", "-k", _STORED]
    storage = f"file://{results / 'latency'}"
    subprocess.run([*command, f"--benchmark-storage={storage}"], cwd=PROJECT, check=True, capture_output=True)
    (path,) = set(results.rglob("*.json")) - before
    return path


def _stored_differ(old: Path, new: Path) -> bool:
    """Whether `bench compare` says that anything is slower or faster."""
    bench = Path(sys.executable).with_name("bench")
    compared = subprocess.run([bench, "compare", old, new], capture_output=True, text=True, check=False)
    if compared.returncode not in (0, 1):
        raise AbFailedError(f"bench compare failed: {compared.stderr.strip()}")
    return any(f" {word}" in compared.stdout for word in ("slower", "faster"))


def _rows(comparisons: Sequence[Comparison]) -> list[list[str]]:
    rows = [["injected", "runs", "truth", "effect", "95 % interval", "restarts", "seconds", "verdicts"]]
    for injected in sorted({one.injected for one in comparisons}):
        group = [one for one in comparisons if one.injected == injected]
        verdicts = [one.metric.verdict for one in group]
        said = ", ".join(f"{verdicts.count(word)} {word}" for word in sorted(set(verdicts)))
        rows.append(
            [
                f"{injected:.0%}" if injected else "nothing",
                str(len(group)),
                f"{fmean(one.truth for one in group):+.2%}",
                f"{fmean(one.metric.effect for one in group):+.2%}",
                f"± {fmean(one.metric.half_width or math.nan for one in group):.2%}",
                f"{fmean(one.restarts for one in group):.0f}",
                f"{fmean(one.duration_s for one in group):.0f}",
                said,
            ]
        )
    return rows


def _print(comparisons: Sequence[Comparison], kept: Sequence[Check], console: Console) -> None:
    if comparisons:
        print_table(console, _rows(comparisons))
        print_line(console, "(means over the runs)")
        print_line(console, "")
    if kept:
        rows = [[c.what, f"{c.counted} of {c.of}", c.bound, "kept" if c.is_kept else "BROKEN"] for c in kept]
        print_table(console, [["promise", "counted", "bound", ""], *rows])


def _run(options: argparse.Namespace, console: Console) -> bool:
    comparisons: list[Comparison] = []
    found: list[Check] = []
    with tempfile.TemporaryDirectory(prefix="selfcheck-") as temporary:
        folder = Path(temporary)
        stored = []
        began_s = time.monotonic()
        if options.stored:
            print_line(console, "pytest bench, before")
            stored.append(_store(folder / "results"))
        copy = _copy(folder)
        runs = [0.0] * options.aa + [share for share in SLOWDOWNS for _ in range(options.injected)]
        truths = {0.0: 0.0}
        _git(copy, "branch", "same", "main")
        try:
            for number, injected in enumerate(runs, 1):
                branch = f"slower-{injected * 100:g}" if injected else "same"
                if injected not in truths:
                    base_us = fmean(one.metric.a_us for one in comparisons) if comparisons else _USUAL_US
                    _branch(copy, branch, round(injected * base_us * 1000 / loop_ns()))
                    with Awake(awake_cores()):
                        truths[injected] = calibrated(copy, branch, options.calibrations)
                    print_line(console, f"{branch}: the handler takes {truths[injected]:.2%} of a round trip longer")
                one = _compare(copy, branch, injected, truths[injected], options.max_time)
                comparisons.append(one)
                low, high = one.metric.low or math.nan, one.metric.high or math.nan
                print_line(
                    console,
                    f"{number} of {len(runs)}: truth {one.truth:+.2%}, said {one.metric.effect:+.2%} "
                    f"({low:+.2%} to {high:+.2%}), {one.metric.verdict}, {one.restarts} restarts, "
                    f"{one.duration_s:.0f} s, ended by {one.stopped_by}",
                )
            if options.stored:
                print_line(console, f"pytest bench, {(time.monotonic() - began_s) / 60:.0f} minutes later")
                stored.append(_store(folder / "results"))
                print_line(console, "pytest bench, under a CPU hog")
                with _hog():
                    stored.append(_store(folder / "results"))
                pairs = [(stored[0], stored[1]), (stored[0], stored[2]), (stored[1], stored[2])]
                differ = sum(_stored_differ(old, new) for old, new in pairs)
                found.append(Check("stored, same commit: said to differ", differ, len(pairs), "none", not differ))
        except KeyboardInterrupt:
            print_line(console, "interrupted; so far:")
        if comparisons:
            found = checks(comparisons) + found
        print_line(console, "")
        _print(comparisons, found, console)
    return bool(found) and all(check.is_kept for check in found)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.selfcheck", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--aa", type=int, default=20, help="comparisons of the service with itself (20)")
    parser.add_argument("--injected", type=int, default=5, help="comparisons for each of 1, 2 and 5 %% slower (5)")
    parser.add_argument("--max-time", type=float, default=120.0, help="seconds that one comparison may take (120)")
    parser.add_argument("--calibrations", type=int, default=8, help="starts to measure each slowdown with (8)")
    parser.add_argument("--no-stored", dest="stored", action="store_false", help="leave out what pytest bench stores")
    options = parser.parse_args()
    if options.aa < 0 or options.injected < 0 or options.aa + options.injected == 0 or options.calibrations < 1:
        parser.error("--aa and --injected are numbers of runs, not both 0; --calibrations is 1 or more")
    try:
        return 0 if _run(options, Console()) else 1
    except (AbError, AbFailedError) as error:
        print(f"selfcheck: error: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout or b"").decode(errors="replace").strip().splitlines()
        print(f"selfcheck: error: {error.cmd[0]} failed: {said[-1] if said else ''}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
