"""The messages of this package's servers: the bytes of WebSocket, Engine.IO and Socket.IO that they need, and no more.

Bytes in, bytes out. Nothing is parsed that only has to be recognised, JSON least of all.
"""

import base64
import hashlib
import re

FOO = b'42["FOO",{"name":'
BAR = b'42["BAR",{"foo":'
FOO_LENGTH = len(FOO)

# First bytes of whole frames: FIN and the opcode (RFC 6455, section 5.2).
TEXT, CLOSE, PING, PONG = 0x81, 0x88, 0x89, 0x8A

_FOO_ACKNOWLEDGED = re.compile(rb'42(\d+)\["FOO",\{"name":')
_WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_SHORT_HEADS = [bytes((TEXT, length)) for length in range(126)]


def answer(message: bytes) -> bytes | None:
    """Return the answer to a FOO, as the text of a WebSocket message; None for any other message.

    Everything after the name stays in its place, the `to` of a request too.
    """
    if message.startswith(FOO):
        return BAR + message[FOO_LENGTH:]
    match = _FOO_ACKNOWLEDGED.match(message)
    if match is None:
        return None
    return b'43%b[{"foo":' % match[1] + message[match.end() :]


def framed(message: bytes) -> bytes:
    """Return a text message in one WebSocket frame, as a server sends it: unmasked."""
    length = len(message)
    if length < 126:
        return _SHORT_HEADS[length] + message
    if length < 1 << 16:
        return b"\x81\x7e" + length.to_bytes(2) + message
    return b"\x81\x7f" + length.to_bytes(8) + message


def accept_key(key: bytes) -> bytes:
    """Return a server's answer to `Sec-WebSocket-Key` (RFC 6455, section 4.2.2)."""
    return base64.b64encode(hashlib.sha1(key + _WEBSOCKET_GUID).digest())
