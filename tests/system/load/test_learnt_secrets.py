"""Secrets that users learn in a run, such as a login's token: no word of the service that is shown or kept has any."""

import re
import sys
from pathlib import Path

import pytest

from bench.results.service_logs import PREFIX
from tests.support.locust_process import LocustProcess, operation

SERVICE = """
import os, secrets, sys, socketio, uvicorn

sio = socketio.AsyncServer(async_mode="asgi")

async def http(scope, receive, send):
    assert scope["type"] == "http"
    token, cookie = secrets.token_hex(), secrets.token_hex(6)
    print("given", token, cookie, file=told)
    told.flush()
    headers = [(b"content-type", b"application/json"), (b"set-cookie", b"ticket=" + cookie.encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": f'{{"access_token": "{token}"}}'.encode()})
    print(f"logged in: {token}, {cookie}", flush=True)

@sio.on("connect")
async def connect(sid, environ, auth):
    print("connected:", auth["token"], environ["HTTP_COOKIE"], environ["HTTP_X_KEY"], flush=True)
    print("key", environ["HTTP_X_KEY"], file=told)
    told.flush()

@sio.on("fail")
async def fail(sid, token):
    raise KeyError(token)

told = open("told.txt", "a")
app = socketio.ASGIApp(sio, other_asgi_app=http)
uvicorn.run(app, port=int(os.environ["PORT"]), log_level="warning", lifespan="off")
"""

USERS = f"""
import secrets
from bench import Emission, SocketIOUser, RoundTrip, task
from locust import constant

serve = "{sys.executable} service.py"
fail = RoundTrip("fail", emit="fail", data=lambda token: Member.last)

class Member(SocketIOUser):
    reply_timeout = 0.3
    wait_time = constant(0.1)
    last = ""

    async def before_connect(self):
        async with self.http.post("/login") as response:
            Member.last = (await response.json())["access_token"]
        self.auth = {{"token": Member.last}}

    async def headers(self):
        return {{"X-Key": secrets.token_hex()}}

    @task
    async def fail(self):
        await self.round_trip(fail)
"""


@pytest.mark.parametrize("processes", [(), ("--processes", "2")], ids=["one process", "two workers"])
@pytest.mark.slow
def test_nothing_that_users_learn_stays_in_the_words_of_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: tuple[str, ...]
) -> None:
    (tmp_path / "service.py").write_text(SERVICE)
    (tmp_path / "users.py").write_text(USERS)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    arguments = ("-u", "4", "-r", "4", "-t", "1s", *processes)
    with LocustProcess(tmp_path, *arguments, locustfile=tmp_path / "users.py", directory=tmp_path) as locust:
        assert locust.wait() == 1, locust.output
    assert operation(locust.result(), "fail").timeouts > 0
    secrets = set((tmp_path / "told.txt").read_text().split()) - {"given", "key"}
    assert len(secrets) == 3 * 4  # a token, a cookie and a key of each user
    (folder,) = (tmp_path / "temporary").glob(f"{PREFIX}*")
    kept = (folder / "service.log").read_text()
    assert sorted(path.name for path in folder.iterdir()) == ["kept", "service.log"]
    assert kept.count("logged in: ..., ...\n") == kept.count("connected: ... ticket=... ...\n") == 4
    assert "KeyError: '...'" in kept
    (said,) = re.findall(r"the service wrote last: (.*)", locust.output)
    assert said.endswith("KeyError: '...'")
    assert [secret for secret in secrets if secret in kept + locust.output] == []
