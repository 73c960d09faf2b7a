"""The precisions of `--until`: parsed from the command line, and looked at as the load goes on."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from functools import partial

from bench.load.metrics.figures import LoadFigures
from bench.load.metrics.live import complete_until_s, heard_of
from bench.load.metrics.merge import SecondWork
from bench.load.metrics.objectives import is_time_to_look
from bench.load.metrics.steadiness import PrecisionRule, precisions
from bench.load.plugin.objectives import known_operations, why_never
from bench.load.plugin.options import MisuseError, profile_of
from bench.load.plugin.owned_run import OwnedRun
from bench.load.plugin.user import SocketIOUser
from bench.objectives.precision import AskedPrecision, PrecisionError, parse_precisions
from bench.report.steadiness import asked_text, width_text
from bench.results.load import CONNECT, Window
from bench.results.steadiness import Precision
from bench.timing.rates import NS_PER_S

#: The time between two looks, in seconds. Later in a long run it is a part of the time.
LOOK_INTERVAL_S = 2.0

#: The operations that users who only perform tasks do once.
_ONCE = frozenset({CONNECT, "disconnect"})

#: The seconds by which failures may be told later than their limit.
_TOLD_LATER_S = 5


def precisions_of(options: Namespace, users: Sequence[type[SocketIOUser]]) -> tuple[AskedPrecision, ...]:
    """Return the precisions that `--until` asks for. Raises MisuseError."""
    try:
        asked = parse_precisions(str(getattr(options, "until", None) or ""), partial(_why_never_surer, users))
    except PrecisionError as error:
        raise MisuseError(f"--until: {error}") from None
    if not asked:
        return ()
    profile = profile_of(options)
    if profile is not None and (len(profile.stages) > 1 or profile.stages[0].is_ramp):
        raise MisuseError(
            f"--until {asked[0].text!r}: --rate {profile} has stages or a ramp, so no figure of the whole run gets "
            "surer: give a single rate"
        )
    return asked


def _why_never_surer(users: Sequence[type[SocketIOUser]], operation: str | None, metric: str) -> str | None:
    """Return why no run of these users makes a figure surer by going on; None if one may do."""
    reason = why_never(users, operation, metric, leave_out=_ONCE)
    if reason is None and operation in _ONCE and known_operations(users) is not None:
        return f"users {operation} once, so a longer run makes it no surer"
    return reason


class PrecisionWatch:
    """The looks at the precisions of a test. `timeout_s` is the longest time that a reply is awaited."""

    def __init__(self, test: OwnedRun, timeout_s: float) -> None:
        self._test = test
        self._timeout_s = timeout_s
        self._rule = PrecisionRule()
        self._last_s = -1
        #: The seconds of which nothing more will be told. To read their histograms again would take the generator's
        #: time.
        self._work: dict[int, SecondWork] = {}

    def look(self) -> bool:
        """Return whether all precisions are reached by what happened up to the last complete second.

        The test keeps what was reached for those who show it. Later in a long test not every call looks.
        """
        test = self._test
        if test.process is not None:
            test.merger.receive("local", test.process.report(final=False))
        merger = test.merger
        until_s = complete_until_s(heard_of(merger.processes.values()))
        start_ns = merger.window_start_ns
        if not until_s or start_ns is None or not is_time_to_look(until_s, self._last_s):
            return False
        self._last_s = until_s
        start_s = min(until_s, start_ns / NS_PER_S)
        window = Window(start_s=start_s, end_s=until_s, warmup_s=0)
        settled_s = until_s - self._timeout_s - _TOLD_LATER_S
        self._work = {second: work for second, work in self._work.items() if second < settled_s}
        figures = LoadFigures(merger, window, self._timeout_s * 1e6, until_s, self._work)
        test.precisions = precisions(test.prepared.precisions, figures)
        return self._rule.is_satisfied(len(figures.steady_seconds()), test.precisions)


def so_far(found: Sequence[Precision]) -> str:
    """Return in a few words how far the precision is that is furthest from what was asked; empty before a look."""
    lacking = [precision for precision in found if not precision.is_reached]
    if not lacking:
        return "as precise as asked" if found else ""
    unknown = next((precision for precision in lacking if precision.reached is None), None)
    worst = unknown or max(lacking, key=lambda precision: (precision.reached or 0) / precision.asked)
    of = "" if worst.operation is None else f"{worst.operation}: "
    reached = "?" if worst.reached is None else width_text(worst.reached, worst.unit)
    return f"{of}{worst.metric} ± {reached} of {asked_text(worst)}"
