"""The options that say what is served: `--serve`, `--ready-url`, `--start-timeout`, or a scenarios file in their place.

Rules of this file: texts come in as the user typed them. What is wrong is an `OptionError` of one line that names the
option. An option comes before the file, and a URL, or an app, before a command in the file.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.scenarios.loading import ScenariosFile
from bench.scenarios.options import OptionError
from bench.server.command import START_TIMEOUT_S, CommandError, ReadyUrlError, ServeCommand
from bench.timing.durations import DurationError, parse_duration

#: The longest time that a service may take to start, in seconds.
_LONGEST_START_S = 3600.0


@dataclass(frozen=True)
class ServeOptions:
    """The texts of the options, None for those that were not given, and of a scenarios file, if there is any."""

    serve: str | None = None
    ready_url: str | None = None
    start_timeout: str | None = None
    file: str = ""
    file_serve: str | None = None
    file_ready_url: str | None = None

    @classmethod
    def of(
        cls, serve: str | None, ready_url: str | None, start_timeout: str | None, file: ScenariosFile | None
    ) -> "ServeOptions":
        """Return the texts of the options and of the scenarios file, if there is any."""
        if file is None:
            return cls(serve, ready_url, start_timeout)
        return cls(serve, ready_url, start_timeout, f"--scenarios {file.name}", file.serve, file.ready_url)

    @property
    def start_timeout_s(self) -> float:
        """The time that a service may take to start, in seconds. Raises OptionError."""
        if self.start_timeout is None:
            return START_TIMEOUT_S
        try:
            seconds = parse_duration(self.start_timeout)
        except DurationError:
            seconds = math.nan
        if not 0.1 <= seconds <= _LONGEST_START_S:
            raise OptionError(f"--start-timeout {self.start_timeout!r}: give seconds, from 0.1 to 3600, as in 60 or 2m")
        return seconds

    def command(
        self,
        directory: Path,
        *,
        app: str | None = None,
        url: str | None = None,
        url_option: str = "--url",
        is_tls: bool = False,
        hide: Callable[[str], str] = str,
    ) -> ServeCommand | None:
        """Return the command to serve in `directory`; None if an app, or a server that runs already, is asked for.

        `app` and `url` are what the user gave in place of a command; `url_option` is the name of the URL's option.
        Raises OptionError.
        """
        for option, value, what in (("--app", app, "the app to serve"), (url_option, url, "the URL of a server")):
            if value is not None and self.serve is not None:
                raise OptionError(f"--serve and {option} {value}: give the command that serves, or {what}, not both")
        command = self.serve
        if command is None and app is None and url is None:
            command = self.file_serve
        if command is None:
            if self.ready_url is not None:
                raise OptionError(f"--ready-url {self.ready_url}: it belongs to a command, give that with --serve")
            if self.start_timeout is not None and url is not None:
                raise OptionError(f"--start-timeout {self.start_timeout}: the server at {url} runs already")
            return None
        ready_url = self.ready_url
        if ready_url is None and command is self.file_serve:
            ready_url = self.file_ready_url
        try:
            return ServeCommand(command, directory, ready_url, self.start_timeout_s, is_tls=is_tls, hide=hide)
        except ReadyUrlError as error:
            where = "--ready-url" if self.ready_url is not None else f"{self.file}: ready_url"
            raise OptionError(f"{where}: {error}") from None
        except CommandError as error:
            where = "--serve" if self.serve is not None else f"{self.file}: serve"
            raise OptionError(f"{where}: {error}") from None
