# The C types of conversation.py, for `make compiled`. Every attribute is here: a compiled object has no others.

cdef class _Namespace:
    cdef public dict callbacks
    cdef public bint is_joined, is_recoverable


cdef class Conversation:
    cdef public object state, reason, sid, handshake, check_at_ns
    cdef public bint is_plain, is_text_only
    cdef public Py_ssize_t max_payload_bytes, last_ack_id
    cdef dict _default_callbacks, _namespaces
    cdef bint _is_leaving, _is_overdue, _is_packed
    cdef Py_ssize_t _max_message_bytes
    cdef object _auth, _unjoined, _assembly, _heartbeat_limit_ns, _pinged_ns, _refusals, _refusal_data

    cpdef receive(self, message, received_ns)
    cpdef tuple emit(self, event, data, namespace, callback)
