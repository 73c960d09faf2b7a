"""The exit code of a process whose page may start several tests: that of the worst of them.

Rules of this file: the order is that of the exit codes of a single run. Each test is judged as if it were the only
test. A code that something else has set since, such as a listener in the user's file, stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

from locust.env import Environment

from bench.objectives.outcome import FAILED, MISSED, WELL


class Ending(IntEnum):
    """The way in which a test ended, from the best to the worst."""

    WELL = 0
    #: Something failed of which no objective speaks. Locust has an option for the code of that.
    FAILURES = 1
    MISSED = 2
    FAILED = 3


class CodeOfTests:
    """The exit code of the tests that have ended so far."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._worst = Ending.WELL
        self._code_of_worst: int | None = None
        #: The code of the process after the last test.
        self._left: int | None = None
        #: True if the test that is ending has failed by itself, or had failures.
        self.has_failed = self.has_failures = False

    @contextmanager
    def of_a_test(self) -> Iterator[None]:
        """Have the code be that of a test within, and of the worst test afterwards."""
        environment = self._environment
        self.has_failed = self.has_failures = False
        if environment.process_exit_code != self._left:
            self._worst, self._code_of_worst = Ending.WELL, None
            self.has_failed = environment.process_exit_code == FAILED  # the service has died, for example
            if environment.process_exit_code == WELL:
                environment.process_exit_code = None
        else:
            environment.process_exit_code = None
        try:
            yield
        finally:
            self._add(environment.process_exit_code)

    def _add(self, code: int | None) -> None:
        ending = self._ending(code)
        if ending < self._worst:
            self._environment.process_exit_code = self._code_of_worst
        else:
            self._worst, self._code_of_worst = ending, code
            if ending is Ending.FAILURES and code is None:
                # Locust would look at the failures of the last test alone.
                self._code_of_worst = getattr(self._environment.parsed_options, "exit_code_on_error", 1)
        self._left = self._environment.process_exit_code

    def _ending(self, code: int | None) -> Ending:
        if self.has_failed:
            return Ending.FAILED
        if code == MISSED:
            return Ending.MISSED
        if code is None or code == WELL:
            return Ending.FAILURES if code is None and self.has_failures else Ending.WELL
        return Ending.FAILURES if self.has_failures else Ending.FAILED
