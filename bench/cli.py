"""The `bench` command.

Rules of this file: it finds the commands, a file each in bench/commands, and turns what went wrong into one line on
stderr and an exit code: 2 for misuse, 1 for a failed run or check. It imports nothing that takes long, and the file of
the command that runs alone. Neither it nor a command imports locust, whose import changes the process (see bench/load).
"""

from __future__ import annotations

import ast
import io
import os
import pkgutil
import sys
import traceback
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from bench import commands
from bench.ab.errors import AbError, AbFailedError
from bench.checkout import NotInCheckoutError
from bench.commands.output import BROKEN_PIPE, FAILED, MISUSE, UNWRITABLE, fail
from bench.compare.errors import IncomparableError
from bench.machine.interrupts import INTERRUPTED, ignore_interrupts_at_exit
from bench.misplaced_options import misplaced
from bench.mistakes import TRACEBACK
from bench.mistyped import nearest
from bench.project_settings import ProjectSettingsError
from bench.results.errors import NotStoredError, ResultError

#: The errors of a wrong command line. Older versions of typer leave them to click.
_WRONG_COMMAND_LINE: Any = getattr(typer, "TyperException", None) or import_module("click").ClickException


class Commands(TyperGroup):
    """The commands. A command is imported when it runs, and listed by what its file says, because imports take long."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands."""
        return _commands()

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; None if there is none of that name."""
        if cmd_name not in _modules():
            return None
        module = import_module(f"{commands.__name__}.{cmd_name}")
        function = getattr(module, cmd_name, None)
        if function is None:
            return None
        own = typer.Typer(add_completion=False, rich_markup_mode=None)
        own.command(cmd_name, cls=getattr(module, "command_class", TyperCommand))(function)
        return typer.main.get_command(own)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands into the help."""
        functions = {name: _function_of(name) for name in self.list_commands(ctx)}
        listed: dict[str, Any] = {
            name: TyperCommand(name, help=ast.get_docstring(function))
            for name, function in functions.items()
            if function is not None
        }
        TyperGroup(name=self.name, commands=listed, rich_markup_mode=None).format_commands(ctx, formatter)


def _modules() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(commands.__path__))


def _commands() -> list[str]:
    return [name for name in _modules() if _function_of(name) is not None]


def _function_of(name: str) -> ast.FunctionDef | None:
    """Return the function of a module of commands that has the module's name, read from its file."""
    (folder,) = commands.__path__
    parsed = ast.parse((Path(folder) / f"{name}.py").read_text(encoding="utf-8"))
    return next((each for each in parsed.body if isinstance(each, ast.FunctionDef) and each.name == name), None)


app = typer.Typer(
    name="bench",
    cls=Commands,
    help="Latency and load of Socket.IO services: measured, compared, and shown again.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"bench {version('socketio-bench')}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> NoReturn:
    """Run the command line and exit."""
    ignore_interrupts_at_exit()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without "µ" shows something else, not a traceback
    try:
        code = _run()
        _give_up_what_cannot_be_written()
    except KeyboardInterrupt:  # a second Ctrl-C, while the end of the command was being told
        code = INTERRUPTED
    sys.exit(code)


def _run() -> int:
    """Run the command line, and tell what went wrong; return the exit code."""
    try:
        code: int | None = app(prog_name="bench", standalone_mode=False)
        sys.stdout.flush()  # at this place a full disk is reported in a line
    except _WRONG_COMMAND_LINE as error:  # the command line is wrong
        return fail(_misuse(error), MISUSE)
    except (NotStoredError, AbFailedError) as error:
        return fail(str(error), FAILED)
    except (ResultError, IncomparableError, AbError, NotInCheckoutError, ProjectSettingsError) as error:
        return fail(str(error), MISUSE)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        return BROKEN_PIPE
    except SystemExit as error:  # typer ends the process for a reader that has gone, with the code of a failure
        if isinstance(error.__context__, BrokenPipeError):
            return BROKEN_PIPE
        raise
    except OSError as error:
        return fail(_os_error(error), FAILED)
    except Exception as error:
        return _internal(error)
    return code or 0


def _misuse(error: Any) -> str:
    """Return what is wrong with the command line, with the value that cannot be, and where help is."""
    from pydantic import ValidationError  # late: only a wrong command line needs it

    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "bench"
    if text := misplaced(command, getattr(error, "option_name", "")):
        return text
    said = error.format_message().rstrip(". ")
    if isinstance(error.__cause__, ValidationError):  # it says what is expected, and not what was given
        said += f", and not {error.__cause__.errors()[0]['input']!r}"
    is_mistyped = said.startswith("No such command '") and "mean" not in said
    near = nearest(said.split("'")[1], _commands()) if is_mistyped else None
    return f"{said}; did you mean {near}?" if near else f"{said}; see `{command} --help`"


def _os_error(error: OSError) -> str:
    """Return what the system refused. If an error has no file and is about writing, stdout is taken for the file."""
    if error.filename is None and error.errno in UNWRITABLE:
        return f"cannot write to the standard output: {error.strerror}"
    if error.filename is None:
        return f"{error.strerror or error} ({_place(error.__traceback__)}; {TRACEBACK}=1 shows the traceback)"
    return f"{error.filename}: {error.strerror or error}"


def _internal(error: Exception) -> int:
    """Print one line about an error that nobody foresaw, and so an error of this project; return the exit code."""
    if os.environ.get(TRACEBACK):
        traceback.print_exception(error)
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    place = _place(error.__traceback__)
    return fail(f"internal error: {text} ({place}); {TRACEBACK}=1 in the environment shows the traceback", FAILED)


def _place(raised: TracebackType | None) -> str:
    """Return the file and line of ours that an exception passed last, and where it was raised if that differs."""
    frames = traceback.extract_tb(raised)
    own = [
        frame
        for frame in frames
        if f"{os.sep}bench{os.sep}" in frame.filename and "site-packages" not in frame.filename
    ]
    shown = [f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}" for frame in (*own[-1:], *frames[-1:])]
    return ", at ".join(dict.fromkeys(shown))


def _give_up_what_cannot_be_written() -> None:
    """Keep Python from writing at its end what could not be written: it would fail again with another message."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
