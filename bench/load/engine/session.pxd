# The C types of session.py, for `make compiled`. Every attribute is here: a compiled object has no others.

from bench.load.metrics.recorder cimport OperationLog
from bench.load.engine.tasks cimport Performer
from bench.exchange.requests cimport Exchange


cdef class Session(Performer):
    cdef public object user, client, engine, shared
    cdef public Exchange exchange
    cdef public bint stopping, idle, is_connecting
    cdef object _url, _tokens, _stream, _open_tasks, _task, _usual, _noted
    cdef long long _timeout_ns
    cdef bint _is_ending, _closing, _arrived, _breakdown
    cdef Py_ssize_t _failed_attempts
    cdef OperationLog _log
