"""`bench load`: Locust's own command, with options, defaults and a help of ours.

Rules of this file: Locust reads the command line, its variables and its files by itself, so all of them work. This file
adds to that, before Locust begins: a locustfile where the user names scenarios, and defaults for a run without a page.
Locust has been imported before this module.
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any, NoReturn

from locust import events
from locust import main as locust_main
from locust.argument_parser import LocustArgumentParser, get_parser
from locust.env import Environment
from locust.runners import Runner, WorkerRunner
from locust.util.load_locustfile import load_locustfile

from bench import load
from bench.load.plugin.command_help import help_text
from bench.load.plugin.load_command import SCENARIOS_LOCUSTFILE
from bench.load.plugin.options import MisuseError, profile_of
from bench.load.plugin.scenario_users import user_class, weights_of
from bench.load.plugin.user import SocketIOUser
from bench.mistyped import unknown_option
from bench.printable import printable
from bench.scenarios.loading import ScenariosError, load_scenarios
from bench.server.address import free_port
from bench.server.error import ServerError

logger = logging.getLogger(__name__)

#: The number of users, how many of them start in a second, and the time of a run, if nobody says them.
USERS, SPAWN_RATE_PER_S, RUN_TIME_S = 10, 100.0, 30

#: The same with `--until`, in seconds: the time after which a run gives up.
LONGEST_UNTIL_S = 600

#: The largest number of processes that is believed: a machine may have hundreds of cores.
_MOST_PROCESSES = 1_000

_DEFAULT_LOCUSTFILE = "locustfile.py"
_MISUSE = 2


def run() -> NoReturn:
    """Run Locust with the command line of this process; does not return."""
    sys.argv[0] = "bench load"
    events.init_command_line_parser.add_listener(add_options)
    events.init.add_listener(complete)
    assert load.SocketIOUser is SocketIOUser  # looking it up installs this package into Locust
    arguments = sys.argv[1:]
    try:
        if any(argument in ("-h", "--help") for argument in arguments):
            _show_help(arguments)
        parser = get_parser()
        sys.argv[1:] = with_locustfile(arguments, parser)
        os.environ.update(own_port(arguments, parser))
    except (MisuseError, ServerError) as error:
        _refuse(str(error))
    locust_main.main()
    sys.exit()


def scenarios_asked() -> type[SocketIOUser]:
    """Return the class of users that the command line asks for. Raises MisuseError."""
    options, _ = get_parser().parse_known_args()
    try:
        file = load_scenarios(Path(options.scenarios))
    except ScenariosError as error:
        raise MisuseError(f"--scenarios {options.scenarios}: {error}") from error
    return user_class(file, weights_of(options.tasks, file))


def _refuse(line: str) -> NoReturn:
    sys.stderr.write(f"bench: error: {printable(line)}\n")
    sys.exit(_MISUSE)


def add_options(parser: LocustArgumentParser) -> None:
    """Add the options that only this command has, and have a wrong command line refused in one line."""
    parser.add_argument(
        "--scenarios",
        metavar="FILE",
        env_var="BENCH_SCENARIOS",
        include_in_web_ui=False,
        help="a Python file with scenarios at its top level, as for `bench latency`: each is a task of the users; "
        "instead of -f",
    )
    parser.add_argument(
        "--tasks",
        metavar="NAME[:WEIGHT],…",
        env_var="BENCH_TASKS",
        include_in_web_ui=False,
        help="the scenarios of the file to perform, and how often each, as in say:3,join (default: all of them, "
        "equally often)",
    )
    parser.add_argument(
        "--web",
        action="store_true",
        default=False,
        include_in_web_ui=False,
        help="start Locust's web page, on which runs are started, instead of one run without it",
    )
    for action in parser._actions:
        if action.dest == "headless":
            action.default = not {"--web", "--autostart"} & set(sys.argv)
        elif action.dest == "only_summary":
            action.default = "--print-stats" not in sys.argv

    def error(message: str) -> NoReturn:
        _, found, unknown = message.partition("unrecognized arguments: ")
        if not found:
            line = message.partition("\n")[0].replace("locust has no", "bench load has no")
            _, of_toml, reason = line.partition("Couldn't parse TOML file: ")
            if of_toml:  # it is the only TOML file that Locust reads
                _refuse(f"pyproject.toml: not TOML: {reason}")
            _refuse(f"{line}; see `bench load --help`")
        names = [name for action in parser._actions for name in action.option_strings]
        _refuse(f"{unknown_option(unknown.split()[0], names)}; see `bench load --help`")

    setattr(parser, "error", error)  # noqa: B010  # mypy takes the plain assignment for a mistake


def with_locustfile(arguments: list[str], parser: LocustArgumentParser) -> list[str]:
    """Return the arguments with the locustfile that Locust is to load. Raises MisuseError.

    `parser` has Locust's options and ours. It ends the process at an option that is wrong.
    """
    try:
        options, unknown = parser.parse_known_args(arguments)  # it refuses an option without its value
    except OSError as error:  # a folder of the name of a file that Locust reads, for example
        raise MisuseError(f"{error.filename}: {error.strerror}") from None
    named, _ = _named_parser().parse_known_args(arguments)
    if named.scenarios is not None and named.locustfile is not None:
        raise MisuseError(f"--scenarios {named.scenarios} and -f {named.locustfile}: give one of them")
    if options.web and "--headless" in arguments:
        raise MisuseError("--web and --headless: a run has the page, or it has not")
    scenarios = named.scenarios or (options.scenarios if named.locustfile is None else None)
    if scenarios is not None:
        if not Path(scenarios).is_file():
            raise MisuseError(f"--scenarios {scenarios}: there is no such file")
        return ["-f", str(SCENARIOS_LOCUSTFILE), *arguments]
    if options.tasks is not None:
        raise MisuseError(f"--tasks {options.tasks}: it belongs to --scenarios FILE; name user classes of a locustfile")
    mistyped = [argument for argument in unknown if argument.startswith("-")]
    if mistyped and not Path(options.locustfile).exists():  # a locustfile could have options of its own
        parser.error(f"unrecognized arguments: {mistyped[0]}")
    _look_for(options)
    return arguments


def own_port(arguments: list[str], parser: LocustArgumentParser) -> dict[str, str]:
    """Return Locust's variables that give a master and the workers that it forks a port which nobody else has.

    Without them, two such runs on one machine would want the same port. There are none if the user has said a port, if
    there are no such workers, or if the master is elsewhere. Raises ServerError if no port is free, MisuseError for a
    number of processes that cannot be.
    """
    options, _ = parser.parse_known_args(arguments)
    if options.processes is not None and not -1 <= options.processes <= _MOST_PROCESSES:
        raise MisuseError(
            f"--processes {options.processes}: expected a number up to {_MOST_PROCESSES:,}, "
            "or -1 for a process per core"
        )
    ports = ("master_port", "master_bind_port")
    is_said = any(getattr(options, port) != parser.get_default(port) for port in ports)
    is_said = is_said or any(argument.startswith(("--master-port", "--master-bind-port")) for argument in arguments)
    if not options.processes or options.worker or is_said:
        return {}
    port = str(free_port("0.0.0.0"))
    return {"LOCUST_MASTER_NODE_PORT": port, "LOCUST_MASTER_BIND_PORT": port}


def _named_parser() -> argparse.ArgumentParser:
    """Return a parser of what only the command line itself says, and no variable or file."""
    parser = argparse.ArgumentParser(prog="bench load", add_help=False, allow_abbrev=False)
    parser.add_argument("-f", "--locustfile")
    parser.add_argument("--scenarios")
    return parser


def _look_for(options: Namespace) -> None:
    """Raise MisuseError if there is no locustfile."""
    for name in options.locustfile.split(","):
        name = name.strip()
        if name == "-" or "://" in name or Path(name).exists():
            continue
        if name == _DEFAULT_LOCUSTFILE:
            raise MisuseError(
                "nothing says what the users do: give --scenarios FILE, or -f FILE with users; "
                f"there is no {_DEFAULT_LOCUSTFILE} here"
            )
        raise MisuseError(f"-f {name}: there is no such file")


def _show_help(arguments: list[str]) -> NoReturn:
    """Print the help, with the options of the locustfile if one is named, and exit."""
    without_help = [argument for argument in arguments if argument not in ("-h", "--help")]
    known = frozenset(action.dest for action in get_parser()._actions)
    named, _ = _named_parser().parse_known_args(without_help)
    for name in (named.locustfile or "").split(","):
        if name.endswith(".py") and Path(name).exists():
            load_locustfile(str(Path(name).absolute()))
    sys.stdout.write(help_text(get_parser(), known) + "\n")
    sys.exit(0)


def complete(environment: Environment, runner: Runner | None, **_: Any) -> None:
    """Fill in what a run needs and nobody has said. Without a page, log it; with one, the form shows it."""
    options = environment.parsed_options
    if options is None or isinstance(runner, WorkerRunner) or environment.shape_class:
        return
    if options.scenarios is not None and environment.locustfile == SCENARIOS_LOCUSTFILE.name:
        environment.locustfile = Path(options.scenarios).name
    filled = []
    if options.num_users is None:
        options.num_users = USERS
        filled.append(f"--users {USERS}")
    if options.spawn_rate is None:
        options.spawn_rate = SPAWN_RATE_PER_S
        filled.append(f"--spawn-rate {SPAWN_RATE_PER_S:g}")
    if options.headless and options.run_time is None and not _ends_by_itself(options):
        longest_s = LONGEST_UNTIL_S if getattr(options, "until", None) else RUN_TIME_S
        options.run_time = longest_s + math.ceil(options.num_users / options.spawn_rate)
        filled.append(f"--run-time {options.run_time}s")
    if options.headless and filled:
        logger.info("Not given, so taken: %s", " ".join(filled))


def _ends_by_itself(options: Namespace) -> bool:
    try:
        profile = profile_of(options)
    except MisuseError:  # told by what reads the options
        return True
    return profile is not None and profile.duration_s is not None
