"""WebSocket frames as bytes, right and wrong."""

TEXT, BINARY, CONTINUATION, CLOSE, PING = 1, 2, 0, 8, 9


def frame(message: bytes, kind: int = TEXT, *, is_last: bool = True, mask: bytes = b"") -> bytes:
    """Return a frame; a client's has a mask of four bytes, a server's has none."""
    size, masked = len(message), 0x80 if mask else 0
    head = bytes([(0x80 if is_last else 0) | kind])
    if size < 126:
        head += bytes([masked | size])
    elif size < 1 << 16:
        head += bytes([masked | 126]) + size.to_bytes(2)
    else:
        head += bytes([masked | 127]) + size.to_bytes(8)
    if not mask:
        return head + message
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(message))
