"""The hot path in C: found only where it was built from the present sources; what it does, the other tests say.

`make test-compiled` builds it and runs those tests with it. Without a build, what needs one is skipped here.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from bench.compiled import MODULES, PURE, ROOT, build_folder, built_file, compiled_source, source

_FOLDER = build_folder()

#: A module that has a compiled form of its own.
_OF_TWO_FORMS = "bench.wire.masking"

needs_build = pytest.mark.skipif(not _FOLDER.exists(), reason="not compiled: make compiled")

_ORIGINS = f"""
import importlib
for name in {MODULES}:
    print(importlib.import_module(name).__file__)
"""

_REFUSED = "It stays plain Python, which does the same.\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the sources, with nothing built."""
    shutil.copytree(ROOT / "bench", tmp_path / "bench", ignore=shutil.ignore_patterns(".*", "node_modules", "*cache*"))
    return tmp_path


@pytest.fixture
def built_tree(tree: Path) -> Path:
    shutil.copytree(_FOLDER, tree / _FOLDER.relative_to(ROOT))
    return tree


def run(tree: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name != PURE}
    return subprocess.run(
        [sys.executable, *arguments], cwd=tree, env=inherited | environment, capture_output=True, text=True, timeout=120
    )


def suffixes(tree: Path, **environment: str) -> set[str]:
    """Return the suffixes of the files that a new process imports the modules from."""
    finished = run(tree, "-c", _ORIGINS, **environment)
    assert finished.returncode == 0, finished.stderr
    origins = [Path(line) for line in finished.stdout.splitlines()]
    assert len(origins) == len(MODULES)
    assert all(origin.is_relative_to(tree) for origin in origins)
    return {"".join(origin.suffixes) for origin in origins}


def test_without_a_build_the_sources_run(tree: Path) -> None:
    assert suffixes(tree) == {".py"}


@needs_build
def test_what_is_built_runs(built_tree: Path) -> None:
    assert suffixes(built_tree) == {EXTENSION_SUFFIXES[0]}
    assert suffixes(built_tree, BENCH_PURE="1") == {".py"}
    say = "from bench.results.provenance import packages; print(packages().get('hot path'))"
    assert run(built_tree, "-c", say).stdout == "compiled\n"
    assert run(built_tree, "-c", say, BENCH_PURE="1").stdout == "None\n"


@needs_build
@pytest.mark.parametrize("changed", [*MODULES, "types", "compiled form"])
def test_a_build_of_other_sources_is_not_used(built_tree: Path, changed: str) -> None:
    name = {"types": MODULES[0], "compiled form": _OF_TWO_FORMS}.get(changed, changed)
    path = built_tree / source(name).relative_to(ROOT)
    if changed == "types":
        path = path.with_suffix(".pxd")
    elif changed == "compiled form":
        path = built_tree / compiled_source(name).relative_to(ROOT)
        assert path.suffix == ".pyx"
    path.write_text(path.read_text() + "# changed\n")
    assert suffixes(built_tree) == {".py"}


@needs_build
def test_half_a_build_is_not_used(built_tree: Path) -> None:
    built_file(built_tree / _FOLDER.relative_to(ROOT), MODULES[-1]).unlink()
    assert suffixes(built_tree) == {".py"}


@needs_build
def test_what_is_built_is_not_built_again(built_tree: Path) -> None:
    finished = run(built_tree, "-m", "bench.compiled", PATH="")
    assert (finished.returncode, finished.stderr) == (0, "")
    assert "compiled already" in finished.stdout


def test_without_a_compiler(tree: Path) -> None:
    finished = run(tree, "-m", "bench.compiled", PATH=str(tree))
    assert finished.returncode == 2
    assert finished.stdout == ""
    assert finished.stderr.startswith("The hot path cannot be compiled: there is no C compiler (")
    assert finished.stderr.endswith(_REFUSED)
    assert not (tree / "build").exists()


@needs_build
def test_what_cython_does_not_take(tree: Path) -> None:
    types = (tree / source(MODULES[0]).relative_to(ROOT)).with_suffix(".pxd")
    types.write_text(types.read_text() + "cdef no such thing\n")
    finished = run(tree, "-m", "bench.compiled")
    assert finished.returncode == 1
    assert "cdef no such thing" in finished.stderr
    assert finished.stderr.endswith(f"Cython does not take it. {_REFUSED}")
    assert not list((tree / "build" / "compiled").iterdir())


@needs_build
def test_where_nothing_can_be_written(tree: Path) -> None:
    (tree / "build").write_text("a file where a folder should be\n")
    finished = run(tree, "-m", "bench.compiled")
    assert finished.returncode == 1
    assert "Traceback" not in finished.stderr
    assert len(finished.stderr.splitlines()) == 1
    assert finished.stderr.endswith(_REFUSED)


@pytest.mark.skipif(
    not (shutil.which("cc") and Path(sysconfig.get_path("include"), "Python.h").exists()),
    reason="there is no C compiler, or nothing for it to include",
)
def test_without_cython(tree: Path) -> None:
    (tree / "Cython.py").write_text("raise ImportError('not here', name='Cython')\n")  # found before the real one
    finished = run(tree, "-m", "bench.compiled")
    assert finished.returncode == 2
    assert "Cython is not installed: pip install -e '.[dev]'" in finished.stderr
    assert finished.stderr.endswith(_REFUSED)
    assert not (tree / "build").exists()
