"""Frames as a client sends them: a head, a mask that is new for each, and the payload under it.

There are two forms of this module that do the same. This is the plain one; masking.pyx is the one that is compiled.
"""

from __future__ import annotations

from random import Random


class Masker:
    """A maker of a client's frames. `seed` is where its masks begin."""

    __slots__ = ("_bits",)

    def __init__(self, seed: int) -> None:
        self._bits = Random(seed).getrandbits

    def frame(self, first: int, payload: bytes) -> bytes:
        """Return the frame of a payload; `first` is the first byte of its head: the kind, and if it is the last."""
        mask = self._bits(32).to_bytes(4, "little")
        size = len(payload)
        number = int.from_bytes(payload, "little") ^ int.from_bytes((mask * (size // 4 + 1))[:size], "little")
        masked = number.to_bytes(size, "little")
        if size < 126:
            return b"%c%c%b%b" % (first, 0x80 | size, mask, masked)
        if size < 1 << 16:
            return b"%c\xfe%b%b%b" % (first, size.to_bytes(2, "big"), mask, masked)
        return b"%c\xff%b%b%b" % (first, size.to_bytes(8, "big"), mask, masked)
