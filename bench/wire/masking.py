"""Frames as a client sends them: a head, a mask that is new for each, and the payload under it.

There are two forms of this module that do the same. This is the plain one; masking.pyx is the one that is compiled.
"""

from __future__ import annotations

_MASK_BITS = (1 << 32) - 1


class Masker:
    """A maker of a client's frames. `seed` is where its masks begin; it is not 0."""

    __slots__ = ("_state",)

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK_BITS or 1

    def frame(self, first: int, payload: bytes) -> bytes:
        """Return the frame of a payload; `first` is the first byte of its head: the kind, and if it is the last."""
        # Marsaglia, Xorshift RNGs, 2003: good enough for masks that hide nothing from a server that we measure.
        state = self._state
        state ^= state << 13 & _MASK_BITS
        state ^= state >> 17
        self._state = state = state ^ state << 5 & _MASK_BITS
        size = len(payload)
        mask = state.to_bytes(4, "little")
        number = int.from_bytes(payload, "little") ^ int.from_bytes(mask * (size // 4 + 1), "little")
        masked = (number & (1 << 8 * size) - 1).to_bytes(size, "little")
        if size < 126:
            return b"%c%c%b%b" % (first, 0x80 | size, mask, masked)
        if size < 1 << 16:
            return b"%c\xfe%b%b%b" % (first, size.to_bytes(2, "big"), mask, masked)
        return b"%c\xff%b%b%b" % (first, size.to_bytes(8, "big"), mask, masked)
