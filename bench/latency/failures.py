"""The benchmarks of a session that failed, and why: what is measured of the others must not hide them."""

from __future__ import annotations

from collections.abc import Callable, Generator

import pytest

from bench.latency.progress import name_of
from bench.printable import error_line, one_line
from bench.results.latency import FailedBenchmark

#: The longest reason, in characters.
_LONGEST_REASON = 1000

#: The name of what failed where that is no single benchmark: the service did not start, say.
_SESSION = "the session"


class Failures:
    """A plugin of pytest that notes what failed. `hide` takes secrets out of the reasons."""

    def __init__(self, hide: Callable[[str], str]) -> None:
        self._hide = hide
        self.found: list[FailedBenchmark] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Take note of a benchmark that has failed."""
        report = yield
        if report.failed and call.excinfo is not None:
            error, name = call.excinfo.value, name_of(item)
            said = str(error) if isinstance(error, pytest.fail.Exception) else error_line(error)
            self._add(name, said.removeprefix(f"{name}: "))
        return report

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Take note of a session that has ended itself, because there is no service."""
        if isinstance(excinfo.value, pytest.exit.Exception):
            self._add(_SESSION, str(excinfo.value.msg))

    def _add(self, name: str, reason: str) -> None:
        self.found.append(FailedBenchmark(name=name, reason=one_line(self._hide(reason), _LONGEST_REASON)))
