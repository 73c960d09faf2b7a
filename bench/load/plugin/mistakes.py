"""Mistakes in a locustfile that are found while it is loaded: one line and the exit code of misuse, no traceback.

Locust lets an exception of a locustfile end the interpreter, which prints the whole way to it.
"""

from __future__ import annotations

import os
import sys
from types import TracebackType

from bench.places import place_of
from bench.wire.errors import SettingError

#: The exit code of misuse.
_MISUSE = 2

#: The variable of the environment that asks for tracebacks, as in the other commands.
_WITH_TRACEBACK = "BENCH_TRACEBACK"


def tell_mistakes_in_one_line() -> None:
    """Have a setting that cannot be end this process in one line. Other exceptions end it as before."""
    previous = sys.excepthook

    def tell(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        if not isinstance(error, SettingError) or os.environ.get(_WITH_TRACEBACK):
            previous(kind, error, traceback)
            return
        place = (place_of(error) or "").partition(" in ")[0]
        sys.stderr.write(f"locust: error: {place}: {error}\n")
        sys.stderr.flush()
        raise SystemExit(_MISUSE)

    sys.excepthook = tell
