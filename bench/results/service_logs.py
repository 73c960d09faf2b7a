"""The logs of the services that a run starts, in a folder that is named when the run begins.

Rules of this file: the folder is a temporary one. It is removed after a run in which nothing failed. `keep` has it stay
after a run that failed, without secrets and without empty files. Of a long log the end stays. What a killed run left,
the next removes.
"""

import contextlib
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.results.temporary import LOCK, keep, temporary_folder

PREFIX = "bench-log-"

#: The size of the end of a log that is kept, in bytes: a service may write gigabytes.
KEPT_BYTES = 1 << 26


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

    @property
    def files(self) -> tuple[Path, ...]:
        """The places that were given, in their order; not every process has written there."""
        return tuple(dict.fromkeys(self._files))

    def keep(self, hide: Callable[[str], str] = str) -> bool:
        """Have the logs stay after the run, with `hide` applied to each line; return false if none does.

        Empty logs do not stay, and neither do logs that cannot be written again, on a full disk.
        """
        written = [path for path in self.files if path.exists() and path.stat().st_size]
        for path in self.folder.iterdir():
            if path not in written and path.name != LOCK:
                path.unlink(missing_ok=True)
        kept = [path for path in written if _rewrite(path, hide)]
        if kept:
            keep(self.folder)
        return bool(kept)


@contextlib.contextmanager
def service_logs() -> Iterator[ServiceLogs]:
    """Make the folder of a run's logs, and remove it afterwards unless it is to be kept. Raises OSError."""
    with temporary_folder(PREFIX) as folder:
        yield ServiceLogs(folder)


def _rewrite(path: Path, hide: Callable[[str], str]) -> bool:
    """Leave the end of a log, with `hide` applied to each line; return false, and remove the log, if that fails."""
    left_out = max(0, path.stat().st_size - KEPT_BYTES)
    if hide is str and not left_out:
        return True
    hidden = path.with_suffix(".hidden")
    try:
        with path.open("rb") as log, hidden.open("w") as kept:
            if left_out:
                log.seek(left_out)
                log.readline(KEPT_BYTES)  # the rest of a line
                kept.write(f"(the first {log.tell()} bytes are left out)\n")
            kept.writelines(hide(line.decode(errors="replace")) for line in log)
        os.replace(hidden, path)  # noqa: PTH105 - atomic
    except OSError:
        for file in (hidden, path):
            file.unlink(missing_ok=True)
        return False
    return True
