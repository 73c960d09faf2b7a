# The C types of masking.pyx, for `make compiled`.

cdef class Masker:
    cdef unsigned int _state

    cpdef bytes frame(self, int first, bytes payload)
