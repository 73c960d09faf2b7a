"""The tests of a process that owns runs, as its page and its metrics show them: the test that is on, and those before.

Everything here is computed when somebody looks, and at most once a second. A test that nobody looks at costs nothing.
A failure to look never spoils the test: the page says it, and the test goes on.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bench.load.metrics.exit_reasons import exit_reasons
from bench.load.metrics.live import Interval, LiveProcess
from bench.load.metrics.live_page import LOST_TITLES, Banner, Level, LiveFigures, LiveWatch, State, banner
from bench.load.plugin.options import trace_field_of
from bench.load.plugin.owned_run import OwnedRun
from bench.load.plugin.run_view import RunView
from bench.objectives.model import JudgedObjective, Objective
from bench.objectives.outcome import worst
from bench.printable import error_line, printable
from bench.report.load_headline import load_headline
from bench.report.objectives import answer, figure_text, interval_text
from bench.report.spoilt import spoilt
from bench.results.load import CONNECT, LoadResult, OperationKey
from bench.results.service_loss import ServiceLoss
from bench.timing.durations import span_text
from bench.timing.rates import NS_PER_S

logger = logging.getLogger(__name__)

#: The time for which figures are kept that somebody has looked at, in seconds.
_KEPT_S = 0.9

#: The number of tests before of which the page has links.
_MOST_STORED = 20


@dataclass(frozen=True)
class StoredTest:
    """A test that has ended, and where its result lies."""

    number: int
    #: The result's file; None if it could not be stored.
    path: Path | None
    banner: Banner
    headline: str
    #: The reasons why the run has failed.
    failures: tuple[str, ...] = ()
    objectives: tuple[JudgedObjective, ...] = ()


class LookedAt(Protocol):
    """A test that goes on: see RunView."""

    @property
    def elapsed_ns(self) -> int:
        """The time since the test began."""

    @property
    def ended_s(self) -> int | None:
        """The second in which the test was stopped; None before."""

    @property
    def is_ending(self) -> bool:
        """True if the test has been stopped."""

    @property
    def is_steady(self) -> bool:
        """True if the steady window has begun."""

    def processes(self) -> Mapping[str, LiveProcess]:
        """Return the processes of the load, by their names."""

    def in_flight(self) -> Counter[OperationKey]:
        """Return what has begun and not ended, by operation."""

    def duration_s(self) -> float | None:
        """Return the time after which the test ends; None if nothing but its user ends it."""

    def phase(self) -> str:
        """Return in which part the run is."""

    def offered_per_s(self, of: Interval) -> float | None:
        """Return the rate that the schedule asked for in an interval."""

    def service_loss(self) -> ServiceLoss | None:
        """Return the loss of the service, as far as it is known by now."""


class LiveTest:
    """A test as its page and its metrics see it."""

    def __init__(
        self,
        number: int,
        view: LookedAt,
        timeout_us: float,
        labels: Mapping[str, str] | None = None,
        has_traces: bool = False,
        objectives: Sequence[Objective] = (),
        kept_s: float = _KEPT_S,
    ) -> None:
        """Begin. Figures that somebody has looked at are kept for `kept_s`."""
        #: The number of the test in this process, from 1 on.
        self.number = number
        self.view = view
        #: The labels that its result will have.
        self.labels = dict(labels or {})
        #: True if each emission carries a trace context.
        self.has_traces = has_traces
        self.started_unix_s = time.time()
        self.has_ended = False
        #: The exemplars that the metrics had last, by metric, operation and bucket.
        self.exemplars: dict[tuple[str, OperationKey, int], Any] = {}
        self._watch = LiveWatch(timeout_us, objectives)
        self._figures: LiveFigures | None = None
        self._kept_s = kept_s
        self._looked_at_s = float("-inf")

    @property
    def state(self) -> State:
        """The part of its life that the test is in."""
        if self.has_ended:
            return "ended"
        if self.view.is_ending:
            return "stopping"
        return "steady" if self.view.is_steady else "arriving"

    def end(self) -> None:
        """Take note that the test has ended, and all of its work is reported."""
        self.has_ended = True
        self._figures = None

    def processes(self) -> list[LiveProcess]:
        """Return the processes of its load."""
        return list(self.view.processes().values())

    def figures(self) -> LiveFigures:
        """Return the figures so far, at most a second old."""
        now_s = time.monotonic()
        if self._figures is None or now_s - self._looked_at_s >= self._kept_s:
            ended_s = self.view.ended_s if self.has_ended else None  # before, the last reports are still to come
            self._figures = self._watch.look(self.view.processes(), self.view.offered_per_s, ended_s)
            self._looked_at_s = math.inf if self.has_ended else now_s  # nothing more comes of it
        return self._figures


class LiveView:
    """All tests of this process, the last of them open to be looked at."""

    def __init__(self) -> None:
        #: The test that is on, or was on last; None before the first.
        self.test: LiveTest | None = None
        self.stored: list[StoredTest] = []
        self._number = 0

    @property
    def is_on(self) -> bool:
        """True while a test is on."""
        return self.test is not None and not self.test.has_ended

    def begin(self, test: OwnedRun, users: Callable[[], tuple[int, int]], timeout_s: float) -> None:
        """Take note that a test has begun."""
        self._number += 1
        self.test = LiveTest(
            self._number,
            RunView(test, users),
            timeout_s * 1e6,
            test.prepared.labels,
            trace_field_of(test.prepared.asked) is not None,
            test.prepared.objectives.objectives,
        )

    def end(self, result: LoadResult | None, path: Path | None) -> None:
        """Take note that the test has ended. Without a result, it has counts alone."""
        if self.test is None or self.test.has_ended:
            return
        self.test.end()
        try:
            self.stored.append(_stored(self.test.number, result, path))
        except Exception as error:
            logger.warning("the live page does not tell how the test ended: %s", error_line(error))
            ended = Banner("warning", "The test has ended", error_line(error))
            self.stored.append(StoredTest(self.test.number, path, ended, ended.title))
        del self.stored[:-_MOST_STORED]

    def path_of(self, number: int) -> Path | None:
        """Return where the result of a test lies; None if it is nowhere."""
        return next((test.path for test in self.stored if test.number == number), None)

    def page(self) -> dict[str, Any]:
        """Return what the page shows. A failure to find it out is what it shows then."""
        try:
            return self._page()
        except Exception as error:
            logger.debug("the live page", exc_info=True)
            return self._around("waiting", Banner("warning", "There are no live figures", error_line(error)))

    def _page(self) -> dict[str, Any]:
        test = self.test
        if test is None:
            return self._around("waiting", Banner("neutral", "No test has run yet", "Locust's form starts one"))
        figures, phase = test.figures(), ""
        found = self._around(test.state, self.stored[-1].banner) if test.has_ended else None
        if found is None:
            phase = test.view.phase()
            found = self._around(test.state, _printable(banner(test.state, figures, phase, test.view.service_loss())))
            found["lasted"] = _lasted(test.view.elapsed_ns // NS_PER_S, test.view.duration_s())
        objectives = [vars(objective) for objective in figures.objectives]
        if test.has_ended:
            objectives = [_judged(objective) for objective in self.stored[-1].objectives]
        return found | {"number": test.number, "phase": phase, "figures": _shown(figures), "objectives": objectives}

    def _around(self, state: State, shown: Banner) -> dict[str, Any]:
        """Return what the page shows in any state."""
        return {
            "state": state,
            "banner": dataclasses.asdict(shown),
            "number": 0,
            "phase": "",
            "lasted": "",
            "figures": None,
            "objectives": [],
            "stored": [_link(test) for test in reversed(self.stored)],
        }


def _lasted(elapsed_s: int, duration_s: float | None) -> str:
    of = "" if duration_s is None else f" of {span_text(round(duration_s))}"
    return f"{span_text(elapsed_s)}{of}"


def _printable(shown: Banner) -> Banner:
    return dataclasses.replace(shown, text=printable(shown.text))


def _shown(figures: LiveFigures) -> dict[str, Any]:
    """Return the figures for the page, without the objectives. dataclasses.asdict would copy each number by itself."""
    return {
        "now": None if figures.now is None else vars(figures.now),
        "history": vars(figures.history),
        "rows": [vars(row) for row in figures.rows],
        "curves": [vars(curve) for curve in figures.curves],
        "heard": figures.heard,
        "processes": figures.processes,
        "saturation": None if figures.saturation is None else vars(figures.saturation),
        "has_verdict": figures.has_verdict,
    }


def _link(test: StoredTest) -> dict[str, Any]:
    return {
        "number": test.number,
        "headline": test.headline,
        "level": test.banner.level,
        "name": None if test.path is None else printable(test.path.name),
        "failures": list(test.failures),
    }


def _judged(objective: JudgedObjective) -> dict[str, Any]:
    is_estimate = objective.low != objective.high  # what was counted has itself as both ends
    interval = f" (interval: {interval_text(objective)})" if is_estimate else ""
    of = f" of {objective.operation}" if objective.operation not in (None, CONNECT) else ""
    return {
        "text": printable(objective.text),
        "verdict": objective.verdict,
        "figure": printable(f"{objective.metric}{of} {figure_text(objective)}{interval}"),
        "reason": printable(objective.reason or ""),
    }


def _stored(number: int, result: LoadResult | None, path: Path | None) -> StoredTest:
    if result is None:
        failed = "no result can be made of what was counted"
        return StoredTest(number, None, Banner("wrong", "There is no result", failed), failed)
    failures = tuple(printable(reason) for reason in exit_reasons(result))
    headline = printable(load_headline(result).text)
    return StoredTest(number, path, _verdict(result, failures), headline, failures, result.objectives)


def _verdict(result: LoadResult, failures: tuple[str, ...]) -> Banner:
    """Return the banner of a test that has ended."""
    loss, generator = result.service_loss, result.generator
    if loss is not None:
        return _printable(Banner("wrong", LOST_TITLES[loss.how], loss.text_with_last_words))
    if generator.verdict == "saturated":
        since = "" if generator.saturated_since_s is None else f"since second {generator.saturated_since_s:g}: "
        text = f"{since}{generator.reason or ''}; {spoilt(generator.spoils)}"
        return Banner("wrong", "The generator could not keep up", text)
    if failures:
        return Banner("wrong", "The test failed", "; ".join(failures))
    worst_of_all, no_second = worst(result.objectives), "the test had no whole second in its steady window"
    if worst_of_all is not None and worst_of_all.verdict != "met":
        level: Level = "wrong" if worst_of_all.verdict == "missed" else "warning"
        kept_up = "the generator kept up: the figures are the service's"
        if generator.verdict is None:
            kept_up = f"there is no verdict on the generator: {no_second}"
        return Banner(level, printable(answer(result.objectives)), kept_up)
    if generator.verdict is None:
        return Banner("warning", "There is no verdict on the generator", no_second)
    met = printable(answer(result.objectives)) if worst_of_all is not None else ""
    return Banner("good", "The generator kept up", f"the figures are the service's{met and f'; {met}'}")
