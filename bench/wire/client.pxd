# The C types of client.py, for `make compiled`. Every attribute is here: a compiled object has no others.

cimport picows.picows as ws

cdef ws.WSMsgType _TEXT, _BINARY, _CONTINUATION


cdef class _Namespace:
    cdef public dict handlers, callbacks, calls
    cdef public bint is_joined


cdef class FastClient(ws.WSListener):
    cdef public object received_ns, upgrade_ns, sid
    cdef dict _namespaces, _handlers, _callbacks
    cdef list _closed_callbacks
    cdef Py_ssize_t _last_ack_id, _max_payload_bytes, _max_message_bytes
    cdef object _transport
    cdef ws.WSTransport _websocket
    cdef bint _is_established, _is_partial, _is_choked, _is_accused, _is_overdue
    cdef object _reason, _address, _attempt, _opened, _fragments, _fragments_kind, _assembly, _pinged_ns, _heartbeat

    cpdef on_ws_connected(self, ws.WSTransport transport)
    cpdef on_ws_frame(self, ws.WSTransport transport, ws.WSFrame frame)
    cpdef on_ws_disconnected(self, ws.WSTransport transport)
    cpdef pause_writing(self)
    cpdef resume_writing(self)
