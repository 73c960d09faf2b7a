"""The addresses that this package adds to Locust's page, asked without a browser, and what they say of a test."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flask
import pytest
from flask.testing import FlaskClient

from bench.load.metrics.tally import Tally
from bench.load.plugin.live_routes import PATH, add_routes
from bench.load.plugin.live_view import LiveTest, LiveView
from bench.load.plugin.openmetrics import exposition
from bench.objectives.model import JudgedObjective, ObjectiveVerdict
from bench.results.load import CONNECT, Generator
from bench.results.references import Store
from bench.results.service_loss import ServiceLoss
from tests.support.example_loads import open_load, row
from tests.support.live_tests import MadeUpRun

START = 5_000_000_000_000


class WebUI:
    """Locust's page, as far as it is extended."""

    def __init__(self) -> None:
        self.app = flask.Flask(__name__)
        self.template_args: dict[str, Any] = {"extended_tabs": [{"title": "Theirs", "key": "theirs"}]}
        self.app.add_url_rule("/load/", "locust.index", lambda: "<html><head></head><body></body></html>")

    def auth_required_if_enabled(self, view: Callable[..., Any]) -> Callable[..., Any]:
        return view


@pytest.fixture
def view() -> LiveView:
    return LiveView()


@pytest.fixture
def client(view: LiveView) -> FlaskClient:
    web_ui = WebUI()
    add_routes(web_ui, "/load", view, lambda accept: exposition(view, accept))  # type: ignore[arg-type]
    client: FlaskClient = web_ui.app.test_client()
    return client


def running(tally: Tally | None = None) -> LiveTest:
    return LiveTest(1, MadeUpRun(tally or Tally(START, is_open=True)), timeout_us=10e6)


def asked(client: FlaskClient, path: str = "live.json", **headers: str) -> Any:
    return client.get(f"/load/{PATH}/{path}", headers={name.replace("_", "-"): text for name, text in headers.items()})


def test_before_any_test_it_says_so(client: FlaskClient) -> None:
    page = asked(client).json
    assert (page["state"], page["banner"]["title"], page["figures"]) == ("waiting", "No test has run yet", None)
    assert asked(client, "").status_code == 200
    assert asked(client, "results/1/result.json").status_code == 404
    assert asked(client, "results/1/page.html").get_data(as_text=True) == "there is no stored result of test 1\n"


def test_a_test_that_is_on_and_its_short_form(client: FlaskClient, view: LiveView) -> None:
    view.test = running()
    page = asked(client).json
    assert (page["state"], page["phase"], page["lasted"]) == (*("arriving", "stage 1 of 2, 50:30s", "12 s of 1 min"),)
    assert page["figures"]["rows"] == []
    assert asked(client, "live.json?brief").json.keys() == {"state", "banner", "has_pages"}


def test_a_failure_to_look_is_what_the_page_shows_and_nothing_else_fails(client: FlaskClient, view: LiveView) -> None:
    tally = Tally(START)
    tally.live_operations = lambda: 1 / 0  # type: ignore[assignment, method-assign, return-value]
    view.test = running(tally)
    page = asked(client).json
    assert page["banner"] == {
        "level": "warning",
        "title": "There are no live figures",
        "text": "ZeroDivisionError: division by zero",
    }
    assert page["figures"] is None


def test_a_test_that_has_ended_has_links_to_all_that_there_is(
    client: FlaskClient, view: LiveView, tmp_path: Path
) -> None:
    result = open_load(seconds=3, operations=(row(CONNECT, kind=CONNECT), row("<b>say</b>")))
    path = Store(tmp_path).save(result)
    view.test = running()
    view.end(result, path)
    page = asked(client).json
    assert (page["state"], page["banner"]["title"]) == ("ended", "The generator kept up")
    (stored,) = page["stored"]
    assert stored["name"] == path.name
    assert stored["headline"].startswith("<b>say</b>: p50 "), "the page sets it as text"
    assert asked(client, "results/1/result.json").data == path.read_bytes()
    path.unlink()
    assert asked(client, "results/1/result.json").status_code == 404


def judged(verdict: ObjectiveVerdict) -> JudgedObjective:
    return JudgedObjective(
        text="p99 < 50 ms",
        metric="p99",
        relation="<",
        limit=50_000,
        unit="µs",
        times="response",
        value=80_000,
        low=79_000,
        high=81_000,
        verdict=verdict,
    )


@pytest.mark.parametrize(
    ("verdict", "level", "title"),
    [
        ("met", "good", "The generator kept up"),
        ("missed", "wrong", "p99 80.00 ms: objective 'p99 < 50 ms' missed"),
        ("undecided", "warning", "p99 80.00 ms: objective 'p99 < 50 ms' undecided"),
    ],
)
def test_the_banner_of_a_test_that_has_ended_has_its_objectives(
    client: FlaskClient, view: LiveView, verdict: ObjectiveVerdict, level: str, title: str
) -> None:
    view.test = running()
    operations = row(CONNECT, kind=CONNECT), row("say")
    view.end(open_load(seconds=3, operations=operations, objectives=(judged(verdict),)), None)
    page = asked(client).json
    assert (page["banner"]["level"], page["banner"]["title"]) == (level, title)
    assert page["objectives"] == [
        {
            "text": "p99 < 50 ms",
            "verdict": verdict,
            "figure": "p99 80.00 ms (interval: 79.00 to 81.00 ms)",
            "reason": "",
        }
    ]


@pytest.mark.parametrize(
    ("objectives", "level", "title"),
    [
        ((), "warning", "There is no verdict on the generator"),
        ((judged("met"),), "warning", "There is no verdict on the generator"),
        ((judged("missed"),), "wrong", "p99 80.00 ms: objective 'p99 < 50 ms' missed"),
        ((judged("undecided"),), "warning", "p99 80.00 ms: objective 'p99 < 50 ms' undecided"),
    ],
)
def test_a_test_without_a_verdict_on_its_generator_still_has_its_objectives(
    client: FlaskClient, view: LiveView, objectives: tuple[JudgedObjective, ...], level: str, title: str
) -> None:
    view.test = running()
    operations = row(CONNECT, kind=CONNECT), row("say")
    view.end(open_load(seconds=3, generator=Generator(processes=1), operations=operations, objectives=objectives), None)
    banner = asked(client).json["banner"]
    assert (banner["level"], banner["title"]) == (level, title)
    assert "no whole second in its steady window" in banner["text"]


def test_the_loss_of_the_service_comes_before_all_else(client: FlaskClient, view: LiveView) -> None:
    death = ServiceLoss.of_process(2.2, 7, "no\x1b[31m memory")
    made_up = MadeUpRun(Tally(START, is_open=True))
    made_up.loss = death
    view.test = LiveTest(1, made_up, 1e6)
    banner = asked(client).json["banner"]
    said = "the service died at second 2.2 of the run: exit code 7"
    assert (banner["level"], banner["title"], banner["text"]) == ("wrong", "The service died", said)
    saturated = Generator(processes=1, verdict="saturated", reason="late")
    view.end(open_load(seconds=3, generator=saturated, service_loss=death), None)
    page = asked(client).json
    assert page["banner"]["title"] == "The service died"
    assert page["banner"]["text"] == f"{said}; it wrote last: no�[31m memory"
    assert page["stored"][0]["failures"][0] == said


def test_commands_make_the_rest_but_not_while_a_test_is_on(
    client: FlaskClient, view: LiveView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "result.json"
    path.write_text("{}")
    view.test = running()
    view.end(open_load(seconds=3), path)
    made: Any = subprocess.CompletedProcess([], 0, b"<p>drawn</p>", b"")
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> Any:
        commands.append(command[2:])
        if isinstance(made, Exception):
            raise made
        return made

    monkeypatch.setattr(subprocess, "run", run)
    shown = asked(client, "results/1/page.html")
    assert (shown.status_code, shown.mimetype, shown.data) == (200, "text/html", b"<p>drawn</p>")
    assert asked(client, "results/1/seconds.hlog").mimetype == "text/plain"
    assert commands == [
        ["bench", "show", "--format", "html", str(path)],
        ["bench", "hlog", "--output", "-", str(path)],
    ]
    made = subprocess.CompletedProcess([], 1, b"half", b"bench: error:\n  it is damaged\n")
    broken = asked(client, "results/1/page.html")
    assert broken.status_code == 500
    assert broken.get_data(as_text=True) == "it could not be made: bench: error: it is damaged\n"
    made = subprocess.TimeoutExpired("bench", 120)
    assert b"timed out after 120 seconds" in asked(client, "results/1/page.html").data
    view.test = running()
    assert asked(client, "results/1/page.html").status_code == 409


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://localhost"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Sec_Fetch_Site": "same-origin"}, 200),
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "cors"}, 403),
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"}, 403),
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}, 200),
    ],
)
def test_other_sites_read_nothing_but_may_lead_here(client: FlaskClient, headers: dict[str, str], status: int) -> None:
    assert asked(client, **headers).status_code == status


def test_without_the_package_metrics_are_one_line(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.get("/load/metrics").status_code == 200
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    missing = client.get("/load/metrics")
    assert missing.status_code == 501
    assert b"pip install 'socketio-bench[metrics]'" in missing.data


def test_metrics_that_cannot_be_made_are_one_line(view: LiveView) -> None:
    web_ui = WebUI()

    def expose(_accept: str) -> tuple[bytes, str]:
        raise ValueError("no\nmetrics")

    add_routes(web_ui, "/load", view, expose)  # type: ignore[arg-type]
    failed = web_ui.app.test_client().get("/load/metrics")
    assert (failed.status_code, failed.data.count(b"\n")) == (500, 1)


def test_locusts_page_keeps_the_tabs_of_others_and_has_our_script(view: LiveView) -> None:
    web_ui = WebUI()
    add_routes(web_ui, "/load", view, lambda _: (b"", ""))  # type: ignore[arg-type]
    assert [tab["title"] for tab in web_ui.template_args["extended_tabs"]] == ["Theirs", "Socket.IO"]
    assert (
        b'<script src="./socketio-bench/tab.js" defer></script></head>' in web_ui.app.test_client().get("/load/").data
    )


def test_a_result_that_could_not_be_made_or_kept_is_said(client: FlaskClient, view: LiveView) -> None:
    view.test = running()
    view.end(None, None)
    page = asked(client).json
    assert page["banner"]["level"] == "wrong"
    assert page["stored"][0]["name"] is None
    view.end(None, None)
    assert len(asked(client).json["stored"]) == 1, "it ends once"
