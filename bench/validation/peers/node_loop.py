"""The official socket.io-client under Node: what one writes by hand in JavaScript."""

from pathlib import Path

from bench.validation.peers.own_loop import loop_report
from bench.validation.peers.peer import HERE, PROGRAMS, ClosedLoad, Command, ToolReport
from bench.validation.peers.tools import node, npm_package


class NodeLoop:
    """A loop of our own over the official client."""

    name = "node"
    title = "Node, socket.io-client"

    def prepare(self, folder: Path) -> str:
        """Nothing to do but to look. Raises LeftOut."""
        node()
        return f"socket.io-client {npm_package('socket.io-client')[1]}"

    def command(self, load: ClosedLoad) -> Command:
        """URL and connections; started in the folder in which Node finds its packages."""
        arguments = [str(node()), str(PROGRAMS / "node_loop.js"), load.url, str(load.connections)]
        return Command(arguments, directory=HERE)

    def report(self, load: ClosedLoad, output: str) -> ToolReport:
        """What the loop printed."""
        return loop_report(output)
