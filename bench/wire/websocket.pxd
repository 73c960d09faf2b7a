# The C types of websocket.py, for `make compiled`. Every attribute is here: a compiled object has no others.

cimport picows.picows as ws

from bench.wire.transport cimport Listener

cdef ws.WSMsgType _TEXT, _BINARY, _CONTINUATION


cdef class WebSocketTransport(ws.WSListener):
    cdef Listener _listener
    cdef object _fragments
    cdef ws.WSTransport _websocket
    cdef bint _is_choked, _is_accused
    cdef Py_ssize_t _max_message_bytes
    cdef object _fragments_kind, _endpoint, _url, _timeout_s

    cpdef send(self, tuple messages)
    cpdef send_text(self, bytes message)
    cpdef on_ws_connected(self, ws.WSTransport transport)
    cpdef on_ws_frame(self, ws.WSTransport transport, ws.WSFrame frame)
    cpdef on_ws_disconnected(self, ws.WSTransport transport)
    cpdef pause_writing(self)
    cpdef resume_writing(self)
