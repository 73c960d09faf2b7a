"""Provenance in processes of its own: imports, and a process that gevent has patched."""

import os
import subprocess
import sys


def test_describing_imports_neither_locust_nor_a_server() -> None:
    code = (
        "import sys; from pathlib import Path; from bench.results.provenance import *;"
        "packages(); commit_info(Path.cwd()); service_directory('uvicorn:run');"
        "print({'locust', 'gevent', 'uvicorn', 'socketio'} & sys.modules.keys())"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


def test_inside_a_process_that_is_patched_for_gevent() -> None:
    code = (
        "import gevent.monkey; gevent.monkey.patch_all();"
        "from pathlib import Path; from bench.results.provenance import *;"
        "print(machine_info().cpu['count'], commit_info(Path('/')).id, 'uvicorn' in packages())"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert said.stdout == f"{os.cpu_count()} unversioned True\n", said.stderr
