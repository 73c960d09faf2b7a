"""Pages of loads in a real browser: of whatever a load may be, and of long runs with many operations."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from bench.commands.show import document_of
from bench.report.document import Document
from bench.report.load import load_document
from bench.report.load_charts.several import NamedLoad
from bench.report.loads import loads_document
from bench.report.page.page import MOST_BYTES
from bench.report.page.page import page as page_of
from bench.results.load import Generator, Window
from bench.results.service_log import LogLine, ServiceLog
from bench.results.store import open_file
from tests.report.test_page import HOSTILE
from tests.support.browser import Watched, browser
from tests.support.example_loads import open_load, row, second, stage
from tests.support.example_results import load_result
from tests.system.pages.test_pages import keep_picture, labels, violations

pytestmark = [pytest.mark.slow]

DATA = Path(__file__).parent.parent.parent / "data"


@pytest.fixture(scope="module")
def started() -> Iterator[Browser]:
    with browser() as chromium:
        yield chromium


def old_loads() -> list[Document]:
    paths = sorted((DATA / "results" / "load").glob("*/*.json"))
    return [document_of(open_file(paths[number - 1])) for number in (2, 5)]  # others have pages in test_pages.py


def empty() -> Document:
    return load_document(open_load(0, operations=(), stages=()))


def only_failures() -> Document:
    lost = {"service_us": None, "response_us": None, "service_histogram": None, "response_histogram": None}
    seconds = tuple(
        second(t, (), ok=0, failed=100, p50_us=None, p99_us=None, errors={HOSTILE: 60, "timeout": 40}) for t in range(5)
    )
    failed = row(HOSTILE, ok=0, timeouts=400, errors={HOSTILE: 600}, **lost)
    return load_document(open_load(timeline=seconds, operations=(failed,)))


def single_second() -> Document:
    return load_document(
        open_load(1, window=Window(start_s=0, end_s=1, warmup_s=0), partial=True, partial_reason=f"lost: {HOSTILE}")
    )


def saturated() -> Document:
    generator = Generator(processes=1, verdict="saturated", reason=HOSTILE, saturated_since_s=12)
    stages = tuple(stage(HOSTILE, 100.0 * number, 4 * number, 4 * number + 4) for number in range(1, 5))
    names = [row(f"{HOSTILE} {number}") for number in range(3)]
    return load_document(open_load(generator=generator, stages=stages, operations=tuple(names), command=HOSTILE))


def beside_each_other() -> Document:
    return loads_document(
        [NamedLoad(HOSTILE, open_load()), NamedLoad("load/2", open_load(30)), NamedLoad("c", load_result())]
    )


def with_many_marks() -> Document:
    """Return the page of a load whose service wrote so much that the labels of its marks need rows."""
    times_s = (0.1, 2.0, 2.4, 9, 9.5, 11, 13, 15, 17, 19.5)
    lines = tuple(LogLine(t=t, text=f"ERROR {HOSTILE} at {t}") for t in times_s)
    generator = Generator(processes=1, verdict="saturated", reason="late", saturated_since_s=12)
    window = Window(start_s=2.2, end_s=20.0, warmup_s=1.5)
    log = ServiceLog(lines=len(lines), left_out=0, first=lines)
    return load_document(open_load(window=window, generator=generator, service_log=log))


@pytest.mark.parametrize(
    ("documents", "fewest_charts"),
    [
        pytest.param(old_loads, 7, id="of earlier versions"),
        pytest.param(lambda: [empty()], 0, id="nothing sent"),
        pytest.param(lambda: [only_failures()], 2, id="only failures"),
        pytest.param(lambda: [single_second()], 3, id="a single second, partial"),
        pytest.param(lambda: [saturated()], 5, id="saturated, with stages"),
        pytest.param(lambda: [load_document(load_result())], 2, id="closed"),
        pytest.param(lambda: [with_many_marks()], 5, id="many marks"),
        pytest.param(lambda: [beside_each_other(), saturated()], 7, id="several"),
    ],
)
def test_whatever_a_load_is_its_page_is_sound(
    started: Browser,
    tmp_path: Path,
    documents: Callable[[], list[Document]],
    fewest_charts: int,
    request: pytest.FixtureRequest,
) -> None:
    file = tmp_path / "load.html"
    file.write_text(page_of(documents()))
    assert file.stat().st_size < MOST_BYTES
    watched = Watched(started, width=390, scheme="dark")
    page = watched.open(file)
    assert page.locator("figure[data-chart]").count() >= fewest_charts
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.locator("img").count() == 0
    assert_labels_of_marks_are_apart(page)
    assert violations(page) == []
    assert watched.wrong == []
    assert [address for address in watched.asked if not address.startswith("file:")] == []
    keep_picture(page, f"load-{request.node.callspec.id.replace(' ', '-')}")
    page.close()


def assert_labels_of_marks_are_apart(page: Page) -> None:
    """Assert that no label of a mark lies on another, on a panel, or beyond the page, also when a part is shown."""
    for figure in page.locator("figure[data-chart]:has(.moments)").all():
        for button in (None, "Zoom in", "Right ▶"):
            if button is not None:
                figure.get_by_role("button", name=button).click()
                page.wait_for_timeout(100)
            panel = figure.locator(".view .background").first.bounding_box()
            shown = [label for label in figure.locator(".moments li").all() if label.is_visible()]
            boxes = [box for label in shown if (box := label.bounding_box()) is not None]
            assert panel is not None
            for box in boxes:
                assert box["y"] + box["height"] <= panel["y"]
                assert box["x"] >= 0
                assert box["x"] + box["width"] <= page.evaluate("innerWidth")
            for left, right in combinations(boxes, 2):
                assert (
                    left["x"] + left["width"] <= right["x"]
                    or right["x"] + right["width"] <= left["x"]
                    or left["y"] + left["height"] <= right["y"] + 0.5
                    or right["y"] + right["height"] <= left["y"] + 0.5
                )


def test_half_an_hour_with_fifty_operations(
    started: Browser, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    document = load_document(open_load(1800, 50))
    made = replace(document, charts=tuple(document.charts))
    file = tmp_path / "long.html"
    file.write_text(page_of([made]))
    assert file.stat().st_size < MOST_BYTES
    watched = Watched(started)
    opened_ms = []
    for _ in range(3):
        watched.page.goto(file.as_uri())
        watched.page.wait_for_selector("figure[data-chart][data-drawn=true]")
        opened_ms.append(watched.page.evaluate("performance.now()"))
    record_property("opened_ms", sorted(opened_ms)[1])
    print(f"half an hour opened in {sorted(opened_ms)[1]:.0f} ms, {file.stat().st_size:,} bytes")  # noqa: T201
    page = watched.open(file)
    assert page.locator("figure[data-chart]").count() == len(made.charts)
    assert page.get_by_text("of 1,800 seconds").first.is_visible()
    assert {"0 s", "5 min", "30 min"} <= set(labels(page.locator("figure[data-chart]").first, 0))
    assert_labels_of_marks_are_apart(page)
    assert page.get_by_text("Of 50 operations it shows").first.is_visible()
    assert watched.wrong == []
    keep_picture(page, "load-long")
    page.close()
