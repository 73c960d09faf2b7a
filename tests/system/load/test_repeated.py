"""A user whose only task is a round trip: `repeated_round_trips.py`, in a process that Locust has patched."""

import subprocess
import sys

from tests.support.folders import ROOT

_IN_LOCUST = """
import locust, pytest, sys
sys.exit(pytest.main([*sys.argv[1:], "-q", "-p", "no:cacheprovider", "-o", "addopts="]))
"""


def test_a_task_that_is_nothing_but_a_round_trip() -> None:
    tests = ROOT / "tests" / "system" / "load" / "repeated_round_trips.py"
    command = [sys.executable, "-c", _IN_LOCUST, str(tests)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert ended.returncode == 0, ended.stdout[-8000:] + ended.stderr[-2000:]
