"""The lines that a load without Locust's tables shows while it runs: on a terminal in place, elsewhere every 10 s.

They go to standard error. The figures are those of the last whole seconds that all processes have noted. On a terminal
that is a second, elsewhere all since the line before. A failure to show them never spoils the run.
"""

from __future__ import annotations

import logging
import sys
from argparse import Namespace
from collections.abc import Callable, Collection
from contextlib import suppress
from time import perf_counter_ns
from typing import TextIO

import gevent

from bench.load.metrics.live import Interval, LiveProcess, interval
from bench.load.plugin.owned_run import OwnedRun
from bench.report.live_load import LiveFigures, LiveLoad, live_parts
from bench.report.status_line import StatusLine, is_terminal
from bench.timing.rates import NS_PER_S

logger = logging.getLogger(__name__)

#: The time between two lines, in seconds: written in place on a terminal, and below each other elsewhere.
_IN_PLACE_S, _LINES_S = 1.0, 10.0

#: What stands between the parts of a line.
_GAP = "  "


def are_wanted(options: Namespace) -> bool:
    """Return whether a run has live lines: without a web page, and without the tables that Locust prints meanwhile."""
    return bool(
        getattr(options, "headless", False)
        and getattr(options, "only_summary", False)
        and not getattr(options, "no_progress", False)
    )


class LiveLines:
    """The live lines of a test. `users` returns how many users there are, and how many are asked for."""

    def __init__(self, test: OwnedRun, users: Callable[[], tuple[int, int]], stream: TextIO | None = None) -> None:
        self._test = test
        self._users = users
        self._stream = sys.stderr if stream is None else stream
        self._in_place = StatusLine(self._stream) if is_terminal(self._stream) else None
        self._interval_s = _LINES_S if self._in_place is None else _IN_PLACE_S
        self._since_s = 0
        self._last: Interval | None = None
        self._erasing: list[tuple[logging.Handler, _EraseFirst]] = []
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Begin to show lines. What is logged meanwhile stands above the line."""
        if self._in_place is not None:
            for handler in logging.getLogger().handlers:
                if isinstance(handler, logging.StreamHandler) and is_terminal(handler.stream):
                    erasing = _EraseFirst(self._in_place)
                    handler.addFilter(erasing)
                    self._erasing.append((handler, erasing))
        self._greenlet = gevent.spawn(self._show_regularly)

    def stop(self) -> None:
        """Show no more, and leave nothing on the terminal."""
        if self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None
        for handler, erasing in self._erasing:
            handler.removeFilter(erasing)
        self._erasing.clear()
        if self._in_place is not None:
            self._in_place.erase()

    def _show_regularly(self) -> None:
        try:
            while True:
                gevent.sleep(self._interval_s)
                self._show(live_parts(self._load()))
        except Exception as error:
            logger.warning("no more live lines: %s", error)

    def _show(self, parts: list[str]) -> None:
        if self._in_place is not None:
            self._in_place.show(parts)
        elif self._test.ending is None:  # the log says that it ends
            with suppress(OSError, ValueError):  # its reader has gone
                self._stream.write(f"{_GAP.join(parts)}\n")
                self._stream.flush()

    def _load(self) -> LiveLoad:
        test = self._test
        elapsed_ns = perf_counter_ns() - test.started_ns
        processes = self._processes()
        if test.load_started_ns is not None:  # nothing was offered before
            self._since_s = max(self._since_s, (test.load_started_ns - test.started_ns) // NS_PER_S)
        new = interval(processes, self._since_s)
        if new is not None:
            if self._in_place is not None and new.seconds > 1:  # it was held up
                new = interval(processes, new.until_s - 1) or new
            self._since_s, self._last = new.until_s, new
        elif self._in_place is None:
            self._last = None  # a line of its own would repeat the figures of the line before
        return LiveLoad(
            elapsed_s=elapsed_ns // NS_PER_S,
            duration_s=self._duration_s(),
            phase=self._phase(elapsed_ns),
            failed_so_far=sum(process.failures_so_far() for process in processes),
            figures=None if self._last is None else self._figures(self._last),
        )

    def _processes(self) -> Collection[LiveProcess]:
        if self._test.process is not None:
            return [self._test.process.live]
        return list(self._test.merger.processes.values())

    def _duration_s(self) -> float | None:
        asked = getattr(self._test.prepared.asked, "run_time", None)
        profile, started_ns = self._test.prepared.open_load.profile, self._test.load_started_ns
        ends = [float(asked)] if asked else []
        if profile is not None and profile.duration_s is not None and started_ns is not None:
            ends.append(profile.duration_s + (started_ns - self._test.started_ns) / NS_PER_S)
        return min(ends, default=None)

    def _phase(self, elapsed_ns: int) -> str:
        """Return in which part the run is; an empty text in the steady window of a load that does not change."""
        test = self._test
        if test.ending is not None:
            return "stopping, awaiting replies"
        window_start_ns = test.merger.window_start_ns if test.process is None else test.process.window_start_ns
        there, asked = self._users()
        if window_start_ns is None:
            return f"users arrive, {there:,} of {asked:,}"
        if window_start_ns > elapsed_ns:
            return f"warm-up, {-(-(window_start_ns - elapsed_ns) // NS_PER_S)} s left"
        return self._stage(elapsed_ns)

    def _stage(self, elapsed_ns: int) -> str:
        """Return the stage of the rate, if it has several or changes."""
        profile, started_ns = self._test.prepared.open_load.profile, self._test.load_started_ns
        if profile is None or started_ns is None:
            return ""
        since_s = (self._test.started_ns + elapsed_ns - started_ns) / NS_PER_S
        number = sum(since_s >= stage.start_s for stage in profile.stages)
        stage = profile.stages[max(0, number - 1)]
        kind = "ramp" if stage.is_ramp else "stage"
        of = f" {number} of {len(profile.stages)}" if len(profile.stages) > 1 else ""
        return f"{kind}{of}, {stage}" if of or stage.is_ramp else ""

    def _figures(self, of: Interval) -> LiveFigures:
        return LiveFigures(
            users=of.users,
            done_per_s=of.ok / of.seconds,
            offered_per_s=self._offered_per_s(of),
            has_times=of.has_times,
            p50_ns=of.percentile_ns(50),
            p99_ns=of.percentile_ns(99),
            is_p99_longest=of.is_longest("p99"),
            failed=of.failed + of.dropped,
            cpu_share=of.cpu_share,
        )

    def _offered_per_s(self, of: Interval) -> float | None:
        profile, started_ns = self._test.prepared.open_load.profile, self._test.load_started_ns
        if profile is None or started_ns is None:
            return None
        since_s = of.first_s - (started_ns - self._test.started_ns) / NS_PER_S
        return (profile.expected(since_s + of.seconds) - profile.expected(since_s)) / of.seconds


class _EraseFirst(logging.Filter):
    """A filter that lets every record pass, onto a line of its own."""

    def __init__(self, line: StatusLine) -> None:
        super().__init__()
        self._line = line

    def filter(self, _record: logging.LogRecord) -> bool:
        self._line.erase()
        return True
