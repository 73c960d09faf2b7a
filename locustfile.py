"""The load: `locust -f locustfile.py`.

Without --host it starts the FOO→BAR service in a process of its own and stops it at the end; with --host it loads
whatever Socket.IO server is there. With no user class named on the command line, EchoUser runs.

`locust -f locustfile.py --help` has Locust's options alone: it is printed before this file is read. `bench load --help`
lists and explains all of them.
"""

from bench import SocketIOUser, task
from bench.scenarios.catalogue import FOO_BAR, FOO_BAR_TO_SENDER


class EchoUser(SocketIOUser):
    """One client among many that does not notice the others: each FOO is answered to its sender alone."""

    pipelined = True

    #: Send FOO, wait for its BAR, and go on at once: a task that is nothing but a round trip needs no function.
    foo_bar = task(FOO_BAR_TO_SENDER)


class BroadcastUser(SocketIOUser):
    """Each FOO is answered to everyone who is connected: with N users, the server sends N times as many BARs."""

    only_when_named = True
    pipelined = True

    @task
    async def foo_bar(self) -> None:
        """Send FOO, wait for its BAR among everybody's, and go on at once."""
        await self.round_trip(FOO_BAR)
