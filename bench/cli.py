"""The `bench` command.

Rules of this file: it reads the command line, calls what does the work, and turns what went wrong into one line on
stderr and an exit code: 2 for misuse, 1 for a failed run or check. No measuring, no arithmetic, no layout. It must not
import locust, whose import changes the process (see bench/load).
"""

import io
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from bench.compare.stored import IncomparableError
from bench.compare.stored import compare as compare_results
from bench.report.comparison_table import comparison_table
from bench.report.figures import printable
from bench.results.store import DEFAULT_ROOT, ResultError, Store

_MISUSE = 2
_INTERRUPTED = 130  # 128 + SIGINT and 128 + SIGPIPE, as a shell reports them
_BROKEN_PIPE = 141

app = typer.Typer(
    name="bench",
    help="Latency and load results of Socket.IO services. They are made by `pytest bench` and by `locust`.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


class _Console(Console):
    """Who reads our output may stop reading, as `head` does."""

    def on_broken_pipe(self) -> None:
        try:
            super().on_broken_pipe()
        except SystemExit:  # with 1, which is a failed check
            raise SystemExit(_BROKEN_PIPE) from None


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


@app.command()
def compare(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The result to compare with.", show_default=False)],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The result to compare.", show_default=False)],
    results: Annotated[Path, typer.Option("--results", metavar="DIR", help="Where results are stored.")] = DEFAULT_ROOT,
) -> None:
    """Print two stored results side by side, with the ratio new / old.

    OLD and NEW are each a file; or, of this machine's results, a number (12), a commit (the newest result of it),
    `latest`, `latest~1` and so on. Before these, `latency/` or `load/` says which kind is meant.
    """
    stored_old, stored_new = Store(results).open_pair(old, new)
    comparison = compare_results(stored_old.result, stored_new.result)
    comparison_table(comparison, _Console(), stored_old.path, stored_new.path)


def main() -> NoReturn:
    """Run the command line and exit."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without "µ" shows something else, not a traceback
    try:
        code = app(prog_name="bench", standalone_mode=False)
    except typer.TyperException as error:  # the command line is wrong
        code = _fail(f"{error.format_message().rstrip('. ')}; see `bench --help`", _MISUSE)
    except (ResultError, IncomparableError) as error:
        code = _fail(str(error), _MISUSE)
    except (KeyboardInterrupt, typer.Abort):
        code = _INTERRUPTED
    sys.exit(code or 0)


def _fail(message: str, code: int) -> int:
    line = " ".join(message.split())
    print(f"bench: error: {printable(line)}", file=sys.stderr)  # noqa: T201
    return code
