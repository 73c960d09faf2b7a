"""The addresses that this package adds to Locust's web page: live figures, results, metrics, and a tab to show them in.

Locust's page takes tabs by their titles, and fills them with tables. So the tab is Locust's, and a small script, which
`add_to_locust` puts into Locust's page, shows our own page in it. The same script keeps the verdict above all tabs. If
the script fails, Locust's page stays as it is.

Rules of this file: nothing here changes anything. Pages of other sites read nothing: Locust itself would let them.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import flask
from locust.web import WebUI

from bench.load.plugin.live_view import LiveView
from bench.load.plugin.options import MisuseError
from bench.load.plugin.page import foreign_site
from bench.printable import error_line, one_line
from bench.report.formats import formats

logger = logging.getLogger(__name__)

#: The path of our page, below that of Locust's, and the name of its tab in Locust's address.
PATH, TAB = "socketio-bench", "socketio"

_TITLE = "Socket.IO"

#: The path of the metrics, below that of Locust's page.
METRICS_PATH = "metrics"

_FILES = Path(__file__).with_name("web")

#: The time that a result may take to be drawn, in seconds.
_RENDERING_S = 120.0

#: What a browser lets our page do: run its own script, and ask this server.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; frame-ancestors 'self'"
)

_View = Callable[..., Any]

#: The answer to a scrape: its text and its type. Takes the Accept header. Raises MisuseError where none can be made.
Exposition = Callable[[str], tuple[bytes, str]]


def add_routes(web_ui: WebUI, base_path: str, view: LiveView, expose: Exposition) -> None:
    """Add our addresses to Locust's page, which lies at `base_path`, and our tab to its tabs."""
    if web_ui.app is None:
        return
    routes = _Routes(view, expose)
    blueprint = flask.Blueprint("socketio_bench", __name__, url_prefix=base_path or None)
    for rule, answer in routes.by_rule().items():
        guarded = web_ui.auth_required_if_enabled(_own_pages_only(answer))
        blueprint.add_url_rule(f"/{rule}", endpoint=answer.__name__.strip("_"), view_func=guarded)
    web_ui.app.register_blueprint(blueprint)
    web_ui.app.after_request(_add_script)
    # Locust makes its arguments anew for each request, and keeps what else is there.
    web_ui.template_args["extended_tabs"] = [
        *web_ui.template_args.get("extended_tabs", []),
        {"title": _TITLE, "key": TAB},
    ]


class _Routes:
    """The answers to requests."""

    def __init__(self, view: LiveView, expose: Exposition) -> None:
        self._view = view
        self._expose = expose

    def by_rule(self) -> dict[str, _View]:
        """Return the answers by the addresses, below that of Locust's page."""
        return {
            f"{PATH}/": self._index,
            f"{PATH}/<any('live.js', 'live.css', 'tab.js'):name>": self._file,
            f"{PATH}/live.json": self._live,
            f"{PATH}/results/<int:number>/result.json": self._result,
            f"{PATH}/results/<int:number>/page.html": self._page,
            f"{PATH}/results/<int:number>/seconds.hlog": self._seconds,
            METRICS_PATH: self._metrics,
        }

    def _index(self) -> flask.Response:
        return _fresh(flask.send_from_directory(_FILES, "live.html"))

    def _file(self, name: str) -> flask.Response:
        return _fresh(flask.send_from_directory(_FILES, name))

    def _live(self) -> flask.Response:
        page = self._view.page()
        if "brief" in flask.request.args:  # what stands above Locust's own tabs
            page = {name: page[name] for name in ("state", "banner")}
        return _fresh(flask.jsonify(page | {"has_pages": "html" in formats()}))

    def _result(self, number: int) -> flask.Response:
        path = self._view.path_of(number)
        if path is None or not path.is_file():
            return _no_result(number)
        return _fresh(flask.send_file(path, mimetype="application/json", download_name=path.name))

    def _page(self, number: int) -> flask.Response:
        return self._made(number, ["show", "--format", "html"], "text/html")

    def _seconds(self, number: int) -> flask.Response:
        return self._made(number, ["hlog", "--output", "-"], "text/plain")

    def _made(self, number: int, command: Sequence[str], mimetype: str) -> flask.Response:
        """Return what a command makes of a result. A process of its own does it: Locust's has users to look after."""
        path = self._view.path_of(number)
        if path is None or not path.is_file():
            return _no_result(number)
        if self._view.is_on:
            return _plain("a test is on, and this would take CPU time from its load: ask again when it has ended", 409)
        try:
            made = subprocess.run(  # gevent's, once Locust has been imported: the page goes on meanwhile
                [sys.executable, "-m", "bench", *command, str(path)],
                capture_output=True,
                stdin=subprocess.DEVNULL,
                timeout=_RENDERING_S,
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as error:
            return _plain(f"it could not be made: {one_line(str(error))}", 500)
        if made.returncode:
            return _plain(f"it could not be made: {one_line(made.stderr.decode(errors='replace'), 500)}", 500)
        return _fresh(flask.Response(made.stdout, mimetype=mimetype), policy="")

    def _metrics(self) -> flask.Response:
        try:
            text, content_type = self._expose(flask.request.headers.get("Accept", ""))
        except MisuseError as error:
            return _plain(str(error), 501)
        except Exception as error:
            return _plain(f"the metrics cannot be made: {error_line(error)}", 500)
        return _fresh(flask.Response(text, content_type=content_type))


def _own_pages_only(answer: _View) -> _View:
    """Return a view that answers no script of another site. A link from elsewhere may lead here."""

    @wraps(answer)
    def guarded(*args: Any, **kwargs: Any) -> flask.Response:
        headers = flask.request.headers
        site = foreign_site()
        if site is not None and headers.get("Sec-Fetch-Mode") != "navigate":
            return _plain(f"refused: {site} may not read this", 403)
        response: flask.Response = answer(*args, **kwargs)
        return response

    return guarded


def _add_script(response: flask.Response) -> flask.Response:
    """Return the answer to a request; that of Locust's page has our script in it."""
    if flask.request.endpoint == "locust.index" and response.mimetype == "text/html" and response.status_code == 200:
        script = f'<script src="./{PATH}/tab.js" defer></script></head>'.encode()
        response.set_data(response.get_data().replace(b"</head>", script, 1))
    return response


def _fresh(response: flask.Response, policy: str = _POLICY) -> flask.Response:
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    if policy:
        response.headers["Content-Security-Policy"] = policy
    return response


def _no_result(number: int) -> flask.Response:
    return _plain(f"there is no stored result of test {number}", 404)


def _plain(text: str, status: int) -> flask.Response:
    return _fresh(flask.Response(f"{text}\n", status, mimetype="text/plain"))
