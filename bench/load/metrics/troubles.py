"""The steps of a run that may fail: the counts are kept, whatever else cannot be made of them."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from bench.printable import error_line

logger = logging.getLogger(__name__)

T = TypeVar("T")

_MOST_REASONS = 10


class Troubles:
    """The steps that failed, each with its reason in one line. The log has the traceback of the first time."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def add(self, step: str, error: BaseException) -> None:
        """Note that a step failed."""
        if self.add_reason(f"{step}: {error_line(error)}"):
            logger.debug("%s", "".join(traceback.format_exception(error)))

    def add_reason(self, reason: str) -> bool:
        """Note that something failed, in one line; return whether it is new."""
        if reason in self.reasons or len(self.reasons) >= _MOST_REASONS:
            return False
        self.reasons.append(reason)
        logger.error("%s", reason)
        return True

    @contextmanager
    def during(self, step: str) -> Iterator[None]:
        """Note an exception instead of raising it."""
        try:
            yield
        except Exception as error:
            self.add(step, error)

    def attempt(self, step: str, make: Callable[[], T], otherwise: Callable[[], T]) -> T:
        """Return what `make` makes; if it fails, note that and return what `otherwise` makes."""
        try:
            return make()
        except Exception as error:
            self.add(step, error)
            return otherwise()
