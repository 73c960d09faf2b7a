# The C types of in_flight.py, for `make compiled`. Every attribute is here: a compiled object has no others.

cimport cython

from bench.wire.client cimport Waiter


cdef class InFlight


cdef class Taker:
    cpdef take(self, InFlight emission)


cdef class InFlight(Waiter):
    cdef readonly str token
    cdef readonly object round_trip
    cdef public long long sent_ns
    cdef readonly object reply
    cdef readonly long long received_ns, read_ns, error_ns
    cdef readonly Py_ssize_t reply_bytes
    cdef public bint _asyncio_future_blocking
    cdef int _state
    cdef object _loop, _callback, _context, _error
    cdef list _others
    cdef Taker _taker

    cpdef bint resolve(
        self, long long received_ns, reply, Py_ssize_t reply_bytes, long long read_ns, long long error_ns
    )
    cpdef bint failed(self)
    cpdef give_to(self, Taker taker)
    cpdef fail(self, error)
    cpdef wake_soon(self)
    cpdef wake(self)


@cython.locals(emission=InFlight)
cpdef InFlight begun(str token, round_trip, long long sent_ns, loop)
