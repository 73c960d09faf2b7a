"""Commits as people know them: subjects from git, and pages on the web without anybody's password."""

import subprocess
from pathlib import Path

import pytest

from bench.results.remote import commit_pages, commit_subjects, commits_of


@pytest.mark.parametrize(
    ("address", "pages"),
    [
        ("https://github.com/owner/name.git", "https://github.com/owner/name/commit/"),
        ("https://user:secret@github.com/owner/name", "https://github.com/owner/name/commit/"),
        ("https://token@gitlab.com/group/sub/name.git", "https://gitlab.com/group/sub/name/-/commit/"),
        ("git@github.com:owner/name.git", "https://github.com/owner/name/commit/"),
        ("git@gitlab.example.org:group/name.git", "https://gitlab.example.org/group/name/-/commit/"),
        ("ssh://git@codeberg.org:22/owner/name.git", "https://codeberg.org/owner/name/commit/"),
        ("https://bitbucket.org/owner/name", "https://bitbucket.org/owner/name/commits/"),
        ("https://github.com/owner/na me", "https://github.com/owner/na%20me/commit/"),
        ("https://git.example.org/owner/name", None),  # whose pages nobody knows
        ("https://github.com/", None),
        ("https://[broken", None),
        ("file:///github.com/owner/name", None),
        ("/srv/git/github.com/name.git", None),
        ("../name", None),
        ("javascript://github.com/%0aalert(1)/x", None),
        ("", None),
    ],
)
def test_the_pages_of_a_remote(address: str, pages: str | None) -> None:
    assert commits_of(address) == pages


def test_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*arguments: str) -> str:
        settings = ("-c", "user.name=n", "-c", "user.email=e@example.org")
        done = subprocess.run(["git", *settings, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit_pages() is None
    assert commit_subjects(["a" * 40]) == {}
    git("init", "--quiet")
    assert commit_pages() is None
    git("commit", "--quiet", "--allow-empty", "--message", "First: <b>bold</b>\n\nand more")
    head = git("rev-parse", "HEAD")
    git("remote", "add", "origin", "https://me:secret@github.com/owner/name.git")
    assert commit_pages() == "https://github.com/owner/name/commit/"
    assert commit_subjects([head, "a" * 40, "unversioned", "--all", head]) == {head: "First: <b>bold</b>"}
