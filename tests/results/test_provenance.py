"""The origin of a result: the commit of the service wherever it lies, the packages, and never an exception."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import uvicorn
from pytest_benchmark.utils import get_commit_info

from bench.results.provenance import commit_info, installed, packages, service_directory


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with a service in it, and a commit."""
    folder = tmp_path / "shop"
    (folder / "service").mkdir(parents=True)
    git(tmp_path, "init", "--quiet", "--initial-branch=main", str(folder))
    (folder / "service" / "main.py").write_text("app = None\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "first")
    return folder


def test_packages_are_those_that_are_installed() -> None:
    versions = packages()
    assert versions["python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}.")
    assert {"python-socketio", "python-engineio", "uvicorn", "locust", "aiohttp"} < versions.keys()


def test_a_package_that_is_missing_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.results.provenance.PACKAGES", ("uvicorn", "no-such-package"))
    assert installed().keys() == {"python", "uvicorn"}


def test_a_compiled_hot_path_is_as_another_version_of_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.compiled.is_enabled", lambda: False)
    assert packages() == installed()
    monkeypatch.setattr("bench.compiled.is_enabled", lambda: True)
    assert packages() == installed() | {"hot path": "compiled"}


class TestCommit:
    def test_the_fields_are_those_of_pytest_benchmark(self, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        ours = commit_info(repository / "service")
        monkeypatch.chdir(repository)
        theirs = get_commit_info()  # type: ignore[no-untyped-call]
        assert ours.model_dump() == theirs
        assert ours.id == git(repository, "rev-parse", "HEAD")
        assert (ours.project, ours.branch, ours.dirty) == ("shop", "main", False)

    def test_it_is_not_of_the_working_directory(
        self, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = tmp_path / "other"
        git(tmp_path, "init", "--quiet", str(other))
        monkeypatch.chdir(other)
        assert commit_info(repository).id == git(repository, "rev-parse", "HEAD")

    def test_changes_to_tracked_files_make_it_dirty(self, repository: Path) -> None:
        (repository / "notes.txt").write_text("not tracked\n")
        assert not commit_info(repository).dirty
        (repository / "service" / "main.py").write_text("app = 1\n")
        changed = commit_info(repository / "service")
        assert changed.dirty
        assert changed.id == git(repository, "rev-parse", "HEAD")

    def test_results_that_are_committed_are_no_changes_of_the_service(self, repository: Path) -> None:
        results = repository / "results"
        results.mkdir()
        (results / "0001.json").write_text("{}\n")
        git(repository, "add", "--force", ".")
        git(repository, "commit", "--quiet", "-m", "a result")
        (results / "0001.json").unlink()
        assert commit_info(repository / "service").dirty
        assert not commit_info(repository / "service", results).dirty
        (repository / "service" / "main.py").write_text("app = 1\n")
        assert commit_info(repository / "service", results).dirty
        assert commit_info(repository, repository).dirty  # a folder of results that is the whole repository

    def test_a_folder_of_results_elsewhere_changes_nothing(self, repository: Path, tmp_path: Path) -> None:
        assert not commit_info(repository, tmp_path / "results").dirty
        (repository / "service" / "main.py").write_text("app = 1\n")
        assert commit_info(repository, tmp_path / "results").dirty

    def test_tags_do_not_change_the_id(self, repository: Path) -> None:
        git(repository, "tag", "-a", "v1-2-gdeadbeef", "-m", "a tag")
        assert commit_info(repository).id == git(repository, "rev-parse", "HEAD")

    def test_a_detached_head_and_the_name_of_the_origin(self, repository: Path) -> None:
        git(repository, "checkout", "--quiet", "--detach")
        git(repository, "remote", "add", "origin", "git@example.org:team/basket.git")
        commit = commit_info(repository)
        assert (commit.branch, commit.project) == ("(detached head)", "basket")

    def test_a_worktree(self, repository: Path, tmp_path: Path) -> None:
        git(repository, "worktree", "add", "--quiet", "-b", "slow", str(tmp_path / "slow"))
        assert commit_info(tmp_path / "slow" / "service").branch == "slow"

    def test_inside_a_hook_of_another_repository(self, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GIT_DIR", "/nowhere/.git")
        assert commit_info(repository).error is None

    def test_without_a_repository(self, tmp_path: Path) -> None:
        assert commit_info(tmp_path).id == "unversioned"
        assert commit_info(tmp_path / "not" / "there").id == "unversioned"

    def test_what_the_repository_ignores_is_of_no_commit(self, repository: Path) -> None:
        installed = repository / ".venv" / "lib" / "service"
        installed.mkdir(parents=True)
        (repository / ".gitignore").write_text(".venv/\n")
        assert commit_info(installed).id == "unversioned"

    def test_without_a_commit(self, tmp_path: Path) -> None:
        git(tmp_path, "init", "--quiet", ".")
        commit = commit_info(tmp_path)
        assert commit.id == "unknown"
        assert commit.error is not None
        assert "\n" not in commit.error

    def test_without_git(self, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "/nowhere")
        commit = commit_info(repository)
        assert commit.id == "unknown"
        assert "No such file or directory: 'git'" in (commit.error or "")

    def test_a_git_that_hangs(self, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        hanging = tmp_path / "bin" / "git"
        hanging.parent.mkdir()
        hanging.write_text("#!/bin/sh\nexec sleep 60\n")
        hanging.chmod(0o755)
        monkeypatch.setenv("PATH", f"{hanging.parent}:{os.environ['PATH']}")
        monkeypatch.setattr("bench.results.provenance._GIT_TIMEOUT_S", 0.2)
        commit = commit_info(repository)
        assert commit.id == "unknown"
        assert "timed out" in (commit.error or "")


class TestServiceDirectory:
    def test_in_the_working_directory_first(self, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(repository)
        (repository / "json.py").touch()
        (repository / "spaced" / "deep").mkdir(parents=True)
        (repository / "spaced" / "deep" / "asgi.py").touch()
        assert service_directory("service.main:app") == repository / "service"
        assert service_directory("json:app") == repository
        assert service_directory("spaced.deep.asgi:app") == repository / "spaced" / "deep"

    def test_installed(self) -> None:
        assert service_directory("uvicorn.main:app") == Path(uvicorn.__file__).parent

    @pytest.mark.parametrize("app", ["no_such_module:app", "sys:app", "", ":app", "..:app"])
    def test_what_is_not_found(self, app: str) -> None:
        assert service_directory(app) == Path.cwd()

    def test_the_module_is_not_imported(self, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(repository)
        (repository / "service" / "__init__.py").write_text("raise SystemExit('imported')\n")
        assert service_directory("service.main:app") == repository / "service"
