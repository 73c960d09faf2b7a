"""The minimal Socket.IO server: it answers FOO with BAR to the sender, and pays next to nothing for it.

Load generators are measured against it, and it is the bare control. It has to be clearly cheaper per round trip than
the generator that drives it, or the generator would measure the server. So a round trip is a single `recv`, a single
`send` and a few operations on bytes.

Each FOO has a single answer: `BAR {"foo": …}`, or an acknowledgement instead, if the client asked for an
acknowledgement. A service with both answers would make a generator that awaits acknowledgements pay for a message that
nobody awaits.

    python -m bench.targets.echo --port 8081 --core 1

prints a line of JSON with its port when it listens. Several processes with `--share-port` and the same `--port` hold
more connections than one process may open files. Each tells its own counts at its `own_port`.
"""

import socket

from bench.targets.connection import READ_BYTES, Connection, apply_mask
from bench.targets.messages import BAR, FOO, FOO_LENGTH, TEXT, framed
from bench.targets.serving import CommandLine, Server
from bench.targets.stats import Stats

__all__ = ["EchoServer", "Stats"]


class _EchoConnection(Connection):
    __slots__ = ()

    def readable(self, _: int) -> None:
        """Read what is there and answer it. Raises Ended or OSError."""
        data = self._recv(READ_BYTES)
        # One whole frame of less than 126 bytes, masked: all of the hot path.
        if self._upgraded and not self._unread and len(data) > 5 and data[0] == TEXT and len(data) == data[1] - 122:
            message = apply_mask(data[6:], data[2:6])
            if message.startswith(FOO):
                self._server.stats.answered += 1
                self.send(framed(BAR + message[FOO_LENGTH:]))
            else:
                self._receive(message)
            return
        self._take(data)


class EchoServer(Server):
    """A server that answers at once."""

    def _connection(self, accepted: socket.socket) -> Connection:
        return _EchoConnection(self, accepted)


def main() -> None:
    """Serve until SIGTERM, Ctrl-C, or, with --end-with-stdin, the end of standard input."""
    command = CommandLine("bench.targets.echo", "The minimal echo server.")
    command.add_argument(
        "--share-port", action="store_true", help="share the port with other processes of this server (Linux)"
    )
    command.serve(command.parse_args(), EchoServer)


if __name__ == "__main__":
    main()
