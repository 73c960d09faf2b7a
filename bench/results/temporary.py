"""Temporary folders that no run leaves behind, however it ends.

A folder is removed when its run ends, also by an interrupt, which is held back meanwhile. The next run removes what a
killed run left. Each folder has a file that its run keeps locked, and a lock ends with its process. So runs at the same
time do not disturb each other. A folder that is to be kept for the user stays: see `keep`.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.machine.interrupts import uninterrupted
from bench.results.locks import LockedError, locked

LOCK = "lock"
_KEPT = "kept"


@contextlib.contextmanager
def temporary_folder(prefix: str, *, leftovers: bool = True) -> Iterator[Path]:
    """Make a folder for this run alone, and remove it afterwards. Raises OSError.

    With `leftovers`, the folders with that prefix whose runs were killed are removed first.
    """
    if leftovers:
        for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
            with contextlib.suppress(OSError), abandoned(folder):
                _remove(folder)
    with contextlib.ExitStack() as stack:
        yield _locked_folder(prefix, stack)


def keep(folder: Path) -> None:
    """Have a temporary folder of this run stay after it, for the user. Raises OSError."""
    (folder / LOCK).replace(folder / _KEPT)  # the lock is on the open file


@contextlib.contextmanager
def abandoned(folder: Path) -> Iterator[None]:
    """Take the lock of a folder whose run was killed. Raises OSError for any other folder."""
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} is not ours")
    with locked(folder / LOCK):
        yield


def _locked_folder(prefix: str, stack: contextlib.ExitStack) -> Path:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix)).resolve()
        stack.callback(_remove, folder)
        try:
            (folder / LOCK).touch()
            stack.enter_context(locked(folder / LOCK))
        except OSError as error:
            if folder.exists() and not isinstance(error, LockedError):
                raise
        if (folder / LOCK).exists():
            return folder
        # Otherwise another run took it for abandoned, before it was locked.


def _remove(folder: Path) -> None:
    if (folder / _KEPT).exists():
        return
    with uninterrupted():
        shutil.rmtree(folder, ignore_errors=True)
