# The C types of client.py, for `make compiled`. Every attribute is here: a compiled object has no others.

from bench.wire.conversation cimport Conversation
from bench.wire.transport cimport Listener, Transport


cdef class FastClient(Listener):
    cdef public object received_ns, upgrade_ns
    cdef dict _handlers, _handlers_of, _calls
    cdef list _closed_callbacks
    cdef Conversation _conversation
    cdef Py_ssize_t _max_message_bytes
    cdef Transport _transport, _plain_transport
    cdef bint _is_connected, _joins_later
    cdef object _endpoint, _established, _heartbeat

    cpdef receive(self, message, received_ns)
    cpdef ended(self, reason)


cdef class _Probed(Listener):
    cdef Conversation _conversation
    cdef public object answer

    cpdef receive(self, message, received_ns)
    cpdef ended(self, reason)
