"""The command that a run was started with, as its result keeps it: to type again, and without secrets."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.secrets import HIDDEN
from bench.server.command import without_secrets
from bench.wire.options import CONNECTION_OPTIONS

#: The locustfile of a run by scenarios, which nobody types.
SCENARIOS_LOCUSTFILE = Path(__file__).with_name("scenarios_locustfile.py")

#: The options whose value may be secret, however short it is.
_SECRET = {f"--{option.name}" for option in CONNECTION_OPTIONS} & {
    *("--auth", "--header", "--cookie", "--query", "--key-password")
}

#: The name of a header, cookie or part of a query, which is no secret, and a value that stands elsewhere.
_NAME = re.compile(r"[\w.-]+(?:=|:\s*)")

#: The query of a URL, in which a service may expect a key, also behind a short option such as -H.
_QUERY = re.compile(r"(?i)\b((?:https?|wss?)://[^?\s]*)\?.+")
_ELSEWHERE = re.compile(r"(?:[\w.-]+(?:=|:\s*))?@\S+")


def typed_command(arguments: Sequence[str], hide: Callable[[str], str], *, headless: bool) -> str | None:
    """Return the command as a shell takes it; None if the page started the run, because its form says other numbers.

    `arguments` are those of the process, its name included, into which `bench load` may have put a locustfile of ours.
    `hide` takes the secrets out that are known.
    """
    if not headless or not arguments:
        return None
    program, *options = arguments
    if options[:2] == ["-f", str(SCENARIOS_LOCUSTFILE)]:
        options = options[2:]
    name = program if program == "bench load" else "locust"
    words = " ".join(shlex.quote(word) for word in _masked(options))
    return hide(without_secrets(f"{name} {words}".strip()))


def _masked(options: Sequence[str]) -> list[str]:
    """Return the options with `...` for the values of those that are secret."""
    shown: list[str] = []
    is_value = False
    for word in options:
        name, equals, value = word.partition("=")
        if is_value:
            shown.append(_without_value(word))
            is_value = False
        elif _is_secret(name) and equals:
            shown.append(f"{name}={_without_value(value)}")
        else:
            is_value = _is_secret(name)
            shown.append(_QUERY.sub(rf"\1?{HIDDEN}", word))
    return shown


def _is_secret(name: str) -> bool:
    """Return true for an option with a secret value: also for a beginning of its name, which argparse takes, too."""
    return len(name) > len("--x") and any(option.startswith(name) for option in _SECRET)


def _without_value(value: str) -> str:
    if _ELSEWHERE.fullmatch(value):
        return value
    name = _NAME.match(value)
    return f"{name[0] if name else ''}{HIDDEN}"
