"""The search for an application in a project: a module whose top level makes a `socketio.ASGIApp`.

Rules of this file: no module is imported. An application that is mounted in another one means that other one.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

#: The folders in which no application of the project is.
_SKIPPED = frozenset({
    "node_modules", "venv", "env", "site-packages", "build", "dist", "__pycache__", "tests", "test", "docs",
    "migrations", "results",
})  # fmt: skip

#: The most files that are looked at.
_MOST_FILES = 5_000

#: The largest file that is looked at, in bytes.
_MOST_BYTES = 1_000_000


def candidates(directory: Path) -> list[str]:
    """Return the applications below a folder, as `module:attribute`, in the order of their paths."""
    return [
        f"{module}:{attribute}"
        for path in _files(directory)
        if (module := _module_of(path.relative_to(directory))) is not None
        for attribute in _applications(path)
    ]


def _files(directory: Path) -> Iterator[Path]:
    count = 0
    for folder, folders, files in os.walk(directory):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and name not in _SKIPPED and not (Path(folder) / name / "pyvenv.cfg").exists()
        )
        for name in sorted(files):
            if name.endswith(".py") and not name.startswith(("test_", "conftest")):
                count += 1
                if count > _MOST_FILES:
                    return
                yield Path(folder) / name


def _module_of(path: Path) -> str | None:
    parts = [*path.parts[:-1], *([] if path.stem == "__init__" else [path.stem])]
    return ".".join(parts) if parts and all(part.isidentifier() for part in parts) else None


def _applications(path: Path) -> list[str]:
    """Return the names at the top level of a module that are applications with Socket.IO."""
    try:
        content = path.read_bytes() if path.stat().st_size <= _MOST_BYTES else b""
    except OSError:
        return []
    if b"ASGIApp" not in content:
        return []
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError):
        return []
    made: dict[str, None] = {}
    for statement in tree.body:
        if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
            if names and (_makes_app(statement.value) or _wrapped(statement.value, made)):
                for inner in _wrapped(statement.value, made):
                    made.pop(inner)
                made[names[0]] = None
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            call = statement.value
            host = call.func.value if isinstance(call.func, ast.Attribute) else None
            is_mount = isinstance(call.func, ast.Attribute) and call.func.attr in ("mount", "add_route", "host")
            given = [*call.args, *(keyword.value for keyword in call.keywords)]
            mounted = [name for value in given for name in _wrapped(value, made)]
            if is_mount and isinstance(host, ast.Name) and (mounted or any(map(_makes_app, given))):
                for name in mounted:
                    made.pop(name)
                made[host.id] = None
    return list(made)


def _makes_app(value: ast.expr) -> bool:
    """Return whether an expression calls ASGIApp, perhaps within the call of something that wraps it."""
    return any(
        isinstance(node, ast.Call)
        and (
            (isinstance(node.func, ast.Attribute) and node.func.attr == "ASGIApp")
            or (isinstance(node.func, ast.Name) and node.func.id == "ASGIApp")
        )
        for node in ast.walk(value)
    )


def _wrapped(value: ast.expr, made: dict[str, None]) -> list[str]:
    """Return the applications that the call of another one takes as its arguments."""
    if isinstance(value, ast.Name):
        return [value.id] if value.id in made else []
    if not isinstance(value, ast.Call):
        return []
    given = [*value.args, *(keyword.value for keyword in value.keywords)]
    return list(dict.fromkeys(name for part in given for name in _wrapped(part, made)))
