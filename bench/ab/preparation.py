"""The preparation of a revision's folder, before its service starts: linked files, and the user's command.

Rules of this file: both are done in the folder that corresponds to the user's, in every revision alike. A link leads to
a file or a folder of the user's checkout that git ignores, so that no revision can have another. The command is run by
the shell; it ends with its time, with the run and with the process that started it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from bench.ab.errors import AbError, AbFailedError
from bench.ab.worktree import Checkout, Repository
from bench.machine.child import last_lines, opened_log, tail
from bench.server.supervised import End, SupervisedCommand

#: The time that a preparation may take, in seconds: compiling dependencies takes minutes.
PREPARATION_TIMEOUT_S = 3600.0


def checked_link(text: str) -> Path:
    """Return the path of `--link`, relative to the user's folder. Raises AbError."""
    path = PurePosixPath(text)
    if not text or path.is_absolute() or ".." in path.parts or path == PurePosixPath("."):
        raise AbError(f"--link {text!r}: name a file or a folder below this one, which git ignores")
    return Path(path)


def link(links: Sequence[Path], repository: Repository, checkout: Checkout) -> None:
    """Have each of these paths lead into the user's checkout. Raises AbError for a path that cannot."""
    for path in links:
        target, place = repository.root / repository.prefix / path, checkout.directory / path
        if not target.exists():
            raise AbError(f"--link {path}: there is no such file or folder in your checkout")
        if not repository.ignores(target):
            raise AbError(
                f"--link {path}: git does not ignore it, so each revision has it, or not, as it was committed"
            )
        if place.exists() or place.is_symlink():
            raise AbError(f"--link {path}: revision {checkout.label} has it already")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(target)
        except OSError as error:
            raise AbError(f"--link {path}: it cannot be linked in {place.parent}: {error.strerror or error}") from None


def prepare(
    command: str,
    checkout: Checkout,
    log_file: Path,
    hide: Callable[[str], str] = str,
    timeout_s: float = PREPARATION_TIMEOUT_S,
) -> None:
    """Run the command in the revision's folder; its output goes to `log_file`. Raises AbFailedError if it fails."""
    with opened_log(log_file) as log:
        running = SupervisedCommand(["/bin/sh", "-c", command], log=log, directory=checkout.directory)
        try:
            has_ended = running.wait(timeout_s)
            end = running.end or End()
        finally:
            running.stop() if running.end is None else running.kill()
        said = last_lines(hide(tail(log))) or "nothing"
    if has_ended and end.exit_code == 0:
        return
    if not has_ended:
        reason = f"did not end within {timeout_s:g} s"
    elif end.exit_code is None:
        reason = f"did not run: {end.reason}" if end.reason else "ended, because somebody ended its supervisor,"
    else:
        reason = f"ended with exit code {end.code}"
    raise AbFailedError(f"--prepare {reason} in {checkout.label}; it wrote last: {said}")
