"""pytest-benchmark's storage, but a result is there whole or not at all, and never replaces another.

All reading is pytest-benchmark's: `pytest-benchmark compare` and `--benchmark-compare` go on working.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from pytest_benchmark.session import BenchmarkSession
from pytest_benchmark.storage.file import FileStorage
from pytest_benchmark.utils import safe_dumps

from bench.results.store import ResultError, write_numbered


class ResultStorage(FileStorage):
    """Files below a folder, numbered per machine. `failure` says why the last `save` stored nothing, or is None."""

    failure: str | None = None
    #: The folder of all results; None if the user has chosen another place for these alone.
    root: Path | None = None
    #: The file of the last session that was stored.
    saved: Path | None = None

    @classmethod
    def of(cls, session: BenchmarkSession, root: Path | None) -> Self:
        """Return the storage in the folder that the session uses already, which is below `root` unless that is None."""
        storage = cls(session.storage.path, session.logger, session.machine_id)
        storage.root = root
        return storage

    @property
    def location(self) -> str:
        """The folder, relative to the working directory if it lies there."""
        folder: Path = self.path
        return str(folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder)

    def save(self, output_json: dict[str, Any], save: str) -> None:
        """Store a session under the next number and the name `save`."""
        data: bytes = safe_dumps(output_json, ensure_ascii=True, indent=4).encode()  # type: ignore[no-untyped-call]
        try:
            path = write_numbered(self.path / self.default_machine_id, save, data, self.root)
        except ResultError as error:
            self.failure = str(error)
            self.logger.error(self.failure)
        else:
            self.saved = path
