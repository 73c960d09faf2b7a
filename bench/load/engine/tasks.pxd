# The C types of tasks.py, for `make compiled`. Every attribute is here: a compiled object has no others.

cdef class TaskRunner:
    cdef object _host
    cdef public bint may_go_on, has_awaited
