"""Processes that come near to the limit of open files."""

import subprocess
import sys

from tests.support.folders import ROOT


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    code = (
        "import resource as r, bench.machine.descriptors as d; r.setrlimit(r.RLIMIT_NOFILE, (64, 100));"
        "d.raise_file_limit(); print(r.getrlimit(r.RLIMIT_NOFILE))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert said.stdout == "(100, 100)\n", said.stderr


def test_a_reserve_of_which_nothing_is_left() -> None:
    code = (
        "import os, resource as r, bench.machine.descriptors as d; r.setrlimit(r.RLIMIT_NOFILE, (8, 8));"
        "a = d.Reserve(100).hold(); b = d.Reserve(1).hold(); a.release(); "
        "os.close(os.open('/dev/null', 0)); print('ok')"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert said.stdout == "ok\n", said.stderr
