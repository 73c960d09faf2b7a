"""A user who echoes, in a process that notes every module and file that it loads or opens while a test runs.

AUDIT names the file for that: a JSON list of [what, name] in their order, with a ["phase", "stopping"] among them.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from locust import events

from bench.load import SocketIOUser, task
from bench.scenarios.catalogue import FOO_BAR_TO_SENDER

_seen: list[tuple[str, str]] = []
_is_noting = False


class EchoUser(SocketIOUser):
    @task
    async def foo_bar(self) -> None:
        await self.round_trip(FOO_BAR_TO_SENDER)


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if _is_noting and event in ("import", "open"):
        _seen.append((event, str(arguments[0])))


sys.addaudithook(_note)


@events.spawning_complete.add_listener  # type: ignore[untyped-decorator]
def _begin(**_: Any) -> None:
    global _is_noting
    _is_noting = True


@events.test_stopping.add_listener  # type: ignore[untyped-decorator]
def _stopping(**_: Any) -> None:
    _seen.append(("phase", "stopping"))


@events.quit.add_listener  # type: ignore[untyped-decorator]
def _end(**_: Any) -> None:
    global _is_noting
    _is_noting = False
    Path(os.environ["AUDIT"]).write_text(json.dumps(_seen))
