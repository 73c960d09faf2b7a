"""Data as Python source: JSON and bytes as literals, and pieces of code in between.

Long data is broken into lines, an item each. Bytes beyond some dozens are written by their number alone.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable
from typing import Any

from bench.printable import printable

#: The length of a line, in characters.
LINE = 110

#: The longest text that is written as it is, in characters, and the most bytes.
_LONGEST_TEXT = 10_000
_MOST_BYTES = 64

_INDENT = "    "

#: The variable of a scenarios file with the replies that `setup` keeps.
GIVEN = "given"


class Code(str):
    """A piece of Python source among data, which is written as it is."""

    __slots__ = ()


def source_of(value: Any, indent: str = "", before: int = 0) -> str:
    """Return the source of data. The first line stands after `before` characters, the others after the indent."""
    line = _on_one_line(value)
    if len(indent) + before + len(line) <= LINE or not isinstance(value, (dict, list, tuple)) or not value:
        return line
    inner = indent + _INDENT
    if isinstance(value, dict):
        keys = {key: _on_one_line(key) for key in value}
        items = (f"{keys[key]}: {source_of(item, inner, len(keys[key]) + 2)}" for key, item in value.items())
        return _broken("{", items, "}", indent)
    items = (source_of(item, inner) for item in value)
    return _broken("[", items, "]", indent) if isinstance(value, list) else _broken("(", items, ")", indent)


def _broken(opening: str, items: Any, closing: str, indent: str) -> str:
    lines = "".join(f"{indent}{_INDENT}{item},\n" for item in items)
    return f"{opening}\n{lines}{indent}{closing}"


def _on_one_line(value: Any) -> str:
    if isinstance(value, Code):
        return str(value)
    if isinstance(value, str):
        if len(value) > _LONGEST_TEXT:
            return f'"x" * {len(value)}'
        return quoted(value)
    if isinstance(value, (bytes, bytearray)):
        return repr(bytes(value)) if len(value) <= _MOST_BYTES else f"bytes({len(value)})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_on_one_line(key)}: {_on_one_line(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_on_one_line, value)) + "]"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_on_one_line, value)) + ("," if len(value) == 1 else "") + ")"
    return repr(value)


def quoted(text: str) -> str:
    """Return the source of a text, in double quotes where that needs no more escapes."""
    shown = repr(text)
    if shown.startswith("'") and '"' not in text:
        shown = f'"{shown[1:-1]}"'.replace("\\'", "'")
    return shown


def is_shortened(value: Any) -> bool:
    """Return whether a text or bytes are written by their length alone."""
    if isinstance(value, str):
        return len(value) > _LONGEST_TEXT
    return isinstance(value, (bytes, bytearray)) and len(value) > _MOST_BYTES


def comment(text: str, indent: str = "") -> str:
    """Return the text as lines of a comment, whatever is in it."""
    words, lines, line = printable(" ".join(text.split())).split(), [], f"{indent}#"
    for word in words:
        if len(line) + 1 + len(word) > LINE and line.strip() != "#":
            lines.append(line)
            line = f"{indent}#"
        line += f" {word}"
    return "\n".join([*lines, line]) + "\n"


class Names:
    """The names that a file has already; each new name differs from them."""

    def __init__(self, *taken: str) -> None:
        self._taken = set(taken)

    def new(self, text: str, change: Callable[[str], str] = str.lower) -> str:
        """Return a name made of the words of a text, `say_2` if `say` is taken."""
        words = re.findall(r"[A-Za-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text))
        name = change("_".join(words)) or change("event")
        if name[0].isdigit():
            name = change("event_") + name
        if keyword.iskeyword(name) or keyword.issoftkeyword(name):
            name += "_"
        made, number = name, 2
        while made in self._taken:
            made, number = f"{name}_{number}", number + 1
        self._taken.add(made)
        return made
