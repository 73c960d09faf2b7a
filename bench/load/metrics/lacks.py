"""The reasons why a result is partial: workers that are lost, and their arrivals; users that never were. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bench.load.metrics.merge import Merger

_LOST = "its worker was lost"


@dataclass(frozen=True)
class LackingWorkers:
    """The workers of a run that failed it, by their names as they are shown."""

    #: The workers whose final report stayed away.
    missing: Sequence[str] = ()
    #: True if there was no worker any more when the test was stopped.
    have_all_left: bool = False
    #: The workers that stood still for a while.
    came_back: Sequence[str] = ()
    #: The reasons why workers were refused.
    refusals: Sequence[str] = ()


def worker_lacks(workers: LackingWorkers) -> Iterator[str]:
    """Yield what a run lacks because of its workers."""
    if workers.have_all_left and not workers.missing:
        yield "its last worker quit before the run was over"
    if workers.missing:
        yield f"no final report from {', '.join(workers.missing)}"
    for worker in workers.came_back:
        yield (
            f"worker {worker} stood still for some seconds: nothing came of its users then, and where others"
            " had its share meanwhile it was sent twice"
        )
    yield from workers.refusals


def user_lacks(began: int, asked: int | None) -> Iterator[str]:
    """Yield in which way there were fewer users than were asked for. None: Locust has not said how many that is."""
    if asked is None:
        yield "the run ended before all users were spawned"
    elif began < asked:
        yield f"only {began} of {asked} users ever began"


def last_ns_of_schedule(merger: Merger, otherwise_ns: int) -> int:
    """Return when the last process ended sending, in nanoseconds since the run's start."""
    reports = [received.report for received in merger.processes.values() if received.report.final]
    ends_ns = [report.window_end_ns for report in reports if report.window_end_ns is not None]
    return max(ends_ns, default=otherwise_ns)


def drop_lost_arrivals(merger: Merger, worker: str, arrivals_ns: Iterable[int]) -> str | None:
    """Count as dropped a lost worker's arrivals that are in no tally; return in words what that comes to, if any.

    `arrivals_ns` are all that were its share, in nanoseconds since the run's start.
    """
    lost_ns = merger.not_accounted(worker, list(arrivals_ns))
    if not lost_ns:
        return None
    operations = merger.scheduled()
    if len(operations) != 1:
        return f"{len(lost_ns)} arrivals of its share are in no row, for it is not known of which they were"
    merger.drop(worker, operations.pop(), lost_ns, _LOST)
    return f"{len(lost_ns)} arrivals of its share were lost with it, and count as dropped"
