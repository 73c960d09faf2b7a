"""All times of a process from the start of its run on, from what it reports to the master. Pure.

A report has the times of the steady window alone. The times before are in the seconds. So the times of the kinds of
operations that are in the seconds are added up second by second, and those of the others come from the report. A
second that is old is added up once, because little more comes of it. If something does come, all is added up again.
"""

from __future__ import annotations

from collections.abc import Mapping

from bench.load.metrics.live import OperationTimes
from bench.load.metrics.recorder import RECEIVED
from bench.load.metrics.report import OperationReport, Report, SecondReport
from bench.results.load import SCHEDULED_KINDS, OperationKey

#: The age, in seconds, from which on a second is added up once and for all.
_OLD_S = 4

_Times = dict[OperationKey, OperationTimes]


class ReportedTimes:
    """The times of one process, kept between two looks at it."""

    def __init__(self) -> None:
        #: The times of the seconds in `_added`.
        self._old: _Times = {}
        self._added: dict[int, SecondReport] = {}

    def of(self, report: Report, seconds: Mapping[int, SecondReport]) -> _Times:
        """Return all times of the process, which has reported `report` and `seconds`."""
        if any(seconds.get(number) is not second for number, second in self._added.items()):
            self._old, self._added = {}, {}
        newest = max(seconds, default=0)
        for number in seconds.keys() - self._added.keys():
            if number <= newest - _OLD_S:
                _add_second(self._old, seconds[number])
                self._added[number] = seconds[number]
        found: _Times = {}
        for key, times in self._old.items():
            found.setdefault(key, OperationTimes()).merge(times)
        for number in seconds.keys() - self._added.keys():
            _add_second(found, seconds[number])
        for part in report.operations:
            if part.kind not in SCHEDULED_KINDS and part.kind != RECEIVED:
                found.setdefault(part.key, OperationTimes()).merge(_times_of(part))
        return found


def _add_second(found: _Times, second: SecondReport) -> None:
    for operation in second.operations:
        times = found.setdefault(operation.key, OperationTimes())
        times.service.merge(operation.service.restored())
        if operation.response is not None:
            times.response.merge(operation.response.restored())


def _times_of(part: OperationReport) -> OperationTimes:
    times = OperationTimes(service=part.service.restored())
    if part.outside is not None:
        times.service.merge(part.outside.restored())
    return times
