"""`task`, as a locustfile has it: Locust's, which also takes a scenario in place of a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import locust

from bench.scenarios.model import Emission, RoundTrip


def performing(scenario: RoundTrip | Emission) -> Callable[[Any], Any]:
    """Return a task that does nothing but perform the scenario.

    A user with no other task needs no coroutine for each round trip: see `Session.repeat`.
    """

    async def perform(user: Any) -> None:
        if isinstance(scenario, RoundTrip):
            await user.round_trip(scenario)
        else:
            await user.emit(scenario)

    perform.__name__ = perform.__qualname__ = scenario.name
    perform.performs = scenario  # type: ignore[attr-defined]
    return perform


def task(weight: Any) -> Any:
    """Mark a method as a task, or make a task of a scenario: `@task`, `@task(3)`, `task(say)`, `task(3)(say)`."""
    if isinstance(weight, (RoundTrip, Emission)):
        return locust.task(performing(weight))
    marked = locust.task(weight)
    if callable(weight):
        return marked

    def mark(function: Any) -> Any:
        return marked(performing(function) if isinstance(function, (RoundTrip, Emission)) else function)

    return mark
