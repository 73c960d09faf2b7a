"""`bench init`: the first files of a project that is to be measured."""

from pathlib import Path
from typing import Annotated

import typer

from bench.commands.output import MISUSE, fail
from bench.printable import printable


def init(
    directory: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="The project's folder [.].", show_default=False)
    ] = Path(),
    app: Annotated[
        str | None,
        typer.Option("--app", metavar="MODULE:ATTRIBUTE", help="The ASGI app; looked for in DIR if it is not given."),
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="A server that runs already, instead of an app.")
    ] = None,
    serve: Annotated[
        str | None,
        typer.Option("--serve", metavar="COMMAND", help="A command that serves, as in 'node server.js {port}'."),
    ] = None,
    har: Annotated[
        Path | None, typer.Option("--har", metavar="FILE", help="A session that a browser has recorded.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there already.")] = False,
) -> int:
    """Write the first files: scenarios, users of a load, a test, and a workflow for CI.

    The scenarios are made of the app's handlers: each event that surely has an answer becomes a round trip. With --har
    they are made of a recorded session: Chrome's network panel exports it, and its secrets become variables of the
    environment. Files that are there already stay as they are.
    """
    from bench.starting.application import ApplicationError  # late: the other commands need nothing of this
    from bench.starting.har import HarError
    from bench.starting.target import Target
    from bench.starting.writing import StartError, begin

    try:
        begun = begin(directory, Target(app, url, serve), har)
    except HarError as error:
        return fail(f"--har {har}: {error}", MISUSE)
    except (ApplicationError, StartError) as error:
        return fail(str(error), MISUSE)
    written = begun.write(force=force)
    for line in begun.told(written):
        typer.echo(printable(line))
    if not any(written.values()):
        return fail("every file is there already: --force replaces them", MISUSE)
    return 0
