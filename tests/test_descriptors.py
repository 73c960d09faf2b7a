"""Files that may be open: the limit is raised and named, and some are kept in reserve."""

import errno
import os
import subprocess
import sys
from pathlib import Path

from bench.machine.descriptors import Reserve, file_limit_reason, file_limit_reason_in, is_file_limit_reason
from bench.wire.reasons import os_reason


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    code = (
        "import resource as r, bench.machine.descriptors as d; r.setrlimit(r.RLIMIT_NOFILE, (64, 100));"
        "d.raise_file_limit(); print(r.getrlimit(r.RLIMIT_NOFILE))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert said.stdout == "(100, 100)\n", said.stderr


def test_the_limit_is_named() -> None:
    reason = os_reason(OSError(errno.EMFILE, "Too many open files"))
    assert reason == file_limit_reason(errno.EMFILE)
    assert reason.startswith("this process may open no more than ")
    assert reason.endswith(" files: raise `ulimit -n`")
    assert is_file_limit_reason(f"http://host cannot be reached: {reason}")
    assert file_limit_reason_in(f"http://host cannot be reached: {reason}") == reason
    assert "fs.file-max" in os_reason(OSError(errno.ENFILE, "File table overflow"))


def test_a_reserve_keeps_places() -> None:
    def opened() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    before = opened()
    reserve = Reserve(5).hold()
    assert opened() == before + 5
    reserve.hold()
    assert opened() == before + 5
    reserve.release()
    assert opened() == before


def test_a_reserve_of_which_nothing_is_left() -> None:
    code = (
        "import os, resource as r, bench.machine.descriptors as d; r.setrlimit(r.RLIMIT_NOFILE, (8, 8));"
        "a = d.Reserve(100).hold(); b = d.Reserve(1).hold(); a.release(); "
        "os.close(os.open('/dev/null', 0)); print('ok')"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[1])
    assert said.stdout == "ok\n", said.stderr
