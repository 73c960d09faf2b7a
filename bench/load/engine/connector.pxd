# The C types of connector.py, for `make compiled`. Every attribute is here: a compiled object has no others.

from bench.exchange.requests cimport Exchange
from bench.wire.client cimport FastClient


cdef class Connector:
    cdef public bint has_left
    cdef public Py_ssize_t failed_attempts
    cdef object _host, _user, _url, _connecting, _connecting_task, _held
    cdef long long _connected_ns
    cdef bint _arrived
    cdef Exchange _exchange
    cdef FastClient _client
