"""The validation of `bench ab` on this machine: it finds real changes and no false ones. It takes an hour.

`bench selfcheck` compares the service with itself again and again. It also compares the service with a copy that has a
busy loop in its handler, of about 1, 2 and 5 % of a round trip. Each comparison is a real `bench ab`, on a copy of this
repository in which the busy loops are branches. The processes that are compared report themselves how long a loop
really took: each process clocks its own loop on every call. The service without a busy loop has a loop of no turns, so
that the clock costs the same on both sides. Before and after all that, and once under a CPU hog, the selfcheck runs
`pytest bench` and compares what was stored.

The statistics promise a probability of a mistake for each comparison (see bench.statistics.estimates). The bound on
mistakes is the number that a binomial with this probability exceeds in 1 % of all selfchecks. So a check that fails
means something. A check that passes with few runs means little: the table shows the numbers.
"""

import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from rich.console import Console

from bench.ab.errors import AbError, AbFailedError
from bench.ab.options import plan
from bench.ab.run import compare_revisions
from bench.compare.model import Comparison as StoredComparison
from bench.machine.cores import generator_cores, pinned_to
from bench.machine.interrupts import ended_by_signals
from bench.report.lines import print_line, print_table
from bench.results.ab import AbMetric
from bench.results.git import git
from bench.results.temporary import temporary_folder
from bench.statistics.distributions import binomial_quantile
from bench.timing.durations import DurationError, PercentError, parse_duration, parse_percent, span_text

PROJECT = Path(__file__).parents[2]

#: The largest share of comparisons of a service with itself that say slower or faster.
FALSE_ALARMS = 0.01
#: The share of intervals that contain the truth.
COVERAGE = 0.95
#: The share of true slowdowns of 1 % and more that `bench ab` finds at least, if it reached its precision.
POWER = 0.90
_TAIL = 0.01

_IDENTITY = ("-c", "user.name=selfcheck", "-c", "user.email=selfcheck@localhost")

_SERVICE = Path("app/service.py")
_BEGINNING = "        began_ns = monotonic_ns() if self._stamps else 0\n"
# repeat, not range: so many integers would push what the service needs out of the cache, which the clock does not see.
_LOOP = """        _from_ns = _clock_ns()
        for _ in _repeat(None, {turns}):
            pass
        _took_ns.append(_clock_ns() - _from_ns)
"""
_WRITING_THE_MEDIAN = """

import atexit as _atexit
import os as _os
from itertools import repeat as _repeat
from pathlib import Path as _Path
from statistics import median as _median
from time import perf_counter_ns as _clock_ns

_took_ns: list[int] = []


@_atexit.register
def _tell() -> None:
    if _took_ns:
        _Path({folder!r}, "{turns}-" + str(_os.getpid())).write_text(str(_median(_took_ns)))
"""
#: The turns of the loop by which the other loops are sized: some 3 % of a round trip.
_SIZING_TURNS = 500
_SIZING_MAX_TIME_S = 10.0
_SAME = "same"
_STORED = "websocket-fast-process-uvloop"


@dataclass(frozen=True)
class Comparison:
    """A `bench ab`: the intended slowdown of B ("" for none), the true slowdown, and the verdict.

    The truth is a share, not per cent.
    """

    injected: str
    truth: float
    metric: AbMetric
    restarts: int
    duration_s: float
    stopped_by: str

    @property
    def is_covered(self) -> bool:
        """True if the interval contains the truth."""
        low, high = self.metric.low, self.metric.high
        return low is not None and high is not None and low <= self.truth <= high


@dataclass(frozen=True)
class Check:
    """A promise: the number of times that it was kept or broken, of how many, and the bound."""

    what: str
    counted: int
    of: int
    bound: str
    is_kept: bool


def most_of(runs: int, chance: float) -> int:
    """Return the number of mistakes that this many runs exceed with a probability of at most 1 %."""
    return binomial_quantile(1 - _TAIL, runs, chance)


def checks(comparisons: Sequence[Comparison]) -> list[Check]:
    """Return the promises that these comparisons check, with their results."""
    found = []
    same = [comparison for comparison in comparisons if not comparison.injected]
    alarms = sum(comparison.metric.verdict in ("slower", "faster") for comparison in same)
    if same:
        bound = most_of(len(same), FALSE_ALARMS)
        found.append(Check("A/A: said to differ", alarms, len(same), f"at most {bound}", alarms <= bound))
    for injected in _kinds(comparisons):
        if not injected:
            continue
        slower = [comparison for comparison in comparisons if comparison.injected == injected]
        missed = sum(comparison.metric.verdict != "slower" for comparison in slower)
        bound = most_of(len(slower), 1 - POWER)
        what = f"{injected} slower: not found"
        found.append(Check(what, missed, len(slower), f"at most {bound}", missed <= bound))
    outside = sum(not comparison.is_covered for comparison in comparisons)
    bound = most_of(len(comparisons), 1 - COVERAGE)
    found.append(
        Check("truth outside the 95 % interval", outside, len(comparisons), f"at most {bound}", outside <= bound)
    )
    return found


def _kinds(comparisons: Sequence[Comparison]) -> list[str]:
    """Return the injected slowdowns, each once, in the order of the runs."""
    return list(dict.fromkeys(comparison.injected for comparison in comparisons))


def slowdown_us(text: str, round_trip_us: float) -> float:
    """Return a slowdown, "2%" of a round trip or "5us", in microseconds. Raises AbError for any other text."""
    try:
        value_us = parse_percent(text) * round_trip_us if text.endswith("%") else parse_duration(text) * 1e6
    except (DurationError, PercentError):
        value_us = math.nan
    if not 0 < value_us < math.inf or text[-1].isdigit():
        raise AbError(f"--slowdowns: {text!r} is no slowdown: expected a share as in 2% or a time as in 5us")
    return value_us


# --- the copy with its branches ---------------------------------------------------------------------------------------


def _copy(folder: Path, reports: Path) -> Path:
    """Make a repository with the service as it is here, with uncommitted changes and a loop of no turns."""
    copy = folder / "service"
    copy.mkdir()
    shutil.copytree(PROJECT / "app", copy / "app", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "requirements.lock"):
        shutil.copy(PROJECT / name, copy / name)
    _write_loop(copy, 0, reports)
    git(copy, "init", "--quiet", "--initial-branch=main")
    git(copy, "add", "--all")
    git(copy, *_IDENTITY, "commit", "--quiet", "--message=As it is")
    return copy


def _write_loop(copy: Path, turns: int, reports: Path) -> None:
    """Have the copy's handler clock a loop of so many turns, and its process write the median into `reports`.

    Raises AbError if the handler is not found.
    """
    source = (PROJECT / _SERVICE).read_text()
    if source.count(_BEGINNING) != 1:
        raise AbError(f"the handler of FOO is not where the selfcheck looks for it, in {_SERVICE}")
    looped = source.replace(_BEGINNING, _BEGINNING + _LOOP.format(turns=turns))
    (copy / _SERVICE).write_text(looped + _WRITING_THE_MEDIAN.format(turns=turns, folder=str(reports)))


def _branch(copy: Path, name: str, turns: int, reports: Path) -> None:
    git(copy, "checkout", "--quiet", "-b", name, "main")
    _write_loop(copy, turns, reports)
    git(copy, *_IDENTITY, "commit", "--quiet", "--all", f"--message={name}")
    git(copy, "checkout", "--quiet", "main")


def _slower_branches(copy: Path, slowdowns: Sequence[str], reports: Path) -> dict[str, str]:
    """Make a branch for each slowdown, and return its name by slowdown.

    A short comparison with a loop gives the time of a turn: a loop that runs alone takes less time per turn.
    """
    if not slowdowns:
        return {}
    _branch(copy, "sizing", _SIZING_TURNS, reports)
    sizing = _compare(copy, "sizing", "sizing", reports, _SIZING_MAX_TIME_S)
    us_per_turn = sizing.truth * sizing.metric.a_us / _SIZING_TURNS
    branches = {}
    for number, text in enumerate(slowdowns, 1):
        branches[text] = f"slower-{number}"
        turns = round(slowdown_us(text, sizing.metric.a_us) / us_per_turn)
        _branch(copy, branches[text], max(1, turns), reports)
    return branches


def _longer_us(reports: Path) -> float:
    """Return how much longer the handler with a loop took, as the compared processes reported it.

    It is the difference of the means over the processes of each side. Raises AbFailedError if a side reported nothing.
    """
    took_ns: dict[int, list[float]] = {}
    for path in reports.iterdir():
        took_ns.setdefault(int(path.name.partition("-")[0]), []).append(float(path.read_text()))
    if len(took_ns) != 2:
        raise AbFailedError(f"of the two services, {len(took_ns)} told how long their loops took")
    return (fmean(took_ns[max(took_ns)]) - fmean(took_ns[0])) / 1000


# --- the runs ---------------------------------------------------------------------------------------------------------


def _compare(copy: Path, branch: str, injected: str, reports: Path, max_time_s: float) -> Comparison:
    asked = plan(
        app=None, event=None, reply=None, payload=None, benchmarks="event", max_time=f"{max_time_s:g}"
    )  # as `bench ab` is told by default
    result = compare_revisions(asked, "main", branch, copy)
    metric = next(metric for metric in result.benchmarks[0].metrics if metric.metric == "p50")
    truth = _longer_us(reports) / metric.a_us if injected else 0.0
    for path in reports.iterdir():
        path.unlink()
    return Comparison(injected, truth, metric, result.restarts, result.duration_s, result.stopped_by)


@contextmanager
def _hog() -> Iterator[None]:
    """Run a process that takes what it can of the generator's core, in bouts, as a neighbour would."""
    source = (
        "import os, time\n"
        "while os.getppid() == PARENT:\n    until = time.monotonic() + 0.2\n"
        "    while time.monotonic() < until: pass\n    time.sleep(0.2)\n"
    )
    command = [sys.executable, "-c", source.replace("PARENT", str(os.getpid()))]
    with pinned_to(generator_cores()):  # which it inherits
        process = subprocess.Popen(command)
    with process:
        try:
            yield
        finally:
            process.kill()


def _store(results: Path) -> Path:
    """Run `pytest bench` for the benchmark that is compared; return the file that it stored."""
    before = set(results.rglob("*.json"))
    command = [sys.executable, "-m", "pytest", "bench", "-q", "-p", "no:cacheprovider", "-k", _STORED]
    storage = f"file://{results / 'latency'}"
    subprocess.run(
        [*command, f"--benchmark-storage={storage}"], cwd=PROJECT, check=True, capture_output=True, text=True
    )
    (path,) = set(results.rglob("*.json")) - before
    return path


def _stored_differ(old: Path, new: Path) -> bool:
    """Return True if `bench compare` says that anything is slower or faster."""
    bench = Path(sys.executable).with_name("bench")
    written = new.with_suffix(".comparison")
    command = [str(bench), "compare", str(old), str(new), "--json", str(written)]
    compared = subprocess.run(command, capture_output=True, text=True, check=False)
    if compared.returncode not in (0, 1):
        raise AbFailedError(f"bench compare failed: {compared.stderr.strip()}")
    comparison = StoredComparison.model_validate_json(written.read_bytes())
    verdicts = {row.verdict for benchmark in comparison.benchmarks for row in benchmark.rows}
    return bool(verdicts & {"slower", "faster"})


def _rows(comparisons: Sequence[Comparison]) -> list[list[str]]:
    rows = [["injected", "runs", "truth", "effect", "95 % interval", "restarts", "seconds", "verdicts"]]
    for injected in _kinds(comparisons):
        group = [comparison for comparison in comparisons if comparison.injected == injected]
        verdicts = [comparison.metric.verdict for comparison in group]
        said = ", ".join(f"{verdicts.count(word)} {word}" for word in sorted(set(verdicts)))
        rows.append(
            [
                injected or "nothing",
                str(len(group)),
                f"{fmean(comparison.truth for comparison in group):+.2%}",
                f"{fmean(comparison.metric.effect for comparison in group):+.2%}",
                f"± {fmean(comparison.metric.half_width or math.nan for comparison in group):.2%}",
                f"{fmean(comparison.restarts for comparison in group):.0f}",
                f"{fmean(comparison.duration_s for comparison in group):.0f}",
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


@dataclass(frozen=True)
class Extent:
    """The number and length of a selfcheck's comparisons."""

    #: The number of comparisons of the service with itself.
    same: int
    #: The number of comparisons for each slowdown.
    injected: int
    #: The time that a comparison may take.
    max_time_s: float
    #: Shares of a round trip, or times such as 5us.
    slowdowns: tuple[str, ...]
    #: True if results of `pytest bench` are compared as well.
    stored: bool


def selfcheck(extent: Extent, console: Console) -> bool:
    """Run all of it, print it, and return True if every promise was kept.

    Raises AbError and AbFailedError as `bench ab` does, ValueError for a slowdown that cannot be read, and
    CalledProcessError if git or `pytest bench` fails.
    """
    slowdowns = list(extent.slowdowns)
    comparisons: list[Comparison] = []
    found: list[Check] = []
    with ended_by_signals(), temporary_folder("bench-selfcheck-") as folder:
        stored = []
        began_s = time.monotonic()
        if extent.stored:
            print_line(console, "pytest bench, before")
            stored.append(_store(folder / "results"))
        reports = folder / "reports"
        reports.mkdir()
        copy = _copy(folder, reports)
        git(copy, "branch", _SAME, "main")
        runs = [""] * extent.same + [text for text in slowdowns for _ in range(extent.injected)]
        try:
            branches = {"": _SAME} | _slower_branches(copy, slowdowns if extent.injected else [], reports)
            for number, injected in enumerate(runs, 1):
                comparison = _compare(copy, branches[injected], injected, reports, extent.max_time_s)
                comparisons.append(comparison)
                low, high = comparison.metric.low or math.nan, comparison.metric.high or math.nan
                print_line(
                    console,
                    f"{number} of {len(runs)}: truth {comparison.truth:+.2%}, said {comparison.metric.effect:+.2%} "
                    f"({low:+.2%} to {high:+.2%}), {comparison.metric.verdict}, {comparison.restarts} restarts, "
                    f"{span_text(round(comparison.duration_s))}, ended by {comparison.stopped_by}",
                )
            if extent.stored:
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
