"""Provenance where it takes processes: beside pytest-benchmark's, alone, and in a process that gevent has patched."""

import os
import subprocess
import sys

from pytest_benchmark.plugin import pytest_benchmark_generate_machine_info

from bench.results.provenance import machine_info


def test_the_machine_is_described_as_pytest_benchmark_does() -> None:
    described = pytest_benchmark_generate_machine_info()  # type: ignore[no-untyped-call]
    ours = machine_info().model_dump()
    assert ours.keys() == described.keys()
    assert ours | {"cpu": None} == described | {"cpu": None}
    assert ours["cpu"].keys() == described["cpu"].keys()
    assert machine_info() is machine_info()


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
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert said.stdout == f"{os.cpu_count()} unversioned True\n", said.stderr
