# The C types of transport.py, for `make compiled`.

cdef class Listener:
    cdef public long long read_ns, error_ns

    cpdef receive(self, message, received_ns)
    cpdef ended(self, reason)
