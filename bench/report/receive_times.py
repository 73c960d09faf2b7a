"""The words for receive times: whose clock told them, how wrong they may be, how long replies waited to be read.

For every kind of result that has receive times. A newcomer should understand each sentence by itself.
"""

from collections.abc import Iterator, Sequence

from bench.report.document import Note
from bench.report.formatting import count, duration
from bench.results.figure import Figure
from bench.results.receiving import ReceiveClock, Receiving

#: A row, and what its receive times are said to be of.
NamedRow = tuple[str, Receiving]


def receive_notes(rows: Sequence[NamedRow], clock: ReceiveClock | None) -> Iterator[Note]:
    """Yield what a reader has to know of the receive times of these rows; nothing if there are none.

    Several rows may have the same name.
    """
    by_kernel = [(name, row) for name, row in rows if row.clock == "kernel"]
    by_process = [(name, row) for name, row in rows if row.clock == "process"]
    if by_kernel:
        of = _times_of(by_kernel, bool(by_process))
        yield Note(f"{of} end when the machine received the reply: {_trust([row for _, row in by_kernel], clock)}")
    yield from _process_notes(by_process, clock, bool(by_kernel))
    if clock is not None and clock.steps:
        sizes = ", ".join(f"{step.by_s:+.3g} s" for step in clock.steps)
        unstamped = sum(row.unstamped for _, row in rows)
        yield Note(
            f"the machine's clock was set during the run, by {sizes}: {_replies(unstamped)} the process's time",
            "warning",
        )


def together(clocks: Sequence[ReceiveClock]) -> ReceiveClock | None:
    """Return what several measurements of a result tell of the clock; None if none does."""
    if not clocks:
        return None
    bounds_us = [clock.bound_us for clock in clocks if clock.bound_us is not None]
    reasons = list(dict.fromkeys(clock.process_because for clock in clocks if clock.process_because))
    return ReceiveClock(
        bound_us=max(bounds_us, default=None),
        steps=tuple(step for clock in clocks for step in clock.steps),
        process_because="; ".join(reasons) or None,
    )


def _trust(rows: Sequence[Receiving], clock: ReceiveClock | None) -> str:
    """Return how far the kernel's times can be trusted, and what is not in them."""
    known_us = clock.bound_us if clock is not None else None
    stamped, bounded = sum(row.exact + row.bounded for row in rows), sum(row.bounded for row in rows)
    most_us = max((row.error_max_us or 0 for row in rows), default=0)
    exactly = "exact" if known_us is None else f"exact to {duration(Figure(known_us))}"
    exact = f"all {count(stamped)} are {exactly}"
    if bounded:
        shown = _share((stamped - bounded) / stamped)
        exact = f"{shown} of {count(stamped)} are {exactly}, the others up to {duration(Figure(most_us))} too long"
    waits_us = [row.reading_delay_us.p99 for row in rows if row.reading_delay_us is not None]
    if not waits_us:
        return exact
    worst = "p99" if len(waits_us) == 1 else "p99 of the worst"
    return f"{exact}; the generator's own queue ({worst} {duration(Figure(max(waits_us)))}) is not in them"


def _process_notes(rows: Sequence[NamedRow], clock: ReceiveClock | None, are_others: bool) -> Iterator[Note]:
    whole = [(name, row) for name, row in rows if not row.exact + row.bounded]
    if whole:
        of = _times_of(whole, are_others)
        because = f": {clock.process_because}" if clock is not None and clock.process_because else ""
        yield Note(f"{of} end when the generator had read the reply, and contain how long it waited there{because}")
    for name, row in rows:
        if row.exact + row.bounded:
            total = row.exact + row.bounded + row.unstamped
            yield Note(
                f"{name}: {count(row.unstamped)} of {count(total)} replies have the process's time, not the kernel's, "
                "so all count as timed by the process",
                "warning",
            )


def _times_of(rows: Sequence[NamedRow], are_others: bool) -> str:
    return f"times of {', '.join(dict.fromkeys(name for name, _ in rows))}" if are_others else "times"


def _replies(number: int) -> str:
    return "1 reply has" if number == 1 else f"{count(number)} replies have"


def _share(share: float) -> str:
    """Return a share as text that does not say all, or none, where it is nearly so."""
    return "nearly all" if 0.9995 <= share < 1 else f"{share:.1%}"
