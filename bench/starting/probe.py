"""The look into an application, in a process of its own: which events it handles, and the source of each handler.

Rules of this file: nothing is served and no handler is called. The application is imported, as a server would import
it. The answer is JSON in a file, because an application may print whatever it likes.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import sys
import textwrap
import traceback
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.printable import error_line
from bench.server.application import check_application, socketio_apps
from bench.server.error import ServerError

#: The depth to which models within models are described.
_DEPTH = 3

_SIMPLE = {str: "str", int: "int", float: "float", bool: "bool", bytes: "bytes", list: "list", dict: "dict"}


def main() -> None:
    """Write what `probed` returns to the file that the command line names after the application."""
    name, answer = sys.argv[1:3]
    sys.path.insert(0, str(Path.cwd()))
    for module in [module for module in sys.modules if module == "bench" or module.startswith("bench.")]:
        del sys.modules[module]  # the project may have a package of that name
    Path(answer).write_text(json.dumps(probed(name)))
    os._exit(0)  # the application may have started threads, which would keep the process


def probed(name: str) -> dict[str, Any]:
    """Return the handlers of the application `module:attribute`, or the error that keeps it from being served."""
    module_name, _, attribute = name.partition(":")
    try:
        app: Any = importlib.import_module(module_name)
    except BaseException as error:
        if isinstance(error, ModuleNotFoundError) and error.name and module_name.startswith(error.name):
            return {"error": f"{name}: there is no module {error.name} in this folder, or in what is installed"}
        return {"error": f"{name} cannot be imported: {error_line(error)}{_place(error)}"}
    for part in attribute.split("."):
        try:
            app = getattr(app, part)
        except AttributeError:
            return {"error": f"{name}: the module {module_name} has no {part}"}
    try:
        check_application(name, app)
    except ServerError as error:
        return {"error": str(error)}
    servers: list[dict[str, Any]] = []
    seen: set[int] = set()
    for part, mount in socketio_apps(app):
        server = part.engineio_server
        if id(server) in seen:
            continue
        seen.add(id(server))
        servers.append({"path": _path(part, mount), "handlers": list(_handlers(server))})
    return {"servers": servers}


def _place(error: BaseException) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if len(frames) > 1 else ""


def _path(app: Any, mount: str) -> str:
    path = getattr(app, "engineio_path", None)
    return (path if isinstance(path, str) else mount).strip("/") or "socket.io"


def _handlers(server: Any) -> Iterator[dict[str, Any]]:
    """Yield each handler: its namespace, event, parameters, source and models."""
    for namespace, handlers in (getattr(server, "handlers", None) or {}).items():
        for event, handler in handlers.items():
            yield _handler(namespace, event, handler)
    for namespace, instance in (getattr(server, "namespace_handlers", None) or {}).items():
        for attribute in dir(type(instance)):
            if attribute.startswith("on_") and callable(getattr(instance, attribute, None)):
                yield _handler(namespace, attribute.removeprefix("on_"), getattr(instance, attribute))


def _handler(namespace: str, event: str, handler: Any) -> dict[str, Any]:
    function = inspect.unwrap(handler)
    try:
        source = textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        source = ""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        parameters, source = [], ""
    if any(parameter.kind == parameter.VAR_POSITIONAL for parameter in parameters):
        source = ""  # a wrapper: it does not say what the handler in it takes
    parameters = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    plain = getattr(function, "__func__", function)
    try:
        hints = typing.get_type_hints(plain)
    except Exception:
        hints = {}
    code = getattr(plain, "__code__", None)
    known = getattr(plain, "__globals__", {})
    models = {
        used: model for used in getattr(code, "co_names", ()) if (model := _fields(known.get(used), _DEPTH)) is not None
    }
    return {
        "namespace": namespace,
        "event": event,
        "source": source,
        "parameters": [
            {
                "name": parameter.name,
                "type": _type(hints.get(parameter.name), _DEPTH),
                "is_optional": parameter.default is not parameter.empty,
            }
            for parameter in parameters
        ],
        "models": models,
    }


def _type(annotation: Any, depth: int) -> Any:
    """Return a type as data: a word for a simple type, the fields of a model; None if it says nothing."""
    if annotation in _SIMPLE:
        return _SIMPLE[annotation]
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        inner = [part for part in typing.get_args(annotation) if part is not type(None)]
        return _type(inner[0], depth) if inner else None
    if origin is typing.Literal:
        return {"literal": typing.get_args(annotation)[0]}
    if origin in (list, dict):
        return _SIMPLE[origin]
    if origin is typing.Annotated:
        return _type(typing.get_args(annotation)[0], depth)
    if getattr(annotation, "__name__", "") == "UUID":
        return "uuid"
    fields = _fields(annotation, depth)
    return None if fields is None else {"fields": fields}


def _fields(model: Any, depth: int) -> dict[str, Any] | None:
    """Return the fields that a model needs, with their types; None for what is no model."""
    if not isinstance(model, type) or depth == 0:
        return None
    described = getattr(model, "model_fields", None)
    if isinstance(described, Mapping):  # pydantic
        return {
            getattr(field, "alias", None) or name: _type(field.annotation, depth - 1)
            for name, field in described.items()
            if field.is_required()
        }
    if hasattr(model, "__dataclass_fields__") or hasattr(model, "__required_keys__"):
        needed = getattr(model, "__required_keys__", None)
        try:
            hints = typing.get_type_hints(model)
        except Exception:
            return None
        return {
            name: _type(hint, depth - 1)
            for name, hint in hints.items()
            if (needed is None or name in needed) and not hasattr(model, name)
        }
    return None


if __name__ == "__main__":
    main()
