"""Servers to measure and to test against: any ASGI app under uvicorn, or any command.

`UvicornTestServer` runs in the caller's event loop, `ServerProcess` in a process of its own. `CommandProcess` runs any
command that starts a server. Rules: an app is an ASGI callable or "module:attribute", and nothing here knows what it
serves. Whatever goes wrong is a single `ServerError`. Whatever was started (task, socket, process) is gone when the
server is down, also after a failure or a cancellation.
"""

from bench.server.command import CommandError, ServeCommand
from bench.server.command_process import CommandProcess
from bench.server.error import ServerError, UnservableError
from bench.server.in_loop import UvicornTestServer
from bench.server.interface import OwnedServer, Served, ServerUsage
from bench.server.options import ServerOptions
from bench.server.process import ServerCommand, ServerProcess
from bench.server.served import ServedApp, ServedCommand

__all__ = [
    "CommandError",
    "CommandProcess",
    "OwnedServer",
    "ServeCommand",
    "Served",
    "ServedApp",
    "ServedCommand",
    "ServerCommand",
    "ServerError",
    "ServerOptions",
    "ServerProcess",
    "ServerUsage",
    "UnservableError",
    "UvicornTestServer",
]
