"""The lines that a load without Locust's tables shows while it runs: on a terminal in place, elsewhere every 10 s.

They go to standard error. The figures are those of the last whole seconds that all processes have noted. On a terminal
that is a second, elsewhere all since the line before. A failure to show them never spoils the run.
"""

from __future__ import annotations

import logging
import sys
from argparse import Namespace
from contextlib import suppress
from typing import TextIO

import gevent

from bench.load.metrics.live import Interval, interval
from bench.load.plugin.precision import so_far
from bench.load.plugin.run_view import RunView
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
    """The live lines of a test."""

    def __init__(self, view: RunView, stream: TextIO | None = None) -> None:
        self._view = view
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
        elif not self._view.is_ending:  # the log says that it ends
            with suppress(OSError, ValueError):  # its reader has gone
                self._stream.write(f"{_GAP.join(parts)}\n")
                self._stream.flush()

    def _load(self) -> LiveLoad:
        view = self._view
        processes = view.processes().values()
        if view.load_start_s is not None:  # nothing was offered before
            self._since_s = max(self._since_s, view.load_start_s)
        new = interval(processes, self._since_s)
        if new is not None:
            if self._in_place is not None and new.seconds > 1:  # it was held up
                new = interval(processes, new.until_s - 1) or new
            self._since_s, self._last = new.until_s, new
        elif self._in_place is None:
            self._last = None  # a line of its own would repeat the figures of the line before
        return LiveLoad(
            elapsed_s=view.elapsed_ns // NS_PER_S,
            duration_s=view.duration_s(),
            phase=view.phase(),
            loss="" if (loss := view.service_loss()) is None else loss.short,
            failed_so_far=sum(process.failures_so_far() for process in processes),
            figures=None if self._last is None else self._figures(self._last),
            precision=so_far(view.precisions),
        )

    def _figures(self, of: Interval) -> LiveFigures:
        return LiveFigures(
            users=of.users,
            done_per_s=of.ok / of.seconds,
            offered_per_s=self._view.offered_per_s(of),
            has_times=of.has_times,
            p50_ns=of.percentile_ns(50),
            p99_ns=of.percentile_ns(99),
            is_p99_longest=of.is_longest("p99"),
            failed=of.failed + of.dropped,
            cpu_share=of.cpu_share,
        )


class _EraseFirst(logging.Filter):
    """A filter that lets every record pass, onto a line of its own."""

    def __init__(self, line: StatusLine) -> None:
        super().__init__()
        self._line = line

    def filter(self, _record: logging.LogRecord) -> bool:
        self._line.erase()
        return True
