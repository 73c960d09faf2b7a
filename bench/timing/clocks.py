"""The clock that pytest-benchmark reads: the time that was measured inside the event loop, and no other.

pytest-benchmark times synchronous calls. Around `run_until_complete` it would time the loop's starting and stopping as
well: more than ten microseconds that no user of the service waits for. So it is given a timer that stands still but for
what `advance` adds, and its statistics are those of the times that were measured inside. Pure: it knows no other clock.
"""

#: The advance of every reading: pytest-benchmark finds a timer's precision by waiting for it to move.
READING_NS = 1


class VirtualTimer:
    """A timer for pytest-benchmark, which calls it for the seconds so far; `advance` makes time pass.

    Of two readings the second is the time between them plus 1 ns.
    """

    def __init__(self) -> None:
        self._elapsed_ns = 0

    def advance(self, duration_ns: int) -> None:
        """Let `duration_ns` nanoseconds pass. Raises ValueError for a negative duration: time does not go back."""
        if duration_ns < 0:
            raise ValueError(f"a duration of {duration_ns} ns: it ended before it began")
        self._elapsed_ns += duration_ns

    def __call__(self) -> float:
        """Return the seconds that have passed."""
        self._elapsed_ns += READING_NS
        return self._elapsed_ns / 1e9

    def __repr__(self) -> str:
        return "virtual timer"  # what results say of the timer: the same in every process
