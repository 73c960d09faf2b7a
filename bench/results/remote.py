"""The commits of the repository around the working directory, for people: their subjects and their web pages."""

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, urlsplit

from bench.results.git import git

_FULL_ID = re.compile("[0-9a-f]{40,64}")
_TIMEOUT_S = 60
#: An address as ssh has it: git@github.com:owner/name.git.
_BY_SSH = re.compile(r"(?:[^@/]+@)?(?P<host>[A-Za-z0-9.-]+):(?P<path>[^/].*)")
_SCHEMES = ("http", "https", "ssh", "git", "git+ssh")


def commit_subjects(commits: Iterable[str]) -> dict[str, str]:
    """Return the subjects of these commits by their full ids, as far as the repository here has them."""
    ids = list(dict.fromkeys(commit for commit in commits if _FULL_ID.fullmatch(commit)))
    if not ids:
        return {}
    known = "".join(f"{commit}\n" for commit in ids)
    try:
        listed = git(
            Path(), "log", "--no-walk=unsorted", "--ignore-missing", "--format=%H %s", "--stdin",
            timeout_s=_TIMEOUT_S, told=known,
        )  # fmt: skip
    except (OSError, ValueError, subprocess.SubprocessError):
        return {}
    return {line[: line.find(" ")]: line[line.find(" ") + 1 :] for line in listed.splitlines() if " " in line}


def commit_pages() -> str | None:
    """Return the address before which a commit's id is put, to come to its page on the web; None if it is not known.

    The remote is `origin`. Names and passwords in its address are left out.
    """
    try:
        address = git(Path(), "remote", "get-url", "origin").strip()
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return commits_of(address)


def commits_of(address: str) -> str | None:
    """Return the address of the commits of a remote, if its pages are like those of GitHub, GitLab or others."""
    host, path = _host_and_path(address)
    path = path.strip("/").removesuffix(".git")
    if not host or "/" not in path:
        return None
    place = f"https://{host}/{quote(path)}"
    if "gitlab" in host:
        return f"{place}/-/commit/"
    if "bitbucket" in host:
        return f"{place}/commits/"
    # GitHub, Gitea, Forgejo and Codeberg have the same.
    is_known = any(name in host for name in ("github", "gitea", "forgejo", "codeberg"))
    return f"{place}/commit/" if is_known else None


def _host_and_path(address: str) -> tuple[str, str]:
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return "", ""
    if parts.scheme in _SCHEMES and host:
        return host, parts.path
    match = _BY_SSH.fullmatch(address) if "://" not in address else None
    return (match["host"], match["path"]) if match else ("", "")
