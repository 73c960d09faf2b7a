"""The handlers of events, plain functions or `async def`, as both clients take them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


def is_asynchronous(handler: Callable[..., Any]) -> bool:
    """Return whether the handler is `async def`: a function, a method, or an object that is called like a function."""
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(type(handler).__call__)


def one_after_the_other(first: Callable[..., Any], second: Callable[..., Any]) -> Callable[..., Any]:
    """Return a handler that calls both, the second also if the first raises, and returns what the second returns."""

    def call(*values: Any) -> Any:
        try:
            first(*values)
        except BaseException:
            second(*values)
            raise
        return second(*values)

    return call
