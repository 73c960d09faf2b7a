"""Locust's side. Only this package and locustfile.py import locust, whose import patches the process for gevent.

A locustfile imports from here what it is made of, which registers with Locust's events: that is all it has to do. The
import happens when a name is first asked for, so that the modules here that are pure can be had without locust.
"""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

from bench.machine.interrupts import interrupts_end_the_process, interrupts_leave
from bench.timing.arrivals import arrivals

if TYPE_CHECKING:
    from bench.load.plugin.user import SocketIOUser

__all__ = ["SocketIOUser", "arrivals", "task"]

_Task = TypeVar("_Task", bound=Callable[..., Any])


class _TaskDecorator(Protocol):
    @overload
    def __call__(self, weight: _Task) -> _Task: ...
    @overload
    def __call__(self, weight: int) -> Callable[[_Task], _Task]: ...


if TYPE_CHECKING:
    task: _TaskDecorator
    """Locust's own `task`; its typing knows no coroutines, this one does."""


def __getattr__(name: str) -> Any:
    if name not in ("SocketIOUser", "task"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with interrupts_end_the_process():
        import locust

        import bench.load.plugin.run  # noqa: F401  # registers
        from bench.load.plugin.user import SocketIOUser

    if "locust.main" in sys.modules:  # the `locust` command expects no Ctrl-C until it hands over to this package
        interrupts_leave()
    globals().update(SocketIOUser=SocketIOUser, task=locust.task)
    return globals()[name]
