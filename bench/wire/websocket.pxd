# The C types of websocket.py, for `make compiled`. Every attribute is here: a compiled object has no others.

cimport cython

from bench.wire.frames cimport FrameHead
from bench.wire.poller cimport Poller
from bench.wire.sockets cimport Buffer, Channel
from bench.wire.stamps cimport StampClock
from bench.wire.transport cimport Listener

cdef int _TEXT, _ENDED, _TEXT_FRAME, _BINARY_FRAME, _CLOSE_FRAME, _PONG_FRAME
cdef Py_ssize_t _LONG_BYTES
cdef long long _PASSAGE_NS


cdef class WebSocketTransport(Channel):
    cdef Listener _listener
    cdef Poller _poller
    cdef StampClock _clock
    cdef object _endpoint, _url, _tls, _released
    cdef long long _emptied_ns, _received_ns
    cdef bytes _rest
    cdef bytearray _long, _fragments, _pongs, _unsent
    cdef int _long_kind, _fragments_kind
    cdef bint _long_is_last, _is_quick, _is_reading, _is_closing
    cdef Py_ssize_t _long_left_bytes, _max_message_bytes

    @cython.locals(frame=bytes, sent=Py_ssize_t)
    cpdef long long send_text(self, bytes message) except -1
    cpdef long long send(self, tuple messages) except -1
    cpdef read_now(self)
    @cython.locals(
        poller=Poller, buffer=Buffer, free_buffers=list, at=Py_ssize_t, size=Py_ssize_t, began_ns=cython.longlong,
        received_ns=cython.longlong, read_ns=cython.longlong, error_ns=cython.longlong, stamp_ns=cython.longlong, data=bytearray, listener=Listener,
        earliest_ns=cython.longlong, is_exact=bint, is_empty=bint,
    )
    cpdef _read(self, int events)
    @cython.locals(
        at=Py_ssize_t, head=FrameHead, message=bytes, kind=int, is_last=bint, listener=Listener, is_stamped=bint,
    )
    cdef _take(
        self, Buffer buffer, Py_ssize_t size, long long received_ns, long long read_ns, long long error_ns,
        bint is_exact
    )
