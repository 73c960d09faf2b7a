"""The orders that Locust's web page may give: for what it shows, and only from the page itself.

Locust's form sets each option whose name is in it, shown or not. Its page takes orders from the forms of any site that
somebody visits meanwhile. So orders of other sites are refused, and so is what the page does not offer.
"""

from __future__ import annotations

import logging
import re
import socket
import time
from argparse import Namespace
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import flask
from locust.argument_parser import ui_extra_args_dict
from locust.env import Environment
from werkzeug.datastructures import ImmutableMultiDict

from bench.load.plugin.hosts import shown_host
from bench.load.plugin.options import MisuseError
from bench.printable import one_line
from bench.server import ServerError

logger = logging.getLogger(__name__)

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

#: The endpoints that change something, by whatever method: the method differs from one version of Locust to the next.
_ORDERS = frozenset({"locust.swarm", "locust.stop", "locust.reset_stats", "locust.update_user"})

_FIELDS = frozenset({"user_count", "spawn_rate", "host", "run_time", "profile"})
_PICKED_FIELDS = frozenset({"user_classes", "shape_class"})
_CLASS_FIELDS = frozenset({"user_class_name", "host", "weight", "fixed_count", "tasks"})

#: The style of the form's labels. Locust's form shows the words of an option in the label of its field, on one line,
#: and cuts off what is longer. These labels stand above the field, and have as many lines as they need.
_LABELS = b"""<style>
.MuiAccordionDetails-root .MuiFormControl-root > label.MuiInputLabel-root {
  position: static; transform: none; max-width: none; white-space: normal; overflow: visible;
  font-size: 0.875rem; line-height: 1.4; margin-bottom: 0.4rem;
}
.MuiAccordionDetails-root .MuiFormControl-root > .MuiInputBase-root { margin-top: 0; }
.MuiAccordionDetails-root .MuiFormControl-root legend { display: none; }
.MuiAccordionDetails-root .MuiFormControl-root fieldset { top: 0; }
</style>"""

#: The words of an option among the data of Locust's page. They are as argparse has them, with `%%` for a percent sign.
_HELP_TEXT = re.compile(rb'"help_text": "(?:[^"\\]|\\.)*"')

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Page:
    """A check of each request before Locust sees it.

    `check` raises MisuseError for options that cannot be. `prepare` makes the host ready, which may take a while, and
    raises ServerError if it cannot. Both happen before the test begins, and a Stop meanwhile means that test. If a test
    were stopped as soon as it had started, Locust's master would quarrel with its workers.
    """

    def __init__(
        self, environment: Environment, check: Callable[[Namespace], None], prepare: Callable[[str | None], None]
    ) -> None:
        self._environment = environment
        self._check = check
        self._prepare = prepare
        #: The number of times that the end of a test was asked for.
        self._stops = 0
        #: The time of the last order of a test with a run time, as `time.monotonic` has it; None if it had none.
        self.ordered_s: float | None = None

    def guard(self) -> flask.Response | None:
        """Return the answer to a request that is refused; None lets it pass."""
        request = flask.request
        if request.method not in _SAFE_METHODS or request.endpoint in _ORDERS:
            if (site := foreign_site()) is not None:
                return flask.Response(f"refused: this page takes no orders from {site}\n", 403, mimetype="text/plain")
            if request.endpoint == "locust.stop":
                self._stops += 1
            try:
                if request.endpoint == "locust.swarm":
                    self._take_form()
                elif request.endpoint == "locust.update_user":
                    self._check_class(request.get_json(force=True))
            except (MisuseError, ServerError) as error:
                return self._refused(str(error))
        return None

    def _take_form(self) -> None:
        """Have Locust see a form of what the page shows, with the host as it may be shown.

        Raises MisuseError, or ServerError if that host cannot be made ready.
        """
        fields = flask.request.form.to_dict(flat=False)
        picks = self._environment.web_ui is not None and self._environment.web_ui.userclass_picker_is_active
        shown = _FIELDS | set(ui_extra_args_dict()) | (_PICKED_FIELDS if picks else frozenset())
        options = vars(self._environment.parsed_options or Namespace())
        if hidden := sorted(name for name in fields if name in options and name not in shown | _PICKED_FIELDS):
            raise MisuseError(
                f"{one_line(hidden[0])} cannot be set on the page, which does not show it: "
                "it keeps the value from the start of Locust"
            )
        kept = {name: values for name, values in fields.items() if name in shown}
        if host := "".join(kept.get("host", [])):
            kept["host"] = [shown_host(self._environment, host)]
        stops = self._stops
        self._check(Namespace(**{**options, **{name: values[0] for name, values in kept.items()}}))
        self._prepare("".join(kept.get("host", [])) or self._environment.host)
        if stops != self._stops:
            raise MisuseError("the test was stopped before it began")
        # Locust reads the form of the request, and nothing else. werkzeug has the form as an attribute.
        flask.request.form = ImmutableMultiDict(kept)
        self.ordered_s = time.monotonic() if any(kept.get("run_time", [])) else None

    @staticmethod
    def _check_class(settings: Any) -> None:
        """Raise MisuseError if the page sets more of a user class than the page shows."""
        if not isinstance(settings, dict):
            raise MisuseError("the settings of a user class are an object")
        if hidden := sorted(settings.keys() - _CLASS_FIELDS):
            raise MisuseError(f"{one_line(hidden[0])} of a user class cannot be set on the page")
        host = settings.get("host")
        if host and ("@" in str(host) or "?" in str(host)):
            raise MisuseError("the host of one class is shown as it is: give user, password and query for all of them")

    def _refused(self, reason: str) -> flask.Response:
        """Answer as Locust does to wrong fields of its own."""
        logger.error("%s", reason)
        return flask.jsonify({"success": False, "message": reason, "host": self._environment.host})


def whole_labels(response: flask.Response) -> flask.Response:
    """Return the answer to a request, with the words of each option in Locust's page in full and as they are meant."""
    if flask.request.endpoint == "locust.index" and response.mimetype == "text/html" and response.status_code == 200:
        page = _HELP_TEXT.sub(lambda text: text[0].replace(b"%%", b"%"), response.get_data())
        response.set_data(page.replace(b"</head>", _LABELS + b"</head>", 1))
    return response


def check_page_address(host: str, port: int) -> None:
    """Raise MisuseError where the page could not listen: Locust finds that out late, and prints a traceback."""
    where = f"port {port}" if host in ("", "*") else f"{host}, port {port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the page's own will
            probe.bind(address)
            probe.listen()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise MisuseError(
            f"the web page cannot listen on {where}: {reason}: end what listens there, choose another --web-port or "
            "--web-host, or leave the page out with --headless"
        ) from None


def foreign_site() -> str | None:
    """Return the site whose page sent this request, as browsers report it; None for this page, or no page at all."""
    headers = flask.request.headers
    relation = headers.get("Sec-Fetch-Site")
    if relation in ("same-origin", "none"):  # only a browser can set it, and behind a proxy it is the only sure sign
        return None
    origin = headers.get("Origin") or headers.get("Referer")
    if origin is None:
        return None if relation is None else "another site"
    if _server(origin) == _server(f"{flask.request.scheme}://{flask.request.host}"):
        return None
    return one_line(origin, 100)


def _server(url: str) -> tuple[str | None, int | None]:
    try:
        parts = urlsplit(url)
        return parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None, None
