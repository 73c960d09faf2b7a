"""The objectives of a measurement of times alone: those of the command line, or else of a file, or else of the project.

Rules of this file: the first that says any says all of them. The command line may name only what is measured. Others
speak to all commands: what only a load can judge is left out, and told.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.mistyped import nearest
from bench.objectives.model import Objective
from bench.objectives.parsing import ObjectiveError, parse_objectives
from bench.project_settings import ProjectSettingsError, project_settings

#: The operations that only a load performs.
_OF_A_LOAD = frozenset({"connect", "disconnect"})


@dataclass(frozen=True)
class TimeObjectives:
    """The objectives that can be judged, and those that only a load can judge."""

    objectives: tuple[Objective, ...] = ()
    left_out: tuple[Objective, ...] = ()

    @property
    def remark(self) -> str | None:
        """The objectives that are left out, in a line; None if none is."""
        if not self.left_out:
            return None
        return f"only a load can judge these objectives: {'; '.join(objective.text for objective in self.left_out)}"


def objectives_of_times(
    given: Sequence[str],
    of_file: Sequence[str],
    file: str,
    directory: Path,
    names: Collection[str],
    refused: Callable[[Objective], str | None] = lambda _: None,
) -> TimeObjectives:
    """Return the objectives of a measurement of these operations, for a command that runs in `directory`.

    `refused` returns why the command does not measure the metric of an objective, if it does not. Raises
    ObjectiveError, with what said the objective before it.
    """
    is_given = any(text.strip() for text in given)
    origin, texts = ("--slo", given) if is_given else (f"{file}: slo", of_file)
    if not any(text.strip() for text in texts):
        try:
            project = project_settings(directory)
        except ProjectSettingsError as error:
            raise ObjectiveError(str(error)) from None
        origin, texts = f"{project.file}: slo", project.slo
    try:
        found = parse_objectives(texts)
    except ObjectiveError as error:
        raise ObjectiveError(f"{origin}: {error}") from None
    kept, left_out = [], []
    for objective in found:
        reason = _only_of_a_load(objective) or refused(objective)
        if reason is None:
            _refuse_unknown(objective, names, origin)
            kept.append(objective)
        elif is_given:
            raise ObjectiveError(f"{origin}: objective {objective.text!r}: {reason}")
        else:
            left_out.append(objective)
    return TimeObjectives(tuple(kept), tuple(left_out))


def _only_of_a_load(objective: Objective) -> str | None:
    if not objective.is_of_times:
        return f"only a load has {objective.metric}: judge it by `bench load`"
    if objective.operation in _OF_A_LOAD:
        return f"only a load has {objective.operation} among its operations: judge it by `bench load`"
    return None


def _refuse_unknown(objective: Objective, names: Collection[str], origin: str) -> None:
    """Raise ObjectiveError if an objective names no benchmark: by its scenario, or with its case in brackets."""
    name = objective.operation
    if name is None or name in names or name.partition("[")[0] in names:
        return
    near = nearest(name, names)
    hint = f"did you mean {near}?" if near else f"there are {', '.join(sorted(names))}"
    raise ObjectiveError(f"{origin}: objective {objective.text!r}: no such benchmark: {hint}")
