"""Counters in a file that is mapped into memory: they outlive the process that counts, SIGKILL included."""

import mmap
import struct
from pathlib import Path
from typing import Self

_LAYOUT = struct.Struct("<3Q")


class Counts:
    """The counters of one run's service, over all of its restarts. One process counts at a time, any number read.

    `handled` counts the FOOs that reached the handler, `repeated` those of them with a token that this process had seen
    before. `replied` counts the BARs that were handed to the connection. It counts beforehand, so no reply can arrive
    uncounted.
    """

    def __init__(self, mapped: mmap.mmap) -> None:
        self._mapped = mapped

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make the file, with all counters at 0."""
        path.write_bytes(bytes(_LAYOUT.size))
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a file that is there."""
        with path.open("r+b") as file:
            return cls(mmap.mmap(file.fileno(), _LAYOUT.size))

    def add(self, handled: int = 0, replied: int = 0, repeated: int = 0) -> None:
        """Add to the counters."""
        before = self.read()
        _LAYOUT.pack_into(self._mapped, 0, before[0] + handled, before[1] + replied, before[2] + repeated)

    def read(self) -> tuple[int, int, int]:
        """Return handled, replied, repeated."""
        handled, replied, repeated = _LAYOUT.unpack_from(self._mapped)
        return handled, replied, repeated
