"""The lines of the service's log that are marked on the course of a run: at their time, across all panels."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bench.report.chart import Event, Role
from bench.report.formatting import counted
from bench.results.load import LoadResult
from bench.results.service_log import LogLine

#: The number of lines that are marked at most.
MOST_MARKED = 12

#: The number of characters of a line's mark. The table has the whole line.
_LETTERS = 50

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
    chosen = log.kept if log.lines <= MOST_MARKED else _troubled(log.kept)
    events = tuple(Event(line.t, f"service: {_short(line.text)}", _role(line)) for line in chosen)
    if len(events) == log.lines:
        return MarkedLines(events, "What the service wrote is marked at its time.")
    of = f"of the {counted(log.lines, 'line')} that the service wrote"
    if not events:
        return MarkedLines((), f"None {of} is marked: none that is kept tells of an error or a warning.")
    return MarkedLines(
        events, f"{len(events)} {of} are marked: errors and warnings. The table has the lines that are kept."
    )


def _troubled(lines: Sequence[LogLine]) -> list[LogLine]:
    """Return the first lines that tell of trouble: errors before warnings, in the order of time."""
    troubled = [line for _, role in _TROUBLES for line in lines if _role(line) == role]
    return sorted(troubled[:MOST_MARKED], key=lambda line: line.t)


def _role(line: LogLine) -> Role:
    return next((role for pattern, role in _TROUBLES if pattern.search(line.text)), "faint")


def _short(text: str) -> str:
    return text if len(text) <= _LETTERS else f"{text[: _LETTERS - 1]}…"
