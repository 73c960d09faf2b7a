"""`bench latency`: what `pytest bench` does, in any folder."""

from __future__ import annotations

import argparse
from types import SimpleNamespace
from typing import Any

import typer

from bench.commands.output import BROKEN_PIPE, FAILED, MISSED, MISUSE, fail
from bench.commands.passing_on import PassingOn, wants_help
from bench.machine.interrupts import INTERRUPTED
from bench.mistyped import unknown_option

command_class = PassingOn

#: The columns of the help.
_WIDTH = 80

_SERVICE = ("app", "serve", "ready_url", "start_timeout", "url", "host")
_WORK = ("scenarios", "event", "reply", "payload", "args")
_RESULT = ("results", "label", "note")
_OBJECTIVES = ("slo", "slo_undecided", "junit")
_EFFORT = ("effort", "server_processes", "reply_timeout", "process_clock", "idle_allowed_by")

#: The options of pytest and pytest-benchmark that are of most use here, and what they do.
_OF_PYTEST = (
    (("-k",), "EXPRESSION", "measure the benchmarks whose names match, as in 'websocket and uvloop'"),
    (("--collect-only",), None, "list the benchmarks, and measure nothing"),
    (("-x", "--exitfirst"), None, "end at the first failure"),
    (("-p",), "PLUGIN", "load a plugin of pytest; without this only pytest-benchmark is loaded"),
    (("--benchmark-columns",), "NAMES", "columns of the table, as in median,rounds"),
    (("--benchmark-max-time",), "SECONDS", "seconds of each benchmark; by default as --effort says"),
    (("--benchmark-save",), "NAME", "add a name to the stored result"),
    (("--benchmark-storage",), "FOLDER", "store the result elsewhere"),
    (("--benchmark-json",), "FILE", "write the result into a file as well"),
)

_EXAMPLES = """examples:
  bench latency --app chat:app --event say --reply said \\
      --payload '{"id": "{token}"}'
  bench latency --scenarios chat_scenarios.py --app chat:app -k uvloop
  bench latency --scenarios shop.py --serve 'node server.js {port}'
  bench latency --scenarios shop.py --url https://staging.example.com

All other options of pytest and pytest-benchmark work, too: `pytest --help`
lists them. pytest's settings, variables, conftest.py files and plugins of your
own tests have no effect here."""


def latency(context: typer.Context) -> int:
    """Time one round trip after the other, in alternation with a control.

    It does what `pytest bench` does in a checkout, in any folder: options of pytest are passed on.
    """
    from bench.latency.session import SessionMisuseError, UnknownOptionError, measure  # late: it imports pytest

    if wants_help(context.args):
        typer.echo(help_text())
        return 0
    try:
        ended = measure(context.args)
    except UnknownOptionError as error:
        names = (name for option in _options() for name in option.option_strings)
        return fail(f"{unknown_option(str(error), names)}; see `bench latency --help`", MISUSE)
    except SessionMisuseError as error:
        return fail(str(error), MISUSE)
    if ended.has_lost_reader:
        return BROKEN_PIPE
    code = MISSED if ended.has_missed else _exit_code(int(ended.code))
    return fail(ended.reason, code) if ended.reason else code


def _exit_code(code: int) -> int:
    """Return the exit code of this command for that of pytest."""
    import pytest

    if code == pytest.ExitCode.NO_TESTS_COLLECTED:
        return fail("no benchmark was selected; `bench latency --collect-only -q` lists the names", MISUSE)
    codes = {
        pytest.ExitCode.INTERRUPTED: INTERRUPTED,
        pytest.ExitCode.INTERNAL_ERROR: FAILED,
        pytest.ExitCode.USAGE_ERROR: MISUSE,
    }
    return {int(of_pytest): ours for of_pytest, ours in codes.items()}.get(code, code)


def help_text() -> str:
    """Return the help: the options of this project, the most useful of pytest, and where the others are."""
    parser = _parser()
    formatter = argparse.RawDescriptionHelpFormatter("bench latency", width=_WIDTH, max_help_position=26)
    formatter.add_usage("%(prog)s [options]", [], [])
    formatter.add_text(
        "Time one round trip after the other, over several processes of the service,\n"
        "in alternation with a control. The result is stored under results/latency."
    )
    own = [action for action in parser._actions if action.dest not in ("help",)]
    groups: dict[str, list[argparse.Action]] = {
        "the service (one of these)": _of(own, _SERVICE),
        "what is measured": _of(own, _WORK),
        "what has to hold": _of(own, _OBJECTIVES),
        "how much is measured": _of(own, _EFFORT),
        "results": _of(own, _RESULT),
        "how a client connects": [action for action in own if action.dest.startswith("connection_")],
    }
    listed = [id(action) for actions in groups.values() for action in actions]
    groups["how much is measured"] += [action for action in own if id(action) not in listed]
    groups["of pytest and pytest-benchmark"] = _of_pytest()
    for title, actions in groups.items():
        formatter.start_section(title)
        formatter.add_arguments(actions)
        formatter.end_section()
    formatter.add_text(_EXAMPLES)
    return formatter.format_help().rstrip()


def _of(actions: list[argparse.Action], names: tuple[str, ...]) -> list[argparse.Action]:
    by_name = {action.dest: action for action in actions}
    return [by_name[name] for name in names if name in by_name]


def _of_pytest() -> list[argparse.Action]:
    parser = argparse.ArgumentParser(add_help=False)
    for names, metavar, text in _OF_PYTEST:
        if metavar is None:
            parser.add_argument(*names, help=text, action="store_true")
        else:
            parser.add_argument(*names, help=text, metavar=metavar)
    return parser._actions


class _Registered:
    """pytest's parser, as the hook `pytest_addoption` sees it, for argparse. No plugin has registered an option."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._parser = parser
        self._anonymous = SimpleNamespace(options=())
        self._groups = ()

    def getgroup(self, *_: object, **__: object) -> _Registered:
        return self

    def addoption(self, *names: str, **settings: Any) -> None:
        self._parser.add_argument(*names, **settings)

    def addini(self, *_: object, **__: object) -> None:
        pass


def _parser() -> argparse.ArgumentParser:
    """Return a parser with the options of this project."""
    from bench.conftest import pytest_addoption

    parser = argparse.ArgumentParser(add_help=False)
    pytest_addoption(_Registered(parser))  # type: ignore[arg-type]
    return parser


def _options() -> list[argparse.Action]:
    """Return the options among which a mistyped one is looked for: ours, pytest-benchmark's, and the best known."""
    from pytest_benchmark.plugin import pytest_addoption

    parser = _parser()
    pytest_addoption(_Registered(parser))  # type: ignore[no-untyped-call]
    return [*parser._actions, *_of_pytest()]
