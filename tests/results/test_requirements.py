"""The packages that a project asks for, beside those of this environment: plain files."""

from importlib.metadata import version
from pathlib import Path

import pytest

from bench.results.requirements import other_packages

HERE = version("uvicorn")
OTHER = "0.0.1"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, None),
        ({"requirements.txt": "uvicorn\n"}, None),
        ({"requirements.txt": f"# all\nuvicorn=={HERE}  # ours\n-r other.txt\n./local\n"}, None),
        (
            {"requirements.txt": f"uvicorn[standard]=={OTHER}\n"},
            f"requirements.txt asks for others: uvicorn=={OTHER} (here",
        ),
        ({"requirements.txt": f"uvicorn=={OTHER} \\\n    --hash=sha256:12\n"}, f"uvicorn=={OTHER} (here {HERE})"),
        ({"requirements.txt": "no-such-package>=2\n"}, "no-such-package>=2 (not here)"),
        ({"requirements.txt": "no-such-package; sys_platform == 'win32'\n"}, None),
        ({"requirements.lock": f"no-such-package==2\nuvicorn=={HERE}\n"}, None),
        (
            {"pyproject.toml": f'[project]\ndependencies = ["uvicorn<{HERE}"]\n'},
            f"pyproject.toml asks for others: uvicorn<{HERE}",
        ),
        ({"pyproject.toml": "[tool.x]\n"}, None),
        ({"pyproject.toml": "not toml"}, None),
        (
            {"uv.lock": f'[[package]]\nname = "uvicorn"\nversion = "{OTHER}"\n', "requirements.txt": "uvicorn\n"},
            f"its uv.lock asks for others: uvicorn=={OTHER} (here {HERE}); --serve runs it in an",
        ),
        ({"requirements.txt": "".join(f"no-such-{n}\n" for n in range(9))}, "no-such-3 (not here) and 5 more; --serve"),
    ],
)
def test_what_is_asked_for_and_is_not_here(tmp_path: Path, files: dict[str, str], said: str | None) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    line = other_packages([tmp_path / "missing", tmp_path], "chat:app")
    if said is None:
        assert line is None
        return
    assert line is not None
    assert line.startswith("chat:app runs with the packages of this environment, but its ")
    assert said in line


def test_the_nearest_folder_that_asks_for_any_counts(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "requirements.txt").write_text("uvicorn\n")
    (tmp_path / "requirements.txt").write_text("no-such-package\n")
    assert other_packages([tmp_path / "inner", tmp_path], "chat:app") is None
