"""The handlers of an application: a child process imports it, and says which events it handles; see `probe`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from bench.printable import one_line

#: The longest time that the import of an application may take, in seconds.
LIMIT_S = 120

#: The folder that has this project comes last on the path: the application's own folder is before it.
_PROBE = (
    f"import sys; sys.path.append({str(Path(__file__).parents[2])!r}); from bench.starting.probe import main; main()"
)


class ApplicationError(ValueError):
    """A fault of an application, or of its name, in one line."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a handler.

    `type` is a word, the fields of a model, or None if nothing is known. `default` is None for what is no JSON.
    """

    name: str
    type: Any = None
    is_optional: bool = False
    default: Any = None


@dataclass(frozen=True)
class Handler:
    """A handler of an event. `source` is empty if it cannot be read. `models` are the models that the source names."""

    namespace: str
    event: str
    source: str
    parameters: tuple[Parameter, ...] = ()
    models: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class SocketIOServer:
    """A Socket.IO server in an application, and the path under which it takes connections."""

    path: str
    handlers: tuple[Handler, ...]


def servers_of(app: str, directory: Path) -> list[SocketIOServer]:
    """Return the Socket.IO servers of an application `module:attribute`, imported from a folder.

    Raises ApplicationError if it cannot be imported or served.
    """
    module, colon, attribute = app.partition(":")
    if not module or not colon or not attribute:
        raise ApplicationError(f"--app {one_line(app, 60)!r}: write it as MODULE:ATTRIBUTE, as in chat:app")
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        # -P: the folder comes on the path later, so that a package `bench` of the project does not hide this one.
        command = [sys.executable, "-P", "-c", _PROBE, app, str(answer)]
        try:
            ended = subprocess.run(
                command, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise ApplicationError(f"{app}: its import takes longer than {LIMIT_S} s") from None
        if not answer.exists():
            lines = ended.stderr.decode(errors="replace").strip().splitlines()
            said = f": {one_line(lines[-1])}" if lines else ""
            raise ApplicationError(f"{app} cannot be imported: the process ended with {ended.returncode}{said}")
        found = orjson.loads(answer.read_bytes())
    if "error" in found:
        raise ApplicationError(one_line(found["error"]))
    return [SocketIOServer(server["path"], tuple(map(_handler, server["handlers"]))) for server in found["servers"]]


def _handler(found: dict[str, Any]) -> Handler:
    parameters = tuple(
        Parameter(each["name"], each["type"], each["is_optional"], each["default"]) for each in found["parameters"]
    )
    return Handler(found["namespace"], found["event"], found["source"], parameters, found["models"])
