"""`bench trend` as a user types it: repository and results on disk, table, chart and one line for what is wrong."""

import datetime as dt
import json
import random
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bench.results.header import CommitInfo, MachineInfo
from bench.results.load import Generator
from bench.results.references import Store
from bench.trend.model import TrendFile
from tests.support.bench_command import bench
from tests.support.example_results import distribution, load_result, operation

START = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
GIT = ("git", "-c", "user.name=Nobody", "-c", "user.email=nobody@example.org", "-c", "commit.gpgsign=false")


def git(directory: Path, *arguments: str) -> str:
    return subprocess.run([*GIT, *arguments], cwd=directory, check=True, capture_output=True, text=True).stdout.strip()


def commits_in(directory: Path, number: int) -> list[str]:
    """Return the ids of new commits, oldest first. All have the same date: only git knows their order."""
    git(directory, "init", "--quiet")
    for n in range(number):
        git(directory, "commit", "--quiet", "--allow-empty", "--message", f"Step {n}")
    return git(directory, "rev-list", "--reverse", "HEAD").split()


def save_load(
    folder: Path, commit: str, p50: float, *, run: int, dirty: bool = False, node: str = "here", **changed: Any
) -> None:
    fields: dict[str, Any] = {
        "datetime": START + dt.timedelta(hours=run),
        "commit_info": CommitInfo(id=commit, time="2026-03-01T12:00:00+00:00", dirty=dirty),
        "machine_info": MachineInfo(node=node, system="Linux", python_version="3.11.7", cpu={"count": 2}),
        "operations": (operation(service_us=distribution(p50=p50, p90=p50 * 2, p99=p50 * 9)),),
    }
    Store(folder / "results").save(load_result(**fields | changed))


def process(log_ratio: float) -> dict[str, Any]:
    """Return the part of `extra_info` about one server process."""
    timed: dict[str, Any] = {"median_us": 130.0, "p99_us": 900.0, "rounds": 100, "hash_seed": 1, "environment_bytes": 0}
    timed |= {"warm_up_round_trips": 100, "steady": True, "control": None}
    return timed | {"log_ratio": {"same-stack": log_ratio, "bare": 1.0}, "pairs": {"same-stack": 10, "bare": 10}}


def save_latency(folder: Path, number: int, commit: str, *, run: int, **benchmark: Any) -> None:
    """Save a result as pytest-benchmark writes it; `benchmark` gives its `extra_info`."""
    median_us = benchmark.pop("median_us")
    seconds = dict.fromkeys(("min", "max", "mean", "median"), median_us / 1e6)
    content = {
        "datetime": (START + dt.timedelta(hours=run)).isoformat(),
        "version": "5.1.0",
        "commit_info": {"id": commit, "time": "2026-03-01T12:00:00+00:00", "dirty": False},
        "machine_info": {"node": "here", "system": "Linux", "python_version": "3.11.7", "cpu": {"count": 2}},
        "benchmarks": [
            {
                "name": "foo_bar[event]",
                "fullname": "bench/bench_round_trip.py::foo_bar[event]",
                "stats": {**seconds, "rounds": 1000},
                "extra_info": benchmark,
            }
        ],
    }
    place = folder / "results" / "latency" / "a-machine"
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{number:04}_{commit}.json").write_text(json.dumps(content))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Twenty commits, measured in another order than they were made; the thirteenth made it 8 % slower."""
    folder = tmp_path_factory.mktemp("project")
    commits = commits_in(folder, 20)
    draws = random.Random(20261123)
    for run, place in enumerate(draws.sample(range(20), 20)):
        level = 130.0 if place < 12 else 130.0 * 1.08
        drift = draws.uniform(0.7, 1.4)
        save_load(folder, commits[place], level * draws.gauss(1, 0.01), run=run, dirty=place == 5)
        processes = [process(draws.gauss(0.1 if place < 12 else 0.177, 0.01)) for _ in range(3)]
        save_latency(
            folder, run + 1, commits[place], run=run, median_us=level * drift, processes=processes, p99_us=900.0
        )
    return folder, commits


@pytest.fixture
def here(project: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The working directory is the project; its commits."""
    monkeypatch.chdir(project[0])
    return project[1]


def test_the_commits_of_a_step_are_named(capsys: pytest.CaptureFixture[str], here: list[str]) -> None:
    code, out, err = bench(capsys, "trend", "load")
    assert (code, err) == (0, "")
    step = next(line for line in out.splitlines() if line.startswith("step: "))
    assert f"between commit {here[11][:10]} (last before) and {here[12][:10]} (first after)" in step
    found = re.search(r": \+(\d\.\d) % \(\+\d\.\d to \+\d\.\d %\), worse, ", step)
    assert found
    assert float(found[1]) == pytest.approx(8, abs=1.5)


def test_rows_are_in_commit_order_and_dirty_trees_marked(capsys: pytest.CaptureFixture[str], here: list[str]) -> None:
    _, out, _ = bench(capsys, "trend", "load")
    rows = [line for line in out.splitlines() if re.match(r"[0-9a-f]{10}  ", line)]
    assert [row[:10] for row in rows] == [commit[:10] for commit in here]
    assert [number for number, row in enumerate(rows) if row.endswith("uncommitted changes")] == [5]
    lines = out.splitlines()
    assert lines[lines.index(rows[12]) - 1].startswith("-- +")


def test_the_ratio_to_the_control_is_shown_where_all_have_it(
    capsys: pytest.CaptureFixture[str], here: list[str]
) -> None:
    _, out, _ = bench(capsys, "trend", "latency")
    assert "median round trip, ratio to the control on the same stack, x control; 20 results of 20 commits" in out
    assert f"(last before) and {here[12][:10]} (first after)" in out
    _, raw, _ = bench(capsys, "trend", "latency", "--raw")
    assert "median round trip, µs; 20 results" in raw
    assert "no step in 1 series" in raw  # the machine's drift hides it


def test_of_many_results_the_last_and_the_steps_are_shown(capsys: pytest.CaptureFixture[str], here: list[str]) -> None:
    _, out, _ = bench(capsys, "trend", "load", "--last", "3")
    lines = out.splitlines()
    table = lines[lines.index(next(line for line in lines if line.startswith("commit "))) + 1 :]
    assert table[0] == ".. 11 results left out"
    assert [line[:10] for line in table[1:4:2]] == [here[11][:10], here[12][:10]]
    assert table[2].startswith("-- +")
    assert table[4] == ".. 4 results left out"
    assert [line[:10] for line in table[5:8]] == [commit[:10] for commit in here[17:]]
    assert "20 results of 20 commits; shown: the last 3 and both sides of each step" in out
    assert bench(capsys, "trend", "load", "--all") == bench(capsys, "trend", "load")  # there are just 20
    code, out, err = bench(capsys, "trend", "--all", "--last", "3")
    assert (code, out, err) == (2, "", "bench: error: --last 3 and --all: give one of them\n")


def test_the_json_has_all_of_it(capsys: pytest.CaptureFixture[str], here: list[str], tmp_path: Path) -> None:
    code, out, err = bench(capsys, "trend", "load", "--last", "3", "--json", "-")
    assert (code, err) == (0, "")
    trends = TrendFile.model_validate_json(out, strict=True)
    (series,) = trends.series
    assert (trends.schema_, trends.metric, trends.has_history) == ("trend/1", "p50", True)
    assert (series.unit, [point.commit for point in series.points]) == ("µs", here)
    (step,) = series.steps
    assert (step.before, step.after, step.is_better) == (11, 12, False)
    assert step.low is not None
    assert 0.05 < step.low < step.effect < 0.11
    assert bench(capsys, "trend", "load", "--json", tmp_path / "trend.json")[0] == 0
    assert (tmp_path / "trend.json").read_text() == out


@pytest.mark.unhurried
@pytest.mark.slow
def test_charts_are_whole_and_name_the_step(
    capsys: pytest.CaptureFixture[str], here: list[str], tmp_path: Path
) -> None:
    for ending in ("html", "svg", "png"):
        chart = tmp_path / f"chart.{ending}"
        code, out, err = bench(capsys, "trend", "--output", chart)
        assert (code, err) == (0, "")
        assert out.endswith(f"chart in {chart}\n")
    page = (tmp_path / "chart.html").read_text()
    assert not re.search(r"<(?:script|link|img|iframe)\b[^>]*(?:src|href)\s*=\s*[\"']?(?:https?:)?//", page)
    assert "window.vegaEmbed" in page
    assert f"{here[11][:10]} (last before)" in page
    drawn = (tmp_path / "chart.svg").read_text()
    assert drawn.startswith("<svg")
    assert "axis does not start at 0" in drawn
    assert here[12][:7] in drawn
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_a_name_from_a_file_is_no_script(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    evil = "</script><script>alert(1)</script>"
    save_load(tmp_path, "a" * 40, 100.0, run=0, operations=(operation(evil),))
    assert bench(capsys, "trend", "--output", "chart.html")[0] == 0
    page = Path("chart.html").read_text()
    assert "<script>alert(1)" not in page
    assert "&lt;/script&gt;&lt;script&gt;alert(1)" in page


class TestWhatIsWrong:
    @pytest.fixture(autouse=True)
    def _in_a_folder_of_its_own(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    def test_no_results(self, capsys: pytest.CaptureFixture[str]) -> None:
        said = "no results in results/latency or results/load: make one by `pytest bench` or `locust`"
        assert bench(capsys, "trend") == (2, "", f"bench: error: {said}\n")

    def test_one_result(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        save_load(tmp_path, "a" * 40, 100.0, run=0)
        code, out, err = bench(capsys, "trend")
        assert (code, err) == (0, "")
        assert "1 of 1 series too short: a step shows from 8 results on" in out

    def test_results_are_picked_by_label(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        save_load(tmp_path, "a" * 40, 100.0, run=0, labels={"machine": "ci", "team": "chat"})
        save_load(tmp_path, "b" * 40, 100.0, run=1, labels={"machine": "desk"})
        save_load(tmp_path, "c" * 40, 100.0, run=2)
        code, out, _ = bench(capsys, "trend", "--label", "machine=ci", "--label", "team=chat")
        assert code == 0
        assert [line[0] for line in out.splitlines() if re.match(r"([abc])\1{9} ", line)] == ["a"]
        said = "none of 3 stored results has --label machine=other"
        assert bench(capsys, "trend", "--label", "machine=other") == (2, "", f"bench: error: {said}\n")
        code, out, err = bench(capsys, "trend", "--label", "machine")
        assert (code, out) == (2, "")
        assert "--label 'machine': expected NAME=VALUE" in err

    def test_without_git_the_runs_order_counts(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        for run, commit in ((2, "c"), (0, "a"), (1, "b")):
            save_load(tmp_path, commit * 40, 100.0, run=run)
        _, out, _ = bench(capsys, "trend")
        assert [line[0] for line in out.splitlines() if re.match(r"([abc])\1{9} ", line)] == ["a", "b", "c"]
        assert "no git history here: results are in the order of their runs, not of their commits" in out

    @pytest.mark.parametrize(
        ("commit", "said"),
        [
            ("unversioned", "between the runs of 2026-03-01 16:00 and 2026-03-01 17:00, whose commits are not known"),
            ("a" * 40, "between two results of commit aaaaaaaaaa, so not by a change of the code that is committed"),
        ],
    )
    def test_a_step_without_a_range_of_commits(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, commit: str, said: str
    ) -> None:
        for run in range(10):
            save_load(tmp_path, commit, (100.0 if run < 5 else 110.0) + run % 3 * 0.1, run=run)
        _, out, _ = bench(capsys, "trend")
        assert said in out
        assert commit in ("a" * 40, *(line.split(" ")[0] for line in out.splitlines()))  # a word is never cut

    def test_raw_times_and_hidden_upgrades_are_said(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        save_latency(tmp_path, 1, "a" * 40, run=0, median_us=9.0, packages={"uvicorn": "1"}, processes=[process(0.1)])
        save_latency(tmp_path, 2, "b" * 40, run=1, median_us=9.0, packages={"uvicorn": "2"}, processes=[process(0.1)])
        _, out, _ = bench(capsys, "trend")
        assert "what an upgrade of it costs is hidden (--raw shows it): foo_bar[event]\n" in out
        save_latency(tmp_path, 3, "c" * 40, run=2, median_us=9.0)
        _, out, _ = bench(capsys, "trend")
        assert "raw times, which drift with the machine, as not all results have a control: foo_bar[event]\n" in out
        _, out, _ = bench(capsys, "trend", "--raw")
        assert "control" not in out

    def test_the_order_of_a_history_with_branches_is_gits(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        (root,) = commits_in(tmp_path, 1)
        git(tmp_path, "checkout", "--quiet", "-b", "side")
        git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", "Aside")
        side = git(tmp_path, "rev-parse", "HEAD")
        git(tmp_path, "checkout", "--quiet", "-")
        git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", "Ahead")
        ahead = git(tmp_path, "rev-parse", "HEAD")
        git(tmp_path, "merge", "--quiet", "--no-ff", "--message", "Both", "side")
        merged = git(tmp_path, "rev-parse", "HEAD")
        for run, commit in enumerate((merged, side, ahead, root)):
            save_load(tmp_path, commit, 100.0, run=run)
        _, out, _ = bench(capsys, "trend")
        rows = re.findall(r"^([0-9a-f]{10})  ", out, re.MULTILINE)
        assert (rows[0], rows[3]) == (root[:10], merged[:10])
        assert {*rows[1:3]} == {side[:10], ahead[:10]}

    def test_an_unknown_commit_is_said(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        (known,) = commits_in(tmp_path, 1)
        save_load(tmp_path, known, 100.0, run=0)
        save_load(tmp_path, "f" * 40, 100.0, run=1)
        _, out, _ = bench(capsys, "trend")
        assert "not in this repository, placed by the commit's or the run's time: ffffffffff\n" in out

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (
                '{"schema": "load/9"}',
                "has schema 'load/9', but this version reads 'load/1', 'load/2', 'load/3', 'load/4' or 'load/5'",
            ),
            ('{"schema": "load/1", "datet', "not whole JSON: "),
            ("", "the file is empty"),
        ],
    )
    def test_a_damaged_file_is_named_and_the_rest_shown(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str, said: str
    ) -> None:
        save_load(tmp_path, "a" * 40, 100.0, run=0)
        (place,) = (tmp_path / "results" / "load").iterdir()
        (place / "0002_x.json").write_text(content)
        code, out, err = bench(capsys, "trend")
        assert code == 0
        assert "1 result of 1 commit" in out
        assert err.startswith(f"bench: left out: results/load/{place.name}/0002_x.json: {said}")
        assert err.count("\n") == 1
        next(place.glob("0001*")).unlink()
        code, _, err = bench(capsys, "trend")
        assert code == 2
        assert err.endswith(
            "bench: error: no results in results/latency or results/load: none of 1 files can be read\n"
        )

    def test_saturated_results_are_shown_but_not_judged(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        for run in range(20):
            saturated = Generator(processes=1, verdict="saturated", reason="CPU share 0.99")
            is_slow = run >= 10
            save_load(
                tmp_path,
                f"{run:x}" * 40 if run < 16 else f"{run:02d}" * 20,
                150.0 if is_slow else 100.0,
                run=run,
                generator=saturated if is_slow else Generator(processes=1, verdict="ok"),
            )
        _, out, _ = bench(capsys, "trend")
        assert out.count("generator saturated\n") == 10
        assert "20 results of 20 commits, 10 of them judged" in out
        assert "no step in 1 series" in out

    def test_machines_and_scenarios_are_apart(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        for run, node in enumerate(("here", "there", "here")):
            save_load(tmp_path, "a" * 40, 100.0, run=run, node=node)
        scenario = load_result().scenario.model_copy(update={"users": 99})
        save_load(tmp_path, "a" * 40, 100.0, run=3, scenario=scenario)
        _, out, _ = bench(capsys, "trend")
        assert re.findall(r"; (\d) results? of 1 commit\n", out) == ["2", "1", "1"]
        assert "users 50" in out
        assert "users 99" in out
        _, out, _ = bench(capsys, "trend", "--machine", "there")
        assert re.findall(r"; (\d) results? of 1 commit\n", out) == ["1"]

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (["--machine", "nowhere"], "no p50 of a machine 'nowhere' to show in 1 stored results; they are of here, "),
            (["--benchmark", "nope"], "no p50 of a benchmark 'nope' to show in 1 stored results; they are of here, "),
            (["--output", "chart.pdf"], "--output chart.pdf: its name has to end in .html, .svg, .png"),
            (["--output", "no/chart.svg"], "--output no/chart.svg: No such file or directory"),
            (["--metric", "p42"], "Invalid value for '--metric'"),
            (["--significance", "2"], "Invalid value for '--significance'"),
            (["latency"], "no results in results/latency: make one by"),
        ],
    )
    def test_misuse_is_one_line(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, options: list[str], said: str
    ) -> None:
        save_load(tmp_path, "a" * 40, 100.0, run=0)
        code, _, err = bench(capsys, "trend", *options)
        assert code == 2
        assert err.startswith(f"bench: error: {said}")
        assert err.count("\n") == 1
