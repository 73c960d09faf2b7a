"""The project's own table in pyproject.toml, and what says where results lie."""

from pathlib import Path

import pytest

from bench.project_settings import ProjectSettings, ProjectSettingsError, project_settings, results_folder


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCH_RESULTS", raising=False)


def write(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "pyproject.toml"
    file.write_text(text)
    return file


def test_the_nearest_table_upward_counts_and_its_paths_are_relative_to_its_file(tmp_path: Path) -> None:
    write(tmp_path, '[tool.socketio-bench]\nresults = "far"\n')
    write(tmp_path / "project", '[tool.socketio-bench]\nresults = "measured/results"\n')
    write(tmp_path / "project" / "service", "[project]\nname = 'service'\n")  # it has no such table
    below = tmp_path / "project" / "service" / "deep"
    below.mkdir()
    assert project_settings(below).results == tmp_path / "project" / "measured" / "results"


def test_without_a_table_nothing_is_set(tmp_path: Path) -> None:
    write(tmp_path, '[project]\ndependencies = ["socketio-bench"]\n')
    assert project_settings(tmp_path) == ProjectSettings()


def test_a_file_that_is_not_about_us_may_be_broken(tmp_path: Path) -> None:
    write(tmp_path, "[project\n")
    assert project_settings(tmp_path) == ProjectSettings()


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('result = "here"', "[tool.socketio-bench] has no setting 'result': did you mean 'results'?"),
        ("colour = 1", "[tool.socketio-bench] has no setting 'colour': it has 'results'"),
        ("results = 7", 'results is 7: expected the folder of the results, as in "results"'),
        ('results = ""', "results is ''"),
        ('results = "a\\u0000"', "expected the folder of the results"),
        ("results = ", "not TOML"),
        ("slo = 7", 'slo is 7: expected a list of objectives, as in ["p99 < 50 ms"]'),
        ('slo = ["p99 < 1 s", 7]', "expected a list of objectives"),
    ],
)
def test_what_cannot_be_is_a_line_that_names_the_file(table: str, said: str, tmp_path: Path) -> None:
    file = write(tmp_path, f"[tool.socketio-bench]\n{table}\n")
    with pytest.raises(ProjectSettingsError) as raised:
        project_settings(tmp_path)
    text = str(raised.value)
    assert text.startswith(f"{file}: ")
    assert said in text
    assert "\n" not in text


@pytest.mark.parametrize(
    "name",
    [
        "tool.socketio_bench",
        "tool.socketio-benchmark",
        "tool.SocketIO-Bench",
        'tool."socket.io-bench"',
        "tool.socketio.bench",
        "tool.sockeito-bench",
        "tool.socketio-bnech",
        "socketio-bench",
        "socketio_bench",
    ],
)
@pytest.mark.parametrize("others", ["", '[tool.socketio-bench]\nresults = "here"\n'])
def test_a_name_that_is_nearly_ours_is_refused_with_the_right_name(name: str, others: str, tmp_path: Path) -> None:
    file = write(tmp_path, f'{others}[{name}]\nslo = ["p99 < 1 s"]\n')
    (tmp_path / "below").mkdir()
    with pytest.raises(ProjectSettingsError) as raised:
        project_settings(tmp_path / "below")
    shown = name.replace('"', "")
    assert str(raised.value) == f"{file}: [{shown}] is read by nobody: write [tool.socketio-bench]"


@pytest.mark.parametrize("name", ["socketio", "bench", "pytest-benchmark", "socketio-admin", "locust"])
def test_the_table_of_another_tool_is_left_alone(name: str, tmp_path: Path) -> None:
    write(tmp_path, f"[tool.{name}]\nslo = 1\n[dependency-groups]\ndev = ['socketio-bench']\n")
    assert project_settings(tmp_path) == ProjectSettings()


def test_objectives_are_a_text_or_a_list_of_texts(tmp_path: Path) -> None:
    file = write(tmp_path, '[tool.socketio-bench]\nslo = ["p99 < 1 s", "errors < 1 %"]\n')
    assert (project_settings(tmp_path).slo, project_settings(tmp_path).file) == (("p99 < 1 s", "errors < 1 %"), file)
    write(tmp_path, '[tool.socketio-bench]\nslo = "p99 < 1 s; errors < 1 %"\n')
    assert project_settings(tmp_path).slo == ("p99 < 1 s; errors < 1 %",)


def test_what_is_no_table_is_a_line(tmp_path: Path) -> None:
    write(tmp_path, '[tool]\nsocketio-bench = "results"\n')
    with pytest.raises(ProjectSettingsError, match="expected a table"):
        project_settings(tmp_path)


def test_the_command_line_comes_before_the_environment_and_that_before_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert results_folder() == Path("results")
    write(tmp_path, '[tool.socketio-bench]\nresults = "./kept"\n')
    assert results_folder() == Path("kept")
    monkeypatch.setenv("BENCH_RESULTS", "named")
    assert results_folder() == Path("named")
    assert results_folder("given") == Path("given")


def test_the_folder_is_absolute_outside_of_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, '[tool.socketio-bench]\nresults = "kept"\n')
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path / "docs")
    assert results_folder() == tmp_path / "kept"
