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
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from bench.printable import error_line
from bench.server.application import check_application, socketio_apps
from bench.server.error import ServerError

#: The depth to which models within models are described.
_DEPTH = 3

#: The limits of a number or text, by the name that pydantic gives them.
_LIMITS = ("ge", "gt", "le", "lt", "min_length", "max_length")

#: The types that are known by their names, since their packages need not be installed here.
_NAMED: dict[str, Any] = {
    "UUID": "uuid",
    "UUID4": "uuid",
    "EmailStr": {"literal": "ada@example.com"},
    "HttpUrl": {"literal": "https://example.com/"},
    "AnyUrl": {"literal": "https://example.com/"},
    "Decimal": {"literal": 1.5},
    "datetime": {"literal": "2026-01-02T03:04:05Z"},
    "date": {"literal": "2026-01-02"},
    "time": {"literal": "03:04:05"},
}

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
                "default": _plain(parameter.default),
            }
            for parameter in parameters
        ],
        "models": models,
    }


def _plain(value: Any) -> Any:
    """Return a value that is JSON, and None for what is not."""
    try:
        plain = json.loads(json.dumps(value))
    except (TypeError, ValueError, RecursionError):
        return None
    return plain if plain == value else None


def _type(annotation: Any, depth: int) -> Any:
    """Return a type as data: a word for a simple type, the fields of a model, a literal; None if it says nothing."""
    try:
        if annotation in _SIMPLE:
            return _SIMPLE[annotation]
    except TypeError:  # it has no hash
        return None
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        inner = [part for part in typing.get_args(annotation) if part is not type(None)]
        return _type(inner[0], depth) if inner else None
    if origin is typing.Literal:
        return {"literal": typing.get_args(annotation)[0]}
    if origin is list and (inner := _type(typing.get_args(annotation)[0], depth)) is not None:
        return {"list": inner}
    if origin in (list, dict):
        return _SIMPLE[origin]
    if origin is typing.Annotated:
        base, *more = typing.get_args(annotation)
        return _limited(_type(base, depth), more)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        first = next(iter(annotation), None)
        return None if first is None or _plain(first.value) is None else {"literal": first.value}
    if isinstance(annotation, type) and annotation.__name__ in _NAMED:
        return _NAMED[annotation.__name__]
    fields = _fields(annotation, depth)
    return None if fields is None else {"fields": fields}


def _field(field: Any, depth: int) -> Any:
    """Return the type of a pydantic field as data: the first of its examples, or what its annotation and limits say."""
    for example in getattr(field, "examples", None) or ():
        if (plain := _plain(example)) is not None:
            return {"literal": plain}
    return _limited(_type(field.annotation, depth), getattr(field, "metadata", ()))


def _limited(type_: Any, more: Iterable[Any]) -> Any:
    """Return a simple type together with the limits that stand beside it."""
    limits = {
        name: limit
        for part in more
        for name in _LIMITS
        if isinstance(limit := getattr(part, name, None), int | float) and not isinstance(limit, bool)
    }
    return {"simple": type_, "limits": limits} if limits and isinstance(type_, str) else type_


def _fields(model: Any, depth: int) -> dict[str, Any] | None:
    """Return the fields that a model needs, with their types; None for what is no model."""
    if not isinstance(model, type) or depth == 0:
        return None
    described = getattr(model, "model_fields", None)
    if isinstance(described, Mapping):  # pydantic
        return {
            getattr(field, "alias", None) or name: _field(field, depth - 1)
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
