# The C types of requests.py, for `make compiled`. Every attribute is here: a compiled object has no others.

cimport cython

from bench.exchange.in_flight cimport InFlight, begun
from bench.wire.client cimport ArgumentsHandler, FastClient


cdef class Exchange:
    cdef public object client, namespace, late, abandoned, unexpected, when_unexpected, trace_field
    cdef public long long timeout_ns
    cdef long long _longest_ns
    cdef public bint broken
    cdef bint _is_replied_to
    cdef public Py_ssize_t in_flight
    cdef Py_ssize_t _many_finders, _many_events
    cdef object _namespace, _tokens, _ids, _loop, _emit_now, _usual, _event, _request, _timer, _unmatched, _raised
    cdef list _overdue
    cdef tuple _parts
    cdef dict _pending, _given_up, _known, _listeners, _in_order, _traced

    cdef FastClient _fast

    @cython.locals(size_bytes=Py_ssize_t)
    cdef Py_ssize_t _message_bytes(self)
    @cython.locals(token=str, sent_ns=cython.longlong, emission=InFlight)
    cpdef InFlight begin(self, round_trip)
    cpdef end(self, InFlight emission, error)
    @cython.locals(received_ns=cython.longlong)
    cdef _resolve(self, InFlight emission, reply)


cdef class _Replies(ArgumentsHandler):
    cdef Exchange _exchange
    cdef object _event
    cdef list _finders

    @cython.locals(exchange=Exchange, emission=InFlight)
    cpdef handle(self, tuple arguments)


cdef class _RepliesAnywhere(ArgumentsHandler):
    cdef Exchange _exchange
    cdef object _event, _listener
    cdef tuple _place
    cdef Py_ssize_t _searches

    @cython.locals(exchange=Exchange, emission=InFlight)
    cpdef handle(self, tuple arguments)
