"""The options that we add to Locust's command line and web form, and what an open load makes of them.

Pure but for `add_options`: options in, values or a MisuseError out.
"""

from __future__ import annotations

import inspect
from argparse import SUPPRESS, Action, ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from locust import TaskSet
from locust.argument_parser import LocustArgumentParser
from locust.util.timespan import parse_timespan

from bench.checkout import DEFAULT_APP
from bench.load.engine.interface import SessionUser
from bench.load.engine.pacing import OpenLoad
from bench.load.metrics.slowest import MOST_SLOWEST, USUAL_NUMBER
from bench.load.plugin.connection_options import add_connection_options
from bench.misplaced_options import misplaced, misplaced_options
from bench.objectives.outcome import IfUndecided
from bench.project_settings import DEFAULT_RESULTS, RESULTS_VARIABLE, ProjectSettingsError
from bench.report.page.writing import REPORT, REPORT_HELP
from bench.results.errors import ResultError
from bench.results.labels import LABEL_HELP, NOTE_HELP, LabelError, labels_of, note_of
from bench.results.option_files import check_page_file
from bench.scenarios.model import Emission, RoundTrip
from bench.scenarios.tracing import TRACE_CONTEXT_HELP, NoPlaceForContext, checked_field, refuse_untraceable
from bench.timing.arrivals import Arrivals, Shape
from bench.timing.durations import DurationError, parse_duration
from bench.timing.rates import LONGEST_S, RateError, RateProfile, Share
from bench.wire.clock_option import PROCESS_CLOCK_HELP
from bench.wire.source_addresses import (
    SourceAddressError,
    check_source_addresses,
    parse_source_addresses,
    use_source_addresses,
)
from bench.wire.stamps import PROCESS_CLOCK

DEFAULT_WEB_HOST = "127.0.0.1"


_LONGEST_WAIT_S = 86_400.0

_SHAPES: tuple[Shape, ...] = ("poisson", "constant")


class MisuseError(Exception):
    """The command cannot be carried out as given; the text says why, in one line."""


def add_options(parser: LocustArgumentParser) -> None:
    """Add the options of this package to Locust's."""
    _keep_page_on_this_machine(parser)
    parser.add_argument(
        "--app",
        metavar="MODULE:ATTRIBUTE",
        default=None,
        env_var="BENCH_APP",
        include_in_web_ui=False,
        help="the ASGI app that a run without --host starts in a process of its own (default in the suite's checkout: "
        f"{DEFAULT_APP})",
    )
    parser.add_argument(
        "--serve",
        metavar="COMMAND",
        default="",
        env_var="BENCH_SERVE",
        include_in_web_ui=False,
        help="the command that starts the service, in any language, such as 'node server.js {port}': {port} stands for "
        "a free port, which the variable PORT has too",
    )
    parser.add_argument(
        "--ready-url",
        metavar="URL",
        default="",
        env_var="BENCH_READY_URL",
        include_in_web_ui=False,
        help="the path, or the whole URL, that answers once the command's service is ready (default: it is ready when "
        "it accepts connections)",
    )
    parser.add_argument(
        "--start-timeout",
        metavar="TIME",
        default="",
        env_var="BENCH_START_TIMEOUT",
        include_in_web_ui=False,
        help="how long the service may take to start (default: 30s)",
    )
    add_connection_options(parser)
    parser.add_argument(
        "--source-addresses",
        metavar="ADDRESSES",
        default="",
        env_var="BENCH_SOURCE_ADDRESSES",
        include_in_web_ui=False,
        help="the addresses of this machine that users connect from, in turn, as in 127.0.0.1-127.0.0.4, "
        "10.0.0.5,10.0.0.6 or 10.0.0.8/29: each has ports for some 28,000 connections (default: the system chooses); "
        "a worker on another machine needs its own",
    )
    parser.add_argument(
        "--results",
        metavar="FOLDER",
        default="",
        env_var=RESULTS_VARIABLE,
        include_in_web_ui=False,
        help="the folder of all results; those of loads are in FOLDER/load (default: what pyproject.toml says in "
        f"[tool.socketio-bench], or {DEFAULT_RESULTS})",
    )
    parser.add_argument(
        "--label",
        action=_Joined,
        metavar="NAME=VALUE",
        default="",
        env_var="BENCH_LABEL",
        help=f"{LABEL_HELP}; or several with ; between them",
    )
    parser.add_argument("--note", metavar="TEXT", default="", env_var="BENCH_NOTE", help=NOTE_HELP)
    parser.add_argument(
        "--rate",
        metavar="RATE",
        default="",
        env_var="BENCH_RATE",
        help="open load: arrivals per second over all users and workers, whether or not replies come; as in 500, "
        "100..500:30s (a ramp) or 100:30s,500:30s,1000:1m (stages, after which the run ends); default: what the users' "
        "wait_time says",
    )
    parser.add_argument(
        "--arrivals",
        choices=_SHAPES,
        default="poisson",
        env_var="BENCH_ARRIVALS",
        help="how the arrivals of --rate lie: as independent users', or evenly spaced (default: poisson)",
    )
    parser.add_argument(
        "--max-in-flight",
        metavar="N",
        default="",
        env_var="BENCH_MAX_IN_FLIGHT",
        help="open load of pipelined users: how many tasks of one user may be on their way; an arrival beyond that is "
        "dropped (default: the user class's max_in_flight, 1000)",
    )
    parser.add_argument(
        "--max-wait",
        metavar="TIME",
        default="",
        env_var="BENCH_MAX_WAIT",
        help="open load of users that are not pipelined: how long an arrival waits for a user that has no task under "
        "way, as in 5s; beyond that it is dropped (default: the user class's longest_wait, or its reply_timeout)",
    )
    parser.add_argument(
        "--warmup",
        metavar="TIME",
        default="0s",
        env_var="BENCH_WARMUP",
        help="how long after all users are there the figures begin, as in 5s (default: 0s)",
    )
    parser.add_argument(
        "--breakdown",
        action="store_true",
        default=False,
        env_var="BENCH_BREAKDOWN",
        include_in_web_ui=False,
        help="split each round trip into the way to the service's handler, the handler, and the way back; the service "
        "started without --host stamps its replies, another one has to (`handled_ns`) and be on this machine",
    )
    parser.add_argument(
        "--trace-context",
        metavar="FIELD",
        default="",
        env_var="BENCH_TRACE_CONTEXT",
        include_in_web_ui=False,
        help=TRACE_CONTEXT_HELP,
    )
    parser.add_argument(
        "--slowest",
        metavar="N",
        default="",
        env_var="BENCH_SLOWEST",
        include_in_web_ui=False,
        help="name the N slowest round trips of each operation in the result, by their tokens (default: "
        f"{USUAL_NUMBER} with --trace-context, else none)",
    )
    parser.add_argument(
        "--process-clock",
        action="store_true",
        default=False,
        env_var=PROCESS_CLOCK,
        help=PROCESS_CLOCK_HELP,
    )
    parser.add_argument(
        "--seed",
        metavar="SEED",
        default="",
        env_var="BENCH_SEED",
        include_in_web_ui=False,
        help="what the random arrivals are drawn from (default: another one each time; the result has it)",
    )
    parser.add_argument(
        "--metrics",
        metavar="HOST:PORT",
        default="",
        env_var="BENCH_METRICS",
        include_in_web_ui=False,
        help="serve the load's figures for Prometheus at http://HOST:PORT/metrics while it runs, as in 127.0.0.1:9100; "
        "with workers the master has those of all; Locust's page has them at /metrics without this option",
    )
    parser.add_argument(
        "--no-progress",
        action="store_true",
        default=False,
        env_var="BENCH_NO_PROGRESS",
        include_in_web_ui=False,
        help="show no live lines; without it a run with --only-summary shows on standard error how far it is",
    )
    parser.add_argument(
        "--slo",
        metavar="OBJECTIVE",
        action=_Joined,
        default=None,
        env_var="BENCH_SLO",
        help="what has to hold, as in 'p99 < 50 ms', 'say: errors <= 3' or 'throughput >= 400/s'; repeatable, or with "
        "; between them; a run that misses one ends with exit code 3 (default: what the user classes' slo says, "
        "or pyproject.toml in [tool.socketio-bench])",
    )
    parser.add_argument(
        "--slo-undecided",
        choices=get_args(IfUndecided),
        default="warn",
        env_var="BENCH_SLO_UNDECIDED",
        include_in_web_ui=False,
        help="whether a run warns or fails that was too short to decide an objective (default: warn)",
    )
    parser.add_argument(
        "--slo-abort",
        action="store_true",
        default=False,
        env_var="BENCH_SLO_ABORT",
        include_in_web_ui=False,
        help="end the run as soon as an objective is surely missed",
    )
    parser.add_argument(
        "--until",
        metavar="PRECISION",
        action=_Joined,
        default=None,
        env_var="BENCH_UNTIL",
        help="end the run as soon as a figure is as sure as this: 'p99 ± 5 %%', 'p99 ± 2 ms' or 'say: mean +- 2 "
        "%%'; repeatable, or with ; between them; --run-time is then the longest time",
    )
    parser.add_argument(
        "--junit",
        metavar="FILE",
        default="",
        env_var="BENCH_JUNIT",
        include_in_web_ui=False,
        help="write the objectives and the operations as test cases, in JUnit's form",
    )
    parser.add_argument(
        REPORT,
        metavar="FILE",
        default="",
        env_var="BENCH_REPORT",
        include_in_web_ui=False,
        help=REPORT_HELP,
    )
    # `bench load` has more options than `locust`. It adds them first.
    for option in misplaced_options("locust").keys() - parser._option_string_actions.keys():
        parser.add_argument(
            option, action=_Misplaced, nargs="?", default=SUPPRESS, help=SUPPRESS, include_in_web_ui=False
        )


class _Joined(Action):
    """The texts of an option that is repeated, as a single text with `;` between them, as a form has it."""

    def __call__(self, parser: ArgumentParser, namespace: Namespace, values: Any, option: str | None = None) -> None:
        before = getattr(namespace, self.dest, None)
        setattr(namespace, self.dest, f"{before}; {values}" if before else values)


class _Misplaced(Action):
    """The end of a command line that has an option of another command."""

    def __call__(self, parser: ArgumentParser, namespace: Namespace, values: Any, option: str | None = None) -> None:
        parser.error(misplaced("locust", self.option_strings[0]) or "")


def _keep_page_on_this_machine(parser: LocustArgumentParser) -> None:
    """Keep Locust's page, which has no login and starts load, from other machines unless the user asks for that."""
    for action in parser._actions:
        if action.dest == "web_host":
            action.default = DEFAULT_WEB_HOST
            action.help = f"Host to bind the web interface to; '*': all interfaces. Defaults to {DEFAULT_WEB_HOST}"


def labels_and_note_of(options: Namespace) -> tuple[dict[str, str], str | None]:
    """Return the labels and the note of the run's result. Raises MisuseError."""
    try:
        try:
            directory = Path.cwd()
        except OSError:  # it is gone
            directory = Path("/")
        labels = labels_of([str(getattr(options, "label", None) or "")], directory)
        return labels, note_of(getattr(options, "note", None))
    except (LabelError, ProjectSettingsError) as error:
        raise MisuseError(str(error)) from None


def profile_of(options: Namespace) -> RateProfile | None:
    """Return the rate over time that the options ask for; None: none. Raises MisuseError."""
    text = str(getattr(options, "rate", "") or "").strip()
    try:
        return RateProfile.parse(text) if text else None
    except RateError as error:
        raise MisuseError(str(error)) from None


def shape_of(options: Namespace) -> Shape:
    """Return how the arrivals of `--rate` lie. Raises MisuseError."""
    shape = getattr(options, "arrivals", "poisson")
    if shape not in _SHAPES:  # from a form
        raise MisuseError(f"--arrivals is {' or '.join(_SHAPES)}, not {shape!r}")
    return shape


def open_load_of(options: Namespace, share: Share) -> OpenLoad:
    """Return what all of the options say of an open load, to this process. Raises MisuseError."""
    return OpenLoad(
        profile=profile_of(options),
        shape=shape_of(options),
        seed=str(getattr(options, "seed", "")),
        share=share,
        max_in_flight=max_in_flight_of(options),
        max_wait_s=max_wait_s_of(options),
    )


def _seconds(option: str, text: str) -> float:
    """Return the time that the text of an option says; inf if it is too long to count. Raises MisuseError."""
    try:
        return parse_duration(text)
    except DurationError:
        raise MisuseError(f"{option} {text!r} is no time: expected seconds, as in 5, 0.5s or 1m30s") from None


def warmup_s_of(options: Namespace) -> float:
    """Return the time to warm up, in seconds. Raises MisuseError."""
    text = str(getattr(options, "warmup", "0") or "0").strip()
    seconds = _seconds("--warmup", text)
    if seconds > LONGEST_S:
        raise MisuseError(f"--warmup {text!r} is too long: expected at most {LONGEST_S:.0f} seconds")
    return seconds


def check_users(options: Namespace, has_shape: bool) -> None:
    """Raise MisuseError if a run that begins by itself has no user. Locust's form and `has_shape` say them later."""
    users = getattr(options, "num_users", None)
    begins = getattr(options, "headless", False) or getattr(options, "autostart", False)
    if begins and not has_shape and users is not None and users < 1:
        raise MisuseError(f"--users {users}: nobody would be there: expected a whole number above 0")


def check_run_time(text: str) -> None:
    """Raise MisuseError for a time at which Locust's own form would fail. It reports meaningless times itself."""
    try:
        if text and not parse_timespan(text):  # Locust would run without end
            raise MisuseError(f"--run-time {text} is no time: leave it out for a run that Ctrl-C ends")
        too_long = bool(text) and parse_timespan(text) > LONGEST_S
    except ValueError:
        return
    except OverflowError:
        too_long = True
    if too_long:
        raise MisuseError(f"--run-time {text!r} is too long: expected at most {LONGEST_S:.0f} seconds")


def report_of(options: Namespace) -> Path | None:
    """Return the file of the result's page; None if none is wanted. Raises MisuseError."""
    text = str(getattr(options, "report", "") or "")
    path = Path(text) if text else None
    try:
        check_page_file(REPORT, path)
    except ResultError as error:
        raise MisuseError(str(error)) from None
    return None if path is None else path.absolute()  # the folder may be another one at the end


def breakdown_of(options: Namespace) -> bool:
    """Return whether replies are split by the stamps in them."""
    return bool(getattr(options, "breakdown", False))


def trace_field_of(options: Namespace) -> str | None:
    """Return the field of the data that has the trace context of each emission; None: none. Raises MisuseError."""
    try:
        return checked_field(getattr(options, "trace_context", None))
    except NoPlaceForContext as error:
        raise MisuseError(str(error)) from None


def slowest_of(options: Namespace) -> int:
    """Return how many of the slowest round trips of each operation the result names. Raises MisuseError."""
    text = str(getattr(options, "slowest", "") or "").strip()
    if not text:
        return USUAL_NUMBER if trace_field_of(options) is not None else 0
    if not text.isdecimal() or int(text) > MOST_SLOWEST:
        raise MisuseError(f"--slowest {text!r}: expected a whole number, at most {MOST_SLOWEST}")
    return int(text)


def refuse_untraceable_tasks(options: Namespace, users: Sequence[type[SessionUser]]) -> None:
    """Refuse tasks of which it is known before the run that their data has no place for a trace context.

    Raises MisuseError.
    """
    field = trace_field_of(options)
    if field is None:
        return
    for user in users:
        for task in user.tasks:
            definition = getattr(task, "performs", None)
            if isinstance(definition, (RoundTrip, Emission)):
                try:
                    refuse_untraceable(definition, field)
                except NoPlaceForContext as error:
                    raise MisuseError(str(error)) from None


def process_clock_of(options: Namespace) -> bool:
    """Return whether the process's own clock is to tell the receive times."""
    return bool(getattr(options, "process_clock", False))


def max_in_flight_of(options: Namespace) -> int | None:
    """Return how many tasks of a user may be on their way; None: as its class says. Raises MisuseError."""
    text = str(getattr(options, "max_in_flight", "") or "").strip()
    if not text:
        return None
    if not text.isdecimal() or not int(text):
        raise MisuseError(f"--max-in-flight {text!r}: expected a whole number from 1 on")
    return int(text)


def max_wait_s_of(options: Namespace) -> float | None:
    """Return how long an arrival may wait for a free user; None for what its class says. Raises MisuseError."""
    text = str(getattr(options, "max_wait", "") or "").strip()
    if not text:
        return None
    wait_s = _seconds("--max-wait", text)
    if wait_s > _LONGEST_WAIT_S:
        raise MisuseError(f"--max-wait {text!r} is more than a day: no run lasts that long")
    return wait_s


def take_source_addresses(options: Namespace, connects: bool) -> None:
    """Have this process connect from the addresses that the options name, if any. Raises MisuseError.

    They have to be this machine's if the process connects.
    """
    text = str(getattr(options, "source_addresses", "") or "").strip()
    try:
        addresses = parse_source_addresses(text) if text else ()
        if connects:
            check_source_addresses(addresses)
    except SourceAddressError as error:
        raise MisuseError(f"--source-addresses: {error}") from None
    use_source_addresses(addresses)


def check_limits(options: Namespace, users: Sequence[type[SessionUser]]) -> None:
    """Refuse a limit that applies to no user here. Raises MisuseError."""
    most, wait_s = max_in_flight_of(options), max_wait_s_of(options)
    if most is not None and not any(user.pipelined for user in users):
        raise MisuseError(
            f"--max-in-flight {most}: no user class here is pipelined, so each user takes one arrival at a time; give "
            "more --users, or set `pipelined = True` in a class whose tasks may overlap on one connection"
        )
    if wait_s is not None and users and all(user.pipelined for user in users):
        raise MisuseError(
            f"--max-wait {wait_s:g}s: every user class here is pipelined, so no arrival waits for a user; "
            "--max-in-flight is their limit"
        )
    for user in users:
        check_wait_time(user)
        if user.longest_wait is not None and not 0 <= user.longest_wait <= _LONGEST_WAIT_S:
            raise MisuseError(f"{user.__name__}.longest_wait is {user.longest_wait:g} s: expected 0 to a day")


def check_wait_time(user: type[SessionUser]) -> None:
    """Refuse a `wait_time` that nobody could call. Raises MisuseError."""
    wait_time = getattr(user, "wait_time", None)
    if wait_time is None or callable(wait_time):
        return
    example = f"constant({wait_time!r})" if isinstance(wait_time, int | float) else "constant(1)"
    raise MisuseError(
        f"{user.__name__}.wait_time is {wait_time!r:.60}, which cannot be called: write `wait_time = {example}`, "
        "from locust"
    )


def is_open(options: Namespace, users: Sequence[type[SessionUser]]) -> bool:
    """Return whether the load is open: arrivals do not wait for replies. Raises MisuseError if users differ in that.

    Users without tasks, who only stay connected, may be in either.
    """
    by_rate = profile_of(options) is not None
    pacing_users = [user for user in users if isinstance(getattr(user, "wait_time", None), Arrivals)]
    if not by_rate and not pacing_users:
        return False
    if not by_rate and (others := [user for user in users if user.tasks and user not in pacing_users]):
        raise MisuseError(
            f"{pacing_users[0].__name__} has arrivals, {others[0].__name__} waits for its replies: "
            "one run is either an open or a closed load; name the users to run, or give a --rate for all"
        )
    if users and not any(user.tasks for user in users):
        raise MisuseError(
            f"{users[0].__name__} has no tasks, so an arrival has nothing to begin: decorate an `async def` method "
            "with @task, or load without a rate"
        )
    for user in users:
        for task in user.tasks:
            if inspect.isclass(task) and issubclass(task, TaskSet):
                raise MisuseError(
                    f"{user.__name__} has the task set {task.__name__}: in an open load each arrival runs one task, "
                    "so tasks have to be functions of the user"
                )
    return True
