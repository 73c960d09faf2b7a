"""The exit code of a measurement with objectives, the same for every command."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # options need not wait for the models
    from bench.objectives.model import JudgedObjective

#: The exit code of a run in which all went well.
WELL = 0
#: The exit code of a run that failed, or in which something failed of which no objective speaks.
FAILED = 1
#: The exit code of a run that missed an objective.
MISSED = 3

#: The treatment of an objective that is undecided.
IfUndecided = Literal["warn", "fail"]


def exit_code(
    judged: Iterable[JudgedObjective],
    *,
    has_failed: bool = False,
    has_missed: bool = False,
    has_other_failures: bool = False,
    if_undecided: IfUndecided = "warn",
) -> int:
    """Return the exit code: the first that applies.

    `has_failed` says that the run itself failed. An objective that could not be judged is such a failure. `has_missed`
    says that a run was ended because it missed an objective, whatever is judged in the end.
    `has_other_failures` says that something failed of which no objective speaks, or became slower.
    """
    verdicts = {objective.verdict for objective in judged}
    if has_failed or "not judged" in verdicts:
        return FAILED
    if has_missed or "missed" in verdicts or ("undecided" in verdicts and if_undecided == "fail"):
        return MISSED
    return FAILED if has_other_failures else WELL


def worst(judged: Sequence[JudgedObjective]) -> JudgedObjective | None:
    """Return the objective that a reader has to know first; None without objectives."""
    order = ("not judged", "missed", "undecided", "met")
    return min(judged, key=lambda objective: order.index(objective.verdict), default=None)
