"""The dependencies of a revision, as its files name them."""

from pathlib import Path

import pytest

from bench.ab.environments import dependencies, environment
from bench.ab.errors import AbError


def project(dependencies: str) -> str:
    return f'[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.11"\n{dependencies}\n'


def test_dependencies_are_what_the_lock_says_else_the_project(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    assert dependencies([inner, tmp_path]).file == ""
    (tmp_path / "pyproject.toml").write_text(project('dependencies = ["b", "a>=1"]'))
    found = dependencies([inner, tmp_path])
    assert (found.file, found.requirements, found.python) == ("pyproject.toml", ("a>=1", "b"), ">=3.11")
    (tmp_path / "pyproject.toml").write_text(project('dependencies = ["a>=1", "b"]\n[tool.x]\ny = 1'))
    assert dependencies([inner, tmp_path]).digest == found.digest
    (inner / "requirements.lock").write_text("a==1\n")
    (inner / ".python-version").write_text("3.12\n")
    locked = dependencies([inner, tmp_path])
    assert (locked.file, locked.requirements, locked.python) == ("requirements.lock", ("a==1",), "3.12")
    assert locked.digest != found.digest


@pytest.mark.parametrize(
    ("text", "said"),
    [("[project", r"pyproject\.toml: not TOML"), (project("dependencies = 3"), "project.dependencies is no list")],
)
def test_a_project_that_cannot_be_read(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(AbError, match=said):
        dependencies([tmp_path])


def test_an_environment_needs_to_be_told_what_is_in_it(tmp_path: Path) -> None:
    with pytest.raises(AbError, match=r"^--env-per-rev: there is neither requirements.lock nor a pyproject.toml"):
        environment(dependencies([tmp_path]), tmp_path / "cache")
