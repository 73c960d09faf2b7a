"""The command that a load was started with, as its result keeps it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from bench.results.typed_command import typed_command

#: The locustfile of a run by scenarios, which nobody types.
SCENARIOS_LOCUSTFILE = Path(__file__).with_name("scenarios_locustfile.py")


def load_command(arguments: Sequence[str], hide: Callable[[str], str], *, headless: bool) -> str | None:
    """Return the command as a shell takes it; None if the page started the run, because its form says other numbers.

    `arguments` are those of the process, its name included, into which `bench load` may have put a locustfile of ours.
    `hide` takes the secrets out that are known.
    """
    if not headless or not arguments:
        return None
    program, *options = arguments
    if options[:2] == ["-f", str(SCENARIOS_LOCUSTFILE)]:
        options = options[2:]
    return typed_command(program if program == "bench load" else "locust", options, hide)
