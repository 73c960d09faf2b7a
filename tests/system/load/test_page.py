"""Locust's page takes orders of its own alone, and sets what it shows; what is secret in a host is shown nowhere."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psutil
import pytest

from bench.server import ServerProcess
from bench.wire.stamps import process_clock_reason
from tests.support.folders import APPS, LOCUSTFILES, ROOT
from tests.support.locust_process import CONNECT, LIMIT_S, LocustProcess, operation, run, wait_until
from tests.support.ports import free_port

USER, PASSWORD, KEY = "gardener", "hunter22/?@", "k3y-0815"
SECRETS = (PASSWORD, quote(PASSWORD, safe=""), KEY)


@pytest.fixture(scope="module")
def guarded() -> Iterator[ServerProcess]:
    door = {"DOOR_USERINFO": f"{USER}:{PASSWORD}", "DOOR_KEY": KEY, "PYTHONPATH": str(ROOT)}
    with ServerProcess("guarded:app", directory=APPS, environment=door) as server:
        yield server


def whole(server: ServerProcess, password: str = PASSWORD) -> str:
    host = server.url.removeprefix("http://")
    return f"http://{USER}:{quote(password, safe='')}@{host}/?apikey={KEY}"


def shown(server: ServerProcess) -> str:
    return f"{server.url}/?..."


def texts(folder: Path) -> str:
    """Return the text of all files that a run has left: its output, its results, its reports."""
    return "\n".join(path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file())


def assert_not_shown(text: str) -> None:
    for secret in SECRETS:
        assert secret not in text


@contextmanager
def page_of(folder: Path, *arguments: str, **options: Any) -> Iterator[tuple[LocustProcess, httpx.Client]]:
    port = free_port()
    with (
        LocustProcess(folder, "--web-port", str(port), *arguments, headless=False, **options) as locust,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=LIMIT_S) as page,
    ):
        wait_until(lambda: _is_up(port), "the page is there")
        yield locust, page


def _is_up(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def swarm(page: httpx.Client, **fields: Any) -> dict[str, Any]:
    answer: dict[str, Any] = page.post("/swarm", data={"user_count": 1, "spawn_rate": 1, **fields}).json()
    return answer


def test_what_the_page_may_set_and_who_may_order(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    with page_of(tmp_path) as (locust, page):
        (listening,) = [
            connection.laddr.ip
            for connection in psutil.Process(locust.process.pid).net_connections("tcp")
            if connection.status == "LISTEN" and connection.laddr.port == page.base_url.port
        ]
        assert listening == "127.0.0.1"

        form = page.get("/")
        assert "label.MuiInputLabel-root" in form.text.partition("</head>")[0], "labels with as many lines as they need"
        assert "arrivals per second over all users and workers" in form.text
        assert "%(" not in form.text

        for hidden, value in {
            "results": str(elsewhere),
            "app": "nowhere:app",
            "seed": "1",
            "breakdown": "true",
            "csv_prefix": str(elsewhere),
            "html_file": str(elsewhere),
            "json_file": str(elsewhere),
            "stop_timeout": "1",
            "service_machine": "x",
            "whole_urls": "x",
        }.items():
            answer = swarm(page, **{hidden: value})
            assert answer["success"] is False or hidden == "whole_urls", hidden
            if hidden != "whole_urls":
                assert answer["message"].startswith(f"{hidden} cannot be set on the page"), answer
        page.post("/stop").raise_for_status()

        own = str(page.base_url).rstrip("/")
        for site in ("http://evil.example", "null", own.replace("127.0.0.1", "127.0.0.1.evil.example"), "http://[x"):
            for path in ("/swarm", "/stop", "/stats/reset", "/user"):
                refused = page.post(path, data={"user_count": 1, "spawn_rate": 1}, headers={"Origin": site})
                assert refused.status_code == 403, (site, path)
                assert refused.text == f"refused: this page takes no orders from {site}\n"
        assert page.post("/stop", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
        assert page.post("/stop", headers={"Sec-Fetch-Site": "same-site", "Origin": own + "1"}).status_code == 403
        assert page.post("/stop", headers={"Referer": "http://evil.example/page"}).status_code == 403
        assert page.post("/user", json={"user_class_name": "EchoUser", "auth": "x"}).json()["success"] is False
        for mine in ({"Origin": own}, {"Referer": own + "/"}, {"Sec-Fetch-Site": "same-origin"}):
            assert page.post("/stop", headers=mine).status_code == 200, mine

        assert "end a time when this process has read the reply" in form.text
        asked_for = "the process's clock was asked for"
        for asked, reason in (("true", asked_for), ("false", process_clock_reason() or None)):
            before = len(locust.results())
            answer = swarm(page, run_time="1s", process_clock=asked)
            assert answer["success"] is True, "what the page shows can be set"
            wait_until(lambda: len(locust.results()) > before, "the result is where it was at the start")  # noqa: B023
            clock = locust.results()[-1].receive_clock
            assert clock is not None
            assert clock.process_because == reason
        locust.interrupt()
        assert locust.wait() == 0
    assert not elsewhere.exists()
    assert "Traceback" not in locust.output


SLOW_TO_BEGIN = """
import gevent
from locust import events
from bench import SocketIOUser, task
from bench.scenarios.catalogue import FOO_BAR_TO_SENDER

begun = []


class Echo(SocketIOUser):
    @task
    async def foo_bar(self):
        await self.round_trip(FOO_BAR_TO_SENDER)


@events.test_start.add_listener
def prepare(environment, **_):
    begun.append(environment)
    gevent.sleep(0 if len(begun) == 1 else 2)
"""


def test_a_run_that_takes_longer_to_begin_than_it_should_last_ends(tmp_path: Path) -> None:
    """Locust's timer has gone off before there was anything to stop."""
    (tmp_path / "users.py").write_text(SLOW_TO_BEGIN)
    with page_of(tmp_path, locustfile=tmp_path / "users.py") as (locust, page):
        for number in (1, 2):
            assert swarm(page, run_time="1s")["success"] is True
            wait_until(lambda: len(locust.results()) == number, "the run has ended")  # noqa: B023
        locust.interrupt()
        assert locust.wait() == 0
    assert operation(locust.results()[1]).ok > 0
    assert "Traceback" not in locust.output


def test_what_is_secret_in_a_host_of_the_page(tmp_path: Path, guarded: ServerProcess) -> None:
    with page_of(tmp_path, "--host", "http://127.0.0.1:1") as (locust, page):
        assert "no URL of a server" in swarm(page, host="nonsense")["message"]
        answer = swarm(page, host=whole(guarded), run_time="1s")
        assert answer["success"] is True, answer
        wait_until(lambda: len(locust.results()) == 1, "the result is written")
        pages = [page.get(path) for path in ("/", "/stats/requests", "/stats/report", "/logs", "/stats/failures/csv")]
        again = swarm(page, host=shown(guarded), run_time="1s")
        wait_until(lambda: len(locust.results()) == 2, "what it shows is understood as well")
        locust.interrupt()
        assert locust.wait() == 0
    for answer_of in pages:
        assert answer_of.status_code == 200
        assert_not_shown(answer_of.text + str(answer_of.headers))
    assert (answer["host"], again["host"]) == (shown(guarded), shown(guarded))
    for result in locust.results():
        assert operation(result, CONNECT).ok == 1
        assert result.scenario.url == shown(guarded)
    assert_not_shown(texts(tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("password", [PASSWORD, f"wrong{PASSWORD}"], ids=["right", "wrong"])
def test_what_is_secret_in_host_reaches_the_workers_and_no_file(
    tmp_path: Path, guarded: ServerProcess, password: str
) -> None:
    more = ["--processes", "2", "--html", str(tmp_path / "report.html"), "--csv", str(tmp_path / "table")]
    code, locust = run(tmp_path, "--host", whole(guarded, password), "-u", "2", "-r", "2", "-t", "2s", *more)
    connect = operation(locust.result(), CONNECT)
    if password == PASSWORD:
        assert (code, connect.ok, connect.error_count) == (0, 2, 0)
    else:
        assert code == 1
        (kind,) = connect.errors
        assert kind.startswith(f"{shown(guarded)} is no Socket.IO server: the server answered HTTP 401: not with ...")
    assert locust.result().scenario.url == shown(guarded)
    assert_not_shown(texts(tmp_path))


def test_what_is_secret_in_the_host_of_a_class(
    tmp_path: Path, guarded: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_HOST", whole(guarded))
    code, locust = run(
        tmp_path, "-u", "1", "-t", "1s", "--html", str(tmp_path / "report.html"),
        locustfile=LOCUSTFILES / "hosts.py",
    )  # fmt: skip
    assert code == 0
    assert operation(locust.result(), CONNECT).ok == 1
    assert locust.result().scenario.url == shown(guarded)
    assert_not_shown(texts(tmp_path))


def test_what_is_secret_in_a_host_that_others_use_too_is_refused(tmp_path: Path) -> None:
    code, locust = run(
        tmp_path, "--host", f"http://{USER}:{KEY}@127.0.0.1:1", "-u", "2", "-t", "1s",
        locustfile=LOCUSTFILES / "mixed_hosts.py",
    )  # fmt: skip
    assert code == 2
    assert "http://127.0.0.1:1 has a user, a password or a query, which is kept from PageUser" in locust.output
    assert "Traceback" not in locust.output
    assert_not_shown(texts(tmp_path))


@pytest.mark.parametrize("processes", [0, 1])
def test_a_port_that_is_taken(tmp_path: Path, processes: int) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        workers = ("--processes", str(processes)) if processes else ()
        with LocustProcess(tmp_path, "--web-port", str(port), *workers, headless=False) as locust:
            assert locust.wait() == 2
    (line,) = [line for line in locust.output.splitlines() if "/ERROR/" in line]
    assert f"the web page cannot listen on 127.0.0.1, port {port}: Address already in use: " in line
    assert "Traceback" not in locust.output
