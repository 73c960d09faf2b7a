"""python-socketio's AsyncClient on uvloop: a loop as written by hand in Python, without a load generator around it."""

import sys
from importlib.metadata import version
from pathlib import Path

from bench.validation.peers.own_loop import loop_report
from bench.validation.peers.peer import PROGRAMS, ClosedLoad, Command, ToolReport


class AsyncClient:
    """A loop of our own over python-socketio's client."""

    name = "asyncclient"
    title = "python-socketio AsyncClient on uvloop"

    def prepare(self, folder: Path) -> str:
        """Return the versions: python-socketio is always installed."""
        return f"python-socketio {version('python-socketio')}, uvloop {version('uvloop')}"

    def command(self, load: ClosedLoad) -> Command:
        """Return the command. Its arguments are the URL and the number of connections."""
        return Command([sys.executable, str(PROGRAMS / "async_client_loop.py"), load.url, str(load.connections)])

    def report(self, load: ClosedLoad, output: str) -> ToolReport:
        """Return the report that the loop printed. Raises LeftOut without a report."""
        return loop_report(output)
