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
    from bench.scenarios.model import Emission, RoundTrip

__all__ = ["SocketIOUser", "arrivals", "task"]

_Task = TypeVar("_Task", bound=Callable[..., Any])


class _TaskDecorator(Protocol):
    @overload
    def __call__(self, weight: _Task) -> _Task: ...
    @overload
    def __call__(self, weight: "RoundTrip | Emission") -> Callable[[Any], Any]: ...
    @overload
    def __call__(self, weight: int) -> "_Weighted": ...


class _Weighted(Protocol):
    @overload
    def __call__(self, function: _Task) -> _Task: ...
    @overload
    def __call__(self, function: "RoundTrip | Emission") -> Callable[[Any], Any]: ...


if TYPE_CHECKING:
    task: _TaskDecorator
    """Locust's `task`, for coroutines as well, and for scenarios: `say = task(SAY)` is a task that performs it."""


def __getattr__(name: str) -> Any:
    """Return `SocketIOUser` or `task`, and have this package installed into Locust."""
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
