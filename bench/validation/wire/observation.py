"""The observer's process, as its owner sees it: started, ended, and read."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.machine.child import Child, last_lines
from bench.validation.wire.ring import CaptureError
from bench.validation.wire.sightings import Sighting

#: The time that the observer may take to match what it has captured, in seconds.
_MATCHING_S = 120.0


@dataclass(frozen=True)
class Seen:
    """The round trips that were seen, by token, and the observer's counts by their names in its file."""

    round_trips: dict[str, Sighting]
    counts: dict[str, int]


class Observation:
    """The observation of all connections to a port, from `with` on until `end`. Raises CaptureError."""

    def __init__(self, port: int, folder: Path) -> None:
        self._port = port
        self._file = folder / "seen"
        self._log = folder / "observer.log"
        self._child: Child | None = None

    def end(self) -> Seen:
        """End it, and return what it saw. Raises CaptureError."""
        assert self._child is not None, "started"
        self._child.close_pipes()
        if not self._child.wait(_MATCHING_S):
            raise CaptureError(f"the observer did not end within {_MATCHING_S:g} s")
        try:
            head, *lines = self._file.read_text().splitlines()
        except (OSError, ValueError):
            raise CaptureError(f"the observer saw nothing; it wrote last: {self._last_lines}") from None
        round_trips = {}
        for line in lines:
            token, emission, reply, left = line.split()
            round_trips[token] = Sighting(int(emission), int(reply), None if left == "-" else int(left))
        return Seen(round_trips, json.loads(head))

    def __enter__(self) -> Self:
        command = [sys.executable, "-P", "-m", "bench.validation.wire.observer", str(self._port), str(self._file)]
        with self._log.open("wb") as log:
            self._child = Child(command, log=log, with_pipes=True)
        if not self._child.pipes[1].readline():
            self._child.wait(_MATCHING_S)
            raise CaptureError(self._last_lines)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._child is not None:
            self._child.kill_and_reap()

    @property
    def _last_lines(self) -> str:
        return last_lines(self._log.read_text(errors="replace")) or "nothing"
