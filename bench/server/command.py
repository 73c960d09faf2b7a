"""The command that starts a service, as the user wrote it for `--serve`.

Rules of this file: it is pure. The command is run without a shell, unless it uses what only a shell knows: operators,
variables, patterns, substitutions, a command of its own such as `exec`, or a variable before the program. `{port}` and
`{host}` are replaced; other braces stay as they are. A wrong command is a `CommandError` of one line.
"""

import os
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from bench.printable import one_line
from bench.secrets import HIDDEN, SECRET_NAME

#: The address at which a service is asked to listen.
HOST = "127.0.0.1"

#: The variable of its environment that has the port, as hosting platforms have it.
PORT_VARIABLE = "PORT"

#: The time that a service may take to start, in seconds.
START_TIMEOUT_S = 30.0

#: The longest command that an error names, in characters.
_SHOWN_CHARACTERS = 120

#: A part of a command that no shell has to read, or that only a shell can.
_QUOTED = re.compile(r"\\.|'[^']*'|\"(?:[^\"\\$`]|\\.)*\"", re.DOTALL)
_FOR_A_SHELL = re.compile(r"[|&;<>()$`*?~\n\[\"]|(?:^|\s)#")
_ASSIGNMENT = re.compile(r"\s*[A-Za-z_]\w*=")
_BUILTIN = re.compile(r"\s*(?:\.|cd|command|eval|exec|export|set|trap|ulimit|umask|unset)\s")

#: A word that gives a secret by its name: TOKEN=…, --api-key=…, --password ….
_SECRET_WORD = re.compile(
    rf"(?i)((?:^|[\s\"';])(?:{SECRET_NAME}=|--?{SECRET_NAME}(?:=|\s+)))('[^']*'|\"[^\"]*\"|(?!-)[^\s'\";]+)"
)
_USER_INFO = re.compile(r"(://)[^/\s@'\"]+@")


class CommandError(ValueError):
    """A command that cannot be. One line."""


class ReadyUrlError(CommandError):
    """A URL to wait for that cannot be. One line."""


@dataclass(frozen=True)
class ServeCommand:
    """The command of a service, the folder that it is run in, and how to know that it serves.

    `ready_url` is a path of the service, or a whole URL, that answers with a status from 200 to 399 once the service is
    ready. Without it, the service is ready when it accepts connections on its port. If a whole URL has `{port}` in it,
    clients use its scheme and host, too. `is_tls` says that clients have settings of TLS, so that they use https.
    """

    command: str
    directory: Path = field(default_factory=Path.cwd)
    ready_url: str | None = None
    start_timeout_s: float = START_TIMEOUT_S
    is_tls: bool = False
    #: A function that replaces what is secret in a text.
    hide: Callable[[str], str] = field(default=str, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what cannot be run. Raises CommandError."""
        if not self.command.strip():
            raise CommandError("there is no command: give it as a shell would take it, such as 'node server.js {port}'")
        if "\0" in self.command:
            raise CommandError("a command has no null character")
        if not self.needs_shell:
            try:
                shlex.split(self.command)
            except ValueError as error:
                raise CommandError(f"{self.shown}: {one_line(error).lower()}") from None
        if self.ready_url is not None:
            _check_url(self.ready_url)

    @property
    def shown(self) -> str:
        """The command without what is secret in it, or seems to be by its name."""
        return self.hide(without_secrets(self.command))

    @property
    def named(self) -> str:
        """The command in a few words, for errors."""
        return one_line(self.shown, _SHOWN_CHARACTERS)

    @property
    def needs_shell(self) -> bool:
        """True if the command has something in it that only a shell understands."""
        text = _QUOTED.sub("", self.command)
        return bool(_FOR_A_SHELL.search(text) or _ASSIGNMENT.match(self.command) or _BUILTIN.match(self.command))

    @property
    def takes_port(self) -> bool:
        """True if the command says where the port goes."""
        return "{port}" in self.command

    def arguments(self, port: int) -> list[str]:
        """Return the program and its arguments, for a service on that port."""
        if self.needs_shell:
            return ["/bin/sh", "-c", _filled(self.command, port)]
        return [_filled(word, port) for word in shlex.split(self.command)]

    def url(self, host: str, port: int) -> str:
        """Return the URL for clients of a service that listens there; `host` is as URLs have it."""
        if self.ready_url is not None and "{port}" in self.ready_url and "://" in self.ready_url:
            parts = urlsplit(_filled(self.ready_url, port))
            return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        # Certificates of tests name localhost more often than an address.
        return f"https://localhost:{port}" if self.is_tls else f"http://{host}:{port}"

    def ready_at(self, url: str, port: int) -> str | None:
        """Return the whole URL that answers when a service at `url` is ready; None if an open port is enough."""
        if self.ready_url is None:
            return None
        asked = _filled(self.ready_url, port)
        return asked if "://" in asked else f"{url}/{asked.lstrip('/')}"


def without_secrets(command: str) -> str:
    """Return a command without what seems to be secret by its name, and without users and passwords in URLs."""
    return _SECRET_WORD.sub(lambda found: found[1] + HIDDEN, _USER_INFO.sub(rf"\1{HIDDEN}@", command))


def _filled(text: str, port: int) -> str:
    return text.replace("{port}", str(port)).replace("{host}", HOST)


def _check_url(text: str) -> None:
    asked = _filled(text, 1)
    if "://" in asked:
        try:
            parts = urlsplit(asked)
            is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_url = False
    else:
        is_url = asked.startswith("/")
    if not is_url or not asked.isascii() or any(character.isspace() for character in asked):
        raise ReadyUrlError(f"give a path such as /health, or a whole http:// or https:// URL, not {text!r}")


def no_start(program: str, directory: Path, number: int, reason: str) -> str:
    """Return why the system could not start a program, and what to do, for an error number of exec."""
    import errno

    path = directory / program if "/" in program else None
    if number == errno.ENOENT and path is None:
        return f"there is no program {program!r} on the PATH; name it by its path, such as .venv/bin/{program}"
    if number == errno.ENOENT and path is not None and path.exists():
        return f"{path} names an interpreter in its first line that is not there: {_first_line(path)}"
    if number == errno.ENOENT:
        return f"there is no file {path}; a relative path begins in the folder where the service is run"
    if number == errno.EACCES and path is not None and path.is_dir():
        return f"{path} is a folder, and no program"
    if number in (errno.EACCES, errno.EPERM):
        return f"{path or program} is not executable: `chmod +x` it, or write its interpreter before it"
    if number == errno.ENOEXEC:
        return f"{path or program} is no program: its first line has no #! with an interpreter"
    return f"{program} cannot be run: {reason.lower() or os.strerror(number).lower()}"


def _first_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return one_line(file.readline(200).decode(errors="replace"))
    except OSError:
        return "it cannot be read"
