"""The progress of `pytest bench`: which benchmark is measured, and how long the rest will take.

On a terminal that is one line in its place; elsewhere each benchmark has a line when it begins. With `-q` there is at
most a line every ten seconds, with `-qq` none. With `-v` pytest's own lines have the time that is left.

Rules of this file: nothing is written while a round trip is timed. Between two visits of servers the line is written
anew, at most once a second.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import TextIO

import pytest

from bench.report.status_line import StatusLine, is_terminal
from bench.timing.durations import span_text

#: The function to call between two visits of servers, in pytest's configuration.
BETWEEN_VISITS = pytest.StashKey[Callable[[], None]]()

#: The time between two lines, in seconds: in their place on a terminal, and with `-q` below each other.
_IN_PLACE_S, _QUIET_S = 1.0, 10.0

#: The seconds that a benchmark is expected to take before any has ended: for each second of `--benchmark-max-time`, and
#: for each server process.
#:
#: Beside a service of several processes the controls are timed.
_PER_SECOND, _PER_SECOND_BESIDE_CONTROLS, _PER_PROCESS_S = 1.2, 2.8, 0.4

#: The seconds from which on the time left is rounded to five of them.
_ROUNDED_FROM_S = 20

_GAP = "  "


@dataclass
class TimeLeft:
    """An estimate of the time that the rest of a session takes, in seconds. Pure: the clock is passed in.

    `expected_s` has a first guess for each benchmark, in their order. The time that the first have taken corrects it.
    """

    expected_s: Sequence[float]
    started_s: float
    _ended: int = 0
    _ended_at_s: float = field(default=0.0)

    def end(self, now_s: float) -> None:
        """Note that another benchmark has ended."""
        self._ended += 1
        self._ended_at_s = now_s

    def at(self, now_s: float) -> float:
        """Return the seconds that are left."""
        scale, since_s = 1.0, self.started_s
        done_s = sum(self.expected_s[: self._ended])
        if done_s:
            scale = (self._ended_at_s - self.started_s) / done_s
            since_s = self._ended_at_s
        current_s, *later_s = self.expected_s[self._ended :] or (0.0,)
        return max(0.0, current_s * scale - (now_s - since_s)) + sum(later_s) * scale


def time_left_text(left_s: float) -> str:
    """Return the time that is left in words: about 1 min 20 s left."""
    seconds = round(left_s) if left_s < _ROUNDED_FROM_S else 5 * round(left_s / 5)
    return f"about {span_text(max(1, seconds))} left"


class Progress:
    """The lines of a session: a plugin of pytest. `clock` returns seconds."""

    def __init__(
        self, config: pytest.Config, max_time_s: float, processes: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._config = config
        self._max_time_s = max_time_s
        self._processes = processes
        self._clock = clock
        self._reporter: pytest.TerminalReporter | None = None
        self._verbosity: int = config.get_verbosity(pytest.Config.VERBOSITY_TEST_CASES)
        self._stream: TextIO | None = None
        self._line: StatusLine | None = None
        self._names: dict[str, str] = {}
        self._current = ""
        self._left: TimeLeft | None = None
        self._shown_s: float | None = None
        config.stash[BETWEEN_VISITS] = self.tick

    # ------------------------------------------------------------------ pytest's hooks

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Leave nothing on the terminal, however the loop ends."""
        self._reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if self._reporter is not None and self._verbosity <= 0:
            self._reporter.showfspath = False  # the names of files say little here
        self._names = {item.nodeid: name_of(item) for item in session.items}
        expected_s = [self._expected_s(item) for item in session.items]
        self._left = TimeLeft(expected_s, self._clock())
        with self._on_terminal():
            return (yield)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Say which benchmark begins."""
        self._current = nodeid
        self._show()

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, object] | None:
        """Have pytest write no dots; with `-v`, have it write the time that is left."""
        if report.when != "call" and report.passed:
            return None
        if self._verbosity <= 0:
            return (report.outcome, "", "")
        if not report.passed or self._left is None:
            return None
        left_s = self._left_after_this()
        return ("passed", "", f"PASSED, {time_left_text(left_s)}" if left_s else "PASSED")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Say that a benchmark has failed: the reason comes below, when all are done."""
        if report.failed and self._verbosity == 0 and self._reporter is not None:
            self._erase()
            self._reporter.write_line(f"{self._place(report.nodeid)} failed", red=True)

    def pytest_runtest_logfinish(self) -> None:
        """Note that a benchmark has ended."""
        if self._left is not None:
            self._left.end(self._clock())

    # ------------------------------------------------------------------ the line

    def tick(self) -> None:
        """Write the line anew, if it is in its place and was not written lately."""
        if self._line is not None and self._shown_s is not None and self._clock() - self._shown_s >= _IN_PLACE_S:
            self._show()

    @contextlib.contextmanager
    def _on_terminal(self) -> Generator[None]:
        """Have a line in its place while this stands, if there is a terminal and it is wanted."""
        is_wanted = self._reporter is not None and -1 <= self._verbosity <= 0
        if is_wanted and is_terminal(sys.stdout):
            # pytest captures the standard output while a benchmark runs.
            with contextlib.suppress(OSError, ValueError):
                self._stream = open(  # noqa: PTH123, SIM115 - of a descriptor
                    os.dup(sys.stdout.fileno()), "w", encoding=sys.stdout.encoding, errors="replace"
                )
                self._line = StatusLine(self._stream)
        try:
            yield
        finally:
            self._erase()
            self._line = None
            if self._stream is not None:
                with contextlib.suppress(OSError):
                    self._stream.close()

    def _show(self) -> None:
        if self._left is None or self._reporter is None or not -1 <= self._verbosity <= 0:
            return
        now_s = self._clock()
        parts = [self._place(self._current), time_left_text(self._left.at(now_s))]
        if self._line is not None:
            self._line.show(parts)
        elif self._verbosity == 0 or self._shown_s is None or now_s - self._shown_s >= _QUIET_S:
            self._reporter.write_line(_GAP.join(parts))
        else:
            return
        self._shown_s = now_s

    def _erase(self) -> None:
        if self._line is not None:
            self._line.erase()

    def _place(self, nodeid: str) -> str:
        """Return the number of a benchmark among all, and its name."""
        number, total = list(self._names).index(nodeid) + 1, str(len(self._names))
        return f"[{number:>{len(total)}}/{total}] {self._names[nodeid]}"

    def _left_after_this(self) -> float:
        assert self._left is not None
        later = list(self._names).index(self._current) + 1
        return self._left.at(self._clock()) if later < len(self._names) else 0.0

    def _expected_s(self, item: pytest.Item) -> float:
        parameters = _parameters(item)
        if parameters.get("work") == "empty_coroutine":
            return _PER_PROCESS_S
        if parameters.get("server") == "process":
            return self._max_time_s * _PER_SECOND_BESIDE_CONTROLS + self._processes * _PER_PROCESS_S
        return self._max_time_s * _PER_SECOND + _PER_PROCESS_S


def _parameters(item: pytest.Item) -> dict[str, object]:
    return dict(item.callspec.params) if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}


def name_of(item: pytest.Item) -> str:
    """Return the name that a benchmark has in the tables."""
    scenario = _parameters(item).get("scenario")
    if scenario is None:
        return item.name
    _, _, case = item.name.partition(f"[{scenario}-")
    return f"{scenario}[{case}"
