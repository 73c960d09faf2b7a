"""The table of a load run, printed in a process that gevent has patched."""

import subprocess
import sys

from tests.support.folders import ROOT


class TestLoadTable:
    def test_inside_a_process_that_is_patched_for_gevent(self) -> None:
        code = (
            "import gevent.monkey; gevent.monkey.patch_all(); import sys, threading;"
            "from tests.support.example_results import load_result; from rich.console import Console;"
            "from bench.report.load import load_document; from bench.report.formats.text import print_document;"
            "print_document(load_document(load_result()), Console()); print(threading.active_count())"
        )
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT)
        assert "\noperation " in said.stdout, said.stderr
        assert said.stdout.endswith("generator ok\n1\n")
        assert "\x1b" not in said.stdout
