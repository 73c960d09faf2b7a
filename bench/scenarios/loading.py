"""A user's own file of scenarios: a Python file with scenarios, and perhaps a connection, at its top level.

Rules of this file: any fault of the user's file is a `ScenariosError` of one line, with the line of the file if that is
known. The file is run as it is; it may import what lies beside it, but not locust, whose import changes the process.
What a result stores of the file is its name and digests of scenarios, never a setting of the connection.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson

from bench.objectives.parsing import ObjectiveError, parse_objectives
from bench.printable import error_line, one_line
from bench.scenarios.model import Emission, RoundTrip
from bench.scenarios.tokens import has_function, kinds_in
from bench.wire.connection import Connection
from bench.wire.errors import SettingError
from bench.wire.interface import arguments

#: The name of the module that a file becomes. It is no name that another module could have.
MODULE = "bench scenarios file"

#: The names at the top level of the file that mean something by themselves, so that no scenario can have them.
SPECIAL_NAMES = ("connection", "serve", "ready_url", "before_connect", "setup", "slo")


class ScenariosError(ValueError):
    """A fault of a scenarios file, in one line that does not name the file."""


@dataclass(frozen=True)
class ScenariosFile:
    """The content of a scenarios file. `sha256` is that of its source.

    `scenarios` have a reply to time, `emissions` have none. One of the two may be empty.
    """

    name: str
    sha256: str
    scenarios: tuple[RoundTrip, ...]
    connection: Connection | None = field(default=None, repr=False)
    emissions: tuple[Emission, ...] = ()
    #: The command that serves what the scenarios are for, and the URL that answers once it is ready.
    serve: str | None = field(default=None, repr=False)
    ready_url: str | None = field(default=None, repr=False)
    #: The function that logs in before each connection: it takes what sends HTTP requests to the service, and returns
    #: the changed settings of the connection.
    before_connect: Callable[..., Any] | None = field(default=None, repr=False)
    #: The function that is called once for each connection, with its client, before anything is measured.
    setup: Callable[..., Any] | None = field(default=None, repr=False)
    #: The objectives, as they are typed.
    slo: tuple[str, ...] = ()
    #: The path of the file, as tracebacks have it.
    path: str = field(default="", repr=False, compare=False)

    def definition(self, scenario: RoundTrip) -> str:
        """Return a digest of what a scenario sends and awaits, by which two results are known to be of the same.

        A change of the file that changes nothing of the scenario leaves the digest as it is. If a function makes the
        data or finds the token, nothing but the whole file says what it does. Of a check it matters that it is there:
        without it errors are timed too, and with it each reply that was timed is right.
        """
        parts: list[object] = [scenario.emit, scenario.data, scenario.reply]
        if has_function(scenario.data) or scenario.token_of is not None:
            parts = [scenario.name, self.sha256]
        elif drawn := [kind for kind in kinds_in(scenario.data) if kind != "token"]:
            parts.append(drawn)
        if scenario.check is not None:
            parts.append("checked")
        return hashlib.sha256(repr(parts).encode()).hexdigest()


def load_scenarios(path: Path) -> ScenariosFile:
    """Return what the file contains, in the order of the file. Raises ScenariosError."""
    try:
        source = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: no path has a null character
        reason = getattr(error, "strerror", None) or str(error)
        raise ScenariosError(f"it cannot be read: {reason.lower()}") from None
    names = _run(path, source)
    scenarios, emissions = _scenarios(names)
    return ScenariosFile(
        path.name,
        hashlib.sha256(source).hexdigest(),
        scenarios,
        _connection(names),
        emissions,
        serve=_text(names, "serve"),
        ready_url=_text(names, "ready_url"),
        before_connect=_function(path, names, "before_connect", "http"),
        setup=_function(path, names, "setup", "client"),
        slo=_objectives(names),
        path=str(path),
    )


def _run(path: Path, source: bytes) -> Mapping[str, Any]:
    """Run the file and return the names at its top level."""
    try:
        code = compile(source, str(path), "exec", dont_inherit=True)
    except SyntaxError as error:
        where = f"line {error.lineno}: " if error.lineno else ""
        raise ScenariosError(f"{where}it is not Python: {one_line(error.msg)}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise ScenariosError(f"it is not Python: {one_line(error)}") from None
    module = ModuleType(MODULE)
    module.__file__ = str(path)
    sys.modules[MODULE] = module  # dataclasses, for one, look for the module of a class
    try:
        with _first_on_path(str(path.absolute().parent)), _without_locust():
            exec(code, vars(module))
    except _LocustImported:
        raise ScenariosError(
            "it imports locust, which makes asyncio slower in the whole process: keep users in a locustfile, which "
            "imports the scenarios from this file"
        ) from None
    except SettingError as error:
        raise ScenariosError(f"{_place(path, error)}{one_line(error)}") from error
    except (Exception, SystemExit) as error:
        raise ScenariosError(f"{_place(path, error)}{error_line(error)}") from error
    return vars(module)


@contextmanager
def _first_on_path(folder: str) -> Iterator[None]:
    """Import from there first, as Locust does for a locustfile."""
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        if folder in sys.path:
            sys.path.remove(folder)


class _LocustImported(BaseException):
    """The news that the file imports locust."""


class _LocustFinder(MetaPathFinder):
    """A finder that is asked before all others and refuses locust."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        """Raise _LocustImported for locust."""
        if name == "locust":
            raise _LocustImported


@contextmanager
def _without_locust() -> Iterator[None]:
    """Refuse the first import of locust. A process that has imported it already is as slow as it will be."""
    finder = _LocustFinder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def _place(path: Path, error: BaseException) -> str:
    """Return the line of the file at which an exception was raised or passed through."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"line {lines[-1]}: " if lines else ""


def _public(names: Mapping[str, Any], kind: type | tuple[type, ...]) -> dict[str, Any]:
    """Return the objects of these kinds, each by the first of its names. A name with `_` before it is private."""
    found: dict[str, Any] = {}
    for name, value in names.items():
        if isinstance(value, kind) and not name.startswith("_") and not any(value is known for known in found.values()):
            found[name] = value
    return found


def _scenarios(names: Mapping[str, Any]) -> tuple[tuple[RoundTrip, ...], tuple[Emission, ...]]:
    found = _public(names, (RoundTrip, Emission))
    if not found:
        raise ScenariosError("there is no scenario at its top level, such as say = RoundTrip(…)")
    variables: dict[str, str] = {}
    for variable, scenario in found.items():
        if not scenario.name.isprintable():
            raise ScenariosError(f"the name of {variable} has a character that cannot be shown: {scenario.name!r}")
        if scenario.name in variables:
            raise ScenariosError(f"{variables[scenario.name]} and {variable} have the same name, {scenario.name!r}")
        if (reason := _unsendable(scenario)) is not None:
            raise ScenariosError(f"the data of {variable} cannot be sent: {reason}")
        variables[scenario.name] = variable
    round_trips = (scenario for scenario in found.values() if isinstance(scenario, RoundTrip))
    emissions = (scenario for scenario in found.values() if isinstance(scenario, Emission))
    return tuple(round_trips), tuple(emissions)


def _unsendable(scenario: RoundTrip | Emission) -> str | None:
    """Return why the data is neither JSON nor bytes, if it is not. Of a function nobody knows it yet."""
    if callable(scenario.data):
        return None
    try:
        orjson.dumps(arguments(scenario.data), default=_unknown_as_null)
    except TypeError as error:
        return one_line(error)
    return None


def _unknown_as_null(value: object) -> None:
    """Take bytes, which orjson does not know, and functions, of whose values nobody knows yet."""
    if not isinstance(value, (bytes, bytearray)) and not callable(value):
        raise TypeError


def _text(names: Mapping[str, Any], name: str) -> str | None:
    """Return the text at the top level that has this name; None if there is no such name."""
    text = names.get(name)
    if text is not None and not isinstance(text, str):
        raise ScenariosError(f"{name} is no text, but of type {type(text).__name__}")
    return text


def _objectives(names: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the objectives that `slo` has, a text or a list of texts. Raises ScenariosError."""
    slo = names.get("slo")
    texts = (slo,) if isinstance(slo, str) else () if slo is None else slo
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        raise ScenariosError(f"slo is {slo!r:.60}: expected a list of objectives, such as slo = ['p99 < 50 ms']")
    try:
        return tuple(objective.text for objective in parse_objectives(texts))
    except ObjectiveError as error:
        raise ScenariosError(f"slo: {error}") from None


def _function(path: Path, names: Mapping[str, Any], name: str, parameter: str) -> Callable[..., Any] | None:
    """Return the function at the top level that has this name and takes one argument; None if there is no such name."""
    function = names.get(name)
    if function is None:
        return None
    if not callable(function):
        raise ScenariosError(f"{name} is no function, but of type {type(function).__name__}")
    try:
        inspect.signature(function).bind(object())
    except (TypeError, ValueError):
        code = getattr(function, "__code__", None)
        is_here = code is not None and code.co_filename == str(path)
        where = f"line {code.co_firstlineno}: " if code is not None and is_here else ""
        raise ScenariosError(f"{where}{name} takes one argument: `async def {name}({parameter})`") from None
    made: Callable[..., Any] = function
    return made


def _connection(names: Mapping[str, Any]) -> Connection | None:
    found = _public(names, Connection)
    if "connection" in names and "connection" not in found:
        raise ScenariosError(f"connection is no Connection(…), but of type {type(names['connection']).__name__}")
    if not found:
        return None
    if list(found) != ["connection"]:
        raise ScenariosError(
            f"all its scenarios use the connection that is called connection, and it has no other: {', '.join(found)}"
        )
    connection: Connection = found["connection"]
    return connection
