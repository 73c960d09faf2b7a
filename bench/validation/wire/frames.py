"""The messages in a direction of a WebSocket connection: bytes in order in, whole messages out (RFC 6455).

Masked and unmasked frames, fragments, and control frames between them. The direction begins with the head of HTTP. A
direction that does not become a WebSocket has no messages.
"""

_HEAD_ENDS = b"\r\n\r\n"
_FIN, _OPCODE = 0x80, 0x0F
_MASKED, _LENGTH = 0x80, 0x7F
_LENGTH_16, _LENGTH_64 = 126, 127
_FIRST_CONTROL_OPCODE = 8
_MASK_BYTES = 4


class Messages:
    """The messages of a direction, in order."""

    __slots__ = ("_fragments", "_is_upgraded", "_is_websocket", "_unread")

    def __init__(self) -> None:
        self._unread = b""
        self._is_upgraded = False
        self._is_websocket = True
        #: The payloads of the fragments of a message that is not whole yet.
        self._fragments: list[bytes] = []

    def add(self, data: bytes) -> list[bytes]:
        """Take the next bytes; return the payloads of the messages that they complete, unmasked."""
        if not data or not self._is_websocket:
            return []
        self._unread += data
        if not self._is_upgraded:
            head, ends, rest = self._unread.partition(_HEAD_ENDS)
            if not ends:
                return []
            self._is_websocket = b"upgrade: websocket" in head.lower()
            if not self._is_websocket:
                self._unread = b""
                return []
            self._is_upgraded, self._unread = True, rest
        return self._whole_messages()

    def _whole_messages(self) -> list[bytes]:
        found = []
        data, at = self._unread, 0
        while (payload_at := _payload_at(data, at)) is not None:
            start, length = payload_at
            end = start + length
            if end > len(data):
                break
            payload = data[start:end]
            if data[at + 1] & _MASKED:
                payload = _unmasked(payload, data[start - _MASK_BYTES : start])
            first, at = data[at], end
            if first & _OPCODE >= _FIRST_CONTROL_OPCODE:
                continue
            self._fragments.append(payload)
            if first & _FIN:
                found.append(b"".join(self._fragments))
                self._fragments.clear()
        self._unread = data[at:]
        return found


def _payload_at(data: bytes, at: int) -> tuple[int, int] | None:
    """Return where the payload of a frame begins, and its length; None if the frame's head is not whole."""
    if len(data) < at + 2:
        return None
    length, start = data[at + 1] & _LENGTH, at + 2
    if length == _LENGTH_16:
        length, start = int.from_bytes(data[start : start + 2]), start + 2
    elif length == _LENGTH_64:
        length, start = int.from_bytes(data[start : start + 8]), start + 8
    if data[at + 1] & _MASKED:
        start += _MASK_BYTES
    return (start, length) if len(data) >= start else None


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    """Return what was masked (RFC 6455, section 5.3)."""
    length = len(payload)
    key = (mask * (length // _MASK_BYTES + 1))[:length]
    return (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(length)
