"""The users that `bench accuracy` runs in addition to locustfile.py's EchoUser.

They do the same round trip, and note what the check needs.
"""

import os
import re
from pathlib import Path
from typing import Any

from locust import events

from bench.exchange.outcomes import ReplyTimeout
from bench.load import SocketIOUser, task
from bench.scenarios.catalogue import FOO_BAR_TO_SENDER

_NOTES = Path(os.environ.get("ACCURACY_NOTES", "."))
_TIMEOUT_S = float(os.environ.get("ACCURACY_TIMEOUT_S", "10"))
_TOKEN = re.compile(r"rt-[0-9a-z]+-[0-9]+-[0-9]+")


class ImpatientUser(SocketIOUser):
    """A user that gives up early, and notes the tokens that it waited for in vain."""

    pipelined = True
    reply_timeout = _TIMEOUT_S

    @task
    async def foo_bar(self) -> None:
        """Do a round trip, and note its token if no reply comes."""
        try:
            await self.round_trip(FOO_BAR_TO_SENDER)
        except ReplyTimeout as error:  # its text says what was sent
            found = _TOKEN.search(str(error))
            with (_NOTES / "timeouts").open("a") as notes:  # a line now and then
                notes.write(f"{found.group() if found else error}\n")
            raise


class SampledUser(SocketIOUser):
    """A user whose process listens to every sample, and keeps it as it is."""

    pipelined = True

    @task
    async def foo_bar(self) -> None:
        """Do a round trip."""
        await self.round_trip(FOO_BAR_TO_SENDER)


def _keep(name: str, response_time: float | None, exception: BaseException | None, **_: Any) -> None:
    if name == FOO_BAR_TO_SENDER.name and exception is None and response_time is not None:
        with (_NOTES / f"samples-{os.getpid()}").open("a") as samples:
            samples.write(f"{round(response_time * 1e6)}\n")  # Locust's milliseconds are a float: exact to the ns


if os.environ.get("ACCURACY_SAMPLES"):
    events.request.add_listener(_keep)
