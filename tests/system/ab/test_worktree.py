"""Revisions in folders of their own: their contents, that nothing is left, and that the checkout is not touched."""

import fcntl
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.ab.environments import dependencies, environment, versions
from bench.ab.errors import AbError, AbFailedError
from bench.ab.worktree import Repository
from tests.support.ab_repository import SERVICE, TestRepository


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestRepository]:
    """Yield a repository with worktrees in a folder of the test's own, which is empty again at the end."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    made = TestRepository(tmp_path / "service")
    yield made
    assert made.worktrees() == []
    assert list(temporary.iterdir()) == []


def around(repository: TestRepository) -> Repository:
    return Repository.around(repository.folder)


def test_each_revision_is_in_a_folder_of_its_own(repository: TestRepository) -> None:
    first = repository.git("rev-parse", "HEAD")
    second = repository.commit("slow", {"chat.py": SERVICE.format(busy_s=1)})
    found = around(repository)
    revisions = [found.revision("quick"), found.revision("HEAD"), found.revision("WORKTREE")]
    assert [revision.commit for revision in revisions] == [first, second, None]
    repository.write({"chat.py": "# changed\n", "new.py": ""})
    with found.checkouts(revisions) as (a, b, c):
        assert "+ 0\n" in (a.directory / "chat.py").read_text()
        assert "+ 1\n" in (b.directory / "chat.py").read_text()
        assert c.directory == repository.folder
        assert [side.commit_info.id for side in (a, b, c)] == [first, second, second]
        assert [side.commit_info.dirty for side in (a, b, c)] == [False, False, True]
        assert {side.commit_info.project for side in (a, b, c)} == {"service"}
        assert [side.label for side in (a, b, c)] == [f"quick ({first[:12]})", f"HEAD ({second[:12]})", "WORKTREE"]
        assert len(str(a.directory)) == len(str(b.directory))
        assert len(repository.worktrees()) == 2
    assert (repository.folder / "chat.py").read_text() == "# changed\n"
    assert found.changes() == (" M chat.py", "?? new.py")


def test_results_are_no_changes_of_the_working_tree(repository: TestRepository) -> None:
    repository.commit("kept", {"results/0001.json": "{}"})
    repository.write({"results/0001.json": "{ }", "results/0002.json": "{}"})
    found = Repository.around(repository.folder, repository.folder / "results")
    assert found.changes() == ()
    with found.checkouts([found.revision("WORKTREE")]) as (worktree,):
        assert not worktree.commit_info.dirty
    repository.write({"chat.py": "# changed\n"})
    assert found.changes() == (" M chat.py",)


def test_the_same_commit_twice_and_two_runs_at_a_time(repository: TestRepository) -> None:
    found = around(repository)
    head = found.revision("HEAD")
    with found.checkouts([head, head]) as (a, b):
        with found.checkouts([head]) as (c,):
            assert len({a.root, b.root, c.root}) == 3
        assert (a.root / "chat.py").exists()
        assert not c.root.exists()


def test_a_copy_of_the_working_tree_has_all_but_what_git_ignores(repository: TestRepository) -> None:
    first = repository.commit("more", {".gitignore": "*.log\n", "gone.py": "", "run": "#!/bin/sh\n", "sub/kept.py": ""})
    repository.write({"chat.py": "# changed\n", "new/untracked.py": "", "some.log": "", "other/.git/HEAD": ""})
    (repository.folder / "gone.py").unlink()
    (repository.folder / "run").chmod(0o755)
    (repository.folder / "way").symlink_to("chat.py")
    found = around(repository)
    changes = found.changes()
    with found.checkouts([found.revision("WORKTREE"), found.revision("HEAD")], copy_worktree=True) as (copy, head):
        assert (copy.directory / "chat.py").read_text() == "# changed\n"
        assert (copy.directory / "new" / "untracked.py").exists()
        assert (copy.directory / "way").readlink() == Path("chat.py")
        assert (copy.directory / "run").stat().st_mode & 0o111
        assert not any((copy.directory / name).exists() for name in ("gone.py", "some.log", "other"))
        assert len(str(copy.directory)) == len(str(head.directory))
        assert (copy.commit_info.id, copy.commit_info.dirty, copy.commit_info.project) == (first, True, "service")
        assert copy.label == "WORKTREE"
        describe = ["git", "describe", "--tags", "--dirty"]
        described = subprocess.run(describe, cwd=copy.root, capture_output=True, text=True, check=True)
        assert described.stdout == "more-dirty\n"
    assert found.changes() == changes


def test_a_copy_of_a_working_tree_in_which_a_link_took_the_place_of_a_folder(repository: TestRepository) -> None:
    repository.commit("folders", {"old/words.py": "", "other/words.py": "# other\n"})
    (repository.folder / "old" / "words.py").unlink()
    (repository.folder / "old").rmdir()
    (repository.folder / "old").symlink_to("other")
    found = around(repository)
    with found.checkouts([found.revision("WORKTREE")], copy_worktree=True) as (copy,):
        assert (copy.directory / "old").readlink() == Path("other")
        assert (copy.directory / "old" / "words.py").read_text() == "# other\n"


def test_a_folder_of_the_repository(repository: TestRepository) -> None:
    repository.commit("nested", {"services/chat/chat.py": ""})
    found = Repository.around(repository.folder / "services" / "chat")
    with found.checkouts([found.revision("nested")]) as (checkout,):
        assert checkout.directory == checkout.root / "services" / "chat"
    with (
        pytest.raises(AbError, match=r"^quick has no folder services/chat: go to one that both revisions have$"),
        found.checkouts([found.revision("nested"), found.revision("quick")]),
    ):
        pass


def test_what_a_killed_run_left_is_removed_by_the_next_and_a_running_ones_is_not(repository: TestRepository) -> None:
    def other_run(name: str) -> Path:
        folder = Path(tempfile.gettempdir()) / f"bench-ab-{name}"
        folder.mkdir()
        (folder / "lock").touch()
        repository.git("worktree", "add", "--detach", str(folder / "a"), "HEAD")
        return folder

    dead, living = other_run("dead"), other_run("living")
    found = around(repository)
    with (living / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with found.checkouts([found.revision("HEAD")]):
            assert not dead.exists()
            assert str(living / "a") in repository.worktrees()
    with found.checkouts([]):
        assert not living.exists()


def test_a_checkout_that_was_killed_half_way_is_removed(repository: TestRepository) -> None:
    found = around(repository)
    entries = repository.folder / ".git" / "worktrees"
    with found.checkouts([found.revision("HEAD")]) as (checkout,):
        (checkout.root / ".git").unlink()
        (entries / checkout.root.name / "locked").write_text("initializing")
    assert not entries.exists() or list(entries.iterdir()) == []


def test_the_repositorys_hooks_are_not_run(repository: TestRepository) -> None:
    hook = repository.folder / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntouch hooked\n")
    hook.chmod(0o755)
    found = around(repository)
    with found.checkouts([found.revision("HEAD")]) as (checkout,):
        assert not (checkout.root / "hooked").exists()


def test_a_variable_that_git_set_for_its_hook_leads_nowhere_else(
    repository: TestRepository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert around(repository).root == repository.folder


def with_submodules(repository: TestRepository) -> tuple[TestRepository, TestRepository]:
    """Add a submodule to the repository, and one to that: `lib` with `lib/inner`. They lie beside the repository."""
    inner = TestRepository(repository.folder.parent / "inner")
    library = TestRepository(repository.folder.parent / "library")
    for outer, name, other in ((library, "inner", inner), (repository, "lib", library)):
        outer.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other.folder), name)
        outer.git("commit", "--quiet", "-m", f"submodule {name}")
    repository.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init", "--recursive")
    return library, inner


def test_submodules_are_checked_out_at_the_commit_of_the_revision(repository: TestRepository) -> None:
    library, _ = with_submodules(repository)
    repository.git("tag", "first")
    library.commit("newer", {"chat.py": "NEWER = 1\n"})
    repository.git("-C", "lib", "pull", "--quiet", str(library.folder), "main")
    repository.commit("second", {})
    before = repository.git("submodule", "status", "--recursive"), repository.git("status", "--porcelain")
    for gone in ("library", "inner"):  # nobody is asked for them again
        (repository.folder.parent / gone).rename(repository.folder.parent / f"{gone}-gone")
    found = around(repository)
    with found.checkouts([found.revision("first"), found.revision("second"), found.revision("quick")]) as (a, b, c):
        assert (a.root / "lib" / "chat.py").read_text() == SERVICE.format(busy_s=0)
        assert (b.root / "lib" / "chat.py").read_text() == "NEWER = 1\n"
        assert (a.root / "lib" / "inner" / "chat.py").is_file()
        assert not (c.root / "lib").exists()
        assert [side.commit_info.dirty for side in (a, b, c)] == [False] * 3
        assert a.empty_submodules == b.empty_submodules == c.empty_submodules == ()
    after = repository.git("submodule", "status", "--recursive"), repository.git("status", "--porcelain")
    assert after == before


def test_a_submodule_that_the_checkout_does_not_have_stays_empty_and_is_named(
    repository: TestRepository, tmp_path: Path
) -> None:
    with_submodules(repository)
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", repository.folder, clone], check=True)
    found = Repository.around(clone)
    with found.checkouts([found.revision("HEAD")]) as (checkout,):
        assert list((checkout.root / "lib").iterdir()) == []
        assert checkout.empty_submodules == ("lib",)


def test_a_submodules_commit_that_was_never_fetched_is_one_line(repository: TestRepository) -> None:
    with_submodules(repository)
    nowhere = "1234567890" * 4
    repository.git("update-index", "--cacheinfo", f"160000,{nowhere},lib")
    repository.git("commit", "--quiet", "-m", "of a commit that is nowhere")
    found = around(repository)
    with (
        pytest.raises(AbError, match=r"^the submodule lib has not the commit 123456789012, .* `git -C lib fetch`"),
        found.checkouts([found.revision("HEAD")]),
    ):
        pass
    repository.git("reset", "--quiet", "--hard", "HEAD~1")


def test_a_line_break_in_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    repository = TestRepository(tmp_path / "two\nlines")
    found = around(repository)
    assert found.root == repository.folder
    with found.checkouts([found.revision("HEAD")]) as (checkout,):
        assert (checkout.directory / "chat.py").is_file()
    assert list(temporary.iterdir()) == []


def test_what_git_gave_up_for_is_said_with_its_command(repository: TestRepository) -> None:
    """Fail as git does without Git LFS: the filter fails, and git prints several lines."""
    repository.commit("large", {".gitattributes": "*.bin filter=lfs\n"})
    repository.write({"large.bin": "x"})
    repository.git("-c", "filter.lfs.clean=cat", "add", "large.bin")
    repository.git("-c", "filter.lfs.clean=cat", "commit", "--quiet", "-m", "with a large file")
    repository.git("config", "filter.lfs.smudge", "no-such-lfs smudge %f")
    repository.git("config", "filter.lfs.required", "true")
    found = around(repository)
    with (
        pytest.raises(AbError, match=r"^git worktree add in .*service: large\.bin: smudge filter lfs failed$"),
        found.checkouts([found.revision("HEAD")]),
    ):
        pass
    repository.git("config", "--remove-section", "filter.lfs")


@pytest.mark.parametrize("name", ["nope", "", "-x", "HEAD~7", "HEAD:chat.py"])
def test_an_unknown_revision(repository: TestRepository, name: str) -> None:
    with pytest.raises(AbError, match=f"^{name}: no such commit, branch or tag in ") as caught:
        around(repository).revision(name)
    assert str(caught.value).endswith("service (or say WORKTREE for the working tree)")


def test_a_shallow_clone_says_so(repository: TestRepository, tmp_path: Path) -> None:
    repository.commit("second", {})
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--depth=1", f"file://{repository.folder}", clone], check=True)
    with pytest.raises(AbError, match="this clone is shallow, fetch more of it"):
        Repository.around(clone).revision("HEAD~1")


def test_no_repository_and_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AbError, match=r" is in no git repository: go to the one that holds the service$"):
        Repository.around(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AbError, match=r"^git is not installed, or not on the PATH"):
        Repository.around(tmp_path)


# Dependencies


def wheel(folder: Path, name: str, version: str) -> None:
    """Make an empty package, without asking any index for it."""
    import zipfile

    info = f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")


@pytest.mark.slow
def test_an_environment_is_built_once_and_not_kept_when_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = tmp_path / "wheels"
    pinned = {"uvicorn": "0.99", "uvloop": "0.99", "httptools": "0.99", "websockets": "99.0"}
    for name, number in pinned.items():
        wheel(wheels, name, number)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(wheels))
    lock = tmp_path / "requirements.lock"
    lock.write_text("nothing-like-it==1\n")
    with pytest.raises(AbFailedError, match=r"^the revision's dependencies cannot be installed: .*nothing-like-it"):
        environment(dependencies([tmp_path]), tmp_path / "cache")
    lock.write_text("".join(f"{name}=={number}\n" for name, number in pinned.items()))
    python = environment(dependencies([tmp_path]), tmp_path / "cache")
    found = versions(python)
    assert {name: found[name] for name in pinned} == pinned
    assert found["python"]
    assert "pydantic" not in found
    made = (python.parent.parent / ".complete").stat().st_mtime_ns
    assert environment(dependencies([tmp_path]), tmp_path / "cache") == python
    assert (python.parent.parent / ".complete").stat().st_mtime_ns == made
