"""A user who echoes, in a process in which FAILING ("module:attribute.attribute") raises once users are there."""

import importlib
import os
from typing import Any, NoReturn

from locust import events, runners

from bench.load import SocketIOUser, task
from bench.scenarios.catalogue import FOO_BAR_TO_SENDER

runners.CPU_MONITOR_INTERVAL = 1.0


class EchoUser(SocketIOUser):
    @task
    async def foo_bar(self) -> None:
        await self.round_trip(FOO_BAR_TO_SENDER)


def _fail(*_: Any, **__: Any) -> NoReturn:
    raise OSError(24, "Too many open files")


@events.spawning_complete.add_listener  # type: ignore[untyped-decorator]
def _break(**_: Any) -> None:
    module, _separator, path = os.environ["FAILING"].partition(":")
    *owners, name = path.split(".")
    holder: Any = importlib.import_module(module)
    for owner in owners:
        holder = getattr(holder, owner)
    setattr(holder, name, _fail)
