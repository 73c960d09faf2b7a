"""Everything that measures: latency, load, and the comparison of stored results.

What a user's own files need is imported from here: `from bench import Connection, RoundTrip, SocketIOUser, task`. Each
name is imported when it is first asked for, because `SocketIOUser` and `task` come with locust, whose import changes
the process.
"""

import sys
from importlib import import_module
from pkgutil import extend_path
from typing import TYPE_CHECKING, Any

from bench.compiled import enable
from bench.machine.system import unsupported

if TYPE_CHECKING:
    from bench.load import SocketIOUser, task
    from bench.load.engine.handlers import on
    from bench.scenarios.feeds import Feed
    from bench.scenarios.model import Emission, RoundTrip
    from bench.server.in_loop import UvicornTestServer
    from bench.wire.connection import Connection
    from bench.wire.options import secret

__all__ = ["Connection", "Emission", "Feed", "RoundTrip", "SocketIOUser", "UvicornTestServer", "on", "secret", "task"]

_HOMES = {
    "Connection": "bench.wire.connection",
    "Emission": "bench.scenarios.model",
    "Feed": "bench.scenarios.feeds",
    "RoundTrip": "bench.scenarios.model",
    "SocketIOUser": "bench.load",
    "UvicornTestServer": "bench.server.in_loop",
    "on": "bench.load.engine.handlers",
    "secret": "bench.wire.options",
    "task": "bench.load",
}

# A folder `bench` of the user's own without an __init__.py is a namespace, which this package would hide.
__path__ = extend_path(__path__, __name__)

if reason := unsupported():
    sys.exit(reason)
enable()
if "locust.main" in sys.modules:  # this is the `locust` command, and a locustfile is being loaded
    import_module("bench.mistakes").tell_mistakes_in_one_line()


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
