# The C types of notes.py, for `make compiled`. Every attribute is here: a compiled object has no others.

from bench.exchange.requests cimport Exchange
from bench.load.metrics.recorder cimport Recorder
from bench.wire.client cimport FastClient


cdef class Notes:
    cdef object _engine, _counters, _heard
    cdef Exchange _exchange
    cdef FastClient _client
    cdef Recorder _heard_recorder
