"""The names that a locustfile is made of: `SocketIOUser`, `task` and `arrivals`.

Only this package and locustfiles import locust, whose import patches the process for gevent. That happens when a
locustfile imports `SocketIOUser` or `task`, which also installs this package into Locust. So the modules here that are
pure can be had without locust.
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
    """Return `SocketIOUser` or Locust's `task`, and have this package installed into Locust."""
    if name not in ("SocketIOUser", "task"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with interrupts_end_the_process():
        from bench.load.plugin.install import install
        from bench.load.plugin.tasks import task
        from bench.load.plugin.user import SocketIOUser

        install()
    if "locust.main" in sys.modules:  # the `locust` command expects no Ctrl-C until it hands over to this package
        interrupts_leave()
    return SocketIOUser if name == "SocketIOUser" else task
