"""The objectives of a run: those of the command line, or else of the user classes, or else of the project.

The first that says any says all of them. A scenarios file says them as the class of its users does.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.load.engine.handlers import handlers_of
from bench.load.plugin.class_attributes import HOOKS
from bench.load.plugin.options import MisuseError
from bench.load.plugin.user import SocketIOUser
from bench.mistyped import nearest
from bench.objectives.metrics import Refusal, is_time
from bench.objectives.model import Objective
from bench.objectives.outcome import IfUndecided
from bench.objectives.parsing import ObjectiveError, parse_objectives
from bench.project_settings import ProjectSettingsError, project_settings
from bench.results.errors import ResultError
from bench.results.load import CONNECT, REPLIED_KINDS, OperationKey
from bench.results.option_files import check_option_file
from bench.scenarios.model import RoundTrip


@dataclass(frozen=True)
class AskedObjectives:
    """The objectives of a run, and what is to happen by them."""

    objectives: tuple[Objective, ...] = ()
    #: True if the run is to end as soon as an objective is surely missed.
    aborts: bool = False


def objectives_of(options: Namespace, users: Sequence[type[SocketIOUser]]) -> AskedObjectives:
    """Return the objectives of a run of these users. Raises MisuseError."""
    objectives = _found(options, users)
    aborts = bool(getattr(options, "slo_abort", False))
    if aborts and not objectives:
        raise MisuseError("--slo-abort: there is no objective; give one with --slo, as in --slo 'p99 < 50 ms'")
    return AskedObjectives(objectives, aborts)


def if_undecided_of(options: Namespace) -> IfUndecided:
    """Return what becomes of a run with an objective that is undecided."""
    return "fail" if getattr(options, "slo_undecided", "warn") == "fail" else "warn"


def check_junit(options: Namespace) -> None:
    """Raise MisuseError if `--junit` names a folder, or a file in no folder that is there."""
    file = str(getattr(options, "junit", "") or "")
    try:
        check_option_file("--junit", Path(file) if file else None)
    except ResultError as error:
        raise MisuseError(str(error)) from None


def _found(options: Namespace, users: Sequence[type[SocketIOUser]]) -> tuple[Objective, ...]:
    """Return the objectives of the first that says any. Raises MisuseError."""
    refused = partial(why_never, users)
    given = str(getattr(options, "slo", None) or "")
    if given.strip():
        return _parsed("--slo", given, refused)
    of_classes: dict[str, Objective] = {}
    for user in users:
        for objective in _parsed(f"{user.__name__}.slo", user.slo or (), refused):
            of_classes.setdefault(objective.text, objective)
    if of_classes:
        return tuple(of_classes.values())
    try:
        project = project_settings(Path.cwd())
    except ProjectSettingsError as error:
        raise MisuseError(str(error)) from None
    except OSError:  # the working directory is gone
        return ()
    return _parsed(f"{project.file}: slo", project.slo, refused)


def _parsed(origin: str, texts: str | Sequence[str], refused: Refusal) -> tuple[Objective, ...]:
    try:
        return parse_objectives(texts, refused)
    except ObjectiveError as error:
        raise MisuseError(f"{origin}: {error}") from None


def why_never(
    users: Sequence[type[SocketIOUser]],
    operation: str | None,
    metric: str,
    leave_out: frozenset[str] = frozenset(),
) -> str | None:
    """Return why no run of these users can have a figure; None if one may have it, or if only the run can tell.

    `leave_out` has the names that are not proposed in place of a name that nothing has.
    """
    names = known_operations(users)
    if names is None or metric == "connects":  # it counts the attempts of all users, whatever it names
        return None
    if operation is None:
        has_times = any(key.kind in REPLIED_KINDS for key in _keys_of(users))
        return "nothing here awaits a reply, so there are no times" if is_time(metric) and not has_times else None
    if operation not in names:
        had = [name for name in names - leave_out if _why_without(users, name, metric) is None]
        near = nearest(operation, had)
        if not had:
            return "no such operation, and none here has such a figure"
        hint = f"did you mean {near}?" if near else f"there are {', '.join(sorted(had))}"
        return f"no such operation: {hint}"
    return _why_without(users, operation, metric)


def _why_without(users: Sequence[type[SocketIOUser]], operation: str, metric: str) -> str | None:
    """Return why an operation that these users perform has no such figure; None if it may have it."""
    kinds = {key.kind for key in _keys_of(users) if operation in (key.name, key.label)}
    if is_time(metric) and kinds == {"emission"}:
        return f"{operation} is an emission, which awaits no reply, so it has no times"
    if metric == "throughput" and not kinds:
        return f"{operation} has no throughput: only what tasks perform has one"
    return None


def known_operations(users: Sequence[type[SocketIOUser]]) -> frozenset[str] | None:
    """Return the names that the operations of these users can have; None if only the run can tell.

    That is so for users whose code may perform anything: tasks that are functions, hooks and handlers.
    """
    for user in users:
        if not _performs_tasks_alone(user) or any(getattr(task, "performs", None) is None for task in user.tasks):
            return None
    keys = _keys_of(users)
    # Only a user's own code disconnects on purpose.
    return frozenset({CONNECT, *(key.name for key in keys), *(key.label for key in keys)})


def _keys_of(users: Sequence[type[SocketIOUser]]) -> list[OperationKey]:
    """Return the operations of users whose tasks are nothing but operations."""
    performed = [getattr(task, "performs", None) for user in users for task in user.tasks]
    return [
        OperationKey(each.name, "round trip" if isinstance(each, RoundTrip) else "emission")
        for each in performed
        if each is not None
    ]


def _performs_tasks_alone(user: type[SocketIOUser]) -> bool:
    if user.performs_tasks_alone is not None:
        return user.performs_tasks_alone
    changed = (*HOOKS, "round_trip", "emit")
    return not handlers_of(user) and all(getattr(user, name) is getattr(SocketIOUser, name) for name in changed)
