"""The JSON files that this project writes, in words, and the command that shows each.

Rules of this file: a schema in, words out. Whoever cannot read a file of ours refuses it with these words.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_PAGE = "`bench report` makes its page"

#: The words for each form, by the name before the version of its schema, and what to do with it.
_FORMS: dict[str, tuple[str, str]] = {
    "load": ("a load", _PAGE),
    "ab": ("a comparison of two revisions", _PAGE),
    "compare": ("a comparison of stored results", _PAGE),
    "trend": ("a trend", _PAGE),
    "accuracy": ("a check of accuracy", _PAGE),
    "wire": ("a check against packets", _PAGE),
    "peers": ("a comparison of load generators", _PAGE),
    "list": ("a list of results", "`bench report` makes the page of each result in it, by its `reference`"),
    "counts": ("the counts of a run that could not have a result", "no command shows it; its `reasons` say why"),
    "document": ("the texts of a result, as `--format json` writes them", "`bench report` takes the result itself"),
}


def refused(path: Path, schema: object, read: Iterable[str], no: str = "") -> str:
    """Return the line that refuses a file with a schema that is not among those that are `read`.

    A form of ours that is wanted elsewhere is named, with `no` for what it is not. Any other schema is named as it is.
    """
    known = tuple(read)
    name, slash, version = schema.partition("/") if isinstance(schema, str) else ("", "", "")
    is_of_these = any(name == other.partition("/")[0] for other in known)
    if name in _FORMS and slash and version.isdecimal() and not is_of_these:
        words, remedy = _FORMS[name]
        return f"{path}: {words} ({schema!r}){f', and no {no}' if no else ''}: {remedy}"
    listed = " or ".join(part for part in (", ".join(map(repr, known[:-1])), *map(repr, known[-1:])) if part)
    return f"{path}: has schema {schema!r}, but this version reads {listed}"
