"""The frames of a WebSocket as a server sends them (RFC 6455, 5.2): found in a buffer, without any input or output.

A frame that cannot be is refused when its head has come, before its payload.
"""

from __future__ import annotations

from bench.wire.errors import Reason, impossible_frame, too_large_message

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

#: The bit of a frame's first byte that says that it is the last of its message.
LAST = 0x80

#: The codes of close frames that this client sends (RFC 6455, 7.4.1).
NORMAL, PROTOCOL_ERROR, NO_STATUS, INVALID_TEXT, TOO_BIG = 1000, 1002, 1005, 1007, 1009

#: The codes below 3000 that a close frame may have; 1005 stands for none.
_CLOSE_CODES = frozenset({1000, 1001, 1002, 1003, NO_STATUS, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})
_FIRST_OWN_CODE = 3000

_RESERVED = 0x70
_MASKED = 0x80
_KIND = 0x0F
_SHORT, _SIZE_IN_16_BITS = 125, 126

# The same, as numbers of C where this is compiled: those above are objects for other modules.
_LAST_BIT = LAST
_LAST_OF_DATA = BINARY


class ImpossibleFrame(Exception):
    """The refusal of a frame that cannot be, or that is too large. `code` is what the server is told."""

    def __init__(self, reason: Reason, code: int = PROTOCOL_ERROR) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


class FrameHead:
    """The head of the last frame that was found, and where its payload lies: from `begin` up to `end`."""

    __slots__ = ("begin", "end", "is_last", "kind")

    def __init__(self) -> None:
        self.kind = TEXT
        self.is_last = True
        self.begin = 0
        self.end = 0

    def find(self, data: bytearray, at: int, size: int, most_bytes: int) -> bool:
        """Return whether a whole head begins at `at`; then its fields are here. `end` may lie beyond `size`.

        `size` is how much of the data is there. Raises ImpossibleFrame, also for a payload of more than `most_bytes`.
        """
        begin = at + 2
        if begin > size:
            return False
        first = data[at]
        length = data[at + 1]
        kind = first & _KIND
        if first & _RESERVED or length > _SHORT or kind > _LAST_OF_DATA:
            return self._find_unusual(data, at, size, most_bytes)
        if length > most_bytes:
            raise _too_large(length, most_bytes)
        self.kind = kind
        self.is_last = first >= _LAST_BIT
        self.begin = begin
        self.end = begin + length
        return True

    def _find_unusual(self, data: bytearray, at: int, size: int, most_bytes: int) -> bool:
        """Do the same for a frame that is long, of control, or impossible."""
        first = data[at]
        second = data[at + 1]
        kind = first & _KIND
        is_control = kind >= CLOSE
        if kind > PONG or BINARY < kind < CLOSE:
            raise _impossible(f"Received frame with invalid opcode={kind:#x}")
        if first & _RESERVED:
            raise _impossible("Received frame with reserved bits set, as of an extension that nobody agreed on")
        if is_control and first < LAST:
            raise _impossible("Received fragmented control frame")
        if second & _MASKED:
            raise _impossible("Received masked frame from server, RFC 6455 section 5.1 forbids this")
        begin = at + 2
        length: int = second
        if second > _SHORT:
            if is_control:
                raise _impossible(f"Received control frame with payload size > 125 bytes, opcode={kind:#x}")
            width = 2 if second == _SIZE_IN_16_BITS else 8
            begin += width
            if begin > size:
                return False
            length = int.from_bytes(data[at + 2 : begin], "big")
            if width == 2 and length <= _SHORT:
                raise _impossible("Received frame with invalid 16-bit payload len")
            if width == 8 and not 1 << 16 <= length < 1 << 63:
                raise _impossible("Received frame with invalid 64-bit payload length")
        if length > most_bytes and not is_control:
            raise _too_large(length, most_bytes)
        self.kind = kind
        self.is_last = first >= _LAST_BIT
        self.begin = begin
        self.end = begin + length
        return True


def closing(payload: bytes) -> tuple[int, str]:
    """Return the code and the text of a close frame. Raises ImpossibleFrame."""
    if not payload:
        return NO_STATUS, ""
    code = int.from_bytes(payload[:2], "big") if len(payload) > 1 else NO_STATUS
    if len(payload) == 1 or (code < _FIRST_OWN_CODE and (code == NO_STATUS or code not in _CLOSE_CODES)):
        raise _impossible(f"Received CLOSE with invalid close code: {code if len(payload) > 1 else payload!r}")
    try:
        return code, payload[2:].decode()
    except UnicodeDecodeError:
        raise ImpossibleFrame(impossible_frame("Received CLOSE with invalid UTF-8 reason"), INVALID_TEXT) from None


def _impossible(what: str) -> ImpossibleFrame:
    return ImpossibleFrame(impossible_frame(what))


def _too_large(size_bytes: int, most_bytes: int) -> ImpossibleFrame:
    return ImpossibleFrame(too_large_message(size_bytes, most_bytes), TOO_BIG)
