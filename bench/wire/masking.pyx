# The compiled form of masking.py, which has the words for it: it does the same with pointers.

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy

cdef extern from *:
    """
    static void bench_mask(const unsigned char *from, unsigned char *to, Py_ssize_t size, unsigned int mask) {
        unsigned char bytes[8];
        unsigned long long wide, piece;
        Py_ssize_t at = 0;
        int i;
        for (i = 0; i < 8; i++) bytes[i] = (unsigned char) (mask >> (8 * (i & 3)));
        memcpy(&wide, bytes, 8);
        for (; at + 8 <= size; at += 8) {
            memcpy(&piece, from + at, 8);
            piece ^= wide;
            memcpy(to + at, &piece, 8);
        }
        for (; at < size; at++) to[at] = from[at] ^ bytes[at & 3];
    }
    """
    void bench_mask(const unsigned char *source, unsigned char *to, Py_ssize_t size, unsigned int mask) noexcept


cdef class Masker:
    """A maker of a client's frames; see masking.py."""

    def __init__(self, seed):
        self._state = seed & 0xFFFFFFFF or 1

    cpdef bytes frame(self, int first, bytes payload):
        """Return the frame of a payload; see masking.py."""
        # Marsaglia, Xorshift RNGs, 2003: good enough for masks that hide nothing from a server that we measure.
        cdef unsigned int mask = self._state
        cdef Py_ssize_t size = PyBytes_GET_SIZE(payload)
        cdef Py_ssize_t head = 6 if size < 126 else 8 if size < 65536 else 14
        cdef bytes made = PyBytes_FromStringAndSize(NULL, head + size)
        cdef unsigned char *at = <unsigned char *> PyBytes_AS_STRING(made)
        cdef int i
        mask ^= mask << 13
        mask ^= mask >> 17
        mask ^= mask << 5
        self._state = mask
        at[0] = <unsigned char> first
        if size < 126:
            at[1] = <unsigned char> (0x80 | size)
        elif size < 65536:
            at[1] = 0xFE
            at[2] = <unsigned char> (size >> 8)
            at[3] = <unsigned char> (size & 0xFF)
        else:
            at[1] = 0xFF
            for i in range(8):
                at[2 + i] = <unsigned char> ((size >> (8 * (7 - i))) & 0xFF)
        for i in range(4):
            at[head - 4 + i] = <unsigned char> ((mask >> (8 * i)) & 0xFF)
        bench_mask(<const unsigned char *> PyBytes_AS_STRING(payload), at + head, size, mask)
        return made
