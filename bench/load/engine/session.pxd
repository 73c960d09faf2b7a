# The C types of session.py, for `make compiled`. Every attribute is here: a compiled object has no others.

cimport cython

from bench.load.metrics.recorder cimport Recorder
from bench.load.engine.connector cimport Connector
from bench.load.engine.notes cimport Notes
from bench.load.engine.tasks cimport TaskRunner
from bench.exchange.in_flight cimport InFlight, Taker
from bench.exchange.requests cimport Exchange
from bench.wire.client cimport FastClient


cdef class Session(Taker):
    cdef public object user, client, user_client, engine, counters, open_load
    cdef public Exchange exchange
    cdef public bint stopping, idle
    cdef object _url, _tokens, _dispatcher, _open_tasks, _task, _usual, _noted, _gone, _http
    cdef object _steps_are_over
    cdef long long _timeout_ns
    cdef bint _is_ending, _closing, _notes_more, _breakdown, _names_tokens
    cdef Py_ssize_t _steps_under_way
    cdef Recorder _recorder
    cdef Connector _connector
    cdef Notes _notes
    cdef FastClient _wire
    cdef TaskRunner _tasks
    cdef object _repeated, _repeated_task, _wait_time, _turn, _failure
    cdef InFlight _awaited

    @cython.locals(received_ns=cython.longlong, error_ns=cython.longlong)
    cdef _succeeded(self, definition, InFlight emission, long long intended_ns, long long waited_ns)
    cdef _note_more(self, InFlight emission)
    cpdef take(self, InFlight emission)
    cdef _repeat(self)
    cdef _end_turn(self, seconds)
