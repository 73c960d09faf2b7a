"""`python -m app`: run the service under uvicorn.

The process ends with 2 and a line for each setting that is not allowed, and with 1 and a line where it cannot listen.
It ends with 0 after Ctrl-C, and after SIGTERM by that signal, as uvicorn does. Clients are disconnected first, within
`GRACE_S`.
"""

import argparse
import contextlib
import copy
import logging
import resource
import socket
import sys
from typing import Any

import uvicorn
from uvicorn.config import LOG_LEVELS, LOGGING_CONFIG

from app import socketio_server
from app.asgi import create_app
from app.settings import ENVIRONMENT_PREFIX, Settings, SettingsError, read_settings

#: The time that requests under way may take when the service has to end, in seconds. A polling client's request is
#: always under way.
GRACE_S = 1

#: The settings that are arguments too. A token is not: arguments can be read by everyone on the machine.
ARGUMENTS = ("host", "port", "loop", "ws", "log_level", "max_message_bytes")

#: As long as uvicorn's own, for many clients that connect at once.
BACKLOG = 2048

logger = logging.getLogger("app")


def main() -> None:
    """Run the service until a signal ends it."""
    arguments = vars(_parser().parse_args())
    try:
        settings = read_settings(arguments)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    try:
        listener = _listen(settings.host, settings.port)
    except OSError as error:
        reason = str(error.strerror).partition(" (while")[0]  # what follows names the address again
        sys.exit(f"cannot listen on {settings.host} port {settings.port}: {reason}; choose another --host or --port")
    _allow_many_connections()
    _serve(settings, listener)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m app",
        description="The FOO→BAR service.",
        epilog=f"Each is an environment variable too ({ENVIRONMENT_PREFIX}PORT, ...); the argument wins. "
        f"{ENVIRONMENT_PREFIX}TOKEN, which is no argument, is what clients must give to connect.",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    for name in ARGUMENTS:
        field = Settings.model_fields[name]
        help_text = f"{field.description} (default: {field.default})"
        parser.add_argument(f"--{name.replace('_', '-')}", metavar=name.upper(), help=help_text)
    return parser


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


def _allow_many_connections() -> None:
    """Raise the limit of open files from the usual 1024 to what is allowed: each connection is an open file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return
    for limit in (hard, max(soft, 10_240)):  # macOS says "unlimited", and refuses that
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
            return


def _serve(settings: Settings, listener: socket.socket) -> None:
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(settings),
            loop=settings.loop,
            ws=settings.ws,
            ws_max_size=settings.max_message_bytes,
            # Engine.IO has a heartbeat of its own, and its messages are too small to gain by compression.
            ws_ping_interval=None,
            ws_per_message_deflate=False,
            log_config=_log_config(settings.log_level),
            log_level=settings.log_level,
            # a line for each request is a line for each message of a polling client
            access_log=settings.log_level in ("debug", "trace"),
            backlog=BACKLOG,
            timeout_graceful_shutdown=GRACE_S,
        )
    )
    address, port = listener.getsockname()[:2]
    logger.info("listening on http://%s:%d (Ctrl-C ends)", f"[{address}]" if ":" in address else address, port)
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again when all is shut down
        server.run(sockets=[listener])


def _log_config(level: str) -> dict[str, Any]:
    """Return uvicorn's logging configuration, and the same for the service's own log."""
    config = copy.deepcopy(LOGGING_CONFIG)
    config["loggers"]["app"] = {"handlers": ["default"], "level": LOG_LEVELS[level], "propagate": False}
    # named too, because configuring a logger resets the levels below it, and this one logs each message at info
    config["loggers"][socketio_server.logger.name] = {"level": max(LOG_LEVELS[level], logging.ERROR)}
    return config


if __name__ == "__main__":
    main()
