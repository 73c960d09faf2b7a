"""The lines of users' own code in which something happened: an exception, or a thread that does not go on.

Users' own code is what is neither of this project, nor of Python or an installed library. Imports nothing.
"""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

_LIBRARIES = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), "<frozen")


def place_of(error: BaseException) -> str | None:
    """Return the place where an exception was raised: the last line of the user's own code on the way there."""
    step = error.__traceback__
    frames = []
    while step is not None:
        frames.append((step.tb_frame, step.tb_lineno))
        step = step.tb_next
    return _place(reversed(frames)) if frames else None


def place_in(frame: FrameType | None) -> str | None:
    """Return the place where a thread is: the innermost line of the user's own code."""
    frames = []
    while frame is not None:
        frames.append((frame, frame.f_lineno))
        frame = frame.f_back
    return _place(iter(frames)) if frames else None


def _place(innermost_first: Iterator[tuple[FrameType, int]]) -> str:
    frame, line = innermost = next(innermost_first)
    while _is_library(frame):
        following = next(innermost_first, None)
        if following is None:
            frame, line = innermost
            break
        frame, line = following
    code = frame.f_code
    return f"{Path(code.co_filename).name}:{line} in {code.co_name}"


def _is_library(frame: FrameType) -> bool:
    filename = frame.f_code.co_filename
    module = frame.f_globals.get("__name__") or ""
    return (
        module.partition(".")[0] == "bench"
        or filename.startswith(_LIBRARIES)
        or "site-packages" in filename
        or filename.endswith((".pyx", ".pxd"))
    )
