"""The thing that is to be measured: an application, or a server at a URL. The files and the commands name it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """An ASGI application as `module:attribute`, or the URL of a server; one of the two.

    The options are fit for a shell.
    """

    app: str | None = None
    url: str | None = None

    @property
    def option(self) -> str:
        """The option of `bench latency` that names it."""
        return f"--app {shlex.quote(self.app)}" if self.app is not None else f"--url {shlex.quote(self.url or '')}"

    @property
    def load_option(self) -> str:
        """The option of a load that names it."""
        return self.option if self.app is not None else f"--host {shlex.quote(self.url or '')}"
