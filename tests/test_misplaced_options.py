"""Options that belong to another command: what `bench ab` says of them."""

import pytest

from bench.misplaced_options import misplaced, misplaced_options
from tests.support.bench_command import bench


def test_bench_ab_names_what_to_use(capsys: pytest.CaptureFixture[str]) -> None:
    for option in misplaced_options("bench ab"):
        said = (2, "", f"bench: error: {misplaced('bench ab', option)}\n")
        assert bench(capsys, "ab", "main", "HEAD", option, "5") == said
        if option.startswith("--"):
            assert bench(capsys, "ab", "main", "HEAD", f"{option}=5") == said
    _, _, error = bench(capsys, "ab", "main", "HEAD", "--url", "http://localhost:8000")
    assert "say how with --app MODULE:ATTR, or with --serve 'COMMAND {port}'" in error


def test_another_option_is_as_unknown_as_before(capsys: pytest.CaptureFixture[str]) -> None:
    assert misplaced("bench ab", "--nope") is None
    assert bench(capsys, "ab", "main", "HEAD", "--nope")[2].startswith("bench: error: No such option: --nope")
