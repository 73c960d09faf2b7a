"""python-socketio's server, made fit to be served once more.

A service mostly makes its `AsyncServer` once, when its module is imported. Each test has an event loop of its own. But
an `AsyncServer` starts its service task once, with its first client, and its `shutdown` can only be awaited once. So in
the second test no task would look after the clients, and the app's shut-down would fail.
"""

import asyncio
import gc
import sys
from collections.abc import Iterator
from typing import Any


def make_fit() -> None:
    """Have every server of Engine.IO in this process, whose service task has ended, start a new one when it is used."""
    for server in _servers():
        task = server.service_task_handle
        was_shut_down = task is None and server.service_task_event is not None
        if was_shut_down or (task is not None and (task.done() or task.get_loop().is_closed())):
            server.start_service_task, server.service_task_handle, server.service_task_event = True, None, None


async def drop_clients() -> None:
    """Have every server of Engine.IO in the running loop forget its clients, and tell the app of it.

    For the end of a loop, when the tasks that look after the clients have been cancelled. The next test would
    find them.
    """
    for server in _servers():
        task = server.service_task_handle
        if task is None or task.get_loop() is not asyncio.get_running_loop():
            continue
        for sid, client in list(server.sockets.items()):
            await client.close(wait=False, abort=True)
            server.sockets.pop(sid, None)


def _servers() -> list[Any]:
    """Return the servers of Engine.IO in this process, if anybody has imported it."""
    engineio = sys.modules.get("engineio")
    return [] if engineio is None else list(_instances(engineio.AsyncServer))


def _instances(kind: type[Any]) -> Iterator[Any]:
    # An instance refers to its class. So it is found behind whatever app, and nobody has to name it.
    for found in gc.get_referrers(kind):
        if type(found) is kind:
            yield found
        elif type(found) is type and kind in found.__bases__:
            yield from _instances(found)
