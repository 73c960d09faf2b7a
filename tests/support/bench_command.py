"""The `bench` command, run in this process or started as one."""

import sys
from pathlib import Path

import pytest

from bench.cli import main

#: Starts it as a process.
BENCH: list[str | Path] = [sys.executable, "-c", "from bench.cli import main; main()"]


def bench(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `bench` with these arguments."""
    before, sys.argv = sys.argv, ["bench", *map(str, arguments)]
    try:
        with pytest.raises(SystemExit) as exited:
            main()
    finally:
        sys.argv = before
    code = exited.value.code
    assert isinstance(code, int)
    written = capsys.readouterr()
    return code, written.out, written.err
