"""Commands that pass their arguments on to the parser of another program."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand


class PassingOn(TyperCommand):
    """A command that takes all arguments as they are, `--help` too."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Keep the arguments for the command."""
        ctx.args = list(args)
        return list(args)


def wants_help(arguments: list[str]) -> bool:
    """Return true if the user asks for the help."""
    return any(argument in ("-h", "--help") for argument in arguments)
