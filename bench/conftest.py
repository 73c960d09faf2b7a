"""The options of `pytest bench`, and the storage of its results. (Deeper down, pytest would not know them in time.)

A session stores its results on its own, under `results/latency`, by the commit of the service. It stores nothing if it
did not run to its end, or if every benchmark failed. pytest-benchmark's options keep their meaning:
`--benchmark-storage` names another folder for these results alone. `--benchmark-save` names another file.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import os
import socket
import sys
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

import pytest
from pytest_benchmark.storage.file import FileStorage

from bench.checkout import DEFAULT_APP, checkout_around
from bench.latency import early  # noqa: F401  # first of those that import much
from bench.latency.failures import Failures
from bench.latency.options import (
    DEFAULT_REPLY_TIMEOUT,
    EFFORTS,
    LOGS,
    OPTIONS,
    OptionError,
    Options,
    parse,
)
from bench.latency.progress import Progress
from bench.latency.session import ARGUMENTS, MISSED_OBJECTIVE, ONE_AT_A_TIME
from bench.latency.storage import ResultStorage
from bench.latency.summary import ending, summary
from bench.machine.descriptors import raise_file_limit
from bench.machine.interpreter import gevent_reason
from bench.machine.interrupts import Patient, ended_by_signals, take_interrupts
from bench.machine.system import missing
from bench.misplaced_options import misplaced, misplaced_options
from bench.objectives.outcome import MISSED, IfUndecided, exit_code
from bench.printable import printable
from bench.project_settings import ProjectSettingsError, results_folder
from bench.report.document import Line, Style
from bench.report.formats import junit
from bench.report.labels import label_notes
from bench.report.latency import latency_document
from bench.report.latency_session import session_document
from bench.report.page.writing import REPORT, REPORT_HELP, write_page
from bench.results.errors import ResultError
from bench.results.files import write_whole
from bench.results.header import CommitInfo
from bench.results.labels import LABEL_HELP, NOTE_HELP
from bench.results.latency import LatencyBenchmark, LatencyDetails, LatencyResult
from bench.results.option_files import check_option_file, check_page_file
from bench.results.provenance import commit_elsewhere, commit_info, service_directory
from bench.results.requirements import other_packages, project_folders
from bench.results.service_log import log_of_files
from bench.results.service_logs import service_logs
from bench.results.store import load, make_root, result_name
from bench.results.typed_command import typed_command
from bench.scenarios.tracing import TRACE_CONTEXT_HELP
from bench.wire.clock_option import PROCESS_CLOCK_HELP, take_process_clock
from bench.wire.options import CONNECTION_OPTIONS, ConnectionOption

#: The options that say how pytest-benchmark is to show its own table: they ask for it.
_SHOWING = (
    "--benchmark-columns",
    "--benchmark-sort",
    "--benchmark-group-by",
    "--benchmark-name",
    "--benchmark-compare",
    "--benchmark-compare-fail",
    "--benchmark-cprofile",
    "--benchmark-histogram",
    "--benchmark-time-unit",
    "--benchmark-verbose",
)

_MARKUP: dict[Style, dict[str, bool]] = {
    "heading": {"bold": True},
    "warning": {"yellow": True},
    "wrong": {"red": True, "bold": True},
}

COLUMNS = ["min", "median", "mean", "stddev", "max", "ops", "rounds"]

_REACHING_TIMEOUT_S = 5.0

_COMPLETE = pytest.StashKey[bool]()
_COMMIT = pytest.StashKey[CommitInfo]()
_NOT_STORED = pytest.StashKey[str]()
#: The function that stores the session. After its first call nothing is left to store.
_STORE = pytest.StashKey[Callable[[], None]]()
_FAILURE = pytest.StashKey[str]()
#: The time at which the session began.
_BEGAN_UNIX_S = pytest.StashKey[float]()
_JUNIT = pytest.StashKey[Path | None]()
_JUNIT_FAILED = pytest.StashKey[bool]()
#: The folder of all results.
_RESULTS = pytest.StashKey[Path | None]()
#: The file of the page, if the user wants one.
_REPORT = pytest.StashKey[Path | None]()
_FAILURES = pytest.StashKey[Failures]()
_CLEANUP = pytest.StashKey[contextlib.ExitStack]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the options; their values are checked later, all at once."""
    group = parser.getgroup("bench", "the service whose latency is measured")
    group.addoption(
        "--app", metavar="MODULE:ATTR", help=f"ASGI app to serve. Default, in the suite's checkout: {DEFAULT_APP}"
    )
    group.addoption("--url", metavar="URL", help="measure the server that runs there, instead of serving an app")
    group.addoption(
        "--serve",
        metavar="COMMAND",
        help="the command that starts the service, in any language, such as 'node server.js {port}': {port} stands for "
        "a free port, which the variable PORT has too",
    )
    group.addoption(
        "--ready-url",
        metavar="URL",
        help="the path, or the whole URL, that answers once the command's service is ready. Default: it is ready when "
        "it accepts connections",
    )
    group.addoption("--start-timeout", metavar="SECONDS", help="how long the service may take to start. Default: 30")
    if not _is_registered(parser, "--host"):  # Locust's plugin may have done that, and it means the same
        group.addoption("--host", metavar="URL", help="the same as --url")
    group.addoption(
        "--scenarios",
        metavar="FILE",
        help="a Python file with scenarios to measure at its top level, such as "
        'say = RoundTrip("say", emit="say", data={"id": "{token}"}, reply="said"), and perhaps '
        "connection = Connection(…)",
    )
    group.addoption("--event", metavar="NAME", help="event to emit. Default: FOO, answered by BAR and acknowledged")
    group.addoption(
        "--reply",
        metavar="NAME",
        action="append",
        help="event that answers it; give it again for each other event that may answer. Default with --event: its "
        "acknowledgement",
    )
    group.addoption(
        "--payload",
        metavar="JSON",
        help="what to emit; wherever a string in it contains {token}, a token is put, by which the reply is matched; "
        "{uuid} and {int} do the same where ids are UUIDs or integers. Without a placeholder replies are matched in "
        "order. Default with --event: nothing",
    )
    group.addoption(
        "--args",
        action="store_true",
        help="the JSON list of --payload is the list of arguments; without it, it is a single argument",
    )
    for connection_option in CONNECTION_OPTIONS:
        _add(group, connection_option)
    _refuse_misplaced(parser, group)
    group.addoption(
        "--reply-timeout",
        metavar="SECONDS",
        default=DEFAULT_REPLY_TIMEOUT,
        help="how long a reply is waited for. Default: %(default)s",
    )
    group.addoption("--process-clock", action="store_true", help=PROCESS_CLOCK_HELP)
    group.addoption(
        "--results",
        metavar="DIR",
        help="the folder of all results; those of `pytest bench` are in DIR/latency. Default: what pyproject.toml says "
        "in [tool.socketio-bench], or results in the working directory",
    )
    group.addoption(
        "--slo",
        metavar="OBJECTIVE",
        action="append",
        help="what has to hold of each benchmark, as in 'p99 < 50 ms' or 'say: mean < 2 ms'; repeatable, or with ; "
        "between them. A session that misses one ends with exit code 3. Default: what the scenarios file says as slo, "
        "or pyproject.toml in [tool.socketio-bench]",
    )
    group.addoption(
        "--slo-undecided",
        choices=get_args(IfUndecided),
        default="warn",
        help="whether a session warns or fails that did not decide an objective. Default: %(default)s",
    )
    group.addoption("--junit", metavar="FILE", help="write the objectives and the benchmarks as JUnit's test cases")
    group.addoption("--trace-context", metavar="FIELD", help=TRACE_CONTEXT_HELP)
    group.addoption(REPORT, metavar="FILE", dest="bench_report", help=REPORT_HELP)
    group.addoption("--label", metavar="NAME=VALUE", action="append", help=LABEL_HELP)
    group.addoption("--note", metavar="TEXT", help=NOTE_HELP)
    group.addoption(
        "--effort",
        choices=tuple(EFFORTS),
        default="normal",
        help="how much to measure: "
        + ", ".join(
            f"{name} is {effort.processes} server processes and {effort.max_time_s:g} s for each benchmark"
            for name, effort in EFFORTS.items()
        )
        + ". Default: %(default)s",
    )
    if not _is_registered(parser, "--all"):  # a plugin's own --all, if it is a flag, means the same here
        group.addoption(
            "--all",
            action="store_true",
            help="measure also the benchmarks that only illustrate: all with the server in the client's own loop, and "
            "the timing bias",
        )
    group.addoption(
        "--server-processes",
        metavar="N",
        help="how many processes of the service to start for each benchmark, with as many of the control beside them; "
        "they run at the same time. Default: as --effort says",
    )
    group.addoption(
        "--allow-idle-cores",
        dest="idle_allowed_by",
        action="store_const",
        const="--allow-idle-cores",
        help="let the cores halt between messages, instead of keeping them awake by processes that yield to anything",
    )
    group.addoption(
        "--no-awake",
        dest="idle_allowed_by",
        action="store_const",
        const="--no-awake",
        help="an older name of --allow-idle-cores",
    )


def _is_registered(parser: pytest.Parser, name: str) -> bool:
    """Return true if a plugin has registered this option. Some versions of pytest refuse a second one only later."""
    return any(name in option.names() for group in (parser._anonymous, *parser._groups) for option in group.options)


class _Misplaced(argparse.Action):
    """The end of a command line that has an option of another command."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option: str | None = None) -> None:
        raise pytest.UsageError(misplaced("pytest bench", self.option_strings[0]))


def _refuse_misplaced(parser: pytest.Parser, group: pytest.OptionGroup) -> None:
    """Register what belongs to another command, in order to say so: only what was given, others may have the names."""
    given = {argument.partition("=")[0] for argument in sys.argv[1:]}
    for option in given & misplaced_options("pytest bench").keys():
        if not _is_registered(parser, option):
            group.addoption(option, action=_Misplaced, nargs="?", default=None, help=argparse.SUPPRESS)


def _add(group: pytest.OptionGroup, option: ConnectionOption) -> None:
    """Register an option of the connection."""
    shown = {} if option.kind == "flag" else {"metavar": option.metavar}
    action = {"text": "store", "repeated": "append", "flag": "store_true"}[option.kind]
    group.addoption(option.flag, dest=option.key, action=action, default=None, help=option.help, **shown)


def pytest_configure(config: pytest.Config) -> None:
    """Check the options, and give pytest-benchmark's their defaults here, before it reads them."""
    if (reason := gevent_reason()) is not None:
        raise pytest.UsageError(reason)
    _refuse_xdist(config)
    config.stash[_CLEANUP] = contextlib.ExitStack()
    option = config.option
    if option.process_clock:
        take_process_clock()
    try:
        config.stash[OPTIONS] = parse(
            app=option.app,
            url=option.url,
            host=option.host,
            event=option.event,
            reply=option.reply,
            payload=option.payload,
            args=option.args,
            scenarios=option.scenarios,
            connection={each.key: getattr(option, each.key) for each in CONNECTION_OPTIONS},
            serve=option.serve,
            ready_url=option.ready_url,
            start_timeout=option.start_timeout,
            reply_timeout=option.reply_timeout,
            processes=option.server_processes,
            effort=option.effort,
            idle_allowed_by=option.idle_allowed_by,
            everything=getattr(option, "all", False) is True,
            trace_context=option.trace_context,
            labels=option.label or (),
            note=option.note,
            slo=option.slo or (),
            directory=config.invocation_params.dir,
            checkout=checkout_around(config.invocation_params.dir, *_named(config)),
        )
    except OptionError as error:
        raise pytest.UsageError(str(error)) from None
    config.stash[_REPORT] = _report_of(config)
    config.stash[_JUNIT] = _junit_of(config)
    if not _is_given(config, "--benchmark-max-time"):
        option.benchmark_max_time = str(config.stash[OPTIONS].max_time_s)
    config.stash[_RESULTS] = results = _results_of(config)
    if results is not None:
        with contextlib.suppress(OSError):  # storing reports it
            make_root(results)  # now, because pytest-benchmark makes its folder at once
        option.benchmark_storage = f"file://{results / 'latency'}"
    # The configuration file may be that of the user's own tests.
    config.addinivalue_line("python_files", "bench_*.py")
    config.addinivalue_line("python_functions", "bench_*")
    if option.benchmark_columns is None:
        option.benchmark_columns = COLUMNS
    chosen = config.stash[OPTIONS]
    config.pluginmanager.register(Progress(config, float(option.benchmark_max_time), chosen.processes))
    config.stash[_FAILURES] = Failures(chosen.hide)
    config.pluginmanager.register(config.stash[_FAILURES])


def pytest_sessionstart(session: pytest.Session) -> None:
    """Store whole files only, by default under the name that `--benchmark-autosave` gives."""
    take_interrupts(Patient())
    raise_file_limit()
    config = session.config
    config.stash[_CLEANUP].enter_context(ended_by_signals())  # CI cancels by SIGTERM, and pytest would not tidy up
    config.stash[LOGS] = config.stash[_CLEANUP].enter_context(service_logs())
    config.stash[_BEGAN_UNIX_S] = time.time()
    benchmarks = _benchmarks(config)
    if isinstance(benchmarks.storage, FileStorage):
        benchmarks.storage = ResultStorage.of(benchmarks, config.stash[_RESULTS])
    config.stash[_COMMIT] = _service_commit(config.stash[OPTIONS], config.stash[_RESULTS])
    benchmarks.autosave = result_name(config.stash[_COMMIT], dt.datetime.now(dt.UTC))


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Look whether the server is there, once for all benchmarks; then note whether the loop came to its end."""
    options = session.config.stash[OPTIONS]
    if session.items and not session.config.option.collectonly:
        if options.url is not None:
            _reach(options.url)
        else:
            _announce(session.config, options)
    result = yield
    session.config.stash[_COMPLETE] = True
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    """Keep pytest-benchmark from storing a partial or empty result, or before it has shown the figures."""
    config = session.config
    benchmarks = _benchmarks(config)
    if not config.stash.get(_COMPLETE, False):
        config.stash[_NOT_STORED] = "Nothing was stored: the session did not run to its end."
    elif not any(benchmark.stats and not benchmark.has_error for benchmark in benchmarks.benchmarks):
        # Either all failed, or nothing was to be measured, which needs no word.
        config.stash[_NOT_STORED] = "Nothing was stored: every benchmark failed." if session.testsfailed else ""
    if _NOT_STORED in config.stash:
        benchmarks.save = benchmarks.autosave = benchmarks.json = None
    if not any(_is_given(config, option) for option in _SHOWING):
        benchmarks.quiet = True  # it would show its own table, which is wide
    config.stash[_STORE] = benchmarks.handle_saving
    benchmarks.handle_saving = _nothing  # the figures have to be shown first
    try:
        result = yield
    finally:
        failure = _store(config)
        if failure or config.stash.get(_JUNIT_FAILED, False):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        _judge(session)
    return result


def _judge(session: pytest.Session) -> None:
    """Have the exit code say what the objectives say, unless something failed."""
    config = session.config
    options = config.stash[OPTIONS]
    if session.exitstatus != pytest.ExitCode.OK or not options.slo.objectives or config.option.collectonly:
        return
    if not _benchmarks(config).benchmarks:  # --benchmark-disable
        return
    code = exit_code(
        [objective for benchmark in _measured(config) for objective in benchmark.objectives],
        has_failed=bool(_unmatched(config)),
        if_undecided=config.option.slo_undecided,
    )
    config.stash[MISSED_OBJECTIVE] = code == MISSED
    session.exitstatus = code


def _unmatched(config: pytest.Config) -> list[str]:
    """Return the objectives that speak of no benchmark of the session, in lines."""
    judged = {objective.text for benchmark in _measured(config) for objective in benchmark.objectives}
    return [
        f"objective {objective.text!r} not judged: no benchmark was measured that it speaks of"
        for objective in config.stash[OPTIONS].slo.objectives
        if objective.text not in judged
    ]


def _measured(config: pytest.Config) -> list[LatencyBenchmark]:
    """Return the benchmarks of the session that came to an end."""
    return [
        LatencyBenchmark.model_validate(benchmark.as_dict(include_data=False))
        for benchmark in _benchmarks(config).benchmarks
        if benchmark.stats and not benchmark.has_error
    ]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what the session has made for itself."""
    config.stash.get(_CLEANUP, contextlib.ExitStack()).close()


def _nothing() -> None:
    pass


def _store(config: pytest.Config) -> str:
    """Have pytest-benchmark store the session, once; return why it could not, or an empty text."""
    benchmarks = _benchmarks(config)
    store = config.stash.get(_STORE, _nothing)
    config.stash[_STORE] = _nothing
    try:
        store()
    except OSError as error:  # the file of --benchmark-json
        config.stash[_FAILURE] = f"cannot store the result: {error.strerror or error}"
        benchmarks.logger.error(config.stash[_FAILURE])
        if benchmarks.json:
            benchmarks.json = None  # it is written before our own storage, which may have room
            store()
    return config.stash.get(_FAILURE, "") or getattr(benchmarks.storage, "failure", None) or ""


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config) -> None:
    """Print the figures that pytest-benchmark's table lacks; then store the result, or print why that failed."""
    benchmarks = _measured(config)
    _write(terminalreporter, summary(benchmarks))
    if benchmarks:
        _write(terminalreporter, _on_objectives(config))
        given = config.stash[OPTIONS]
        words = label_notes(given.labels, given.note)
        _write(terminalreporter, [Line(printable(f"{note.label}: {note.text}")) for note in words])
    if benchmarks and (lacks := missing()):
        terminalreporter.write_line(lacks)
    if reason := config.stash.get(_NOT_STORED, ""):
        terminalreporter.write_line(reason, red=True)
    if exitstatus == pytest.ExitCode.TESTS_FAILED and LOGS in config.stash:
        logs = config.stash[LOGS]
        if logs.keep(config.stash[OPTIONS].hide):
            terminalreporter.write_line(f"The service's output is kept in {logs.folder}")
    _store(config)
    saved: Path | None = getattr(_benchmarks(config).storage, "saved", None)
    report = _written_page(config, saved)
    if benchmarks or config.stash[_FAILURES].found:
        _write_junit(config, benchmarks, terminalreporter)
    _write(terminalreporter, ending(benchmarks, saved, report))
    if benchmarks and _is_part(config.stash[OPTIONS]):
        terminalreporter.write_line("--all measures more: it illustrates what a server in the client's own loop costs")


def _on_objectives(config: pytest.Config) -> list[Line]:
    """Return what there is to say of objectives that were not judged."""
    lines = [Line(printable(text), "wrong") for text in _unmatched(config)]
    remark = config.stash[OPTIONS].slo.remark
    return lines if remark is None else [*lines, Line(printable(remark))]


def _junit_of(config: pytest.Config) -> Path | None:
    """Return the file of `--junit`. Raises UsageError if that is a folder, or in no folder that is there."""
    if config.option.junit is None:
        return None
    file: Path = config.invocation_params.dir / config.option.junit
    try:
        check_option_file("--junit", file, config.option.junit)
    except ResultError as error:
        raise pytest.UsageError(str(error)) from None
    return file


def _write_junit(
    config: pytest.Config, benchmarks: Sequence[LatencyBenchmark], reporter: pytest.TerminalReporter
) -> None:
    """Write the file of `--junit`, if the user wants one."""
    file = config.stash[_JUNIT]
    if file is None:
        return
    try:
        write_whole(file, [junit.render(session_document(benchmarks, config.stash[_FAILURES].found)).encode()])
    except OSError as error:
        config.stash[_JUNIT_FAILED] = True
        reporter.write_line(f"--junit {config.option.junit}: {error.strerror or error}", red=True)


def _written_page(config: pytest.Config, saved: Path | None) -> Path | None:
    """Write the page of the session, if the user wants one; return its file, None if there is none.

    If nothing is stored because everything failed, the page says that.
    """
    report, failures = config.stash[_REPORT], config.stash[_FAILURES].found
    if report is None or (saved is None and not failures):
        return None
    try:
        result = None if saved is None else load(saved)
        if isinstance(result, LatencyResult):
            write_page(REPORT, report, [latency_document(result)])
        elif result is None:
            write_page(REPORT, report, [session_document([], failures)])
    except ResultError as error:
        config.stash[_FAILURE] = str(error)
        _benchmarks(config).logger.error(str(error))
        return None
    return report


def _write(reporter: pytest.TerminalReporter, lines: Iterable[Line]) -> None:
    for line in lines:
        reporter.write_line(line.text, **_MARKUP.get(line.style, {}))


def _is_part(options: Options) -> bool:
    """Return true if there are benchmarks that `--all` would add."""
    return not options.everything and options.url is None and options.command is None


@pytest.hookimpl(tryfirst=True)  # pytest-benchmark has one, too, and the first that answers counts
def pytest_benchmark_generate_commit_info(config: pytest.Config) -> dict[str, Any]:
    """Return the commit of the service, wherever we were started."""
    return config.stash[_COMMIT].model_dump()


def pytest_benchmark_update_json(config: pytest.Config, output_json: dict[str, Any]) -> None:
    """Store the labels, the command, and what the service wrote.

    Full names, by which results are paired, become the same wherever the package lies.
    """
    options = config.stash[OPTIONS]
    words = LatencyDetails(
        **({"labels": options.labels} if options.labels else {}), **({"note": options.note} if options.note else {})
    )
    log = log_of_files(config.stash[LOGS].files, config.stash[_BEGAN_UNIX_S], options.hide)
    for number, benchmark in enumerate(output_json["benchmarks"]):
        benchmark["extra_info"].update(words.written())
        if number == 0:
            whole: dict[str, Any] = {"command": _typed_command(config)}
            whole |= {} if log is None else {"service_log": log}
            whole |= {"failures": tuple(failures)} if (failures := config.stash[_FAILURES].found) else {}
            benchmark["extra_info"].update(LatencyDetails(**whole).written())
        _, found, rest = benchmark["fullname"].rpartition("latency/bench_")
        if found:
            benchmark["fullname"] = f"bench/{found}{rest}"


def _typed_command(config: pytest.Config) -> str:
    """Return the command that was typed, without secrets. What pytest's variable for options says is not in it."""
    hide = config.stash[OPTIONS].hide
    arguments = config.stash.get(ARGUMENTS, None)
    if arguments is not None:
        return typed_command("bench latency", arguments, hide)
    return typed_command("pytest", list(map(str, config.invocation_params.args)), hide)


@pytest.hookimpl(tryfirst=True)
def pytest_benchmark_scale_unit(config: pytest.Config, unit: str) -> tuple[str, float] | None:
    """Return microseconds for the times of all tables, unless `--benchmark-time-unit` says otherwise."""
    if unit == "seconds" and getattr(config.option, "benchmark_time_unit", None) is None:
        return "u", 1e6
    return None


def _is_given(config: pytest.Config, option: str) -> bool:
    """Return true if the user gave that option, on the command line or in pytest's variable for options."""
    given = [*map(str, config.invocation_params.args), *os.environ.get("PYTEST_ADDOPTS", "").split()]
    return any(argument.partition("=")[0] == option for argument in given)


def _named(config: pytest.Config) -> list[Path]:
    """Return the files and folders that the user named to pytest."""
    given = (config.invocation_params.dir / str(text).partition("::")[0] for text in config.invocation_params.args)
    return [path for path in given if path.exists()]


def _benchmarks(config: pytest.Config) -> Any:
    """Return pytest-benchmark's session; its plugins have no other way to it."""
    return config._benchmarksession  # type: ignore[attr-defined]


def _results_of(config: pytest.Config) -> Path | None:
    """Return the folder of all results; None if pytest-benchmark's own option names the place of these."""
    given: str | None = config.option.results
    if _is_given(config, "--benchmark-storage"):
        if given is not None:
            raise pytest.UsageError(
                f"--results {given} and --benchmark-storage: give one of them; --results is for all commands"
            )
        return None
    try:
        return config.invocation_params.dir / results_folder(given)
    except ProjectSettingsError as error:
        raise pytest.UsageError(str(error)) from None


def _report_of(config: pytest.Config) -> Path | None:
    """Return the file of the page; None if none is wanted."""
    given: str | None = config.option.bench_report
    if given is None:
        return None
    try:
        check_page_file(REPORT, Path(given))
    except ResultError as error:
        raise pytest.UsageError(str(error)) from None
    return config.invocation_params.dir / given


def _service_commit(options: Options, results: Path | None) -> CommitInfo:
    if options.url is not None:
        return commit_elsewhere(options.url)
    if options.is_default or options.command is not None:
        return commit_info(options.directory, results)
    return commit_info(service_directory(options.app), results)


def _announce(config: pytest.Config, options: Options) -> None:
    """Say where the output of the service goes, and whether an app runs with packages that it does not ask for."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return
    reporter.write_line(f"serving {options.service}; its output: {config.stash[LOGS].folder}")
    if config.option.app is not None:
        others = other_packages(project_folders(service_directory(options.app).absolute()), options.app)
        if others is not None:
            reporter.write_line(others, yellow=True)


def _refuse_xdist(config: pytest.Config) -> None:
    """Refuse the processes of pytest-xdist, on the command line or in the settings of the user's own tests."""
    option = config.option
    if hasattr(config, "workerinput") or getattr(option, "dist", "no") != "no" or getattr(option, "tx", None):
        raise pytest.UsageError(
            f"pytest-xdist (-n, --dist): {ONE_AT_A_TIME}; give -n 0, or type `bench latency`, which reads no settings "
            "of tests"
        )


def _reach(url: str) -> None:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme in ("https", "wss") else 80)
    try:
        socket.create_connection((parts.hostname, port), timeout=_REACHING_TIMEOUT_S).close()
    except OSError as error:
        reason = (error.strerror or str(error) or "no answer").lower()
        pytest.exit(f"{url} cannot be reached: {reason}", returncode=pytest.ExitCode.TESTS_FAILED)
