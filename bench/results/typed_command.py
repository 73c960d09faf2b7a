"""The command that a measurement was started with, as its result keeps it: to type again, and without secrets."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import Any

from bench.secrets import HIDDEN, SECRET_NAME
from bench.server.command import without_secrets
from bench.wire.options import CONNECTION_OPTIONS

#: The options whose value may be secret, however short it is.
_SECRET = {f"--{option.name}" for option in CONNECTION_OPTIONS} & {
    *("--auth", "--header", "--cookie", "--query", "--key-password")
}

#: The name of a header, cookie or part of a query, which is no secret, and a value that stands elsewhere.
_NAME = re.compile(r"[\w.-]+(?:=|:\s*)")

#: The query of a URL, in which a service may expect a key, also behind a short option such as -H.
_QUERY = re.compile(r"(?i)\b((?:https?|wss?)://[^?\s]*)\?.+")
_IS_SECRET_NAME = re.compile(rf"(?i){SECRET_NAME}")
_PLACEHOLDER = re.compile(r"\{(?:token|uuid|int)\}")
_ELSEWHERE = re.compile(r"(?:[\w.-]+(?:=|:\s*))?@\S+")


def typed_command(program: str, arguments: Sequence[str], hide: Callable[[str], str] = str) -> str:
    """Return a command as a shell takes it, with `...` for what is secret in it.

    `hide` takes the secrets out that are known. Others are told by the options that they stand behind, by the names
    beside them, and by their place in a URL.
    """
    words = " ".join(shlex.quote(word) for word in _masked(arguments))
    return hide(without_secrets(f"{program} {words}".strip()))


def typed_bench_command(hide: Callable[[str], str] = str) -> str:
    """Return the command of `bench` that this process was started with."""
    return typed_command("bench", sys.argv[1:], hide)


def _masked(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with `...` for the values of options that are secret."""
    shown: list[str] = []
    is_value = False
    for word in arguments:
        name, equals, value = word.partition("=")
        if is_value:
            shown.append(_without_value(word))
            is_value = False
        elif _is_secret(name) and equals:
            shown.append(f"{name}={_without_value(value)}")
        elif name.startswith("--") and equals:
            shown.append(f"{name}={_without_fields(value)}")
        else:
            is_value = _is_secret(name)
            shown.append(_without_fields(word))
    return shown


def _without_fields(value: str) -> str:
    """Return a value without the query of a URL, and without what is secret by its field's name in data of JSON."""
    if value.startswith(("{", "[")):
        with contextlib.suppress(ValueError):
            data = json.loads(value)
            open_data = _open_fields(data)
            return value if open_data == data else json.dumps(open_data, ensure_ascii=False)
    return _QUERY.sub(rf"\1?{HIDDEN}", value)


def _open_fields(data: Any) -> Any:
    if isinstance(data, list):
        return [_open_fields(value) for value in data]
    if not isinstance(data, dict):
        return data
    return {
        name: HIDDEN if _IS_SECRET_NAME.fullmatch(name) and not _has_placeholder(value) else _open_fields(value)
        for name, value in data.items()
    }


def _has_placeholder(value: Any) -> bool:
    """Return true for a text that differs in each emission, such as `{token}`, and so is no secret."""
    return isinstance(value, str) and _PLACEHOLDER.search(value) is not None


def _is_secret(name: str) -> bool:
    """Return true for an option with a secret value: also for a beginning of its name, which argparse takes, too."""
    return len(name) > len("--x") and any(option.startswith(name) for option in _SECRET)


def _without_value(value: str) -> str:
    if _ELSEWHERE.fullmatch(value):
        return value
    name = _NAME.match(value)
    return f"{name[0] if name else ''}{HIDDEN}"
