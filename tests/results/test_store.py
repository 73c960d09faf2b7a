"""Storing and finding results: whole files or none, a number each, and one clear line for whatever is wrong."""

import datetime as dt
import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.utils import get_machine_id

from bench.results.header import CommitInfo, Kind
from bench.results.history import all_results
from bench.results.load import LoadResult
from bench.results.locks import locked
from bench.results.references import Store
from bench.results.store import NotStoredError, ResultError, load, machine_id, result_name, write_numbered
from tests.support.example_results import COMMIT, load_result
from tests.support.folders import SAMPLES

OTHER_COMMIT = "3cf1" + "0" * 36


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


@pytest.fixture
def latency_file() -> Path:
    """Return the path of a result that pytest-benchmark itself has stored."""
    return SAMPLES / "results" / "latency-of-pytest-benchmark.json"


def save_latency(store: Store, source: Path, name: str = "session", **changed: Any) -> Path:
    content = json.loads(source.read_text())
    data = json.dumps(content | changed).encode()
    return write_numbered(store.folder("latency"), name, data)


class TestSaving:
    def test_layout_numbers_and_names_are_those_of_pytest_benchmark(self, store: Store) -> None:
        first, second = store.save(load_result()), store.save(load_result())
        folder = store.root / "load" / str(get_machine_id())  # type: ignore[no-untyped-call]
        assert first == folder / f"0001_{COMMIT}_20261123_112645.json"
        assert second == folder / f"0002_{COMMIT}_20261123_112645.json"

    def test_the_name_tells_of_changes_and_of_no_commit(self) -> None:
        when = dt.datetime(2026, 11, 23, 13, 0, tzinfo=dt.timezone(dt.timedelta(hours=2)))
        assert result_name(CommitInfo(id="unversioned"), when) == "unversioned_20261123_110000"
        assert result_name(CommitInfo(id="abc", dirty=True), when) == "abc_20261123_110000_uncommitted-changes"

    def test_what_is_saved_is_read_back(self, store: Store) -> None:
        assert load(store.save(load_result())) == load_result()

    def test_git_ignores_all_in_a_folder_that_is_made_here(self, tmp_path: Path) -> None:
        store = Store(tmp_path / "deep" / "results")
        store.save(load_result())
        assert (store.root / ".gitignore").read_text() == "*\n"
        assert not (store.root.parent / ".gitignore").exists()
        subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
        said = subprocess.run(
            ["git", "status", "--porcelain"], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        assert said.stdout == ""

    def test_a_folder_that_was_there_stays_as_it_is(self, store: Store) -> None:
        store.root.mkdir()
        store.save(load_result())
        assert not (store.root / ".gitignore").exists()

    def test_the_number_follows_the_highest_one(self, store: Store) -> None:
        folder = store.folder("load")
        folder.mkdir(parents=True)
        for name in ("0007_a.json", "0009_b.json", "note.json", "12_c.json", "0100_d.txt"):
            (folder / name).touch()
        assert store.save(load_result()).name.startswith("0010_")

    def test_beyond_four_digits(self, store: Store) -> None:
        store.folder("load").mkdir(parents=True)
        (store.folder("load") / "9999_a.json").touch()
        assert store.save(load_result()).name.startswith("10000_")
        assert store.save(load_result()).name.startswith("10001_")
        assert store.open("10001").path.name.startswith("10001_")

    def test_never_in_the_place_of_another_file(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        taken = store.save(load_result())
        monkeypatch.setattr("bench.results.store.numbered", lambda _: [])  # a writer that knows no lock came between
        before = taken.read_bytes()
        path = store.save(load_result(forced=True))
        assert path.name.startswith("0002_")
        assert taken.read_bytes() == before

    def test_without_hard_links(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(_self: Path, _target: Path) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(Path, "hardlink_to", refuse)
        store.save(load_result())
        monkeypatch.setattr("bench.results.store.numbered", lambda _: [])
        path = store.save(load_result())
        assert path.name.startswith("0002_")
        assert load(path) == load_result()
        assert len(list(path.parent.iterdir())) == 2

    def test_the_file_is_readable_as_the_umask_says(self, store: Store) -> None:
        previous = os.umask(0o027)
        try:
            path = store.save(load_result())
        finally:
            os.umask(previous)
        assert path.stat().st_mode & 0o777 == 0o640

    def test_a_root_that_is_a_file_is_one_line(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        root = tmp_path / "results"
        root.write_text("not a folder")
        with pytest.raises(ResultError, match=r"^cannot store a result in .*results/load/.*: Not a directory$"):
            Store(root).save(load_result())

    def test_what_cannot_be_stored_is_kept_in_the_temporary_folder(
        self, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        store.root.write_text("a file, where the folder should be")
        with pytest.raises(
            NotStoredError, match=r"^cannot store a result in .*, so it is in .*: Not a directory$"
        ) as caught:
            store.save(load_result())
        (kept,) = tmp_path.glob("bench-*.json")
        assert f"so it is in {kept}: " in str(caught.value)
        assert load(kept) == load_result()

    def test_a_folder_that_stays_locked_is_not_awaited_without_end(
        self, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        monkeypatch.setattr("bench.results.store._LOCK_WAIT_S", 0.2)
        store.save(load_result())
        with locked(store.folder("load")), pytest.raises(NotStoredError) as caught:
            store.save(load_result())
        assert "another process has locked it for 0.2 s" in str(caught.value)
        assert f"(process {os.getpid()}, " in str(caught.value)
        (kept,) = tmp_path.glob("bench-*.json")
        assert load(kept) == load_result()
        assert store.save(load_result()).name.startswith("0002_")

    def test_a_lock_that_is_released_in_time_is_awaited(self, store: Store) -> None:
        store.save(load_result())
        with ThreadPoolExecutor(1) as pool:
            with locked(store.folder("load")):
                second = pool.submit(store.save, load_result())
                with pytest.raises(TimeoutError):
                    second.result(0.2)
            assert second.result(30).name.startswith("0002_")


class TestReading:
    def test_infinities_of_pytest_benchmark_in_what_we_do_not_use(self, store: Store, latency_file: Path) -> None:
        text = latency_file.read_text().replace('"ld15iqr": ', '"ld15iqr": Infinity, "was": ')
        assert load(write_numbered(store.folder("latency"), "x", text.encode())).kind == "latency"

    def test_a_byte_order_mark(self, tmp_path: Path) -> None:
        path = tmp_path / "edited.json"
        path.write_bytes(b"\xef\xbb\xbf" + load_result().to_json())
        assert load(path) == load_result()

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"", "the file is empty"),
            (b" \n", "the file is empty"),
            (b"\xff\xfe{\x00}\x00", "not UTF-8 text (byte 0)"),
            (b"\x89PNG\r\n", "not UTF-8 text (byte 0)"),
            (load_result().to_json()[:200], "not whole JSON: "),
            (b"machine,median\n", "not whole JSON: Expecting value: line 1 column 1 (char 0)"),
            (b"[1, 2]", "not a benchmark result: a JSON list, not an object"),
            (b"[" * 200_000, "not JSON that can be read: "),
            (b'{"schema": ' + b"9" * 5000 + b"}", "not JSON that can be read: "),
            (
                b'{"schema": "load/9"}',
                "has schema 'load/9', but this version reads 'load/1', 'load/2', 'load/3', 'load/4' or 'load/5'",
            ),
            (
                b'{"schema": ["load/1"]}',
                "has schema ['load/1'], but this version reads 'load/1', 'load/2', 'load/3', 'load/4' or 'load/5'",
            ),
            (
                b"{}",
                "neither a load result ('load/1', 'load/2', 'load/3', 'load/4' or 'load/5') nor a latency result "
                "(pytest-benchmark's JSON)",
            ),
            (b'{"benchmarks": []}', "neither a load result"),
            (b'{"schema": "load/1"}', "datetime: Field required (and "),
            (b'{"benchmarks": {}, "machine_info": {}}', "datetime: Field required (and "),
        ],
    )
    def test_what_cannot_be_read_is_one_line_with_its_name(self, tmp_path: Path, content: bytes, said: str) -> None:
        path = tmp_path / "result.json"
        path.write_bytes(content)
        with pytest.raises(ResultError) as caught:
            load(path)
        assert str(caught.value).startswith(f"{path}: {said}")
        assert "\n" not in str(caught.value)

    def test_a_missing_file_and_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(ResultError, match=r"nothing\.json: No such file or directory$"):
            load(tmp_path / "nothing.json")
        with pytest.raises(ResultError, match=r": Is a directory$"):
            load(tmp_path)

    @pytest.mark.parametrize(
        ("damage", "said"),
        [
            (lambda r: r["operations"][0].update(ok=999), "operations.0: FOO → BAR: sent 1010 is not 1009: ok 999"),
            (lambda r: r["operations"][0].update(sent="1010"), "operations.0.sent: Input should be a valid integer"),
            (lambda r: r["window"].update(end_s=None), "window.end_s: Input should be a valid number"),
            (lambda r: r.update(surprise=1), "surprise: Extra inputs are not permitted"),
            (lambda r: r["scenario"].update(model="half"), "scenario.model: Input should be 'open' or 'closed'"),
        ],
    )
    def test_a_damaged_load_result(self, tmp_path: Path, damage: Callable[[Any], None], said: str) -> None:
        content = json.loads(load_result().to_json())
        damage(content)
        path = tmp_path / "result.json"
        path.write_text(json.dumps(content))
        with pytest.raises(ResultError) as caught:
            load(path)
        assert str(caught.value).startswith(f"{path}: {said}")

    def test_a_damaged_latency_result(self, store: Store, latency_file: Path) -> None:
        content = json.loads(latency_file.read_text())
        del content["benchmarks"][1]["stats"]["median"]
        path = save_latency(store, latency_file, benchmarks=content["benchmarks"])
        with pytest.raises(ResultError, match=r"\.json: benchmarks\.1\.stats\.median: Field required$"):
            load(path)


class TestWhatIsNoResult:
    def test_a_pipe_among_the_results_is_one_line(self, store: Store) -> None:
        path = store.save(load_result())
        os.mkfifo(path.with_name("0002_b.json"))
        with pytest.raises(ResultError, match=r"0002_b\.json: a pipe, not a file$"):
            store.open("latest")
        left_out: list[str] = []
        assert all_results(store.root, ("load",), left_out.append) == [load_result()]
        assert len(left_out) == 1
        assert store.save(load_result()).name.startswith("0003_")

    def test_a_device(self) -> None:
        with pytest.raises(ResultError, match=r"^/dev/zero: a device, not a file$"):
            load(Path("/dev/zero"))

    def test_a_folder_that_may_not_be_read_is_no_empty_one(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(path: Path) -> None:
            raise PermissionError(13, "Permission denied", str(path))

        store.save(load_result())
        monkeypatch.setattr(Path, "iterdir", refuse)
        with pytest.raises(ResultError, match=r"results/l.*: Permission denied$"):
            store.open("1")
        left_out: list[str] = []
        with pytest.raises(ResultError, match="no results in"):
            all_results(store.root, ("load",), left_out.append)
        assert left_out == [f"{store.root / 'load'}: Permission denied"]


class TestFinding:
    def test_by_path(self, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = store.save(load_result())
        assert store.open(str(path)).path == path
        monkeypatch.chdir(path.parent)
        assert store.open(path.name).path == Path(path.name)
        copied = tmp_path / "before"
        copied.write_bytes(path.read_bytes())
        monkeypatch.chdir(tmp_path)
        assert store.open("before").path == Path("before")

    def test_by_number(self, store: Store) -> None:
        paths = [store.save(load_result()) for _ in range(12)]
        assert store.open("12").path == store.open("0012").path == store.open("load/12").path == paths[11]
        assert store.open("2").path == paths[1]

    def test_a_number_that_both_kinds_have_must_say_which(self, store: Store, latency_file: Path) -> None:
        load_path, latency_path = store.save(load_result()), save_latency(store, latency_file)
        with pytest.raises(ResultError, match=r"^0001: there is one of each kind; say latency/0001 or load/0001$"):
            store.open("0001")
        assert store.open("load/0001").path == store.open("0001", "load").path == load_path
        assert store.open("latency/0001").path == store.open("0001", "latency").path == latency_path

    def test_a_number_that_two_files_of_a_kind_have(self, store: Store, latency_file: Path) -> None:
        path = save_latency(store, latency_file, "a")
        path.with_name("0001_b.json").write_bytes(path.read_bytes())
        with pytest.raises(ResultError, match=r"two results have that number, 0001_a\.json and 0001_b\.json"):
            store.open("1")

    @pytest.mark.parametrize("reference", [COMMIT, COMMIT.upper(), COMMIT[:7], COMMIT[:4]])
    def test_by_commit_the_newest_result_of_it(self, store: Store, reference: str) -> None:
        store.save(load_result())
        newest = store.save(load_result())
        store.save(load_result(commit_info=CommitInfo(id=OTHER_COMMIT)))
        store.save(load_result(commit_info=CommitInfo(id="unversioned")))
        assert store.open(reference).path == newest

    def test_a_commit_in_a_file_that_the_user_named(self, store: Store, latency_file: Path) -> None:
        save_latency(store, latency_file, "damaged", benchmarks=None)
        path = save_latency(store, latency_file, "mine", commit_info={"id": COMMIT})
        assert store.open(COMMIT[:8]).path == path

    def test_an_abbreviation_of_several_commits(self, store: Store) -> None:
        store.save(load_result())
        store.save(load_result(commit_info=CommitInfo(id=COMMIT[:5] + "f" * 35)))
        with pytest.raises(ResultError, match=rf"^{COMMIT[:5]}: several commits begin so, {COMMIT}, .*more digits$"):
            store.open(COMMIT[:5])

    def test_digits_are_a_number_first_and_a_commit_else(self, store: Store) -> None:
        number_like = store.save(load_result(commit_info=CommitInfo(id="0002" + "a" * 36)))
        assert store.open("0002").path == number_like
        second = store.save(load_result())
        assert store.open("0002").path == second

    def test_latest(self, store: Store, latency_file: Path) -> None:
        older, newer = store.save(load_result()), store.save(load_result())
        old_latency = save_latency(store, latency_file, datetime="2020-01-01T00:00:00+00:00")
        assert store.open("latest").path == newer
        assert store.open("latest~1").path == older
        assert store.open("latest", "latency").path == store.open("latency/latest").path == old_latency

    def test_only_of_this_machine(self, store: Store) -> None:
        path = store.save(load_result())
        elsewhere = path.parent.with_name("Darwin-CPython-3.13-64bit")
        path.parent.rename(elsewhere)
        for reference in ("1", COMMIT, "latest"):
            with pytest.raises(ResultError, match=f"no such number, commit or `latest` in .*{machine_id()}"):
                store.open(reference)

    @pytest.mark.parametrize("reference", ["7", "abcd", "latest~9", "latest~", "load/", "load/7", "x" * 5000])
    def test_what_is_not_there(self, store: Store, reference: str) -> None:
        store.save(load_result())
        with pytest.raises(ResultError, match="no such file, and no such number, commit or `latest`"):
            store.open(reference)

    def test_an_empty_name(self, store: Store) -> None:  # of a shell variable that is not set
        with pytest.raises(ResultError, match="an empty name means no result"):
            store.open("")

    @pytest.mark.parametrize("reference", ["7.json", "results/7.json", "/nowhere/1"])
    def test_a_path_that_is_not_there(self, store: Store, reference: str) -> None:
        with pytest.raises(ResultError, match=f"^{reference}: no such file$"):
            store.open(reference)

    def test_a_folder(self, store: Store) -> None:
        store.save(load_result())
        with pytest.raises(ResultError, match="Is a directory"):
            store.open(str(store.folder("load")))

    def test_the_wrong_kind(self, store: Store) -> None:
        path = store.save(load_result())
        with pytest.raises(ResultError, match="that is no latency result"):
            store.open(str(path), "latency")

    @pytest.mark.parametrize(
        ("old", "new", "kind"),
        [
            ("1", "2", "latency"),  # only latency has a 2
            ("2", "1", "latency"),
            ("load/1", "1", "load"),
            ("latest~1", "latest", "latency"),  # only latency has two
            ("latency/latest", "latest", "latency"),
            ("1", "{load}", "load"),
            ("{load}", "latest", "load"),
        ],
    )
    def test_a_pair_is_of_the_kind_that_both_may_mean(
        self, store: Store, latency_file: Path, old: str, new: str, kind: Kind
    ) -> None:
        save_latency(store, latency_file)
        save_latency(store, latency_file)
        path = str(store.save(load_result()))
        pair = store.open_pair(old.format(load=path), new.format(load=path))
        assert [stored.result.kind for stored in pair] == [kind, kind]

    def test_a_pair_of_nothing_common_is_for_the_comparison_to_refuse(self, store: Store, latency_file: Path) -> None:
        save_latency(store, latency_file)
        store.save(load_result())
        pair = store.open_pair("latency/1", "load/1")
        assert [stored.result.kind for stored in pair] == ["latency", "load"]


def test_a_load_result_of_the_first_schema_is_still_read() -> None:
    result = load(SAMPLES / "results" / "load-1-open.json")
    assert isinstance(result, LoadResult)
    assert result.schema_ == "load/1"
    assert result.scenario.pipelined is None
    assert {row.name: row.dropped_because for row in result.operations} == {"connect": {}, "FOO→BAR to sender": {}}
