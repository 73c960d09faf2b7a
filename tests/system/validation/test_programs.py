"""Generators that end by themselves: their exit code, and the limit of their time."""

import sys
from pathlib import Path

import pytest

from bench.validation.peers.generator import Program
from bench.validation.peers.peer import Command, LeftOut


@pytest.mark.parametrize("code", [0, 1, 3])
def test_the_exit_code_is_the_programs_own(tmp_path: Path, code: int) -> None:
    with Program(Command([sys.executable, "-c", f"raise SystemExit({code})"]), (), tmp_path / "log") as program:
        assert program.wait(30) == code


def test_a_program_that_does_not_end_is_left_out(tmp_path: Path) -> None:
    command = Command([sys.executable, "-c", "import time; time.sleep(60)"])
    with (
        Program(command, (), tmp_path / "log") as program,
        pytest.raises(LeftOut, match=r"^it did not end within 0\.2 s$"),
    ):
        program.wait(0.2)
