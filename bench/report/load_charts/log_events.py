"""The lines of the service's log that are marked on the course of a run: at their time, across all panels."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.report.chart import Event, Role
from bench.report.formatting import count, counted
from bench.results.load import LoadResult
from bench.results.service_log import LogLine

#: The number of marks of a log at most. Lines that are closer share a mark.
MOST_MARKS = 10

#: The number of lines up to which harmless lines are marked as well.
_MOST_HARMLESS = 12

#: The number of characters of a line's mark. The table has the whole line.
_LETTERS = 40

#: The words of lines that somebody looks for after a run, the worst first, with the part that their marks play.
_TROUBLES: tuple[tuple[re.Pattern[str], Role], ...] = (
    (re.compile(r"\b(?:CRITICAL|FATAL|ERROR|Traceback)\b|\w*(?:Error|Exception)\b", re.ASCII), "bad"),
    (re.compile(r"\bWARN(?:ING)?\b", re.ASCII), "warning"),
)


@dataclass(frozen=True)
class MarkedLines:
    """The marks, and what the caption says of them."""

    events: tuple[Event, ...] = ()
    remark: str = ""


def marked_lines(result: LoadResult) -> MarkedLines:
    """Return the marks of a log: of all lines if they are few, else of those with an error or a warning."""
    log = result.service_log
    if log is None:
        return MarkedLines()
    lines = log.kept if log.lines <= _MOST_HARMLESS else tuple(line for line in log.kept if _role(line) != "faint")
    length_s = max(1.0, result.timeline[-1].t + 1 if result.timeline else 0.0)
    events = tuple(_mark(group) for group in _groups(lines, length_s / MOST_MARKS))
    if len(lines) == log.lines:
        return MarkedLines(events, "What the service wrote is marked at its time.")
    of = f"of the {counted(log.lines, 'line')} that the service wrote"
    if not events:
        return MarkedLines((), f"None {of} is marked: none that is kept tells of an error or a warning.")
    return MarkedLines(
        events, f"{len(lines)} {of} are marked: errors and warnings. The table has the lines that are kept."
    )


def _groups(lines: Sequence[LogLine], apart_s: float) -> Iterator[list[LogLine]]:
    """Yield lines that are so close that their marks would lie over each other, together."""
    group: list[LogLine] = []
    for line in lines:
        if group and line.t - group[0].t >= apart_s:
            yield group
            group = []
        group.append(line)
    if group:
        yield group


def _mark(group: Sequence[LogLine]) -> Event:
    """Return the mark of lines: the first of the worst kind, and how many more there are."""
    roles: list[Role] = [role for _, role in _TROUBLES] + ["faint"]
    worst = min(group, key=lambda line: roles.index(_role(line)))
    more = f" (+ {count(len(group) - 1)})" if len(group) > 1 else ""
    return Event(group[0].t, f"service: {_short(worst.text)}{more}", _role(worst))


def _role(line: LogLine) -> Role:
    return next((role for pattern, role in _TROUBLES if pattern.search(line.text)), "faint")


def _short(text: str) -> str:
    return text if len(text) <= _LETTERS else f"{text[: _LETTERS - 1]}…"
