"""The connections of a benchmark, or a failure in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TypeVar

import pytest

from bench.latency.testbed import Testbed
from bench.server.error import EXIT_GRACE_S, with_last_words
from bench.wire.errors import ConnectFailed

T = TypeVar("T")


@contextmanager
def connected_or_failed(testbed: Testbed, connecting: AbstractContextManager[T]) -> Iterator[T]:
    """Connect for the time of the block. If that fails, fail in one line, with the last words of the server."""
    with ExitStack() as stack:
        try:
            connected = stack.enter_context(connecting)
        except ConnectFailed as error:
            reason = testbed.exit_reason(EXIT_GRACE_S)
            said = f"{error}; {reason}" if reason else with_last_words(str(error), testbed.wrote_last())
            # The error's own report would say the same once more.
            raise pytest.fail.Exception(said, pytrace=False) from None
        yield connected
