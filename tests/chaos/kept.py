"""The drawn runs that found something once; they run first, the most telling at the front."""

from __future__ import annotations

from dataclasses import dataclass

from tests.chaos.scenario import Kind


@dataclass(frozen=True)
class Kept:
    """A run by its seed and number, with its faults. If the drawing changes, another run has to be found."""

    seed: int
    number: int
    kinds: frozenset[Kind]


def _kept(seed: int, number: int, *kinds: Kind) -> Kept:
    return Kept(seed, number, frozenset(kinds))


KEPT_SEEDS: tuple[Kept, ...] = (
    # A generator that stood still was judged ok.
    _kept(22, 3, "pause generator"),
    # A worker that was lost while users were spawned left a whole result, with half of the users.
    _kept(11, 10, "stop worker"),
    # A worker that joined never began: it sent no final report, and the run ended half a minute later.
    _kept(21, 9, "join"),
    # No file descriptors left: a traceback instead of a result, and the process did not end.
    _kept(12, 7, "few descriptors"),
    # While no user had connected yet, arrivals were neither sent nor dropped.
    _kept(60, 14, "restart server"),
    # A service that died: there was a traceback, and no message of its death.
    _kept(21, 19, "kill server"),
    # Ctrl-C between the start of Locust and that of the test: a traceback, and workers that stayed for a minute.
    _kept(21, 6, "interrupt at start"),
    _kept(23, 6, "interrupt at start"),
    # A second Ctrl-C while the master left: a traceback, and not its exit code.
    _kept(101, 9, "interrupt"),
    # Ctrl-C while the test was prepared: an empty result afterwards, and exit code 0.
    _kept(102, 19, "interrupt at start"),
    # No file descriptors left while the load ran: a traceback, and it ended before its time.
    _kept(101, 24, "few descriptors", "stop server"),
    # A poll was repeated, so that replies that were lost with their connection timed out.
    _kept(103, 1, "drop", "truncate"),
    # A folder that another process had locked was waited for without end.
    _kept(22, 7, "locked folder"),
    # The same faults together with others.
    _kept(22, 1, "join", "refuse"),
    _kept(21, 0, "pause generator", "restart server", "interrupt"),
    _kept(12, 1, "stop worker", "drop"),
    _kept(23, 7, "pause generator", "kill server", "interrupt"),
)
