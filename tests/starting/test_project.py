"""The project that a workflow installs, from where another machine finds it."""

import json
from typing import Any

import pytest

from bench.starting import project


class Installed:
    """An installed distribution that pip found at an address; None if it came from an index."""

    def __init__(self, origin: dict[str, Any] | None) -> None:
        self.origin = origin

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return None if self.origin is None else json.dumps(self.origin)


REPOSITORY = {"url": "https://example.org/bench.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}}
TO_FILL_IN = "socketio-bench @ git+https://github.com/OWNER/socketio-bench"


@pytest.mark.parametrize(
    ("origin", "source"),
    [
        (None, "socketio-bench"),
        (REPOSITORY, "socketio-bench @ git+https://example.org/bench.git@abc"),
        (REPOSITORY | {"url": "https://me:secret@example.org/bench.git"}, TO_FILL_IN),
        ({"url": "https://example.org/b.whl", "archive_info": {}}, "socketio-bench @ https://example.org/b.whl"),
        ({"url": "file:///home/me/clone", "dir_info": {}}, TO_FILL_IN),
        ({"url": "file:///home/me/clone", "dir_info": {"editable": True}}, TO_FILL_IN),
        ({"url": "file:///tmp/socketio_bench-0.1.0-py3-none-any.whl", "archive_info": {}}, TO_FILL_IN),
        ({"url": "file:///home/me/clone", "vcs_info": {"vcs": "git", "commit_id": "abc"}}, TO_FILL_IN),
    ],
)
def test_the_project_comes_from_where_a_runner_finds_it(
    monkeypatch: pytest.MonkeyPatch, origin: dict[str, Any] | None, source: str
) -> None:
    monkeypatch.setattr(project, "distribution", lambda name: Installed(origin))
    assert project.suite_source() == source
