"""The thing that is to be measured: an application, a server at a URL, or what a command starts."""

from __future__ import annotations

import shlex
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """An ASGI application as `module:attribute`, the URL of a server, or a command that serves; one of the three.

    The options are fit for a shell. There is none for a command, which stands in the files.
    """

    app: str | None = None
    url: str | None = None
    serve: str | None = None

    @property
    def option(self) -> str:
        """The option of `bench latency` that names it, with a blank before it."""
        return self._option("--url")

    @property
    def load_option(self) -> str:
        """The option of a load that names it, with a blank before it."""
        return self._option("--host")

    def _option(self, of_url: str) -> str:
        if self.app is not None:
            return f" --app {shlex.quote(self.app)}"
        return "" if self.url is None else f" {of_url} {shlex.quote(self.url)}"
