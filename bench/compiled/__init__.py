"""The hot path in C, where that has been built: the same modules, compiled by Cython from the same sources.

`make compiled` builds them, `.pxd` files beside the sources give the C types. Two modules have a compiled form of their
own, a `.pyx` file beside the plain one: they make the system's calls and mask bytes, by pointers. A build lies in a
folder that is named after everything it was built from. So a build of other sources or of another Python is not found,
and the code that runs is always that of the sources. Without a build, the modules are plain Python and do the same.

Importing `bench` enables it; BENCH_PURE=1 in the environment does not. `is_enabled` says what runs.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

#: The modules that are compiled: every round trip passes through them.
MODULES = (
    "bench.load.metrics.recorder",
    "bench.load.engine.connector",
    "bench.load.engine.notes",
    "bench.load.engine.session",
    "bench.load.engine.tasks",
    "bench.exchange.in_flight",
    "bench.exchange.requests",
    "bench.scenarios.catalogue",
    "bench.scenarios.tokens",
    "bench.wire.client",
    "bench.wire.conversation",
    "bench.wire.frames",
    "bench.wire.masking",
    "bench.wire.poller",
    "bench.wire.protocol.decoder",
    "bench.wire.protocol.encoder",
    "bench.wire.sockets",
    "bench.wire.stamps",
    "bench.wire.transport",
    "bench.wire.websocket",
)

DIRECTIVES = {
    "language_level": "3",
    "annotation_typing": False,  # types are in the .pxd files; an annotation here says what Python says by it
}

#: The environment variable that has the sources run, whatever is built.
PURE = "BENCH_PURE"

ROOT = Path(__file__).resolve().parents[2]

_BUILDS = ROOT / "build" / "compiled"


def source(module: str) -> Path:
    """Return the file of a module's source."""
    return ROOT.joinpath(*module.split(".")).with_suffix(".py")


def compiled_source(module: str) -> Path:
    """Return the file that a module is compiled from: its compiled form's own, if it has any."""
    own = source(module).with_suffix(".pyx")
    return own if own.exists() else source(module)


def build_folder() -> Path:
    """Return the folder for the build of the present sources, built or not."""
    key = hashlib.sha256(repr((DIRECTIVES, EXTENSION_SUFFIXES[0])).encode())
    for path in map(source, MODULES):
        for file in (path, path.with_suffix(".pyx"), path.with_suffix(".pxd")):
            key.update(file.read_bytes() if file.exists() else b"")
            key.update(b"\0")
    return _BUILDS / key.hexdigest()[:16]


def built_file(folder: Path, module: str) -> Path:
    """Return the path of a module's build."""
    return folder.joinpath(*module.split(".")).with_suffix(EXTENSION_SUFFIXES[0])


def is_built(folder: Path) -> bool:
    """Return whether every module of `MODULES` is built."""
    return all(built_file(folder, module).is_file() for module in MODULES)


class _Finder(MetaPathFinder):
    """The finder of the compiled modules, which Python asks before it looks for their sources."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the compiled module, if the module is compiled."""
        if fullname not in MODULES:
            return None
        file = built_file(self._folder, fullname)
        return spec_from_file_location(fullname, file) if file.is_file() else None  # another build may have replaced it


def enable() -> None:
    """Have the compiled modules imported, if they are built."""
    if os.environ.get(PURE) or is_enabled() or not _BUILDS.is_dir():
        return
    folder = build_folder()
    if is_built(folder):
        sys.meta_path.insert(0, _Finder(folder))


def is_enabled() -> bool:
    """Return whether this process imports the modules of `MODULES` compiled."""
    return any(isinstance(finder, _Finder) for finder in sys.meta_path)
