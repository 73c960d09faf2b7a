"""A process that is interrupted several times."""

import subprocess
import sys
from pathlib import Path

import pytest

#: Ctrl-C comes when Python frees its modules, after it has given SIGINT back to the system.
LATE = (
    "import os, signal, sys\n"
    "class Late:\n"
    "    def __del__(self, kill=os.kill, pid=os.getpid(), number=signal.SIGINT):\n"
    "        kill(pid, number)\n"
    "sys.late = Late()\n"
)


def test_a_later_one_ends_the_process() -> None:
    code = (
        "import signal, bench.machine.interrupts as i\n"
        "i.HASTE_S = 0\n"
        "i.take_interrupts(i.Patient())\n"
        "for _ in range(2):\n"
        "    try:\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "    except KeyboardInterrupt:\n"
        "        print('first', flush=True)\n"
        "print('never')\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (130, "first\n")
    assert ended.stderr == "interrupted again: ended at once\n"


@pytest.mark.parametrize(
    "command", ["from bench.__main__ import main; main()", "import pytest; sys.exit(pytest.main(sys.argv[1:]))"]
)
def test_a_late_one_does_not_change_the_exit_code(command: str, tmp_path: Path) -> None:
    arguments = (
        ["trend"] if "__main__" in command else ["--pyargs", "bench", "--collect-only", "-q", "-s", "--url", "http://x"]
    )
    ended = subprocess.run(
        [sys.executable, "-c", LATE + command, *arguments], capture_output=True, text=True, cwd=tmp_path
    )
    assert ended.returncode >= 0, ended.stderr
    assert "Traceback" not in ended.stderr
