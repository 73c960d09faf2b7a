"""The two kinds of things that can be served: an ASGI app under uvicorn, and any command."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.server.command import START_TIMEOUT_S, ServeCommand
from bench.server.command_process import CommandProcess
from bench.server.options import ServerOptions
from bench.server.process import ServerProcess


@dataclass(frozen=True)
class ServedApp:
    """An ASGI app, imported from `directory` by `python` (None: the interpreter of this process)."""

    app: str
    directory: Path | None = None
    python: Path | None = None
    start_timeout_s: float = START_TIMEOUT_S
    #: A function that replaces what is secret in its log.
    hide: Callable[[str], str] = field(default=str, repr=False, compare=False)

    @property
    def shown(self) -> str:
        """The app."""
        return self.app

    def server(self, options: ServerOptions, log_file: Path | None = None) -> ServerProcess:
        """Return a server of the app that is to be started."""
        return ServerProcess(
            self.app,
            options,
            directory=self.directory,
            python=self.python,
            start_timeout_s=self.start_timeout_s,
            log_file=log_file,
            hide=self.hide,
        )


@dataclass(frozen=True)
class ServedCommand:
    """A command that serves."""

    command: ServeCommand
    #: A function that replaces what is secret in its log. None: that of the command, which knows what was given.
    hide: Callable[[str], str] | None = field(default=None, repr=False, compare=False)

    @property
    def shown(self) -> str:
        """The command, without secrets."""
        return self.command.shown

    def server(self, options: ServerOptions, log_file: Path | None = None) -> CommandProcess:
        """Return a server of the command that is to be started. Of the options, core and environment apply."""
        return CommandProcess(self.command, options, log_file=log_file, hide=self.hide)
