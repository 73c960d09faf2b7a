"""The live page in a real browser: started by Locust's form, in our tab of Locust's page, and after the run."""

import os
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean
from typing import Any

import httpx
import pytest
from playwright.sync_api import FrameLocator, Page, expect

from bench.results.load import LoadResult
from tests.support.browser import Watched, browser
from tests.support.locust_process import LIMIT_S, LocustProcess, operation, wait_until
from tests.support.ports import free_port
from tests.system.pages.test_pages import keep_picture, violations

#: The verdict on the generator while a test is on, and after it: a machine with much else to do is too slow for it.
VERDICT = re.compile(r"^The generator (keeps|cannot keep) up$")
LAST_VERDICT = re.compile(r"^The generator (kept|could not keep) up$")

#: The name of an operation that would do harm in a page that does not escape it.
HARMFUL = "<img src=x onerror=alert(1)>"

#: A load whose generator stands still in each task, so that it measures itself.
BLOCKING = f"""
import time
from dataclasses import replace

from bench import SocketIOUser, task
from bench.scenarios.catalogue import FOO_BAR_TO_SENDER

FOO_BAR = replace(FOO_BAR_TO_SENDER, name={HARMFUL!r})


class Busy(SocketIOUser):
    @task
    async def foo_bar(self):
        await self.round_trip(FOO_BAR)
        time.sleep(0.3)
"""


@contextmanager
def locusts_page(folder: Path, *arguments: str, **options: Any) -> Iterator[tuple[LocustProcess, str]]:
    port = free_port()
    with LocustProcess(folder, "--web-port", str(port), *arguments, headless=False, **options) as locust:
        wait_until(lambda: _is_up(port) or locust.process.poll() is not None, "the page is there")
        yield locust, f"http://127.0.0.1:{port}"


def _is_up(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def start(page: Page, users: int) -> None:
    page.get_by_label("Number of users").fill(str(users))
    page.get_by_label("Ramp up").fill(str(users))
    page.get_by_role("button", name="Start").click()


def brightness(page: Page) -> float:
    """Return how bright the ground of the banner above Locust's tabs is, from 0 to 255."""
    ground = page.locator("#socketio-bench-banner").evaluate("banner => getComputedStyle(banner).backgroundColor")
    return mean(int(part) for part in re.findall(r"\d+", ground))


def cells(frame: FrameLocator, operation: str) -> list[str]:
    return (
        frame.locator("#operations tbody tr", has=frame.get_by_text(operation, exact=True))
        .locator("td")
        .all_inner_texts()
    )


@pytest.mark.slow
def test_a_run_through_the_page_with_workers_and_another_after_it(tmp_path: Path) -> None:
    with (
        browser() as started,
        locusts_page(tmp_path, "--rate", "80", "--processes", "2", "--slo", "errors < 5") as (locust, origin),
    ):
        watched = Watched(started, scheme="dark", origin=origin)
        page = watched.page

        page.goto(f"{origin}/socketio-bench/")
        expect(page.locator("#banner-title")).to_have_text("No test has run yet")
        expect(page.locator("#figures")).to_be_hidden()

        page.goto(origin)
        start(page, 4)
        expect(page.locator("#socketio-bench-banner strong")).to_have_text(VERDICT)
        assert brightness(page) < 100, "as Locust's page around it"
        page.get_by_role("tab", name="Socket.IO").click()
        frame = page.frame_locator("#socketio-bench-frame")
        expect(frame.locator("#banner-title")).to_have_text(VERDICT)
        expect(page.locator("#socketio-bench-banner")).to_be_hidden()
        expect(frame.locator("#phase")).to_contain_text("Test 1, ")
        expect(frame.locator("#objectives li")).to_contain_text("errors < 5: holds so far; errors 0")
        expect(frame.locator("#tiles")).to_contain_text("offered per s")
        expect(frame.locator("#tiles")).to_contain_text("80")
        expect(frame.locator("#curve svg path")).to_have_count(2)
        expect(frame.locator("#rates svg path")).to_have_count(2)
        frame.locator("#curve svg").hover()
        expect(frame.locator("#curve + .readout")).to_contain_text("FOO→BAR to sender p")
        per_s, ok, failed, dropped, times, p50, *_ = cells(frame, "FOO→BAR to sender")
        assert float(per_s) > 0
        assert int(ok.replace(",", "")) > 0
        assert (failed, dropped, times) == ("0", "0", "response")
        assert float(p50.replace(",", "")) > 10, "in microseconds"
        dark = frame.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
        page.get_by_role("tab", name="Charts").click()
        expect(page.locator("#socketio-bench-frame")).to_have_count(0)
        expect(page.locator("#socketio-bench-banner")).to_be_visible()
        page.evaluate("localStorage.theme = 'light'")
        page.goto(f"{origin}/?tab=socketio")
        page.set_viewport_size({"width": 390, "height": 844})
        expect(frame.locator("#banner-title")).to_have_text(VERDICT)
        assert frame.locator("body").evaluate("body => getComputedStyle(body).backgroundColor") != dark
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "390 pixels are enough"
        assert frame.locator("html").evaluate("html => html.scrollWidth <= html.clientWidth")
        page.set_viewport_size({"width": 1280, "height": 900})

        page.get_by_role("button", name="Stop").click()
        expect(frame.locator("#stored li")).to_have_count(1)
        expect(frame.locator("#banner-title")).to_have_text(LAST_VERDICT)
        expect(frame.locator("#objectives li")).to_contain_text("errors < 5: met; errors 0")
        expect(frame.locator("#stored li").first).to_contain_text("errors 0 at ")
        linked = {
            link.inner_text(): page.request.get(
                link.evaluate("link => link.href"), headers={"Sec-Fetch-Site": "same-origin"}
            )
            for link in frame.locator("#stored a").all()
        }
        assert {name: answer.status for name, answer in linked.items()} == {
            "page": 200,
            "result (JSON)": 200,
            "seconds (hlog)": 200,
        }
        assert LoadResult.model_validate(linked["result (JSON)"].json()) == locust.result()
        assert linked["page"].headers["content-type"].startswith("text/html")
        assert "<svg" in linked["page"].text() or "<table" in linked["page"].text()
        assert linked["seconds (hlog)"].text().startswith("#[Logged with bench")

        own = Watched(started, width=390, scheme="light", origin=origin)
        own.page.goto(f"{origin}/socketio-bench/")
        expect(own.page.locator("#stored li")).to_have_count(1)
        assert violations(own.page) == []
        keep_picture(own.page, "live-ended-390-light")
        assert own.wrong == []
        own.page.close()

        page.get_by_role("button", name="New").click()
        start(page, 2)
        expect(frame.locator("#phase")).to_contain_text("Test 2, ")
        expect(frame.locator("#banner-title")).to_have_text(VERDICT)
        assert page.request.get(f"{origin}/socketio-bench/results/1/page.html").status == 409
        worker = locust.workers()[0]
        os.kill(worker, signal.SIGKILL)
        expect(frame.locator("#banner")).to_contain_text("1 of 2 generator processes cannot be heard")
        assert watched.wrong == []
        assert all(asked.startswith(origin) for asked in watched.asked)
        locust.interrupt()
        assert locust.wait() == 1, locust.output
        expect(frame.locator("#banner-title")).to_have_text("Locust does not answer")
    assert "Traceback" not in locust.output


@pytest.mark.slow
def test_a_generator_that_measures_itself_cannot_be_overlooked_nor_can_names_do_harm(tmp_path: Path) -> None:
    locustfile = tmp_path / "busy.py"
    locustfile.write_text(BLOCKING)
    with (
        browser() as started,
        locusts_page(
            *(tmp_path, "--autostart", "--users", "2", "--spawn-rate", "2"),
            *("--app", "app.main:app", "--web-base-path", "/load"),
            locustfile=locustfile,
        ) as (locust, origin),
    ):
        watched = Watched(started, origin=origin)
        page = watched.page
        page.goto(f"{origin}/load/")
        banner = page.locator("#socketio-bench-banner")
        expect(banner).to_have_attribute("data-level", "wrong")
        expect(banner).to_contain_text("The generator cannot keep up")
        assert page.evaluate("document.elementFromPoint(640, 20).closest('a').id") == "socketio-bench-banner"
        banner.click()
        frame = page.frame_locator("#socketio-bench-frame")
        expect(frame.locator("#banner-text")).to_contain_text("its event loop stood still for ")
        expect(frame.locator("#banner-text")).to_contain_text("the generator's, not the service's")
        expect(frame.locator("#operations")).to_contain_text(HARMFUL)
        assert frame.locator("img").count() == 0
        keep_picture(page, "live-tab-saturated")
        own = Watched(started, scheme="dark", origin=origin)
        own.page.goto(f"{origin}/load/socketio-bench/")
        expect(own.page.locator("#curve svg path").first).to_be_visible()
        assert violations(own.page) == []
        assert (own.wrong, watched.wrong) == ([], [])
        with httpx.Client(base_url=origin, timeout=LIMIT_S) as elsewhere:
            refused = elsewhere.get("/load/socketio-bench/live.json", headers={"Origin": "http://evil.example"})
            assert (refused.status_code, refused.text) == (403, "refused: http://evil.example may not read this\n")
            assert elsewhere.get("/load/metrics").status_code == 200
        locust.interrupt()
        locust.wait()
    assert operation(locust.result(), HARMFUL).ok
    assert locust.result().generator.verdict == "saturated"
