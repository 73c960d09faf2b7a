"""The checkout, told from its files, and the commands that need it."""

from pathlib import Path

import pytest

from bench import checkout
from bench.checkout import NotInCheckoutError, checkout_around, need_checkout
from tests.support.folders import ROOT


def test_a_checkout_is_found_from_any_place_in_it(tmp_path: Path) -> None:
    assert checkout_around(ROOT) == ROOT
    assert checkout_around(ROOT / "examples" / "chat" / "load.py") == ROOT
    assert checkout_around(tmp_path, ROOT / "locustfile.py") == ROOT


@pytest.mark.parametrize(
    ("project", "has_app"),
    [('[project]\nname = "shop"\n', True), ('[project]\nname = "socketio-bench"\n', False), (None, True)],
    ids=["another project's app", "without the service", "no project"],
)
def test_another_project_is_no_checkout(tmp_path: Path, project: str | None, has_app: bool) -> None:
    if project is not None:
        (tmp_path / "pyproject.toml").write_text(project)
    if has_app:
        (tmp_path / "app").mkdir()
        (tmp_path / "app" / "main.py").touch()
    assert checkout_around(tmp_path) is None


def test_a_pyproject_that_is_no_text_is_of_another_project(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.py").touch()
    (tmp_path / "pyproject.toml").write_bytes(b"\xff\xfe")
    assert checkout_around(tmp_path) is None


def test_what_needs_the_checkout_says_so_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_checkout("bench accuracy")
    monkeypatch.setattr(checkout, "HOME", tmp_path)
    with pytest.raises(NotInCheckoutError, match=r"^bench accuracy needs a checkout") as raised:
        need_checkout("bench accuracy")
    assert "\n" not in str(raised.value)
