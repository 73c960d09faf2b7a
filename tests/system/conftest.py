"""Tests that start processes: each has the marker `system`, because it is in this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.server import ServerProcess

_FOLDER = Path(__file__).parent
#: This module comes first: the last of `make test-slow` would be alone with it.
_LONGEST = _FOLDER / "test_docs.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(_FOLDER):
            item.add_marker("system")
    items.sort(key=lambda item: item.path != _LONGEST)


@pytest.fixture(scope="session", autouse=True)
def _temporary_files_of_commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Have the commands that tests start leave what they keep after a failure in a folder of the session's own."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TMPDIR", str(tmp_path_factory.mktemp("commands")))
        yield


@pytest.fixture
def service() -> Iterator[ServerProcess]:
    """Start the FOO→BAR service for one test: its counts begin at zero."""
    with ServerProcess() as server:
        yield server


@pytest.fixture(scope="module")
def shared() -> Iterator[ServerProcess]:
    """Start the FOO→BAR service for all tests of a module that can do with that."""
    with ServerProcess() as server:
        yield server
