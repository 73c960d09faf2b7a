"""The secrets that come to be known in a run with a service of its own: in this process, and in workers beside it.

A worker has its users' secrets, and the master shows and keeps the service's log. They are on the same machine, because
such a service has no workers elsewhere. So a worker writes what it learns to a file of its own, in the folder of the
service's log. Nobody else can read that folder, and the log has the same secrets in it. The files go before the folder
is kept.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.secrets import KnownSecrets, Secrets

_SUFFIX = ".secrets"


class RunSecrets:
    """The secrets of a run, as the owner of its service knows them: those given, and those of all its processes."""

    def __init__(self, given: Secrets) -> None:
        self.known = KnownSecrets(given)
        #: The folder for the files of workers.
        self.folder: Path | None = None
        self._read_bytes: dict[Path, int] = {}

    def hide(self, text: str) -> str:
        """Return a text of the service without the secrets that are known by now."""
        self.read()
        return self.known.hide(text)

    def read(self) -> None:
        """Read what workers have written since the last time."""
        if self.folder is None:
            return
        for path in self.folder.glob(f"*{_SUFFIX}"):
            with contextlib.suppress(OSError), path.open("rb") as file:
                file.seek(self._read_bytes.get(path, 0))
                whole = file.read().rpartition(b"\n")[0]  # a worker may be writing the last line
                if whole:
                    self._read_bytes[path] = self._read_bytes.get(path, 0) + len(whole) + 1
                    self.known.learn(_values(whole))


class WorkerSecrets(KnownSecrets):
    """The secrets that a worker learns. The master can read them before they are sent to the service."""

    def __init__(self, folder: Path) -> None:
        """Begin a file in that folder. Raises OSError."""
        super().__init__()
        self._descriptor, _ = tempfile.mkstemp(_SUFFIX, dir=folder)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _add(self, value: str) -> None:
        super()._add(value)
        with contextlib.suppress(OSError):  # the disk is full: nor can the service write what it is told
            os.write(self._descriptor, json.dumps(value).encode() + b"\n")


def _values(lines: bytes) -> Iterator[str]:
    for line in lines.split(b"\n"):
        with contextlib.suppress(ValueError):  # the disk was full in the middle of it
            if isinstance(value := json.loads(line), str):
                yield value
