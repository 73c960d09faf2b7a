"""A benchmark in a test of the user's own: what `pytest bench` does, of one round trip.

Rules of this file: nothing is measured here. The servers, their controls, the alternation and the times inside the loop
are those of `bench.latency`. The testbed is taken down when the benchmark ends, because it keeps cores awake and this
process to a core, which other tests should not feel.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from pytest_benchmark.utils import safe_dumps

from bench.latency.connecting import connected_or_failed
from bench.latency.measuring import TIMER, describe, description, fail, measure
from bench.latency.options import EFFORTS, EffortKind, OptionError, Options, parse
from bench.latency.summary import ending, summary
from bench.latency.testbed import ClientKind, Testbed, Testbeds
from bench.machine.interpreter import gevent_reason
from bench.project_settings import ProjectSettingsError, results_folder
from bench.results.latency import LatencyBenchmark
from bench.results.provenance import commit_info, service_directory
from bench.results.store import ResultError, machine_id, result_name, write_numbered
from bench.scenarios.catalogue import Benchmark
from bench.scenarios.model import RoundTrip
from bench.scenarios.options import Chosen
from bench.server import ServerError, ServerOptions
from bench.wire.connection import Connection

_PLUGIN = "socketio_benchmark_figures"


class RoundTripBenchmark:
    """The fixture `socketio_benchmark`: a call measures a round trip with the app, and a test can call it once.

    `app` is "module:attribute". `folder` is the project's.
    """

    def __init__(self, config: pytest.Config, benchmark: BenchmarkFixture, app: Any, folder: Path) -> None:
        self._config = config
        self._benchmark = benchmark
        self._app = app
        self._folder = folder

    def __call__(
        self,
        round_trip: RoundTrip,
        *,
        connection: Connection | None = None,
        scenarios: str | None = None,
        effort: EffortKind | None = None,
        timeout: float = 5.0,
    ) -> LatencyBenchmark | None:
        """Measure a round trip; return its figures, or None where pytest-benchmark is disabled.

        The app runs in processes of its own, with controls beside them. `effort` is "quick", "normal" or "thorough", as
        in `pytest bench`; it comes before pytest-benchmark's own settings. Without it the processes are those of
        "normal", and the time is pytest-benchmark's. `timeout` is how long a reply is awaited, in seconds.

        `scenarios` is a scenarios file, of which `connection`, `before_connect` and `setup` count here. The keyword
        `connection` comes before that of the file.

        Fails the test in one line if the app does not start, or if a round trip fails.
        """
        __tracebackhide__ = True
        benchmark = self._benchmark
        options = self._options(round_trip, connection, scenarios, effort, timeout)
        benchmark._timer = TIMER  # the time inside the loop, as the marker of `pytest bench` says it
        if effort is not None:
            benchmark._max_time = EFFORTS[effort].max_time_s
        testbeds = Testbeds(options, measuring=benchmark.enabled)
        try:
            testbed = testbeds.enter("process", "uvloop", replicated=True)
            self._measure(testbed, options.benchmarks[0])
        except ServerError as error:
            fail(benchmark, str(error))
        finally:
            testbeds.close()
        return self._figures()

    def _options(
        self,
        round_trip: RoundTrip,
        connection: Connection | None,
        scenarios: str | None,
        effort: EffortKind | None,
        timeout: float,
    ) -> Options:
        """Return the options that `pytest bench` would have. Fail if there can be none."""
        if not isinstance(round_trip, RoundTrip):
            self._refuse(f"takes a RoundTrip, not {round_trip!r:.60}")
        if effort is not None and effort not in EFFORTS:
            self._refuse(f"has no effort {effort!r}: give one of {', '.join(EFFORTS)}")
        if self._benchmark._mode is not None:
            self._refuse("can be called once in a test: make a test for each round trip, or parametrize it")
        if _is_in_loop():
            self._refuse("has an event loop of its own: call it in a plain function, without `async`")
        if (reason := gevent_reason()) is not None:
            self._refuse(f"cannot measure: {reason}")
        if not isinstance(self._app, str):
            given = "there is none" if self._app is None else f"not as an object of type {type(self._app).__name__}"
            self._refuse(f"starts the app in processes of its own: give it as module:attribute, {given}")
        try:
            options = parse(
                app=self._app,
                scenarios=scenarios,
                event=round_trip.emit if scenarios is None else None,
                effort=effort or "normal",
                reply_timeout=f"{timeout:g}",
                directory=self._folder,
            )
        except OptionError as error:
            self._refuse(f"cannot measure: {error}")
        settings = connection or (Connection() if scenarios is None else options.chosen.connection)
        if settings.transports[1:]:
            self._refuse("measures a single transport: give websocket or polling")
        return replace(
            options,
            chosen=Chosen((Benchmark(round_trip.name, round_trip),), settings, options.chosen.file),
            transport=settings.transports[0],
            server=ServerOptions(environment=self._environment()),
        )

    def _environment(self) -> Mapping[str, str]:
        """Return the environment in which the app's process finds the modules that this one finds by pytest's settings.

        A project with its sources in `src` says `pythonpath = src`.
        """
        folders = [str(self._folder / folder) for folder in self._config.getini("pythonpath")]
        before = [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
        return {"PYTHONPATH": os.pathsep.join([*folders, *before])} if folders else {}

    def _measure(self, testbed: Testbed, measured: Benchmark) -> None:
        benchmark = self._benchmark
        transport = testbed.options.transport
        assert transport is not None, "it was chosen"
        client: ClientKind = "FastClient" if transport == "websocket" else "AsyncClient"
        with ExitStack() as stack:
            subjects = stack.enter_context(connected_or_failed(testbed, testbed.subjects(client, transport, measured)))
            group = benchmark.group or f"{transport}, server in its own process"
            describe(benchmark, benchmark.name, group, description(testbed, measured, client, transport))
            measure(benchmark, testbed, subjects, measured.scenario)

    def _figures(self) -> LatencyBenchmark | None:
        stats = self._benchmark.stats
        if stats is None:
            return None
        figures = LatencyBenchmark.model_validate(stats.as_dict(include_data=False))
        plugins = self._config.pluginmanager
        if not plugins.has_plugin(_PLUGIN):
            plugins.register(_Summary(), _PLUGIN)
        plugins.get_plugin(_PLUGIN).add(figures, self._app)  # type: ignore[union-attr]
        return figures

    def _refuse(self, reason: str) -> NoReturn:
        self._benchmark.has_error = True
        raise pytest.fail.Exception(f"socketio_benchmark {reason}", pytrace=False) from None


class _Summary:
    """The figures of this session, with those that pytest-benchmark's table lacks.

    If pytest-benchmark saves the session, they are a latency result as well, which `bench compare` and others read.
    """

    def __init__(self) -> None:
        self._figures: list[LatencyBenchmark] = []
        self._app = ""
        #: The file of the result, and the reason why there is none.
        self._stored: Path | None = None
        self._failure = ""

    def add(self, figures: LatencyBenchmark, app: str) -> None:
        """Take the figures of a test, of this app."""
        self._figures.append(figures)
        self._app = self._app or app

    @pytest.hookimpl(trylast=True)
    def pytest_benchmark_update_json(self, config: pytest.Config, output_json: dict[str, Any]) -> None:
        """Store the benchmarks of this fixture in the folder of all results, once, if the session is saved."""
        session = config._benchmarksession  # type: ignore[attr-defined]
        if not (session.save or session.autosave) or self._stored is not None or self._failure:
            return
        ours = {figures.fullname for figures in self._figures}
        try:
            results = config.invocation_params.dir / results_folder()
            commit = commit_info(service_directory(self._app), results)
            content = {
                **output_json,
                "commit_info": commit.model_dump(),
                "benchmarks": [_without_data(each) for each in output_json["benchmarks"] if each["fullname"] in ours],
            }
            data: bytes = safe_dumps(content, ensure_ascii=True, indent=4).encode()  # type: ignore[no-untyped-call]
            name = result_name(commit, dt.datetime.now(dt.UTC))
            self._stored = write_numbered(results / "latency" / machine_id(), name, data, results)
        except (ResultError, ProjectSettingsError) as error:
            self._failure = str(error)

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print them after the table, and where they are stored."""
        for line in summary(self._figures):
            terminalreporter.write_line(line.text)
        if self._stored is not None:
            for line in ending(self._figures, self._stored):
                terminalreporter.write_line(line.text)
        elif self._failure:
            terminalreporter.write_line(self._failure, red=True)


def _without_data(benchmark: dict[str, Any]) -> dict[str, Any]:
    """Return a stored benchmark without each single time, which the histogram has."""
    return {**benchmark, "stats": {name: value for name, value in benchmark["stats"].items() if name != "data"}}


def _is_in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
