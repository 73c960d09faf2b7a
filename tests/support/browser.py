"""A real browser, and pages in it that are watched: what went wrong, and what they asked the network for."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page, expect, sync_playwright

#: The variable that says that a browser has to be there, as in CI: without one the tests fail.
REQUIRED = "BENCH_BROWSER_REQUIRED"

_INSTALLED = ("chromium", "chromium-browser", "google-chrome")

#: A page on a busy machine takes seconds to draw, and longer than the five that Playwright waits by itself.
LIMIT_S = 60
expect.set_options(timeout=1000 * LIMIT_S)


@contextmanager
def browser() -> Iterator[Browser]:
    """Start the installed Chromium, or else Playwright's own."""
    program = next(filter(None, map(shutil.which, _INSTALLED)), None)
    with sync_playwright() as playwright:
        try:
            started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        except Error as error:
            reason = f"no browser: apt-get install chromium, or playwright install chromium: {error.message[:100]}"
            if os.environ.get(REQUIRED):
                pytest.fail(reason)
            pytest.skip(reason)
        yield started
        started.close()


class Watched:
    """A page of the browser that shows a file: what went wrong in it, and the addresses that it asked for.

    It gets nothing from other addresses than those that begin with `origin`.
    """

    def __init__(
        self, started: Browser, *, width: int = 1280, scheme: str = "light", origin: str = "file:", **options: Any
    ) -> None:
        viewport = {"width": width, "height": 900}
        self.page: Page = started.new_page(viewport=viewport, color_scheme=scheme, **options)  # type: ignore[arg-type]
        self.page.set_default_timeout(1000 * LIMIT_S)
        self.wrong: list[str] = []
        self.asked: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on(
            "console", lambda said: self.wrong.append(said.text) if said.type in ("error", "warning") else None
        )
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.route(
            "**/*", lambda route: route.continue_() if route.request.url.startswith(origin) else route.abort()
        )

    def open(self, file: Path) -> Page:
        """Open a file and draw all of its charts."""
        self.page.goto(file.absolute().as_uri())
        for figure in self.page.locator("figure[data-chart]").all():
            figure.scroll_into_view_if_needed()
        # The page's policy forbids to ask for it again and again by a text that is evaluated.
        expect(self.page.locator("figure[data-chart]:not([data-drawn=true])")).to_have_count(0)
        self.page.evaluate("scrollTo(0, 0)")
        return self.page
