"""python-socketio's server, made fit to be served once more.

A service mostly makes its `AsyncServer` once, when its module is imported. Each test has an event loop of its own. But
an `AsyncServer` starts its service task once, with its first client, and its `shutdown` can only be awaited once. So in
the second test no task would look after the clients, and the app's shut-down would fail.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator

import engineio


def make_fit() -> None:
    """Have every server of Engine.IO in this process, whose service task has ended, start a new one when it is used."""
    for server in _servers(engineio.AsyncServer):
        task = server.service_task_handle
        was_shut_down = task is None and server.service_task_event is not None
        if was_shut_down or (task is not None and (task.done() or task.get_loop().is_closed())):
            server.start_service_task, server.service_task_handle, server.service_task_event = True, None, None


async def drop_clients() -> None:
    """Have every server of Engine.IO in the running loop forget its clients, and tell the app of it.

    For the end of a loop, when the tasks that look after the clients have been cancelled. The next test would
    find them.
    """
    for server in _servers(engineio.AsyncServer):
        task = server.service_task_handle
        if task is None or task.get_loop() is not asyncio.get_running_loop():
            continue
        for sid, client in list(server.sockets.items()):
            await client.close(wait=False, abort=True)
            server.sockets.pop(sid, None)


def _servers(kind: type[engineio.AsyncServer]) -> Iterator[engineio.AsyncServer]:
    # An instance refers to its class. Whoever hides its AsyncServer behind another app needs to say nothing.
    for found in gc.get_referrers(kind):
        if type(found) is kind:
            yield found
        elif type(found) is type and kind in found.__bases__:
            yield from _servers(found)
