"""The logs of the services that a run starts, in a folder that is named when the run begins.

Rules of this file: the folder is a temporary one. It is removed after a run in which nothing failed. `keep` has it stay
after a run that failed, without secrets and without empty files. What a killed run left, the next removes.
"""

import contextlib
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.results.temporary import LOCK, keep, temporary_folder

PREFIX = "bench-log-"


class ServiceLogs:
    """The folder of a run's logs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = itertools.count(1)
        self._files: list[Path] = []

    def file(self, name: str = "") -> Path:
        """Return the place for a log: that of this name, or the next of the numbered ones."""
        path = self.folder / (f"{name}.log" if name else f"service-{next(self._numbers)}.log")
        self._files.append(path)
        return path

    def keep(self, hide: Callable[[str], str] = str) -> bool:
        """Have the logs stay after the run, with `hide` applied to each line; return false if all are empty."""
        written = [path for path in dict.fromkeys(self._files) if path.exists() and path.stat().st_size]
        for path in self.folder.iterdir():
            if path not in written and path.name != LOCK:
                path.unlink(missing_ok=True)
        for path in written:
            _rewrite(path, hide)
        if written:
            keep(self.folder)
        return bool(written)


@contextlib.contextmanager
def service_logs() -> Iterator[ServiceLogs]:
    """Make the folder of a run's logs, and remove it afterwards unless it is to be kept. Raises OSError."""
    with temporary_folder(PREFIX) as folder:
        yield ServiceLogs(folder)


def _rewrite(path: Path, hide: Callable[[str], str]) -> None:
    """Apply `hide` to each line of a log. A log that cannot be rewritten, on a full disk, is removed."""
    if hide is str:
        return
    hidden = path.with_suffix(".hidden")
    try:
        with path.open(errors="replace") as lines, hidden.open("w") as kept:
            kept.writelines(map(hide, lines))
        os.replace(hidden, path)  # noqa: PTH105 - atomic
    except OSError:
        for file in (hidden, path):
            file.unlink(missing_ok=True)
