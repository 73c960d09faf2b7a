# The C types of transport.py, for `make compiled`.

cdef class Listener:
    cpdef receive(self, message, received_ns)
    cpdef ended(self, reason)
