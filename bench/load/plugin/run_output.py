"""The output of a run: its result on the terminal and in a file, and the exit code.

Whatever fails on the way, the counts are shown and written.
"""

from __future__ import annotations

import datetime as dt
import logging
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from pathlib import Path

from locust.env import Environment
from rich.console import Console

from bench.load.metrics.exit_reasons import exceptions_raised, exit_reasons, nothing_measured, warnings
from bench.load.metrics.merge import Merger
from bench.load.metrics.troubles import Troubles
from bench.load.plugin.code_of_tests import CodeOfTests
from bench.load.plugin.locust_tables import note_shown
from bench.load.plugin.objectives import if_undecided_of
from bench.load.plugin.options import breakdown_of
from bench.load.plugin.output import OutputFailed, show
from bench.load.plugin.salvage import count_lines, store_counts
from bench.objectives.outcome import FAILED, WELL, exit_code
from bench.printable import error_line, printable
from bench.report.formats import junit
from bench.report.formats.text import print_document
from bench.report.lines import print_lines, print_stored
from bench.report.load import load_document
from bench.report.next_command import Place, next_command, page_line
from bench.report.objectives import said_in_a_line
from bench.report.page.writing import REPORT, write_page
from bench.results.files import write_whole
from bench.results.load import LoadResult
from bench.results.references import Store
from bench.results.settings import received_clocks
from bench.results.store import Result, ResultError
from bench.results.unspoken import unspoken_failures

logger = logging.getLogger(__name__)


class RunOutput:
    """The place where runs started in `folder` leave their results: `results`, which may be relative to it.

    The folder may be gone at the end. `report` is the file of the result's page, if the user wants one.
    """

    def __init__(self, environment: Environment, folder: Path, results: Path, report: Path | None = None) -> None:
        self._environment = environment
        self._report = report
        self._folder = folder
        self._results = folder / results
        self._place = Place.of(folder)
        #: The file of the last result; None if there is none.
        self.stored: Path | None = None
        self._code = CodeOfTests(environment)

    def give(self, result: LoadResult, are_workers_missing: bool) -> bool:
        """Show a result, store it, and say why the run failed, if it did; return false if anything in it failed."""
        with self._code.of_a_test():
            return self._give(result, are_workers_missing)

    def _give(self, result: LoadResult, are_workers_missing: bool) -> bool:
        is_shown = self._show(lambda console: print_document(load_document(result), console))
        if is_shown:
            note_shown(self._environment, result)
        path = self._keep(lambda: Store(self._results).save(result))
        if path is not None and not is_shown:  # the line that says so on the standard output is lost
            logger.info("The result is stored in %s", printable(str(self._place.shortened(path))))
        report = self._write_page(result)
        if path is not None:
            is_whole = not (result.partial or result.service_loss or nothing_measured(result))
            compare = [] if not is_whole else [next_command(path, partial(_is_like, result), self._place)]
            lines = [*compare, page_line(path, report, self._place)]
            self._show(lambda console: print_lines(console, map(printable, lines)))
        self._write_junit(result)
        for warning in warnings(result, breakdown_of(self._options)):
            logger.warning("%s", warning)
        exceptions = exceptions_raised(result)
        if exceptions is not None:
            logger.error("%s", exceptions)
        reasons = exit_reasons(result, are_workers_missing)
        for reason in reasons:
            self.fail(reason)
        self._code.has_failures = self._has_failures(result, has_exceptions=exceptions is not None)
        if result.objectives:
            self._say_objectives(result)
        if exceptions is not None and self._environment.process_exit_code is None:
            # Locust exits like this if a task raised. It does not know of all exceptions: of those of event handlers,
            # say.
            self._environment.process_exit_code = getattr(self._options, "exit_code_on_error", 1)
        return not (reasons or exceptions or any(row.timeouts or row.errors for row in result.operations))

    def _has_failures(self, result: LoadResult, has_exceptions: bool) -> bool:
        """Return true if something failed of which no objective speaks."""
        own = {operation.name for operation in result.operations}
        others = any(error.name not in own for error in self._environment.stats.errors.values())
        runner = self._environment.runner
        has_raised = has_exceptions or (runner is not None and bool(runner.exceptions))
        return has_raised or others or any(unspoken_failures(result))

    def _say_objectives(self, result: LoadResult) -> None:
        """Log the objectives that are not met, and have the process say by its exit code what they say."""
        for objective in result.objectives:
            if objective.verdict != "met":
                level = logging.WARNING if objective.verdict == "undecided" else logging.ERROR
                logger.log(level, "%s", printable(said_in_a_line(objective)))
        for failures in unspoken_failures(result):
            logger.error("failed, and no objective speaks of it: %s", printable(failures))
        code = exit_code(
            result.objectives,
            has_failed=self._environment.process_exit_code == FAILED,
            has_missed=result.ended_because is not None,
            if_undecided=if_undecided_of(self._options),
        )
        if code != WELL:
            self._environment.process_exit_code = code
            self._code.has_failed = self._code.has_failed or code == FAILED
        elif not self._code.has_failures and self._environment.process_exit_code is None:
            # Locust would fail for any failure, also for those that the objectives allow.
            self._environment.process_exit_code = WELL

    def _write_junit(self, result: LoadResult) -> None:
        """Write the file of `--junit`, if it was asked for."""
        file = str(getattr(self._options, "junit", "") or "")
        if not file:
            return
        try:
            write_whole(self._folder / file, [junit.render(load_document(result)).encode()])
        except Exception as error:
            self.fail(f"--junit {file}: {getattr(error, 'strerror', None) or error_line(error)}")

    def give_counts(self, merger: Merger, started_at: dt.datetime, troubles: Troubles) -> None:
        """Show and store what was counted in a run that cannot have a result."""
        with troubles.during("showing the counts"):
            lines = list(count_lines(merger))
            self._show(lambda console: print_lines(console, lines))
        self._keep(lambda: store_counts(self._results, merger, started_at, troubles.reasons))
        self.fail(f"no result can be made of what was counted: {'; '.join(troubles.reasons)}")

    def fail(self, reason: str) -> None:
        """Log why the run failed, and have the process say so by its exit code."""
        logger.error("%s", reason)
        self._environment.process_exit_code = 1
        self._code.has_failed = True

    def _show(self, print_on: Callable[[Console], None]) -> bool:
        """Print on standard output; return false if that failed."""
        try:
            show(print_on)
        except OutputFailed as error:
            self.fail(str(error))
        except Exception as error:
            self.fail(f"cannot show the result: {error_line(error)}")
        else:
            return True
        return False

    def _keep(self, save: Callable[[], Path]) -> Path | None:
        """Store the result, and print where it is. Return its path, None if it could not be stored."""
        self.stored = path = None
        try:
            path = save()
        except ResultError as error:
            self.fail(str(error))
        except Exception as error:
            self.fail(f"cannot store the result: {error_line(error)}")
        self._show(lambda console: print_stored(console, path and self._place.shortened(path)))
        self.stored = path
        return path

    def _write_page(self, result: LoadResult) -> Path | None:
        """Write the page, if the user wants one. Return its file; None if there is none."""
        if self._report is None:
            return None
        try:
            write_page(REPORT, self._report, [load_document(result)])
        except ResultError as error:
            self.fail(str(error))
        except Exception as error:
            self.fail(f"cannot write the page: {error_line(error)}")
        else:
            return self._report
        return None

    @property
    def _options(self) -> Namespace:
        return self._environment.parsed_options or Namespace()


def _is_like(result: LoadResult, earlier: Result) -> bool:
    """Return true if both are loads of the same users on the same service, at the same rate, by the same clocks."""
    if not isinstance(earlier, LoadResult) or earlier.partial or earlier.service_loss is not None:
        return False
    return _asked(earlier) == _asked(result)


def _asked(result: LoadResult) -> tuple[object, ...]:
    scenario = result.scenario
    service = scenario.app or (result.server.command if result.server is not None else None) or scenario.url
    users = scenario.user_classes, scenario.users_over_time, scenario.users_by_class
    clocks = tuple(sorted(received_clocks(result).items()))
    return (*users, scenario.model, scenario.rate_per_s, scenario.rate, scenario.transport, service, clocks)
