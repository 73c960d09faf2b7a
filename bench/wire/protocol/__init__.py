"""Socket.IO 5 over Engine.IO 4, sans I/O: bytes of messages in, packets out; packets in, bytes of messages out.

All that is known of the format is in this package, and the package knows no socket, no clock and no event loop. A
decoded packet is a small immutable value. What does not follow the format raises ProtocolError; decoding raises nothing
else. An argument that cannot be sent raises TypeError.

`packets` are the values, and `decoder` and `encoder` the two directions. `binary` takes attachments out of arguments
and puts them back. `packed` has the same packets in MessagePack. `payload` is what HTTP polling wraps around messages.
This module is how the rest of the project imports them.

Sources: the Engine.IO protocol, revision 4 (github.com/socketio/engine.io-protocol), and the Socket.IO protocol,
revision 5 (github.com/socketio/socket.io-protocol).
"""

from bench.wire.protocol.binary import MAX_ATTACHMENTS, Assembly, Attachments
from bench.wire.protocol.decoder import decode, plain_ack, plain_event
from bench.wire.protocol.encoder import (
    CLOSE,
    DISCONNECT,
    PONG,
    PROBE,
    UPGRADE,
    encode_ack,
    encode_binary_ack,
    encode_binary_event,
    encode_connect,
    encode_disconnect,
    encode_event,
    plain_message,
)
from bench.wire.protocol.packed import CAN_PACK, pack_ack, pack_connect, pack_disconnect, pack_event, said_of, unpack
from bench.wire.protocol.packets import (
    DEFAULT_NAMESPACE,
    ENGINE_IO_VERSION,
    Ack,
    Binary,
    BinaryHeader,
    Close,
    Connected,
    ConnectError,
    Disconnect,
    Event,
    Message,
    Noop,
    OldProtocolError,
    Open,
    Packet,
    Ping,
    Pong,
    ProtocolError,
    without_offset,
)
from bench.wire.protocol.payload import (
    MAX_PACKETS_PER_PAYLOAD,
    decode_payload,
    encode_binary_packet,
    encode_payload,
    payload_size_bytes,
)

__all__ = [
    "CAN_PACK",
    "CLOSE",
    "DEFAULT_NAMESPACE",
    "DISCONNECT",
    "ENGINE_IO_VERSION",
    "MAX_ATTACHMENTS",
    "MAX_PACKETS_PER_PAYLOAD",
    "PONG",
    "PROBE",
    "UPGRADE",
    "Ack",
    "Assembly",
    "Attachments",
    "Binary",
    "BinaryHeader",
    "Close",
    "ConnectError",
    "Connected",
    "Disconnect",
    "Event",
    "Message",
    "Noop",
    "OldProtocolError",
    "Open",
    "Packet",
    "Ping",
    "Pong",
    "ProtocolError",
    "decode",
    "decode_payload",
    "encode_ack",
    "encode_binary_ack",
    "encode_binary_event",
    "encode_binary_packet",
    "encode_connect",
    "encode_disconnect",
    "encode_event",
    "encode_payload",
    "pack_ack",
    "pack_connect",
    "pack_disconnect",
    "pack_event",
    "payload_size_bytes",
    "plain_ack",
    "plain_event",
    "plain_message",
    "said_of",
    "unpack",
    "without_offset",
]
