# The C types of client.py, for `make compiled`. Every attribute is here: a compiled object has no others.

cimport cython

from bench.wire.conversation cimport Conversation
from bench.wire.transport cimport Listener
from bench.wire.websocket cimport WebSocketTransport


cdef class Waiter:
    cpdef wake(self)
    cpdef wake_soon(self)


cdef class ArgumentsHandler:
    cpdef handle(self, tuple arguments)


cdef class FastClient(Listener):
    cdef public object received_ns, not_upgraded
    cdef bint _is_plain, _is_packed, _is_connected, _joins_later
    cdef dict _handlers
    cdef WebSocketTransport _plain_websocket
    cdef public Py_ssize_t message_bytes
    cdef Py_ssize_t _max_payload_bytes, _max_message_bytes, _assembled_bytes
    cdef Conversation _conversation
    cdef dict _handlers_of, _calls, _listeners
    cdef set _handler_tasks
    cdef list _closed_callbacks
    cdef WebSocketTransport _websocket
    cdef object _transport, _endpoint, _established, _heartbeat
    cdef Waiter _woken
    cdef readonly bint takes_text

    cpdef long long emit_text(self, bytes message) except -1
    cpdef wake_after(self, Waiter waiter)
    cdef _wake(self)

    @cython.locals(values=list, taker=ArgumentsHandler)
    cpdef receive(self, message, received_ns)
    cpdef ended(self, reason)
    cpdef read_now(self)


cdef class _Probed(Listener):
    cdef Conversation _conversation
    cdef public object answer

    cpdef receive(self, message, received_ns)
    cpdef ended(self, reason)
