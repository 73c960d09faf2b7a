"""A copy of the user's working tree: tracked and untracked files, and nothing that git ignores.

Rules of this file: it reads the checkout, and writes to the copy alone. Links are copied as links. Submodules are
copied as far as the checkout has them; other repositories in the working tree are not of it.
"""

import shutil
import stat
from collections.abc import Callable
from pathlib import Path

from bench.ab.errors import AbError

#: A function that runs git in a folder with arguments, and returns its output. Raises AbError.
Git = Callable[..., str]


def copy_working_tree(git: Git, checkout: Path, copy: Path) -> None:
    """Copy the files of a checkout to the folder `copy`. Raises AbError."""
    listed = git(checkout, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in dict.fromkeys(filter(None, listed.split("\0"))):
        source, target = checkout / name, copy / name
        if any(parent.is_symlink() for parent in list(source.parents)[: name.rstrip("/").count("/")]):
            continue  # git still knows it from before the link took the place of its folder
        try:
            mode = source.lstat().st_mode
        except OSError:  # it was deleted, and not committed
            continue
        if stat.S_ISDIR(mode):
            if not name.endswith("/") and (source / ".git").exists():
                copy_working_tree(git, source, target)
            continue
        if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
            continue
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
        except OSError as error:
            raise AbError(f"WORKTREE: {source} cannot be copied to {copy}: {error.strerror or error}") from None
