"""Pages in a real browser: drawn whole, without the network, in light and dark, wide and narrow, by mouse and keys."""

import datetime as dt
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, Locator, Page, expect

from bench.commands.show import document_of
from bench.compare.comparison import compare
from bench.report.comparison import comparison_document
from bench.report.document import Document
from bench.report.page.page import MOST_BYTES
from bench.report.page.page import page as page_of
from bench.report.trend import trend_document
from bench.report.trend_charts import trend_charts
from bench.results.header import CommitInfo
from bench.results.store import open_file
from bench.trend.series import trends
from tests.report.test_page import HOSTILE, everything
from tests.support.browser import Watched, browser
from tests.support.example_results import distribution, load_result, operation
from tests.support.latency_results import latency, stored

pytestmark = [pytest.mark.slow]

DATA = Path(__file__).parent.parent.parent / "data"
AXE = DATA / "node" / "node_modules" / "axe-core" / "axe.min.js"

KINDS = ("latency", "load", "compare", "trend", "several", "hostile")


def of_stored(reference: str) -> Document:
    kind, number = reference.split("/")
    (path,) = (DATA / "results" / kind).glob(f"*/000{number}_*.json")
    return document_of(open_file(path))


def comparison() -> Document:
    old = stored(*(latency(0.4, run=run, commit="a" * 40) for run in range(3)), side="old")
    new = stored(*(latency(0.5, run=100 + run, commit="b" * 40) for run in range(3)), side="new")
    return comparison_document(compare(old, new), old, new)


def trend_of(number: int) -> Document:
    """Return the trend of so many loads, with a step in their middle."""
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    results = [
        load_result(
            commit_info=CommitInfo(id=f"{place:04x}{place:036x}"),
            datetime=start + dt.timedelta(hours=place),
            operations=(
                operation("echo", service_us=distribution(p50=100.0 + place % 7 + 20 * (place >= number // 2))),
                operation("join", service_us=distribution(p50=150.0 + place % 5)),
            ),
        )
        for place in range(number)
    ]
    found = trends(results, "p50", [result.commit_info.id for result in results])
    subjects = {result.commit_info.id: f"{HOSTILE} {place}" for place, result in enumerate(results)}
    charts = trend_charts(found, subjects)
    return trend_document(found, 20, charts=charts, pages="https://example.org/commit/")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages of every kind."""
    folder = tmp_path_factory.mktemp("pages")
    documents: dict[str, list[Document]] = {
        "latency": [of_stored("latency/1")],
        "load": [of_stored("load/4")],
        "compare": [comparison()],
        "trend": [trend_of(30)],
        "several": [of_stored(f"{kind}/1") for kind in ("ab", "accuracy", "wire", "peers")],
        "hostile": [everything(HOSTILE)],
    }
    written = {}
    for kind, shown in documents.items():
        written[kind] = folder / f"{kind}.html"
        written[kind].write_text(page_of(shown))
    return written


@pytest.fixture(scope="module")
def started() -> Iterator[Browser]:
    with browser() as chromium:
        yield chromium


@pytest.mark.parametrize("kind", KINDS)
def test_every_page_is_whole_and_accessible(started: Browser, pages: dict[str, Path], kind: str) -> None:
    assert pages[kind].stat().st_size < MOST_BYTES
    for width, scheme in ((1280, "light"), (390, "dark")):
        watched = Watched(started, width=width, scheme=scheme)
        page = watched.open(pages[kind])
        assert page.evaluate("document.documentElement.scrollWidth") == width
        charts = page.locator("figure[data-chart]")
        assert page.locator("figure[data-chart] svg.marks").count() >= charts.count()
        for picture in page.locator("[role=img]").all():
            assert len(picture.get_attribute("aria-label") or "") > 5
        drawn = page.evaluate(
            "[...document.querySelectorAll('.view svg')].map((svg) => svg.getBoundingClientRect().width)"
        )
        assert all(0.6 * width < each <= width for each in drawn), drawn
        assert violations(page, with_tables=scheme == "dark") == []
        assert watched.wrong == []
        assert [address for address in watched.asked if not address.startswith("file:")] == []
        keep_picture(page, f"{kind}-{width}-{scheme}")
        page.close()


def violations(page: Page, *, with_tables: bool = False) -> list[str]:
    """Return what axe-core's default rules find; `with_tables` with all that is folded."""
    if with_tables:  # it takes seconds
        page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    page.evaluate(AXE.read_text())  # as a script it would be against the page's policy
    found: dict[str, Any] = page.evaluate("axe.run()")
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = false; })")
    return [
        f"{violation['id']}: {node['html'][:120]}: {node['failureSummary'][:200]}"
        for violation in found["violations"]
        for node in violation["nodes"][:2]
    ]


def keep_picture(page: Page, name: str) -> None:
    """Keep a picture of the page if the variable names a folder, for somebody to look at."""
    if folder := os.environ.get("BENCH_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def test_the_ground_is_light_or_dark_as_the_reader_wants(started: Browser, pages: dict[str, Path]) -> None:
    grounds = {}
    for scheme in ("light", "dark"):
        watched = Watched(started, scheme=scheme)
        page = watched.open(pages["latency"])
        line = page.locator(".view svg path[stroke]").first
        grounds[scheme] = (
            page.evaluate("getComputedStyle(document.body).backgroundColor"),
            page.locator(".view svg text").first.evaluate("(text) => getComputedStyle(text).fill"),
            line.evaluate("(path) => getComputedStyle(path).stroke"),
        )
        page.close()
    assert all(light != dark for light, dark in zip(grounds["light"], grounds["dark"], strict=True)), grounds
    assert grounds["light"][0] == "rgb(255, 255, 255)"


def test_no_text_of_others_becomes_markup_or_runs(started: Browser, pages: dict[str, Path]) -> None:
    watched = Watched(started)
    dialogs: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    watched.page.on("dialog", dismiss)
    page = watched.open(pages["hostile"])
    plots = page.locator(".plot")
    for number in range(plots.count()):
        plots.nth(number).focus()
        page.keyboard.press("ArrowRight")
        assert "alert" in (page.locator("#tip").text_content() or "") or number == 2
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 3
    assert HOSTILE in (page.locator("h1").text_content() or "")
    assert (dialogs, watched.wrong) == ([], [])
    page.close()


def labels(figure: Locator, axis: int) -> list[str]:
    """Return the labels of an axis of a chart's first panel: 0 is the x axis, 1 the y axis."""
    texts = figure.locator(".view").first.locator(".role-axis-label").nth(axis).locator("text:not([opacity='0'])")
    return sorted(texts.all_text_contents())


def test_a_chart_by_mouse(started: Browser, pages: dict[str, Path]) -> None:
    watched = Watched(started)
    page = watched.open(pages["trend"])
    figure = page.locator("figure[data-chart]").first
    figure.scroll_into_view_if_needed()
    box = figure.locator(".view").first.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    tip = page.locator("#tip")
    expect(tip).to_be_visible()
    assert "µs" in tip.inner_text()
    assert f"{HOSTILE} 1" in tip.inner_text()  # the subject of a commit
    whole = labels(figure, 0), labels(figure, 1)
    page.mouse.move(box["x"] + box["width"] * 0.6, middle)  # beyond the step
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, middle, steps=4)
    page.mouse.up()
    expect(figure.get_by_role("button", name="Whole")).to_be_enabled()
    page.wait_for_timeout(100)
    assert all(now != before for now, before in zip((labels(figure, 0), labels(figure, 1)), whole, strict=True))
    figure.locator(".plot").dblclick()
    expect(figure.get_by_role("button", name="Whole")).to_be_disabled()
    page.wait_for_timeout(100)
    assert (labels(figure, 0), labels(figure, 1)) == whole
    page.mouse.move(5, 5)
    expect(tip).to_be_hidden()
    assert watched.wrong == []
    page.close()


def test_a_page_by_keys(started: Browser, pages: dict[str, Path]) -> None:
    watched = Watched(started)
    page = watched.open(pages["trend"])
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the answer")).to_be_focused()
    figure = page.locator("figure[data-chart]").first
    plot = figure.locator(".plot")
    for _ in range(40):
        page.keyboard.press("Tab")
        if plot.evaluate("(plot) => plot === document.activeElement"):
            break
    expect(plot).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    said = page.locator("#said").inner_text()
    assert re.match(r"0001000; clean 10\d µs; 0001000000 ", said), said
    expect(page.locator("#tip")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#tip")).to_be_hidden()
    page.keyboard.press("+")
    expect(figure.get_by_role("button", name="Whole")).to_be_enabled()
    page.keyboard.press("0")
    expect(figure.get_by_role("button", name="Whole")).to_be_disabled()
    page.keyboard.press("Tab")
    expect(figure.get_by_role("button", name="Zoom in")).to_be_focused()
    page.keyboard.press("Enter")
    expect(figure.get_by_role("button", name="Whole")).to_be_enabled()
    summary = figure.locator("summary")
    summary.focus()
    page.keyboard.press("Enter")
    expect(figure.locator("table")).to_be_visible()
    assert watched.wrong == []
    page.close()


def test_charts_follow_the_width_of_the_page_and_are_printed(started: Browser, pages: dict[str, Path]) -> None:
    watched = Watched(started)
    page = watched.open(pages["compare"])
    before = page.locator(".view svg").first.bounding_box()
    page.set_viewport_size({"width": 600, "height": 900})
    page.wait_for_function("document.querySelector('.view svg').getBoundingClientRect().width < 600")
    after = page.locator(".view svg").first.bounding_box()
    assert before is not None
    assert after is not None
    assert after["width"] < before["width"]
    page.close()
    watched = Watched(started)
    watched.page.goto(pages["compare"].as_uri())
    watched.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    watched.page.wait_for_function(
        "[...document.querySelectorAll('figure[data-chart]')].every((figure) => figure.dataset.drawn === 'true')"
    )
    watched.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    widths = "[...document.querySelectorAll('.view svg')].map((svg) => svg.getBoundingClientRect().width)"
    assert max(watched.page.evaluate(widths)) <= 690
    watched.page.emulate_media(media="print", color_scheme="dark")
    assert watched.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not watched.page.locator(".tools").first.is_visible()
    watched.page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(watched.page.locator(".view svg").first).to_have_attribute("width", re.compile(r"^1\d{3}"))
    assert watched.wrong == []
    watched.page.close()


def test_a_page_without_scripts_has_every_number(started: Browser, pages: dict[str, Path]) -> None:
    page = started.new_page(java_script_enabled=False)
    page.goto(pages["compare"].as_uri())
    page.locator("figure summary").first.click()
    expect(page.locator("figure table").first).to_be_visible()
    page.close()


def test_a_trend_of_500_results(
    started: Browser, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    file = tmp_path / "trend.html"
    file.write_text(page_of([trend_of(500)]))
    assert file.stat().st_size < MOST_BYTES
    watched = Watched(started)
    watched.page.goto(file.as_uri())
    watched.page.wait_for_function("document.querySelector('figure[data-chart]').dataset.drawn === 'true'")
    opened_ms = watched.page.evaluate("performance.now()")
    record_property("opened_ms", opened_ms)
    print(f"a trend of 500 results opened in {opened_ms:.0f} ms, {file.stat().st_size:,} bytes")  # noqa: T201
    page = watched.open(file)
    assert page.locator("figure[data-chart]").count() == 2
    table = page.locator("figure[data-chart]").first.locator("details")
    assert table.locator("tbody tr").count() == 502  # each result, and both levels
    assert watched.wrong == []
    page.close()


def test_the_command_writes_what_the_browser_draws(started: Browser, tmp_path: Path) -> None:
    (result,) = (DATA / "results" / "ab").glob("*/0001_*.json")
    command = [sys.executable, "-m", "bench", "report", str(result), "--output", "ab.html"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("page in ab.html\n", "")
    watched = Watched(started)
    page = watched.open(tmp_path / "ab.html")
    assert page.locator("figure[data-chart]").count() == 2
    assert watched.wrong == []
    page.close()
