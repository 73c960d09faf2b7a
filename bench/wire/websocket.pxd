# The C types of websocket.py, for `make compiled`. Every attribute is here: a compiled object has no others.

cimport picows.picows as ws

from bench.wire.transport cimport Listener, Transport

cdef ws.WSMsgType _TEXT, _BINARY, _CONTINUATION


cdef class Frames(ws.WSListener):
    cdef public Listener listener
    cdef WebSocketTransport _transport
    cdef Py_ssize_t _max_message_bytes
    cdef object _fragments, _fragments_kind
    cdef bint _is_choked, _is_accused

    cpdef on_ws_connected(self, ws.WSTransport transport)
    cpdef on_ws_frame(self, ws.WSTransport transport, ws.WSFrame frame)
    cpdef on_ws_disconnected(self, ws.WSTransport transport)
    cpdef pause_writing(self)
    cpdef resume_writing(self)


cdef class WebSocketTransport(Transport):
    cdef object _endpoint, _url, _timeout_s
    cdef Py_ssize_t _max_message_bytes
    cdef ws.WSTransport _websocket
    cdef Frames _frames

    cpdef send(self, tuple messages)
    cpdef close(self)
    cpdef abort(self)
