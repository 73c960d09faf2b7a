"""python-socketio's AsyncClient on uvloop: what one writes by hand in Python, without a load generator around it."""

import sys
from importlib.metadata import version
from pathlib import Path

from bench.validation.peers.own_loop import reported_by_loop
from bench.validation.peers.peer import PROGRAMS, Command, Reported, Work


class AsyncClient:
    """A loop of our own over python-socketio's client."""

    name = "asyncclient"
    title = "python-socketio AsyncClient on uvloop"

    def prepare(self, folder: Path) -> str:
        """Nothing to do: python-socketio is there."""
        return f"python-socketio {version('python-socketio')}, uvloop {version('uvloop')}"

    def command(self, work: Work) -> Command:
        """URL and connections."""
        return Command([sys.executable, str(PROGRAMS / "async_client_loop.py"), work.url, str(work.connections)])

    def reported(self, work: Work, output: str) -> Reported:
        """What the loop printed."""
        return reported_by_loop(output)
