"""The handlers of a user: methods that the server's events call, marked by `@on`.

What a handler returns acknowledges the event, if the server asks for that. An exception of a handler is noted like that
of a task, and the user goes on.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol, TypeVar

from bench.scenarios.model import RESERVED_EVENTS

#: The attribute of a method that has what `on` says of it.
_MARKS = "_bench_events"

#: The reserved names that a handler may have: the end of the connection, and every event without a handler.
_SPECIAL_EVENTS = frozenset({"disconnect", "*"})

#: True in a handler that is `async def`, and in the tasks that it starts.
_HANDLING: ContextVar[bool] = ContextVar("_HANDLING", default=False)

_Method = TypeVar("_Method", bound=Callable[..., Any])


@dataclass(frozen=True)
class EventHandler:
    """A method of a user class that handles an event. The namespace None is that of the user."""

    event: str
    namespace: str | None
    method: str


class HandlerHost(Protocol):
    """A session as the handlers of its user see it."""

    def handler_raised(self, error: BaseException) -> None:
        """Note what a handler has raised."""


def on(event: str, *, namespace: str | None = None) -> Callable[[_Method], _Method]:
    """Have a method of a SocketIOUser called with the arguments of every such event, in the user's namespace.

    The method may be `async def`. What it returns acknowledges the event, if the server asks for that: None, an
    argument, or a tuple of several. `disconnect` is called with the reason when the connection has ended, and `*` for
    every event without a handler, with its name first. Raises TypeError and ValueError for what is no event.
    """
    if not isinstance(event, str):
        raise TypeError('@on needs the name of an event: write @on("ask")')
    if event in RESERVED_EVENTS - _SPECIAL_EVENTS:
        also = "; a method on_connect is called when the user has connected" if event == "connect" else ""
        raise ValueError(f"@on({event!r}): Socket.IO reserves this name{also}")

    def mark(method: _Method) -> _Method:
        setattr(method, _MARKS, (*getattr(method, _MARKS, ()), (event, namespace)))
        return method

    return mark


@cache
def handlers_of(user_class: type) -> tuple[EventHandler, ...]:
    """Return the handlers that a class has, with those that it inherits."""
    found = []
    for name in dir(user_class):
        method = inspect.getattr_static(user_class, name)
        found += [EventHandler(event, namespace, name) for event, namespace in getattr(method, _MARKS, ())]
    return tuple(found)


def is_handling() -> bool:
    """Return whether the present task runs for a handler."""
    return _HANDLING.get()


def guarded(method: Callable[..., Any], host: HandlerHost, leave_arrival: Callable[[], None]) -> Callable[..., Any]:
    """Return a handler that calls the method and tells the host what it raises."""
    if not inspect.iscoroutinefunction(method):

        def call(*values: Any) -> Any:
            try:
                return method(*values)
            except BaseException as error:
                host.handler_raised(error)
                return None

        return call

    async def run(*values: Any) -> Any:
        leave_arrival()
        _HANDLING.set(True)
        try:
            return await method(*values)
        except BaseException as error:
            host.handler_raised(error)
            return None

    return run
