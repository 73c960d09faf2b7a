"""Mistakes in a locustfile that are found while it is loaded: one line and the exit code of misuse, no traceback.

Locust lets an exception of a locustfile end the interpreter, which prints the whole way to it. Nothing here imports
Locust: a locustfile may make its mistake in a description, before it asks for users.
"""

from __future__ import annotations

import os
import sys
import traceback
from functools import cache
from pathlib import Path
from types import TracebackType

from bench.places import place_of
from bench.printable import error_line, one_line
from bench.wire.errors import SettingError

#: The exit code of misuse.
_MISUSE = 2

#: The variable of the environment that asks every command for tracebacks.
TRACEBACK = "BENCH_TRACEBACK"

#: The name of the program in a process of `bench load`.
_BENCH_LOAD = "bench load"

#: The function of Locust in which a locustfile runs.
_LOADING = "load_locustfile"


@cache
def tell_mistakes_in_one_line() -> None:
    """Have an exception of a locustfile end this process in one line. Other exceptions end it as before.

    A second call does nothing.
    """
    previous = sys.excepthook

    def tell(kind: type[BaseException], error: BaseException, way: TracebackType | None) -> None:
        is_mistake = isinstance(error, SettingError) or (isinstance(error, Exception) and _is_of_locustfile(way))
        if not is_mistake or os.environ.get(TRACEBACK):
            previous(kind, error, way)
            return
        place = (place_of(error) or "").partition(" in ")[0]
        said = f"{error_line(error)} ({TRACEBACK}=1 shows the traceback)"
        if isinstance(error, SettingError):
            said = one_line(error)
        elif isinstance(error, SyntaxError) and error.filename:  # no line of that file was run
            place = f"{Path(error.filename).name}:{error.lineno}"
            said = f"it is not Python: {one_line(error.msg)}"
        program = "bench" if sys.argv[0] == _BENCH_LOAD else "locust"
        sys.stderr.write(f"{program}: error: {place}: {said}\n")
        sys.stderr.flush()
        raise SystemExit(_MISUSE)

    sys.excepthook = tell


def _is_of_locustfile(way: TracebackType | None) -> bool:
    """Return whether an exception was raised while a locustfile was loaded."""
    return any(frame.name == _LOADING for frame in traceback.extract_tb(way))
