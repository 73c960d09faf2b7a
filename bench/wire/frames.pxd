# The C types of frames.py, for `make compiled`. Every attribute is here: a compiled object has no others.

cimport cython

cdef int _KIND, _RESERVED, _SHORT, _LAST_OF_DATA, _LAST_BIT


cdef class FrameHead:
    cdef public int kind
    cdef public bint is_last
    cdef public Py_ssize_t begin, end

    @cython.locals(begin=Py_ssize_t, first=int, length=int, kind=int)
    cpdef bint find(self, bytearray data, Py_ssize_t at, Py_ssize_t size, Py_ssize_t most_bytes) except -1
