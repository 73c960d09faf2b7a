"""The results of a side: numbers, commits, git's names for them, patterns, and the newest of a commit."""

import datetime as dt
import json
import subprocess
from pathlib import Path

import pytest

from bench.results.header import CommitInfo
from bench.results.references import Store, commit_named, select
from bench.results.store import ResultError
from tests.support.example_results import load_result
from tests.support.latency_results import latency_content, save_latency

GIT = ("git", "-c", "user.name=Nobody", "-c", "user.email=nobody@example.org", "-c", "commit.gpgsign=false")


def git(*arguments: str) -> str:
    return subprocess.run([*GIT, *arguments], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return three commits of the working directory's repository, oldest first; the first is tagged."""
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet", "--initial-branch=main")
    for number in range(3):
        git("commit", "--quiet", "--allow-empty", "--message", f"Step {number}")
    git("tag", "v1", "HEAD~2")
    git("branch", "feature/quick", "HEAD~1")
    return git("rev-list", "--reverse", "HEAD").split()


@pytest.fixture
def store(commits: list[str]) -> Store:
    """Return a store: four latency results of commit 1, two of commit 2, one with changes; a load result of each."""
    store = Store(Path("results"))
    for run in range(4):
        save_latency(store, latency_content(run=run, commit=commits[0]))
    for run in range(2):
        save_latency(store, latency_content(run=10 + run, commit=commits[1], dirty=run == 1))
    for number in range(2):
        when = dt.datetime(2026, 11, 23, 12, number, tzinfo=dt.UTC)
        store.save(load_result(datetime=when, commit_info=CommitInfo(id=commits[number])))
    return store


def numbers(store: Store, old: str, new: str, last: int | None = None) -> tuple[list[int], list[int]]:
    first, second = (
        [int(stored.path.name.partition("_")[0]) for stored in side] for side in select(store, old, new, last)
    )
    return first, second


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("latency/1", "latency/5", ([1], [5])),
        ("latency/v1", "latency/HEAD~1", ([4], [6])),
        ("latency/HEAD~2", "latency/feature/quick", ([4], [6])),
        ("load/v1", "load/HEAD~1", ([1], [2])),
        ("v1", "latency/HEAD~1", ([4], [6])),  # of the kind that the other side is of
        ("latency/[12]", "latency/5", ([1, 2], [5])),
        ("latency/?", "load/2", None),
        ("latency/000[1-3]", "latency/000[45]", ([1, 2, 3], [4, 5])),
        ("results/latency/*/000[12]_*.json", "latency/latest", ([1, 2], [6])),
        ("latency/5", "latency/[12]", ([5], [1, 2])),
        ("[34]", "latency/5", ([3, 4], [5])),  # load has none of these
    ],
)
def test_names(store: Store, old: str, new: str, expected: tuple[list[int], list[int]] | None) -> None:
    if expected is None:
        with pytest.raises(ResultError):
            select(store, old, new)
    else:
        assert numbers(store, old, new) == expected


def test_the_newest_of_each_sides_commit(store: Store) -> None:
    assert numbers(store, "latency/v1", "latency/5", 3) == ([2, 3, 4], [5])
    assert numbers(store, "latency/1", "latency/5", 2) == ([3, 4], [5])
    assert numbers(store, "latency/v1", "latency/HEAD~1", 9) == ([1, 2, 3, 4], [6])  # with changes, as the newest is
    assert numbers(store, "load/v1", "load/latest", 5) == ([1], [2])


def test_by_path_and_of_the_folder_that_it_is_in(store: Store, tmp_path: Path) -> None:
    elsewhere = Store(tmp_path / "elsewhere")
    paths = [save_latency(elsewhere, latency_content(run=run, commit="c" * 40)) for run in range(3)]
    old_side, _ = select(store, str(paths[0]), "latency/1", 2)
    assert [stored.path for stored in old_side] == paths[1:]


def test_a_number_goes_before_what_git_knows(store: Store) -> None:
    git("tag", "5")  # of the last commit, which has no result
    assert numbers(store, "latency/5", "latency/1") == ([5], [1])


@pytest.mark.parametrize(
    ("old", "new", "last", "said"),
    [
        (
            "latency/HEAD",
            "latency/1",
            None,
            r"^latency/HEAD is commit [0-9a-f]{12}; latency/[0-9a-f]{40}: no such file",
        ),
        ("nothing", "latency/1", None, "^nothing: no such file, and no such number, commit or `latest`"),
        ("--output=x", "latency/1", None, "^--output=x: no such file"),
        ("latency/9*", "latency/1", None, r"^latency/9\*: no file, and no number of a result, matches that$"),
        ("[12]", "latency/1", None, "these are results of both kinds; say latency/ or load/ before them"),
        ("latency/[12]", "load/1", None, None),
        ("latency/[12]", "latency/5", 3, "^--last counts the results of one commit: name commits with it"),
        ("latency/1", "latency/2", 3, "^--last 3: OLD and NEW are both of commit"),
        ("latency/1", "latency/2", 0, "^--last 0: a side has at least one result$"),
        ("latency/latest~9", "latency/1", None, r"\(which has 6 latency results\)$"),
    ],
)
def test_what_is_wrong(store: Store, old: str, new: str, last: int | None, said: str | None) -> None:
    if said is None:  # the kinds differ; the comparison says so where nothing is to be opened
        with pytest.raises(ResultError):
            select(store, old, new, last)
    else:
        with pytest.raises(ResultError, match=said):
            select(store, old, new, last)


def test_results_of_no_commit_have_no_others(store: Store) -> None:
    save_latency(store, latency_content(run=20, commit="unversioned"))
    assert numbers(store, "latency/1", "latency/latest") == ([1], [7])
    with pytest.raises(ResultError, match=r"it is of no commit \(unversioned\)"):
        select(store, "latency/1", "latency/latest", 2)


def test_a_damaged_one_among_them(store: Store) -> None:
    path = store.open("latency/2").path
    path.write_text(path.read_text()[:100])
    for old, last in (("latency/[123]", None), ("latency/v1", 4)):
        with pytest.raises(ResultError, match=r"0002_.*: not whole JSON"):
            select(store, old, "latency/5", last)
    assert numbers(store, "latency/v1", "latency/5", 2) == ([3, 4], [5])  # it is not among these


def test_a_file_whose_name_looks_like_a_pattern(store: Store) -> None:
    Path("run[1].json").write_text(json.dumps(latency_content(run=30)))
    old_side, _ = select(store, "run[1].json", "latency/1")
    assert [str(stored.path) for stored in old_side] == ["run[1].json"]


def test_without_git_or_a_repository(commits: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert commit_named("HEAD") == commits[2]
    assert commit_named("nothing") is None
    monkeypatch.setenv("GIT_DIR", "/nowhere")  # as a hook's: it is not what is asked about
    assert commit_named("v1") == commits[0]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit_named("HEAD") is None
