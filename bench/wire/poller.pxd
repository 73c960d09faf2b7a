# The C types of poller.py, for `make compiled`. Every attribute is here: a compiled object has no others.

from bench.wire.frames cimport FrameHead
from bench.wire.masking cimport Masker
from bench.wire.sockets cimport Buffer, ReadySet
from bench.wire.stamps cimport StampClock


cdef class Poller:
    cdef object _loop
    cdef list _channels
    cdef Py_ssize_t _number
    cdef public list free_buffers
    cdef public Buffer buffer
    cdef public Masker masker
    cdef public FrameHead head
    cdef public StampClock clock
    cdef ReadySet _ready_set
