"""Revisions of the service, each in a folder of its own.

Rules of this file: this module reads the user's checkout and never touches it, and leaves nothing behind. It checks a
revision out as a detached worktree in a temporary folder, without the repository's hooks. It removes the worktree's
entry in the repository by its path: `git worktree prune` would also remove the user's entries that are not mounted now.
It checks submodules out too, at the revision's commit, from the objects in the user's checkout, without the network. A
submodule that the checkout lacks stays empty. Each run has a folder and a lock of its own, so that runs at the same
time do not disturb each other. A later run can also tell, and remove, what a killed run left. `WORKTREE` is the user's
checkout as it is, in its own folder; or a copy of it, where something is to be written there.
"""

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.ab.errors import AbError
from bench.ab.working_tree import copy_working_tree
from bench.machine.interrupts import uninterrupted
from bench.results.git import git, outside_of
from bench.results.header import CommitInfo
from bench.results.provenance import commit_info
from bench.results.temporary import abandoned, temporary_folder

#: The word for the working tree as it is.
WORKTREE = "WORKTREE"

_PREFIX = "bench-ab-"
#: The mode of a submodule's entry in a tree.
_SUBMODULE = "160000"
_WITH_VALUE = ("-c", "-C", "--git-dir", "--work-tree")
#: The timeout of git, in seconds: it checks a large repository out in minutes.
_TIMEOUT_S = 300


@dataclass(frozen=True)
class Revision:
    """A revision by its name: a commit with its full hash, or the working tree if `commit` is None."""

    name: str
    commit: str | None


@dataclass(frozen=True)
class Checkout:
    """A revision in a folder: `root` is the repository's folder, `directory` the folder in it that the user is in.

    `empty_submodules` are the submodules of the revision that the user's checkout does not have.
    """

    revision: Revision
    root: Path
    directory: Path
    commit_info: CommitInfo
    empty_submodules: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The revision as the user named it, with its commit if the name is not the commit itself."""
        commit = self.revision.commit
        if commit is None or commit.startswith(self.revision.name):
            return self.revision.name[:12] if commit else self.revision.name
        return f"{self.revision.name} ({commit[:12]})"


@dataclass(frozen=True)
class Repository:
    """The git repository that the user is in: `root` is its checkout, `prefix` the user's folder within that.

    What happens in `results`, the folder of results, is no change of the working tree.
    """

    root: Path
    prefix: Path
    results: Path | None = None

    @classmethod
    def around(cls, directory: Path, results: Path | None = None) -> "Repository":
        """Return the repository that contains `directory`. Raises AbError if there is none, or no git."""
        # git is asked for each path separately, because a name may have a line break in it.
        root, prefix = (_git(directory, "rev-parse", question) for question in ("--show-toplevel", "--show-prefix"))
        return cls(Path(root).resolve(), Path(prefix), results)

    def revision(self, name: str) -> Revision:
        """Return the revision that `name` means: a commit, branch, tag, HEAD~1 or WORKTREE. Raises AbError."""
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
        """Return the working tree's changed and untracked files, as `git status --porcelain` does. Raises AbError."""
        outside = outside_of(self.results, self.root)
        return tuple(_git(self.root, "status", "--porcelain", *(("--", *outside) if outside else ())).splitlines())

    def ignores(self, path: Path) -> bool:
        """Return true if git ignores that path of the checkout. Raises AbError."""
        try:
            git(self.root, "check-ignore", "--quiet", str(path), timeout_s=_TIMEOUT_S, new_session=True)
        except subprocess.CalledProcessError as error:
            if error.returncode == 1:
                return False
            raise AbError(f"git check-ignore in {self.root}: {_complaint(error.stderr)}") from None
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            raise AbError(f"git check-ignore in {self.root}: {error}") from None
        return True

    @contextlib.contextmanager
    def checkouts(
        self, revisions: Sequence[Revision], *, copy_worktree: bool = False
    ) -> Iterator[tuple[Checkout, ...]]:
        """Check each revision out into a folder, and remove the folders at the end. Raises AbError.

        `copy_worktree` says that the working tree is copied to a folder, too.
        """
        self._remove_leftovers()
        with temporary_folder(_PREFIX, leftovers=False) as folder:
            added: list[Path] = []
            try:
                found: list[Checkout] = []
                for letter, revision in zip("abcdefgh", revisions, strict=False):
                    root, missing = self.root, tuple[str, ...]()
                    if revision.commit is not None or copy_worktree:
                        # The basename is the entry's name in the repository, which has the entries of other runs, too.
                        root = folder / f"{folder.name}-{letter}"
                        added.append(root)
                    if revision.commit is None and copy_worktree:
                        # With an entry of its own: tools that ask git for a version find the last commit there.
                        _add(self.root, root, "HEAD", "--no-checkout")
                        _git(root, "read-tree", "HEAD")
                        copy_working_tree(_git, self.root, root)
                    elif revision.commit is not None:
                        _add(self.root, root, revision.commit)
                        missing = tuple(_add_submodules(self.root, self.root, root, revision.commit))
                    found.append(self._checkout(revision, root, missing))
                yield tuple(found)
            finally:
                with uninterrupted():
                    for root in added:
                        _remove(self.root, root)

    def _checkout(self, revision: Revision, root: Path, empty_submodules: tuple[str, ...]) -> Checkout:
        directory = root / self.prefix
        if not directory.is_dir():
            raise AbError(f"{revision.name} has no folder {self.prefix}: go to one that both revisions have")
        info = commit_info(self.root if revision.commit is None else root, self.results)
        if revision.commit is not None:  # the folder's name says nothing
            info = info.model_copy(update={"project": commit_info(self.root).project, "branch": revision.name})
        return Checkout(revision, root, directory, info, empty_submodules)

    def _is_shallow(self) -> bool:
        try:
            return _git(self.root, "rev-parse", "--is-shallow-repository") == "true"
        except AbError:
            return False

    def _remove_leftovers(self) -> None:
        """Remove the worktrees of killed runs: nobody has the locks of their folders any more."""
        for root in _listed_worktrees(self.root):
            if not root.parent.name.startswith(_PREFIX):
                continue
            if not root.parent.exists():
                _remove(self.root, root)
                continue
            with contextlib.suppress(OSError), abandoned(root.parent):
                _remove(self.root, root)
                if not any(path.is_dir() for path in root.parent.iterdir()):
                    shutil.rmtree(root.parent, ignore_errors=True)


def _add(repository: Path, root: Path, commit: str, *options: str) -> None:
    settings = ("-c", "core.hooksPath=/dev/null", "-c", "submodule.recurse=false")
    _git(repository, *settings, "worktree", "add", "--quiet", "--detach", *options, str(root), commit)


def _add_submodules(objects: Path, checkout: Path, root: Path, commit: str) -> Iterator[str]:
    """Check out the submodules of a commit, and their own submodules, into `root`; yield those that stay empty.

    `root` has the files of the commit already. `objects` is the repository that has the commit, or its git folder;
    `checkout` is the user's checkout of it. Raises AbError if the user has a submodule, but not the wanted
    commit.
    """
    if not (root / ".gitmodules").is_file():
        return
    for line in filter(None, _git(objects, "ls-tree", "-r", "-z", commit).split("\0")):
        entry, _, path = line.partition("\t")
        mode, _, wanted = entry.split(" ")
        if mode != _SUBMODULE:
            continue
        inner = _git_folder(checkout, path)
        if inner is None:
            yield path
            continue
        _fill(inner, root / path, wanted, path)
        yield from (f"{path}/{below}" for below in _add_submodules(inner, checkout / path, root / path, wanted))


def _fill(objects: Path, folder: Path, commit: str, path: str) -> None:
    """Write the files of a submodule's commit to a folder. Run none of its hooks, and leave its own index alone."""
    try:
        _git(objects, "cat-file", "-e", f"{commit}^{{commit}}")
    except AbError:
        raise AbError(
            f"the submodule {path} has not the commit {commit[:12]}, which a revision wants of it: "
            f"fetch it there, as `git -C {path} fetch` does"
        ) from None
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        where = ("--git-dir", str(objects), "--work-tree", str(folder), "-c", "core.bare=false")
        index = {"GIT_INDEX_FILE": str(Path(temporary) / "index")}
        _git(folder, *where, "read-tree", "--reset", "-u", commit, environment=index)


def _git_folder(checkout: Path, path: str) -> Path | None:
    """Return the folder with the objects of a checkout's submodule; None if the user does not have the submodule."""
    if (checkout / path / ".git").exists():
        return Path(_git(checkout / path, "rev-parse", "--absolute-git-dir"))
    if not checkout.is_dir():
        return None
    common = checkout / _git(checkout, "rev-parse", "--git-common-dir")  # of another worktree, or of an earlier commit
    folder = common / "modules" / path
    return folder.resolve() if (folder / "HEAD").is_file() else None


def _listed_worktrees(repository: Path) -> list[Path]:
    """Return the folders of the repository's worktrees, whatever characters are in their names."""
    try:
        lines = _git(repository, "worktree", "list", "--porcelain", "-z").split("\0")
    except AbError:  # git before 2.36
        lines = _git(repository, "worktree", "list", "--porcelain").splitlines()
    return [Path(line.removeprefix("worktree ")) for line in lines if line.startswith("worktree ")]


def _remove(repository: Path, root: Path) -> None:
    """Remove a worktree's folder and its entry.

    The folder goes first: git would not take an unfinished folder for a worktree, and would keep the entry. The entry
    is locked while git makes it, so --force stands twice.
    """
    shutil.rmtree(root, ignore_errors=True)
    with contextlib.suppress(AbError):
        _git(repository, "worktree", "remove", "--force", "--force", str(root))


def _git(directory: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Return the output of git. Raises AbError.

    git runs in a session of its own: a Ctrl-C in the terminal is for this process, which then tidies up.
    """
    try:
        said = git(directory, *arguments, timeout_s=_TIMEOUT_S, new_session=True, environment=environment)
    except FileNotFoundError:
        raise AbError("git is not installed, or not on the PATH: comparing two commits needs it") from None
    except subprocess.CalledProcessError as error:
        complaint = _complaint(error.stderr)
        if "not a git repository" in error.stderr:
            raise AbError(f"{directory} is in no git repository: go to the one that holds the service") from None
        raise AbError(f"{_named(arguments)} in {directory}: {complaint or f'exit code {error.returncode}'}") from None
    except subprocess.TimeoutExpired:
        raise AbError(f"{_named(arguments)} in {directory}: it did not end within {_TIMEOUT_S} s") from None
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise AbError(f"{_named(arguments)} in {directory}: {error}") from None
    return said.removesuffix("\n")


def _named(arguments: Sequence[str]) -> str:
    """Return the git command that was run, `git worktree add` for example, without its options and arguments."""
    words = iter(arguments)
    for word in words:
        if word in _WITH_VALUE:
            next(words, None)
        elif not word.startswith("-"):
            return f"git {word} {next(words)}" if word == "worktree" else f"git {word}"
    return "git"


def _complaint(said: str) -> str:
    """Return the line in which git says why it gave up. Around that line git prints a filter's words and advice."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith("fatal: ")] or [
        line for line in lines if line.startswith("error: ")
    ]
    return (fatal or lines or [""])[-1].removeprefix("fatal: ").removeprefix("error: ")
