# The C types of tokens.py, for `make compiled`. Every attribute is here: a compiled object has no others.

cdef class _Tokens:
    cdef str _prefix
    cdef Py_ssize_t _number
