"""Tests of the names that users import from `bench`."""

import subprocess
import sys

import bench
from bench.scenarios.model import Emission, RoundTrip
from bench.server import UvicornTestServer
from bench.wire.connection import Connection


def python(program: str) -> str:
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    return ended.stdout.strip()


def test_importing_bench_imports_nothing_that_a_user_did_not_ask_for() -> None:
    heavy = "{'locust', 'gevent', 'socketio', 'uvicorn', 'h11', 'pydantic', 'numpy'}"
    assert python(f"import sys, bench; print(sorted({heavy} & set(sys.modules)))") == "[]"


def test_names_without_locust() -> None:
    program = "import sys; from bench import Connection, RoundTrip, UvicornTestServer; print('locust' in sys.modules)"
    assert python(program) == "False"
    assert (bench.Connection, bench.RoundTrip, bench.UvicornTestServer) == (Connection, RoundTrip, UvicornTestServer)
    assert bench.Emission is Emission


def test_names_that_come_with_locust() -> None:
    program = (
        "from bench import SocketIOUser, task; import bench.load, locust\n"
        "print(SocketIOUser is bench.load.SocketIOUser, issubclass(SocketIOUser, locust.User), task is bench.load.task)"
    )
    assert python(program) == "True True True"


def test_there_is_no_other_name() -> None:
    assert set(bench.__all__) <= set(dir(bench))
    assert not hasattr(bench, "FanOut")
