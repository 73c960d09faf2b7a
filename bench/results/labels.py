"""Labels and notes: the words that a user gives to a result, to find it again.

Rules of this file: texts in, checked values out. A label is a NAME=VALUE. Several of them may stand in a text, with `;`
between them, as in a form or a variable of the environment. A wrong text raises a `LabelError` of one line.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.printable import printable
from bench.project_settings import project_settings

#: The help of the options, for all commands.
LABEL_HELP = "a label of the result, to find it again, as in machine=ci; can be repeated"
NOTE_HELP = "a note that is stored with the result"

#: The number of labels that a result may have.
MOST_LABELS = 50

#: The number of characters that a label's value, and a note, may have.
LONGEST_VALUE = 200
LONGEST_NOTE = 2_000

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,62}")
_SEPARATOR = ";"


class LabelError(ValueError):
    """A label or a note that cannot be. One line."""


def labels_in(texts: Iterable[str]) -> dict[str, str]:
    """Return the labels in these texts, by name. Raises LabelError."""
    found: dict[str, str] = {}
    for text in texts:
        for part in text.split(_SEPARATOR):
            if not part.strip():
                continue
            name, value = _label(part.strip())
            if found.setdefault(name, value) != value:
                raise LabelError(f"--label {name}: it is given twice, as {found[name]!r} and {value!r}")
    if not found and any(text.strip() for text in texts):
        raise LabelError(f"--label {next(iter(texts))!r}: expected NAME=VALUE, as in machine=ci")
    return _few(found)


def labels_of(texts: Iterable[str], directory: Path) -> dict[str, str]:
    """Return the labels of a run: those of the project around `directory`, and those given, which come first.

    Raises LabelError, and ProjectSettingsError for a project whose settings cannot be read.
    """
    given = labels_in(list(texts))
    return _few({**_of_project(project_settings(directory).labels), **given})


def note_of(text: str | None) -> str | None:
    """Return a note in the form that is stored, a single line; None if there is none. Raises LabelError."""
    note = printable(" ".join((text or "").split()))
    if len(note) > LONGEST_NOTE:
        raise LabelError(f"--note: it has {len(note):,} characters, and may have {LONGEST_NOTE:,}")
    return note or None


def has_labels(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Return true if a result with these labels has all that are wanted."""
    return all(labels.get(name) == value for name, value in wanted.items())


def in_words(labels: Mapping[str, str]) -> str:
    """Return labels as a text, in the form in which they are given."""
    return f"{_SEPARATOR} ".join(f"{name}={value}" for name, value in labels.items())


def _label(text: str) -> tuple[str, str]:
    name, found, value = (part.strip() for part in text.partition("="))
    if not found or not value:
        raise LabelError(f"--label {text!r:.60}: expected NAME=VALUE, as in machine=ci")
    if not _NAME.fullmatch(name):
        raise LabelError(
            f"--label {text!r:.60}: a name has letters, digits, `_`, `.` and `-`, begins with a letter, and is at most "
            "63 long"
        )
    if len(value) > LONGEST_VALUE or not value.isprintable():
        raise LabelError(f"--label {name}: a value has at most {LONGEST_VALUE} characters, and is on one line")
    return name, value


def _of_project(labels: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in labels.items():
        if _SEPARATOR in value:
            raise LabelError(f"--label {name}: the project's value {value!r:.60} has a `;` in it")
        try:
            found.update([_label(f"{name}={value}")])
        except LabelError as error:
            raise LabelError(f"{error}; [tool.socketio-bench] has it") from None
    return found


def _few(labels: dict[str, str]) -> dict[str, str]:
    if len(labels) > MOST_LABELS:
        raise LabelError(f"--label: {len(labels)} labels are given, and a result may have {MOST_LABELS}")
    return labels
