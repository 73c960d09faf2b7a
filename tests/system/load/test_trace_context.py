"""--trace-context: a service reads it with OpenTelemetry, and the slowest round trips are found in its traces."""

import sys
from pathlib import Path

import pytest

from tests.support.locust_process import LocustProcess
from tests.system.latency.test_runs import Bench

SERVICE = """
import asyncio
import sys
from pathlib import Path

import socketio
import uvicorn
from opentelemetry import propagate, trace

tracer = trace.get_tracer("chat")
sio = socketio.AsyncServer(async_mode="asgi")
seen = 0

@sio.on("say")
async def say(sid, data):
    global seen
    with tracer.start_as_current_span("say", context=propagate.extract(data)):
        span = trace.get_current_span().get_span_context()
        seen += 1
        is_slow = seen % 40 == 0
        with Path("traces.txt").open("a") as file:
            print(f"{span.trace_id:032x}", "slow" if is_slow else "quick", span.trace_flags.sampled, file=file)
        if is_slow:
            await asyncio.sleep(0.5)
        await sio.emit("said", {"id": data["id"]}, to=sid)

uvicorn.run(socketio.ASGIApp(sio, on_shutdown=sio.shutdown), port=int(sys.argv[1]), log_level="warning")
"""

SCENARIOS = f"""
from bench import RoundTrip
serve = "{sys.executable} service.py {{port}}"
say = RoundTrip("say", emit="say", data={{"id": "{{token}}"}}, reply="said")
"""

USERS = """
from scenarios import say, serve
from locust import constant
from bench import SocketIOUser, task

class Talker(SocketIOUser):
    wait_time = constant(0.02)
    talk = task(say)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"service": SERVICE, "scenarios": SCENARIOS, "users": USERS}.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def traces(folder: Path) -> dict[str, str]:
    """Return what the service did, by the traces that it was given."""
    lines = [line.split() for line in (folder / "traces.txt").read_text().splitlines()]
    assert len({trace for trace, *_ in lines}) == len(lines), "each emission has a trace of its own"
    assert {sampled for *_, sampled in lines} == {"True"}
    return {trace: pace for trace, pace, _ in lines}


def run(folder: Path, *options: str) -> LocustProcess:
    traced = (*options, "--trace-context", "traceparent")
    with LocustProcess(folder, *traced, locustfile=folder / "users.py", directory=folder) as locust:
        locust.wait()
    return locust


def test_the_slowest_are_found_in_the_traces_of_the_service(folder: Path) -> None:
    locust = run(folder, "-u", "4", "-r", "100", "-t", "3s", "--processes", "2", "--slowest", "2")
    result, served = locust.result(), traces(folder)
    assert result.scenario.trace_context == "traceparent"
    assert [slow.operation for slow in result.slowest] == ["say", "say"]
    assert [served[slow.trace_id or ""] for slow in result.slowest] == ["slow", "slow"]
    assert all((slow.service_us or 0) >= 500_000 for slow in result.slowest)
    assert all(f"  {slow.trace_id}" in locust.output for slow in result.slowest)


def test_a_task_without_a_place_for_it_is_refused_before_the_run(folder: Path) -> None:
    (folder / "users.py").write_text(USERS.replace("from locust", "say = say.__class__('say', 'say', 7)\nfrom locust"))
    locust = run(folder, "-u", "1", "-t", "1s")
    assert locust.wait() == 2, locust.output
    assert "--trace-context traceparent: say sends no object, so there is no field for the context" in locust.output
    assert not (folder / "traces.txt").exists()


@pytest.mark.slow
def test_pytest_bench_sends_the_contexts_too(folder: Path) -> None:
    options = ("--scenarios", str(folder / "scenarios.py"), "--trace-context", "traceparent")
    run = Bench(folder / "results", folder).run(*options, "-k", "process")
    assert run.returncode == 0, run.stdout + run.stderr
    assert len(traces(folder)) > 100
