"""Processes as the machine's conditions see them: children's time, and how an interpreter was started."""

import os
import subprocess
import sys
import time

import pytest

from bench.machine.conditions import Conditions

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")


def burn(seconds: float) -> None:
    until_ns = time.process_time_ns() + int(seconds * 1e9)
    while time.process_time_ns() < until_ns:
        pass


@linux_only
def test_cpu_time_of_children_is_ours_while_they_live_and_after() -> None:
    def own_s() -> float:
        seconds = Conditions.now([0]).counters.own_cpu_s
        assert seconds is not None
        return seconds

    start_s = own_s()
    burn(0.1)
    after_own_s = own_s()
    assert after_own_s >= start_s + 0.05
    program = "import time\nwhile time.process_time() < 0.2: pass\nprint(flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        with_child_s = own_s()
        assert with_child_s >= after_own_s + 0.15
        child.stdin.write(b"\n")
    assert own_s() >= with_child_s


@pytest.mark.parametrize(
    ("arguments", "variables", "found"),
    [
        ([], {}, []),
        (["-X", "dev"], {}, ["Python's development mode"]),
        ([], {"PYTHONASYNCIODEBUG": "1"}, ["asyncio's debug mode"]),
        (["-E"], {"PYTHONASYNCIODEBUG": "1"}, []),
    ],
)
def test_how_the_interpreter_was_started(arguments: list[str], variables: dict[str, str], found: list[str]) -> None:
    program = "from bench.machine.conditions import Conditions; print(*Conditions.now([0]).debugging, sep=';')"
    ended = subprocess.run(
        [sys.executable, *arguments, "-c", program],
        env=os.environ | {"PYTHONDEVMODE": "", "PYTHONASYNCIODEBUG": ""} | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.strip() == ";".join(found)
