"""The news of a comparison of two revisions, as it goes on."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.statistics.estimates import Estimate


@dataclass(frozen=True)
class State:
    """The progress after a restart: the estimates of p50 so far, by benchmark, and the seconds that are left."""

    restarts: int
    elapsed_s: float
    left_s: float
    estimates: tuple[tuple[str, Estimate], ...]


@dataclass(frozen=True)
class Notice:
    """A line for the user that stays on the screen."""

    text: str


#: The news of a comparison: the step that begins, a line that stays, or the progress.
Report = Callable[[State | Notice | str], None]
