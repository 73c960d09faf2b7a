"""The precisions of `--until`: parsed from the command line, and looked at as the load goes on."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from functools import partial

from bench.load.metrics.steadiness import PrecisionRule, precisions
from bench.load.plugin.figures_so_far import FiguresSoFar
from bench.load.plugin.giving_way import GiveWay
from bench.load.plugin.objectives import known_operations, why_never
from bench.load.plugin.options import MisuseError, profile_of
from bench.load.plugin.owned_run import OwnedRun
from bench.load.plugin.user import SocketIOUser
from bench.objectives.precision import AskedPrecision, PrecisionError, parse_precisions
from bench.report.steadiness import asked_text, width_text
from bench.results.load import CONNECT
from bench.results.steadiness import Precision

#: The time between two looks, in seconds. Later in a long run it is a part of the time.
LOOK_INTERVAL_S = 2.0

#: The operations that users who only perform tasks do once.
_ONCE = frozenset({CONNECT, "disconnect"})


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
        self._so_far = FiguresSoFar(test, timeout_s)
        self._rule = PrecisionRule()

    def look(self) -> bool:
        """Return whether all precisions are reached by what happened up to the last complete second.

        The test keeps what was reached for those who show it. Later in a long test not every call looks.
        """
        figures = self._so_far.look()
        if figures is None:
            return False
        self._test.precisions = precisions(self._test.prepared.precisions, figures, GiveWay())
        return self._rule.is_satisfied(len(figures.steady_seconds()), self._test.precisions)


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
