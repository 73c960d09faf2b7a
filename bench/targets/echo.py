"""The minimal Socket.IO server: FOO is answered with BAR to its sender, and next to nothing is paid for it.

What load generators are measured against, and a bare control: it has to be clearly cheaper per round trip than whatever
drives it, or it would measure itself. So a round trip is one `recv`, one `send` and a few operations on bytes.

One FOO has one answer: `BAR {"foo": …}`, or, where an acknowledgement was asked for, that instead of it. A service with
both would make a generator that awaits acknowledgements pay for a message that nobody awaits.

    python -m bench.targets.echo --port 8081 --core 1

prints one line of JSON with its port when it listens.
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
    """Answers at once."""

    def _connection(self, accepted: socket.socket) -> Connection:
        return _EchoConnection(self, accepted)


def main() -> None:
    """Serve until SIGTERM, Ctrl-C, or the end of standard input where that is asked for."""
    command = CommandLine("bench.targets.echo", "The minimal echo server.")
    command.serve(command.parse_args(), EchoServer)


if __name__ == "__main__":
    main()
