"""The service that a run starts for itself, as the command line or the locustfile says it: an app, or a command."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench.checkout import checkout_around
from bench.load.plugin.connection_options import over_class
from bench.load.plugin.options import MisuseError
from bench.load.plugin.user import SocketIOUser
from bench.scenarios.loading import MODULE
from bench.scenarios.options import OptionError, app_of
from bench.secrets import Secrets
from bench.server import Served, ServedApp, ServedCommand
from bench.server.serve_options import ServeOptions


def served(
    options: Namespace, host: str | None, users: Sequence[type[SocketIOUser]], hide: Callable[[str], str]
) -> Served | None:
    """Return the service to start; None if the users' servers run already. Raises MisuseError.

    `hide` takes what is secret out of the service's log.
    A locustfile may have `serve` and `ready_url` at its top level, as a scenarios file has them.
    """
    given = secrets_of(options, users)
    connections = [over_class(options, user.class_connection()) for user in users]
    serving = ServeOptions(
        serve=_text(options, "serve"),
        ready_url=_text(options, "ready_url"),
        start_timeout=_text(options, "start_timeout"),
        file=_file_of(users),
        file_serve=_of_locustfile(users, "serve"),
        file_ready_url=_of_locustfile(users, "ready_url"),
    )
    app = getattr(options, "app", None)
    have_hosts = bool(users) and all(user.host for user in users)
    if serving.serve is None and host is None and have_hosts:
        host = users[0].host
    try:
        command = serving.command(
            Path.cwd(),
            app=app,
            url=host,
            url_option="--host",
            is_tls=any(connection.tls is not None for connection in connections),
            hide=given.hide,
        )
        if command is not None:
            return ServedCommand(command, hide)
        if host is not None:
            return None
        checkout = None if app is not None else checkout_around(Path.cwd(), *_locustfiles(users))
        if app is None and checkout is None:
            raise MisuseError(
                "nothing says which service to load: give --app MODULE:ATTRIBUTE, --serve COMMAND or --host URL; or a "
                "locustfile or scenarios file that says `serve = ...`"
            )
        return ServedApp(app_of(app), checkout, start_timeout_s=serving.start_timeout_s, hide=hide)
    except OptionError as error:
        raise MisuseError(str(error)) from None


def secrets_of(options: Namespace, users: Sequence[type[SocketIOUser]]) -> Secrets:
    """Return what the classes and the command line say that is secret."""
    found = Secrets()
    for user in users:
        found |= Secrets.of(over_class(options, user.class_connection()))
    return found


def _text(options: Namespace, name: str) -> str | None:
    return str(getattr(options, name, "") or "") or None


def _file_of(users: Sequence[type[SocketIOUser]]) -> str:
    """Return the words for the file that may say what to serve: a scenarios file if the users are made from one."""
    is_scenarios = any(user.__module__ == MODULE for user in users)
    return "the scenarios file" if is_scenarios else "the locustfile"


def _locustfiles(users: Sequence[type[SocketIOUser]]) -> Iterator[Path]:
    """Yield the files that the classes were written in."""
    for user in users:
        file = getattr(sys.modules.get(user.__module__), "__file__", None)
        if isinstance(file, str):
            yield Path(file)


def _of_locustfile(users: Sequence[type[SocketIOUser]], name: str) -> str | None:
    """Return the text that a module of the classes has under this name at its top level; None if there is none."""
    for user in users:
        text = getattr(sys.modules.get(user.__module__), name, None)
        if isinstance(text, str):
            return text
    return None
