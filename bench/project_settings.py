"""The settings of a project: the table `[tool.socketio-bench]` of its pyproject.toml, and the folder of its results.

Rules of this file: the table is read here only. It is the table of the nearest pyproject.toml that has it, from the
working directory upward. Paths in it are relative to that file. The command line comes before the environment, and the
environment before the table. Nothing of the project is imported here.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.mistyped import nearest

#: The folder of results if nothing says another folder, relative to the working directory.
DEFAULT_RESULTS = Path("results")

#: The environment variable that names the folder of results.
RESULTS_VARIABLE = "BENCH_RESULTS"

_FILE = "pyproject.toml"
_TABLE = "socketio-bench"

#: The words without which a file has neither the table nor a name that is near to it. Most files need not be parsed.
_HINT = re.compile(rb"socket|bench", re.IGNORECASE)

#: The similarity from which on the name of another table is taken for a mistyped name of ours. Another tool of a name
#: that near is improbable.
_NEAR_TABLE = 0.85

#: The keys of the table, and what they are, for messages.
_KEYS = {
    "results": "the folder of the results",
    "labels": "the labels of each result",
    "slo": "a list of objectives",
}


class ProjectSettingsError(Exception):
    """A table that cannot be read as it is. Its text is one line that begins with the file's name."""


@dataclass(frozen=True)
class ProjectSettings:
    """The settings of a project, each None or empty if the project does not say it. `file` has them."""

    results: Path | None = None
    #: The labels of each result that is measured in the project, by name.
    labels: Mapping[str, str] = field(default_factory=dict)
    #: The objectives, as they are typed. Nothing is said here of what they mean.
    slo: tuple[str, ...] = ()
    file: Path | None = None


def project_settings(directory: Path) -> ProjectSettings:
    """Return the settings that apply in `directory`, an absolute path. Raises ProjectSettingsError."""
    for folder in (directory, *directory.parents):
        file = folder / _FILE
        table = _table_of(file)
        if table is not None:
            return _parsed(file, table)
    return ProjectSettings()


def results_folder(given: str | Path | None = None) -> Path:
    """Return the folder of results: `given`, else what the environment says, else the project, else the default.

    The path is relative if the folder is in the working directory. Raises ProjectSettingsError.
    """
    if given is not None and str(given):
        return Path(given)
    if named := os.environ.get(RESULTS_VARIABLE):
        return Path(named)
    try:
        directory = Path.cwd()
    except OSError:  # it is gone
        return DEFAULT_RESULTS
    folder = project_settings(directory).results
    if folder is None:
        return DEFAULT_RESULTS
    return folder.relative_to(directory) if folder.is_relative_to(directory) else folder


def _table_of(file: Path) -> Mapping[str, object] | None:
    """Return the table of a file; None if the file is not there, cannot be read, or has no such table.

    A table whose name is nearly ours is refused: nobody would read it.
    """
    try:
        raw = file.read_bytes()
    except OSError:
        return None
    if not _HINT.search(raw):
        return None
    try:
        content = tomllib.loads(raw.decode())
    except ValueError as error:
        if _TABLE.encode() not in raw:  # another tool's reader tells it
            return None
        raise ProjectSettingsError(f"{file}: not TOML: {error}") from None
    if (mistyped := _mistyped(content)) is not None:
        raise ProjectSettingsError(f"{file}: [{mistyped}] is read by nobody: write [tool.{_TABLE}]")
    tools = content.get("tool")
    if not isinstance(tools, dict) or _TABLE not in tools:
        return None
    table = tools[_TABLE]
    if not isinstance(table, dict):
        raise ProjectSettingsError(f"{file}: tool.{_TABLE} is {table!r:.60}: expected a table, [tool.{_TABLE}]")
    return table


def _mistyped(content: Mapping[str, object]) -> str | None:
    """Return the name of a table that was probably meant to be ours; None if there is none."""
    tools = content.get("tool")
    found = [(name, f"tool.{name}") for name in tools if name != _TABLE] if isinstance(tools, dict) else []
    if isinstance(tools, dict) and isinstance(parent := tools.get("socketio"), dict):
        found += [(f"socketio-{name}", f"tool.socketio.{name}") for name in parent]
    found += [(name, name) for name, value in content.items() if isinstance(value, dict)]
    return next((" ".join(full.split()) for name, full in found if _is_near(name)), None)


def _is_near(name: str) -> bool:
    plain, ours = (re.sub(r"[^a-z0-9]", "", text.lower()) for text in (name, _TABLE))
    return plain.startswith(ours) or nearest(plain, [ours], _NEAR_TABLE) is not None


def _parsed(file: Path, table: Mapping[str, object]) -> ProjectSettings:
    for key in table.keys() - _KEYS.keys():
        near = nearest(key, _KEYS)
        hint = f"did you mean {near!r}?" if near else f"it has {', '.join(map(repr, _KEYS))}"
        raise ProjectSettingsError(f"{file}: [tool.{_TABLE}] has no setting {key!r}: {hint}")
    return ProjectSettings(
        results=_results(file, table.get("results")),
        labels=_labels(file, table.get("labels", {})),
        slo=_slo(file, table.get("slo")),
        file=file,
    )


def _labels(file: Path, labels: object) -> Mapping[str, str]:
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        raise ProjectSettingsError(
            f'{file}: [tool.{_TABLE}] labels is {labels!r:.60}: expected {_KEYS["labels"]}, as in {{team = "chat"}}'
        )
    return labels


def _results(file: Path, results: object) -> Path | None:
    if results is None:
        return None
    if not isinstance(results, str) or not results.strip() or "\0" in results:
        raise ProjectSettingsError(
            f'{file}: [tool.{_TABLE}] results is {results!r:.60}: expected {_KEYS["results"]}, as in "results"'
        )
    # Without `..` in it, so that it is recognised inside of the working directory.
    return Path(os.path.normpath(file.parent / Path(results).expanduser()))


def _slo(file: Path, slo: object) -> tuple[str, ...]:
    texts = () if slo is None else (slo,) if isinstance(slo, str) else slo
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        raise ProjectSettingsError(
            f'{file}: [tool.{_TABLE}] slo is {slo!r:.60}: expected {_KEYS["slo"]}, as in ["p99 < 50 ms"]'
        )
    return tuple(texts)
