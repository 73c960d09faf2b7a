"""The official socket.io-client under Node: a loop as written by hand in JavaScript."""

from pathlib import Path

from bench.validation.peers.own_loop import loop_report
from bench.validation.peers.peer import HERE, PROGRAMS, ClosedLoad, Command, ToolReport
from bench.validation.peers.tools import node, npm_package


class NodeLoop:
    """A loop of our own over the official client."""

    name = "node"
    title = "Node, socket.io-client"

    def prepare(self, folder: Path) -> str:
        """Return the client's version. Raises LeftOut if Node or the client is not installed."""
        node()
        return f"socket.io-client {npm_package('socket.io-client')[1]}"

    def command(self, load: ClosedLoad) -> Command:
        """Return the command: URL and connections. It runs in the folder in which Node finds its packages."""
        arguments = [str(node()), str(PROGRAMS / "node_loop.js"), load.url, str(load.connections)]
        return Command(arguments, directory=HERE)

    def report(self, load: ClosedLoad, output: str) -> ToolReport:
        """Return the report that the loop printed. Raises LeftOut without a report."""
        return loop_report(output)
