"""`bench init` itself: find what is to be measured, describe it, write the files, and say what comes next.

No file that is there already is touched, unless that is asked for. A file that needs another one's names is not written
beside a stranger of that name.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from bench.printable import one_line
from bench.server.command import CommandError, ServeCommand, without_secrets
from bench.starting import handlers, session
from bench.starting.application import ApplicationError, SocketIOServer, servers_of
from bench.starting.candidates import candidates
from bench.starting.description import Description, DraftClient
from bench.starting.files import Layout, all_files
from bench.starting.har import read_har
from bench.starting.project import repository_of, workflow_of
from bench.starting.target import Target

#: The number of users of the load that is proposed: few, because the server may be anybody's.
_USERS = 10


class StartError(ValueError):
    """A command that makes no sense, in one line."""


@dataclass(frozen=True)
class Begun:
    """The first files of a project, before they are written."""

    directory: Path
    description: Description
    target: Target
    layout: Layout
    #: The texts by path below the folder, but for the workflow, which lies below the repository.
    texts: Mapping[str, str]

    def write(self, force: bool) -> dict[str, bool]:
        """Write the files; return by path which of them were written. Raises OSError."""
        modules = [f"{self.layout.module_of(client)}.py" for client in self.description.clients]
        foreign = [name for name in modules if not force and self._is_foreign(name)]
        written: dict[str, bool] = {}
        for name, text in self.texts.items():
            needs_modules = name in (self.layout.locustfile, self.layout.test)
            written[name] = not (needs_modules and foreign) and self._write(name, text, force)
        return written

    def told(self, written: Mapping[str, bool]) -> Iterator[str]:
        """Yield the lines that say what was written, what was not understood, and what comes next."""
        yield f"{self.description.source}: {_counted(self.description)}"
        for name, is_written in written.items():
            if is_written:
                yield f"  wrote  {self._shown(name)}"
            elif self._path(name).exists():
                yield f"  kept   {self._shown(name)}: it is there already"
            else:
                yield f"  left   {self._shown(name)}: it would need other scenarios than those that are there"
        if self.description.notes:
            yield ""
            yield "Not understood, or a guess:"
            yield from (f"  - {note}" for note in self.description.notes)
        if self.description.variables:
            yield ""
            yield "These secrets are read from the environment:"
            width = max(map(len, self.description.variables))
            yield from (f"  {name:<{width}}  {meaning}" for name, meaning in self.description.variables.items())
        yield ""
        yield "Next:"
        yield from (f"  {command}" for command in self._commands(written))

    def _commands(self, written: Mapping[str, bool]) -> Iterator[str]:
        scenarios = f"{self.layout.scenarios}.py"
        folder = os.path.relpath(self.directory)
        if folder != ".":
            yield f"cd {folder}"
        if any(client.finished for client in self.description.clients):
            yield f"bench latency --scenarios {scenarios}{self.target.option}"
        else:
            yield f"describe what a client does, in {scenarios}; until then the load's users connect and listen"
        what = f"-f {self.layout.locustfile}" if written[self.layout.locustfile] else f"--scenarios {scenarios}"
        where = "" if self.target.url is not None and written[self.layout.locustfile] else self.target.load_option
        yield f"bench load {what}{where} --users {_USERS} --run-time 30s"
        if written.get(self.layout.test):
            yield f"pytest {self.layout.test}"

    def _path(self, name: str) -> Path:
        root = repository_of(self.directory) if name == self.layout.workflow else self.directory
        return root / name

    def _shown(self, name: str) -> str:
        return os.path.relpath(self._path(name))

    def _is_foreign(self, name: str) -> bool:
        """Return whether another file of that name is there."""
        path = self._path(name)
        if not path.exists():
            return False
        try:
            return path.read_text() != self.texts[name]
        except (OSError, ValueError):
            return True

    def _write(self, name: str, text: str, force: bool) -> bool:
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("w" if force else "x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            return False
        return True


def begin(directory: Path, target: Target, har: Path | None = None) -> Begun:
    """Return the first files for a folder. If nothing is given as the target, it is looked for.

    Raises StartError, ApplicationError and HarError.
    """
    app, url, serve = target.app, target.url, target.serve
    if sum(each is not None for each in (app, url, serve)) > 1:
        raise StartError(
            "--app, --url, --serve: give the app, the URL of a server, or the command that serves, not both"
        )
    if not directory.is_dir():
        raise StartError(f"{directory}: there is no such folder")
    directory = directory.resolve()
    if url is not None:
        _check_url(url)
    if serve is not None:
        _check_command(serve)
    description = None if har is None else session.described(read_har(har), har.name)
    servers: list[SocketIOServer] = []
    if app is not None:
        servers = servers_of(app, directory)
    elif url is None and serve is None:
        app, servers, url = _found(directory, description)
    target = Target(app, url, serve)
    if app is not None and description is None:
        description = handlers.described(app, servers)
    elif app is not None and description is not None:
        description = replace(description, notes=(*description.notes, *handlers.unhandled(description, app, servers)))
    if description is None:
        name = one_line(url if url is not None else serve, 100)
        note = f"the events of {name} are not known: describe what a client does, or record a session (--har)"
        description = Description((DraftClient(),), name, notes=(note,))
    layout = Layout()
    return Begun(
        directory, description, target, layout, all_files(description, target, workflow_of(directory, target), layout)
    )


def _found(directory: Path, recorded: Description | None) -> tuple[str | None, list[SocketIOServer], str | None]:
    """Return the only application of the folder, with what is in it, or else the server of the recorded session."""
    found = candidates(directory)
    if len(found) == 1:
        return *_importable(found[0], directory), None
    if found:
        raise StartError(f"there are several applications, name yours: {', '.join(f'--app {each}' for each in found)}")
    if recorded is not None and recorded.origin is not None:
        _check_url(recorded.origin, "the recording's server")
        return None, [], recorded.origin
    raise StartError(
        f"{directory.name or directory}: no Python file here makes a socketio.ASGIApp at its top level: name the app "
        "with --app MODULE:ATTRIBUTE, a command with --serve, or a server that runs already with --url"
    )


def _importable(app: str, directory: Path) -> tuple[str, list[SocketIOServer]]:
    """Return an application that was found, by the name by which it can be imported, and what is in it."""
    if app.startswith("src."):  # a project in this form is installed, and its modules have no `src` in their names
        with contextlib.suppress(ApplicationError):
            installed = app.removeprefix("src.")
            return installed, servers_of(installed, directory)
    try:
        return app, servers_of(app, directory)
    except ApplicationError as error:
        folder = "/".join(app.partition(":")[0].split(".")[:-1])
        hint = f"; if it is run in {folder}, type `bench init {folder}`" if folder else ""
        raise ApplicationError(f"{error}{hint}") from None


def _check_command(command: str) -> None:
    try:
        ServeCommand(command)
    except CommandError as error:
        raise StartError(f"--serve: {error}") from None
    if without_secrets(command) != command:
        raise StartError("--serve: a secret in the command would stand in the files: give it in the environment")


def _check_url(url: str, what: str = "--url") -> None:
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("http", "https", "ws", "wss") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_url = False
    if not is_url or not url.isprintable() or set(url) & set("\"'\\ `$"):
        raise StartError(f"{what} {one_line(url, 100)!r}: give the URL of a server, as in http://127.0.0.1:8000")
    if "@" in parts.netloc or parts.query:
        raise StartError("--url: leave out user, password and query, which would stand in the files: see Connection")


def _counted(description: Description) -> str:
    scenarios = [scenario for client in description.clients for scenario in client.scenarios]
    timed = sum(scenario.is_timed and not scenario.is_unfinished for scenario in scenarios)
    silent = sum(not scenario.is_timed and not scenario.is_unfinished for scenario in scenarios)
    unfinished = sum(scenario.is_unfinished for scenario in scenarios)
    parts = [_number(timed, "round trip")]
    parts += [_number(silent, "emission")] if silent else []
    parts += [f"{unfinished} to be filled in"] if unfinished else []
    return ", ".join(parts)


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
