# The C types of session.py, for `make compiled`. Every attribute is here: a compiled object has no others.

from bench.load.metrics.recorder cimport Recorder
from bench.load.engine.tasks cimport TaskRunner
from bench.exchange.requests cimport Exchange
from bench.wire.client cimport FastClient


cdef class Session:
    cdef public object user, client, user_client, engine, counters, open_load
    cdef public Exchange exchange
    cdef public bint stopping, idle
    cdef object _url, _tokens, _dispatcher, _open_tasks, _task, _usual, _noted, _gone, _heard, _held
    cdef object _http, _connecting, _connecting_task, _steps_are_over
    cdef long long _timeout_ns, _connected_ns
    cdef bint _is_ending, _closing, _arrived, _breakdown, _has_left
    cdef Py_ssize_t _failed_attempts, _steps_under_way
    cdef Recorder _recorder, _heard_recorder
    cdef FastClient _wire
    cdef TaskRunner _tasks
