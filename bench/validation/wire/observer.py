"""The process that observes: it captures until its standard input ends, then matches, and writes what it saw.

    python -m bench.validation.wire.observer PORT FILE

prints a line of JSON when it captures. FILE gets a line of JSON with the counts, then a line for each round trip: its
token, when its emission left, when its reply came in, and when the reply left the server (-: not seen). Times are in
nanoseconds of `time.perf_counter_ns`; `clock_error_ns` is their greatest error from converting the kernel's stamps.
"""

import contextlib
import json
import os
import select
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from bench.validation.wire.packets import segment_in
from bench.validation.wire.ring import CaptureError, Ring, packets_in
from bench.validation.wire.sightings import Observer

#: The time between two looks at the ring, in seconds.
_LOOK_S = 0.1
#: The time in which the last packets are handed over after the end, in seconds.
_LAST_S = 0.2
_READINGS = 300
_LOWEST_NICE = 19


@dataclass(frozen=True)
class Offset:
    """The lead of the realtime clock over `perf_counter_ns`, with its greatest error, in nanoseconds.

    It is not the suite's own conversion of stamps, because that is a part of what is observed.
    """

    offset_ns: int
    error_ns: int

    @classmethod
    def now(cls) -> "Offset":
        """Read the realtime clock between two readings of the other clock, many times; return the tightest."""
        best = cls(0, sys.maxsize)
        for _ in range(_READINGS):
            before_ns = time.perf_counter_ns()
            realtime_ns = time.time_ns()
            after_ns = time.perf_counter_ns()
            error_ns = (after_ns - before_ns + 1) // 2
            if error_ns < best.error_ns:
                best = cls(realtime_ns - (before_ns + after_ns) // 2, error_ns)
        return best


def observe(port: int, file: Path) -> None:
    """Capture until standard input ends, and write what was seen. Raises CaptureError or OSError."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _LOWEST_NICE)
    blocks: list[bytes] = []
    before = Offset.now()
    with Ring(port) as ring:
        sys.stdout.write(json.dumps({"port": port}) + "\n")
        sys.stdout.flush()
        is_over = False
        while not is_over:
            is_over = bool(select.select([sys.stdin], [], [], _LOOK_S)[0])
            if is_over:
                time.sleep(_LAST_S)
            blocks.extend(ring.taken())
        ring.count()
        dropped = ring.dropped
    after = Offset.now()
    observer, cut = Observer(port), 0
    for block in blocks:
        for captured in packets_in(block):
            cut += not captured.is_whole
            segment = segment_in(captured.frame, captured.time_ns - after.offset_ns, captured.is_outgoing)
            if segment is not None:
                observer.see(segment)
    head = {
        "segments": observer.segments,
        "dropped": dropped,
        "cut": cut,
        "retransmitted": observer.retransmitted,
        "lost_streams": observer.lost_streams,
        "clock_error_ns": max(before.error_ns, after.error_ns),
        "clock_step_ns": _step_ns(before, after),
    }
    with file.open("w") as lines:
        lines.write(json.dumps(head) + "\n")
        for token, seen in observer.sightings().items():
            left = "-" if seen.reply_left_ns is None else seen.reply_left_ns
            lines.write(f"{token} {seen.emission_ns} {seen.reply_ns} {left}\n")


def _step_ns(before: Offset, after: Offset) -> int:
    """Return by how much the realtime clock was set meanwhile; 0 if nothing shows that it was."""
    moved_ns = after.offset_ns - before.offset_ns
    return moved_ns if abs(moved_ns) > before.error_ns + after.error_ns else 0


def main() -> None:
    """Observe as the command line says."""
    try:
        observe(int(sys.argv[1]), Path(sys.argv[2]))
    except CaptureError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
