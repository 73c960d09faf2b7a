"""Frames as a client sends them: a head, a mask that is new for each, and the payload under it.

There are two forms of this module that do the same. This is the plain one; masking.pyx is the one that is compiled.
"""

from __future__ import annotations

from itertools import cycle
from random import Random

#: The masks, each with the table by which `translate` puts it over a payload. 0 would leave the payload as it is.
_MASKS = [(bytes([number] * 4), bytes(number ^ byte for byte in range(256))) for number in range(1, 256)]


class Masker:
    """A maker of a client's frames. `seed` is where its masks begin.

    A mask here is one byte four times: a table of its bytes does the work, for a third of what numbers cost in Python.
    Masks hide nothing from a server that we measure.
    """

    __slots__ = ("_next_mask",)

    def __init__(self, seed: int) -> None:
        self._next_mask = cycle(Random(seed).sample(_MASKS, len(_MASKS))).__next__

    def frame(self, first: int, payload: bytes) -> bytes:
        """Return the frame of a payload; `first` is the first byte of its head: the kind, and if it is the last."""
        mask, masking = self._next_mask()
        size = len(payload)
        if size < 126:
            return b"%c%c%b%b" % (first, 0x80 | size, mask, payload.translate(masking))
        if size < 1 << 16:
            return b"%c\xfe%b%b%b" % (first, size.to_bytes(2, "big"), mask, payload.translate(masking))
        return b"%c\xff%b%b%b" % (first, size.to_bytes(8, "big"), mask, payload.translate(masking))
