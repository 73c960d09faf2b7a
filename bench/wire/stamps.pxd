# The C types of stamps.py, for `make compiled`. Every attribute is here: a compiled object has no others.

cdef class StampClock:
    cdef object _monotonic_ns, _realtime_ns
    cdef long long _next_check_ns
    cdef public long long bound_ns, offset_ns
    cdef public Py_ssize_t contradictions, steps

    cpdef long long converted(self, long long stamp_ns, long long earliest_ns, long long now_ns) except -1
    cdef long long _converted_anew(self, long long stamp_ns, long long earliest_ns, long long now_ns) except -1
    cdef _check(self, long long now_ns)
    cdef tuple _measured(self)
