"""The objectives of a measurement of times alone: those of the command line, or else of a file, or else of the project.

Rules of this file: the first that says any says all of them. The command line may name only what is measured. Others
speak to all commands: what only a load can judge is left out, and told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.mistyped import nearest
from bench.objectives.metrics import BY_A_LOAD, is_time
from bench.objectives.model import Objective
from bench.objectives.parsing import ObjectiveError, parse_objectives
from bench.project_settings import ProjectSettingsError, project_settings

#: The operations that only a load performs.
_OF_A_LOAD = frozenset({"connect", "disconnect"})


@dataclass(frozen=True)
class Benchmarks:
    """The benchmarks of a command, by name, and what it does not measure of them.

    `not_measured` returns why the command has no such metric; None if it has. With `have_cases`, a benchmark is also
    found by its scenario and its case in brackets.
    """

    names: frozenset[str]
    not_measured: Callable[[str], str | None] = lambda _: None
    have_cases: bool = False

    def why_not_judged(self, operation: str | None, metric: str) -> str | None:
        """Return why this command judges no such figure, of whichever benchmark; None if it does."""
        if not is_time(metric):
            return f"only a load has {metric}: {BY_A_LOAD}"
        if operation in _OF_A_LOAD:
            return f"only a load has {operation} among its operations: {BY_A_LOAD}"
        return self.not_measured(metric)

    def why_never(self, operation: str | None, metric: str) -> str | None:
        """Return why there is no such figure; None if there is."""
        return self.why_not_judged(operation, metric) or self._why_unknown(operation)

    def _why_unknown(self, name: str | None) -> str | None:
        if name is None or name in self.names or (self.have_cases and name.partition("[")[0] in self.names):
            return None
        near = nearest(name, self.names)
        hint = f"did you mean {near}?" if near else f"there are {', '.join(sorted(self.names))}"
        return f"no such benchmark: {hint}"


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
    benchmarks: Benchmarks,
) -> TimeObjectives:
    """Return the objectives of a measurement of these benchmarks, for a command that runs in `directory`.

    Raises ObjectiveError, with what said the objective before it.
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
        if is_given:
            return TimeObjectives(parse_objectives(texts, benchmarks.why_never))
        # They speak to all commands.
        found = parse_objectives(texts)
        kept = [each for each in found if benchmarks.why_not_judged(each.operation, each.metric) is None]
        parse_objectives([objective.text for objective in kept], benchmarks.why_never)
    except ObjectiveError as error:
        raise ObjectiveError(f"{origin}: {error}") from None
    return TimeObjectives(tuple(kept), tuple(objective for objective in found if objective not in kept))
