"""The reasons for which a run fails, and what its log says of its result. Pure: a result in, lines of text out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.load.metrics.exceptions import cut
from bench.machine.descriptors import is_file_limit, is_limit_reason, limit_reason_in
from bench.report.formatting import counted
from bench.results.load import CONNECT, LoadResult

_KINDS_IN_A_LINE = 3

#: What else a load can do about the limit of a process's open files.
_OR_PROCESSES = ", or spread the users over more --processes"


def exit_reasons(result: LoadResult, are_workers_missing: bool = False) -> list[str]:
    """Return the reasons why the run has failed, in the order in which they are logged; empty if it has not.

    If the figures are wrong, or a worker's are lacking, the absence of figures is no other fault.
    """
    is_absence_a_fault = not are_workers_missing and not result.invalid_reason
    reasons = (
        None if result.service_loss is None else result.service_loss.text,
        result.invalid_reason,
        nothing_measured(result) if is_absence_a_fault else None,
        result.partial_reason,
        cut_off(result),
        at_a_limit(result),
    )
    return [reason for reason in reasons if reason is not None]


def warnings(result: LoadResult, breakdown: bool) -> Iterator[str]:
    """Yield what a user should know of a result that lacks figures. `breakdown` says that it was asked for."""
    if not result.window.duration_s:
        yield "The run ended before its users were there and warm: it has counts, but no times and no throughput"
    if breakdown and not any(operation.breakdown for operation in result.operations):
        yield "--breakdown: no reply had `handled_ns`, when its handler began and ended on this machine"


def exceptions_raised(result: LoadResult) -> str | None:
    """Return what users' own code raised, in a line; None if it raised nothing."""
    if not result.exceptions:
        return None
    number = sum(exception.count for exception in result.exceptions)
    raised = "an exception" if number == 1 else f"{number:,} exceptions"
    return f"users' own code raised {raised}: " + _first_kinds([found.text for found in result.exceptions])


def nothing_measured(result: LoadResult) -> str | None:
    """Return why there is nothing to see in the result; None if there is something."""
    connect = next((operation for operation in result.operations if operation.kind == CONNECT), None)
    if connect is None:
        if any(second.users for second in result.timeline):
            return "no attempt to connect had ended when the run ended"
        return "no user was started before the run ended"
    if not connect.ok:
        reasons = _first_kinds(list(connect.errors)) or "the run ended before the first connection was made"
        return f"no user ever connected: {reasons}"
    others = [operation for operation in result.operations if operation.kind != CONNECT]
    if any(operation.sent for operation in others):
        return None
    dropped = dict.fromkeys(reason for operation in others for reason in operation.dropped_because)
    if not dropped and result.scenario.model == "closed":
        return None  # users who only listen, or only stay connected
    return f"nothing was sent: {'; '.join(dropped) or 'no task performed an operation'}"


def cut_off(result: LoadResult) -> str | None:
    """Return what is missing because the run was aborted; None if it was not."""
    if not result.forced:
        return None
    unfinished = sum(operation.unfinished for operation in result.operations)
    awaited = "1 reply was" if unfinished == 1 else f"{unfinished or 'no'} replies were"
    return f"the run was ended by force: {awaited} still awaited"


def at_a_limit(result: LoadResult) -> str | None:
    """Return the limit that kept users from connecting, of files or of ports, in the words of the attempts' errors."""
    found = {
        kind: times
        for operation in result.operations
        for kind, times in operation.errors.items()
        if is_limit_reason(kind)
    }
    if not found:
        return None
    (kind, *_) = found
    reason = limit_reason_in(kind)
    more = _OR_PROCESSES if is_file_limit(reason) else ""
    number = sum(found.values())
    return f"{counted(number, 'attempt')} to connect failed: {reason}{more}"


def _first_kinds(kinds: Sequence[str]) -> str:
    """Return a few of the kinds of errors, in a line."""
    more = len(kinds) - _KINDS_IN_A_LINE
    return cut("; ".join(kinds[:_KINDS_IN_A_LINE])) + (f"; and {more} more kinds of errors" if more > 0 else "")
