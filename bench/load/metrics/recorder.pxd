# The C types of recorder.py, for `make compiled`. Every attribute is here: a compiled object has no others.

cimport cython


cdef class Recorder:
    cdef public object name, task, kind
    cdef object _written, _reads_written, _intended, _handled, _waits
    cdef dict _dropped
    cdef list _failures, _tokens
    cdef long long[::1] _times, _reads
    cdef bint _is_stamped
    cdef Py_ssize_t _room, _used
    cdef public Py_ssize_t error_replies
    cdef public long long sent_bytes, received_bytes

    @cython.locals(used=Py_ssize_t)
    cpdef succeeded(
        self, long long sent_ns, long long received_ns, long long received_bytes=*, long long read_ns=*,
        long long error_ns=*
    )
    cpdef named(self, str token)
    cpdef answered(
        self, long long intended_ns, long long sent_ns, long long received_ns, long long waited_ns=*,
        long long received_bytes=*, long long read_ns=*, long long error_ns=*
    )
