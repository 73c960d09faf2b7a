"""What Locust's web page may ask for: what it shows, and only where it is asked by itself.

Locust's form sets each option whose name is in it, shown or not, and its page takes orders from the forms of any site
that somebody visits meanwhile. So orders of other sites are refused, and so is what the page does not offer.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import flask
from locust.argument_parser import ui_extra_args_dict
from locust.env import Environment
from werkzeug.datastructures import ImmutableMultiDict

from bench.load.hosts import shown_host
from bench.load.options import MisuseError
from bench.printable import one_line

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

#: What changes something, by whatever method: it differs from one version of Locust to the next.
_ORDERS = frozenset({"locust.swarm", "locust.stop", "locust.reset_stats", "locust.update_user"})

_FIELDS = frozenset({"user_count", "spawn_rate", "host", "run_time", "profile"})
_PICKED_FIELDS = frozenset({"user_classes", "shape_class"})
_CLASS_FIELDS = frozenset({"user_class_name", "host", "weight", "fixed_count", "tasks"})

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Page:
    """Looks at each request before Locust does. `check` raises MisuseError for options that cannot be."""

    def __init__(self, environment: Environment, check: Callable[[Namespace], None]) -> None:
        self._environment = environment
        self._check = check

    def guard(self) -> flask.Response | None:
        """Return the answer to a request that is refused; None lets it pass."""
        request = flask.request
        if request.method not in _SAFE_METHODS or request.endpoint in _ORDERS:
            if (site := _foreign_site()) is not None:
                return flask.Response(f"refused: this page takes no orders from {site}\n", 403, mimetype="text/plain")
            try:
                if request.endpoint == "locust.swarm":
                    self._take_form()
                elif request.endpoint == "locust.update_user":
                    self._check_class(request.get_json(force=True))
            except MisuseError as error:
                return self._refused(str(error))
        return None

    def _take_form(self) -> None:
        """Have Locust see a form of what the page shows, with the host as it may be shown. Raises MisuseError."""
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
        self._check(Namespace(**{**options, **{name: values[0] for name, values in kept.items()}}))
        # Locust reads the form of the request, and nothing else; werkzeug has it as an attribute.
        flask.request.form = ImmutableMultiDict(kept)

    @staticmethod
    def _check_class(settings: Any) -> None:
        """Of a user class the page sets what it shows. Raises MisuseError."""
        if not isinstance(settings, dict):
            raise MisuseError("the settings of a user class are an object")
        if hidden := sorted(settings.keys() - _CLASS_FIELDS):
            raise MisuseError(f"{one_line(hidden[0])} of a user class cannot be set on the page")
        host = settings.get("host")
        if host and ("@" in str(host) or "?" in str(host)):
            raise MisuseError("the host of one class is shown as it is: give user, password and query for all of them")

    def _refused(self, reason: str) -> flask.Response:
        """Answer as Locust does to wrong fields of its own."""
        return flask.jsonify({"success": False, "message": reason, "host": self._environment.host})


def _foreign_site() -> str | None:
    """The site whose page sent this request, by what browsers say of it; None: ours, or no page at all."""
    headers = flask.request.headers
    relation = headers.get("Sec-Fetch-Site")
    if relation in ("same-origin", "none"):  # browsers alone can say it, and behind a proxy it is the one sure sign
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
