"""Commands that pass their arguments on to another program's parser, and the options that these take."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from typer.core import TyperCommand

#: The similarity from which on an option is near to another, as difflib has it, from 0 to 1.
_NEAR = 0.6


class PassingOn(TyperCommand):
    """A command that takes all arguments as they are, `--help` too."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Keep the arguments for the command."""
        ctx.args = list(args)
        return ctx.args


def wants_help(arguments: Iterable[str]) -> bool:
    """Return true if the user asks for the help."""
    return any(argument in ("-h", "--help") for argument in arguments)


def unknown_option(option: str, known: Iterable[str]) -> str:
    """Return the line about an option that does not exist, with the nearest one that does."""
    name = option.partition("=")[0]
    near = difflib.get_close_matches(name, sorted(set(known)), n=1, cutoff=_NEAR)
    return f"no such option: {name}" + (f"; did you mean {near[0]}?" if near else "")
