# The C types of sockets.pyx, for `make compiled`.

cdef class Buffer:
    cdef readonly bytearray data
    cdef readonly Py_ssize_t size
    cdef public long long read_ns, stamp_ns
    cdef char *_memory

    cpdef note_time(self)
    cpdef bytes cut(self, Py_ssize_t begin, Py_ssize_t end)
    cpdef put(self, bytes data, Py_ssize_t at)


cdef class Channel:
    cdef readonly int descriptor
    cdef object _socket
    cdef readonly bint is_stamped
    cdef readonly long long sent_ns

    cpdef take(self, connection, bint is_stamped)
    cpdef ready(self, int events)
    cpdef Py_ssize_t receive(self, Buffer buffer, Py_ssize_t at) except? -1
    cpdef Py_ssize_t send_now(self, bytes data) except? -1
    cpdef release(self)


cdef class ReadySet:
    cdef int _descriptor
    cdef void *_found
    cdef int _room

    cpdef int handle(self, list channels, Buffer buffer, int most) except -1
