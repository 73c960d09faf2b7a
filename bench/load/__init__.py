"""Locust's side. Only this package and locustfile.py import locust, whose import patches the process for gevent.

Importing it registers with Locust's events: that is all a locustfile has to do.
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast, overload

import locust

from bench.load import run as _run  # noqa: F401  # registers
from bench.load.user import SocketIOUser

__all__ = ["SocketIOUser", "task"]

_Task = TypeVar("_Task", bound=Callable[..., Any])


class _TaskDecorator(Protocol):
    @overload
    def __call__(self, weight: _Task) -> _Task: ...
    @overload
    def __call__(self, weight: int) -> Callable[[_Task], _Task]: ...


task = cast(_TaskDecorator, locust.task)
"""Locust's own `task`; its typing knows no coroutines, this one does."""
