"""The official socket.io-client under Node: what one writes by hand in JavaScript."""

from pathlib import Path

from bench.validation.peers.own_loop import reported_by_loop
from bench.validation.peers.peer import HERE, PROGRAMS, Command, Reported, Work
from bench.validation.peers.tools import node, npm_package


class NodeLoop:
    """A loop of our own over the official client."""

    name = "node"
    title = "Node, socket.io-client"

    def prepare(self, folder: Path) -> str:
        """Nothing to do but to look. Raises LeftOut."""
        node()
        return f"socket.io-client {npm_package('socket.io-client')[1]}"

    def command(self, work: Work) -> Command:
        """URL and connections; started in the folder in which Node finds its packages."""
        arguments = [str(node()), str(PROGRAMS / "node_loop.js"), work.url, str(work.connections)]
        return Command(arguments, directory=HERE)

    def reported(self, work: Work, output: str) -> Reported:
        """What the loop printed."""
        return reported_by_loop(output)
