"""Locust's own tables at the end of a run, on the terminal.

They have whole milliseconds, other percentiles and fewer counts than the tables of our result. So they are left out if
those have all of their requests. They are printed if users of other classes sent requests too, or listeners logged some
of their own, with the percentiles of our tables. Where nothing was sent, as on a page that started no test, nothing is
printed: empty tables say nothing, and are wider than a terminal. `--print-stats` has the tables printed in any case.
Files that Locust writes (CSV, HTML, JSON) and its page are as they were.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from locust import events
from locust import stats as locust_stats
from locust.env import Environment
from locust.stats import RequestStats

from bench.load.plugin.locust_statistics import request_type
from bench.results.load import LoadResult

#: The percentiles that our tables have, too.
PERCENTILES = [0.5, 0.9, 0.99, 0.999, 1.0]

#: The line in place of the tables.
LEFT_OUT = (
    "Locust's own tables are left out, because all of their requests are above; --print-stats prints them, and --csv, "
    "--html and --json-file write them"
)

_percentiles_of_locust = list(locust_stats.PERCENTILES_TO_REPORT)


#: The requests that the result of the last test has shown: Locust's keys of them.
_shown: WeakKeyDictionary[RequestStats, frozenset[tuple[str, str]]] = WeakKeyDictionary()

#: The statistics of processes with users of this package.
_ours: WeakSet[RequestStats] = WeakSet()


@cache
def install() -> None:
    """Have the tables go through this module. Called once a process."""
    print_stats, print_percentiles, print_errors = (
        locust_stats.print_stats,
        locust_stats.print_percentile_stats,
        locust_stats.print_error_report,
    )

    def replaced_print_stats(stats: RequestStats, current: bool = True) -> None:
        if current or not is_left_out(stats):
            print_stats(stats, current)
        elif stats in _shown:
            locust_stats.console_logger.info(LEFT_OUT)

    def replaced_print_percentiles(stats: RequestStats) -> None:
        if not is_left_out(stats):
            _with_our_percentiles(print_percentiles, stats)

    def replaced_print_errors(stats: RequestStats) -> None:
        if not is_left_out(stats):
            print_errors(stats)

    locust_stats.print_stats = replaced_print_stats
    locust_stats.print_percentile_stats = replaced_print_percentiles
    locust_stats.print_error_report = replaced_print_errors
    events.test_start.add_listener(_forget)


def take_part(environment: Environment) -> None:
    """Note that users of this package are in this process, which is no worker."""
    if not getattr(environment.parsed_options, "print_stats", False):
        _ours.add(environment.stats)


def _forget(environment: Environment, **_: Any) -> None:
    """Forget what a test before this has shown."""
    _shown.pop(environment.stats, None)


def note_shown(environment: Environment, result: LoadResult) -> None:
    """Note that the terminal has the tables of a result, so that Locust's need not repeat them."""
    if getattr(environment.parsed_options, "print_stats", False):
        return
    _shown[environment.stats] = frozenset(
        (operation.name, request_type(operation.kind)) for operation in result.operations
    )


def is_left_out(stats: RequestStats) -> bool:
    """Return true if the tables of a result have shown all that is in Locust's statistics, or if there is nothing."""
    if stats in _ours and not stats.entries and not stats.errors:
        return True
    shown = _shown.get(stats)
    return shown is not None and stats.entries.keys() <= shown


def _with_our_percentiles(print_percentiles: Callable[[RequestStats], None], stats: RequestStats) -> None:
    """Print the table of percentiles with those of our tables, unless the locustfile has chosen others."""
    chosen = locust_stats.PERCENTILES_TO_REPORT
    try:
        if chosen == _percentiles_of_locust:
            locust_stats.PERCENTILES_TO_REPORT = PERCENTILES
        print_percentiles(stats)
    finally:
        locust_stats.PERCENTILES_TO_REPORT = chosen
