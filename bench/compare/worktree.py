"""Revisions of the service, each in a folder of its own.

Rules of this file: the user's checkout is read and never touched, and nothing is left behind. A revision is checked out
as a detached worktree in a temporary folder, without running the repository's hooks; its entry in the repository is
removed by its own path (`git worktree prune` would also remove entries of the user's that are merely not mounted now).
Each run has a folder and a lock of its own, so that runs at the same time do not disturb each other, and a later run
can tell, and remove, what a killed one left. `WORKTREE` is the user's checkout as it is, in its own folder.
"""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.compare.failure import AbError
from bench.interrupts import uninterrupted
from bench.results.environment import commit_info
from bench.results.git import git
from bench.results.model import CommitInfo
from bench.results.temporary import abandoned, temporary_folder

WORKTREE = "WORKTREE"
"""The word for the working tree as it is."""

_PREFIX = "bench-ab-"
_TIMEOUT_S = 300  # of git: a large repository is checked out in minutes


@dataclass(frozen=True)
class Revision:
    """What the user named: a commit by its full hash, or, where that is None, the working tree."""

    name: str
    commit: str | None


@dataclass(frozen=True)
class Checkout:
    """A revision in a folder: `root` is the repository's, `directory` the one in it that the user is in."""

    revision: Revision
    root: Path
    directory: Path
    commit_info: CommitInfo

    @property
    def label(self) -> str:
        """The revision as the user named it, with its commit where the name is not the commit itself."""
        commit = self.revision.commit
        if commit is None or commit.startswith(self.revision.name):
            return self.revision.name[:12] if commit else self.revision.name
        return f"{self.revision.name} ({commit[:12]})"


@dataclass(frozen=True)
class Repository:
    """The git repository that the user is in: `root` is its checkout, `prefix` the user's folder within that."""

    root: Path
    prefix: Path

    @classmethod
    def around(cls, directory: Path) -> "Repository":
        """The repository that holds `directory`. Raises AbError where there is none, or no git."""
        lines = _git(directory, "rev-parse", "--show-toplevel", "--show-prefix").splitlines()
        return cls(Path(lines[0]).resolve(), Path(lines[1] if len(lines) > 1 else ""))

    def revision(self, name: str) -> Revision:
        """What `name` means: a commit, branch, tag, HEAD~1 and so on, or WORKTREE. Raises AbError."""
        if name == WORKTREE:
            return Revision(name, None)
        try:
            if not name or name.startswith("-"):
                raise AbError("no name of a revision")
            commit = _git(self.root, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        except AbError:
            hint = "; this clone is shallow, fetch more of it" if self._is_shallow() else ""
            raise AbError(
                f"{name}: no such commit, branch or tag in {self.root}{hint} (or say {WORKTREE} for the working tree)"
            ) from None
        return Revision(name, commit)

    def changes(self) -> tuple[str, ...]:
        """The working tree's changed and untracked files, as `git status` names them in short."""
        return tuple(_git(self.root, "status", "--porcelain").splitlines())

    @contextlib.contextmanager
    def checkouts(self, revisions: Sequence[Revision]) -> Iterator[tuple[Checkout, ...]]:
        """A folder with each of the revisions; gone at the end, however that comes. Raises AbError."""
        self._remove_leftovers()
        with temporary_folder(_PREFIX, leftovers=False) as folder:
            added: list[Path] = []
            try:
                found: list[Checkout] = []
                for letter, revision in zip("abcdefgh", revisions, strict=False):
                    root = self.root
                    if revision.commit is not None:
                        # The basename is the entry's name in the repository, where other runs have theirs.
                        root = folder / f"{folder.name}-{letter}"
                        added.append(root)
                        _add(self.root, root, revision.commit)
                    found.append(self._checkout(revision, root))
                yield tuple(found)
            finally:
                with uninterrupted():
                    for root in added:
                        _remove(self.root, root)

    def _checkout(self, revision: Revision, root: Path) -> Checkout:
        directory = root / self.prefix
        if not directory.is_dir():
            raise AbError(f"{revision.name} has no folder {self.prefix}: go to one that both revisions have")
        info = commit_info(root)
        if revision.commit is not None:  # the folder's name says nothing
            info = info.model_copy(update={"project": commit_info(self.root).project, "branch": revision.name})
        return Checkout(revision, root, directory, info)

    def _is_shallow(self) -> bool:
        try:
            return _git(self.root, "rev-parse", "--is-shallow-repository") == "true"
        except AbError:
            return False

    def _remove_leftovers(self) -> None:
        """What runs left that were killed: their folders' locks are nobody's any more."""
        for line in _git(self.root, "worktree", "list", "--porcelain").splitlines():
            root = Path(line.removeprefix("worktree "))
            if not line.startswith("worktree ") or not root.parent.name.startswith(_PREFIX):
                continue
            if not root.parent.exists():
                _remove(self.root, root)
                continue
            with contextlib.suppress(OSError), abandoned(root.parent):
                _remove(self.root, root)
                if not any(path.is_dir() for path in root.parent.iterdir()):
                    shutil.rmtree(root.parent, ignore_errors=True)


def _add(repository: Path, root: Path, commit: str) -> None:
    _git(repository, "-c", "core.hooksPath=/dev/null", "worktree", "add", "--quiet", "--detach", str(root), commit)


def _remove(repository: Path, root: Path) -> None:
    """Folder and entry.

    The folder first: of one that was interrupted half way git would say that it is none, and keep the entry. Twice
    --force, because the entry is locked while git makes it.
    """
    shutil.rmtree(root, ignore_errors=True)
    with contextlib.suppress(AbError):
        _git(repository, "worktree", "remove", "--force", "--force", str(root))


def _git(directory: Path, *arguments: str) -> str:
    """What git says. In a session of its own: a Ctrl-C in the terminal is for this process, which then tidies up."""
    try:
        said = git(directory, *arguments, timeout_s=_TIMEOUT_S, new_session=True)
    except FileNotFoundError:
        raise AbError("git is not installed, or not on the PATH: comparing two commits needs it") from None
    except subprocess.CalledProcessError as error:
        complaint = " ".join(error.stderr.split()).removeprefix("fatal: ")
        if "not a git repository" in complaint:
            raise AbError(f"{directory} is in no git repository: go to the one that holds the service") from None
        raise AbError(f"git {arguments[0]} in {directory}: {complaint or f'exit code {error.returncode}'}") from None
    except (OSError, subprocess.SubprocessError) as error:
        raise AbError(f"git {arguments[0]} in {directory}: {error}") from None
    return said.rstrip("\n")
