"""The progress of a comparison of two revisions: a bar on a terminal, elsewhere a line now and then.

Rules of this file: nothing here runs by itself. The bar is drawn only when a report comes, which is between two
restarts. A thread that refreshes it would wake up in the middle of a burst.
"""

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from bench.ab.news import Notice, Report, State
from bench.printable import printable
from bench.report.lines import print_line
from bench.statistics.estimates import Estimate
from bench.timing.durations import span_text

#: The time between two lines, in seconds.
_LINE_EVERY_S = 15.0


class AbProgress:
    """A context that yields a function: call it with the present step as text and, after a restart, with the State."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Progress | None = None
        self._said_s = -_LINE_EVERY_S
        if console.is_terminal:
            columns = (TextColumn("{task.fields[doing]}", markup=False), BarColumn(bar_width=20))
            left = TextColumn("{task.fields[left]}", markup=False)
            self._bar = Progress(*columns, left, console=console, auto_refresh=False, transient=True)
            self._task = self._bar.add_task("", total=1.0, doing="", left="")

    def __enter__(self) -> Report:
        if self._bar is not None:
            self._bar.start()
        return self._report

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _report(self, state: State | Notice | str) -> None:
        if isinstance(state, Notice):
            print_line(self._console, printable(state.text))
            return
        if isinstance(state, str):
            if self._bar is None:
                print_line(self._console, printable(state))
            else:
                self._bar.update(self._task, doing=printable(state), refresh=True)
            return
        doing, left = state_words(state), f"{span_text(round(state.left_s))} left"
        if self._bar is not None:
            done = state.elapsed_s / (state.elapsed_s + state.left_s)
            self._bar.update(self._task, completed=done, doing=doing, left=left, refresh=True)
        elif state.elapsed_s - self._said_s >= _LINE_EVERY_S:
            self._said_s = state.elapsed_s
            print_line(self._console, f"{doing}; {left}")


def state_words(state: State) -> str:
    """Return the least certain of the estimates so far, and the number of its restarts, in words."""
    name, widest = max(state.estimates, key=lambda named: named[1].half_width or 0.0)
    restarts = "1 restart" if state.restarts == 1 else f"{state.restarts} restarts"
    return f"{restarts}, {printable(name)} p50 {_with_width(widest)}"


def _with_width(estimate: Estimate) -> str:
    width = "" if estimate.half_width is None else f" ± {estimate.half_width * 100:.2f}"
    return f"{estimate.effect * 100:+.2f}{width} %"
