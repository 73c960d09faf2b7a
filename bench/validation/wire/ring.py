"""A capture of the loopback's packets: a packet socket with the kernel's stamps, a filter, and a ring of memory.

The kernel writes packets into the ring (PACKET_RX_RING, TPACKET_V3; packet(7) and the kernel's packet_mmap.rst). The
reader takes whole blocks now and then, so a capture needs next to no CPU time beyond what the kernel copies. A packet
that found no place in the ring is counted. Linux only; the process needs the capability CAP_NET_RAW.

The filter lets a connection's beginnings and ends and all that carries bytes pass, for a single port. Of the packets to
the port, it takes the copies that leave the sender; of those from the port, both copies.
"""

import ctypes
import mmap
import socket
import sys
from collections.abc import Iterator
from struct import Struct
from types import TracebackType
from typing import NamedTuple, Self

_INTERFACE = "lo"

# linux/if_packet.h
_SOL_PACKET = 263
_PACKET_RX_RING = 5
_PACKET_STATISTICS = 6
_PACKET_VERSION = 10
_TPACKET_V3 = 2
_PACKET_OUTGOING = 4
_STATUS_USER = 1
_STATUS_KERNEL = 0
_RING_REQUEST = Struct("=7I")
_STATISTICS = Struct("=3I")
#: Of a block's head: its status, the number of packets, and where the first begins.
_BLOCK_HEAD = Struct("=8x3I")
_STATUS_AT = 8
#: Of a packet's head: where the next is, seconds, nanoseconds, captured and whole length, where its bytes begin.
_PACKET_HEAD = Struct("=5I4xH")
#: The place of the packet's type in the address (sockaddr_ll) behind its head.
_TYPE_AT = 48 + 10

# asm-generic/socket.h
_SO_ATTACH_FILTER = 26
_SO_TIMESTAMPNS = 35

# linux/if_ether.h. A socket for IPv4 alone gets no copy that leaves.
_ETH_P_ALL, _ETH_P_IP = 0x0003, 0x0800

_BLOCK_BYTES = 1 << 18
_FRAME_BYTES = 1 << 11
#: A port to which nobody connects (RFC 863).
_DISCARD_PORT = 9
_RETIRE_MS = 50
#: The size of the ring: some seconds of the fastest load.
RING_BYTES = 1 << 26


class CaptureError(Exception):
    """The reason that nothing can be captured here, in one line."""


class Captured(NamedTuple):
    """A packet as it was captured: its stamp in ns of Unix time, its copy, and its bytes, with all headers.

    `is_whole` is false if bytes at its end are missing.
    """

    time_ns: int
    is_outgoing: bool
    frame: bytes
    is_whole: bool


def capture_reason() -> str | None:
    """Return why this process cannot capture, in one line; None if it can. It captures for a moment to tell."""
    try:
        with Ring(_DISCARD_PORT, 2 * _BLOCK_BYTES):
            return None
    except CaptureError as error:
        return str(error)


def packets_in(block: bytes) -> Iterator[Captured]:
    """Yield the packets of a block of the ring."""
    _, number, at = _BLOCK_HEAD.unpack_from(block)
    for _ in range(number):
        next_at, seconds, nanoseconds, captured, length, bytes_at = _PACKET_HEAD.unpack_from(block, at)
        begin = at + bytes_at
        yield Captured(
            seconds * 1_000_000_000 + nanoseconds,
            block[at + _TYPE_AT] == _PACKET_OUTGOING,
            block[begin : begin + captured],
            captured >= length,
        )
        at += next_at


class Ring:
    """A capture of all connections to a port, from `with` on. Raises CaptureError."""

    def __init__(self, port: int, size_bytes: int = RING_BYTES) -> None:
        self._port = port
        self._blocks = max(2, size_bytes // _BLOCK_BYTES)
        self._next = 0
        #: The number of packets that found no place in the ring, as of the last call of `count`.
        self.dropped = 0

    def taken(self) -> Iterator[bytes]:
        """Yield the blocks that are full, or were begun some time ago, and give them back to the kernel."""
        while True:
            at = self._next * _BLOCK_BYTES
            status, _, _ = _BLOCK_HEAD.unpack_from(self._memory, at)
            if not status & _STATUS_USER:
                return
            yield self._memory[at : at + _BLOCK_BYTES]
            self._memory[at + _STATUS_AT : at + _STATUS_AT + 4] = _STATUS_KERNEL.to_bytes(4, sys.byteorder)
            self._next = (self._next + 1) % self._blocks

    def count(self) -> None:
        """Bring `dropped` up to date."""
        _, dropped, _ = _STATISTICS.unpack(self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, _STATISTICS.size))
        self.dropped += dropped  # the kernel begins again at each reading

    def __enter__(self) -> Self:
        self._socket = _opened()
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            _attach(self._socket, filter_for(self._port))
            self._socket.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V3.to_bytes(4, sys.byteorder))
            frames = self._blocks * (_BLOCK_BYTES // _FRAME_BYTES)
            request = _RING_REQUEST.pack(_BLOCK_BYTES, self._blocks, _FRAME_BYTES, frames, _RETIRE_MS, 0, 0)
            self._socket.setsockopt(_SOL_PACKET, _PACKET_RX_RING, request)
            self._memory = mmap.mmap(self._socket.fileno(), self._blocks * _BLOCK_BYTES)
            self._socket.bind((_INTERFACE, _ETH_P_ALL))
        except OSError as error:
            self._socket.close()
            raise CaptureError(f"packets cannot be captured: {error.strerror or error}") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._memory.close()
        self._socket.close()


def _opened() -> socket.socket:
    """Return a packet socket that captures nothing yet. Raises CaptureError."""
    if not hasattr(socket, "AF_PACKET"):
        raise CaptureError(f"{sys.platform} has no packet sockets")
    try:
        return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    except PermissionError:
        raise CaptureError("a packet socket needs the capability CAP_NET_RAW: run it as root") from None
    except OSError as error:
        raise CaptureError(f"there are no packet sockets here: {error.strerror or error}") from None


# --- the filter -------------------------------------------------------------------------------------------------------


class Instruction(NamedTuple):
    """An instruction of the classic BPF (Linux' networking/filter.rst)."""

    code: int
    if_true: int
    if_false: int
    value: int


# linux/bpf_common.h
_LD_HALF, _LD_BYTE = 0x28, 0x30
_LD_HALF_X, _LD_BYTE_X, _LDX_HEADER = 0x48, 0x50, 0xB1
_JUMP_EQUAL, _JUMP_SET, _JUMP_GREATER_X = 0x15, 0x45, 0x2D
_AND, _RIGHT, _ADD_X, _TO_X = 0x54, 0x74, 0x0C, 0x07
_RETURN = 0x06
_PACKET_TYPE = 0xFFFFF004  # SKF_AD_OFF + SKF_AD_PKTTYPE
_ALL_BYTES = 0x40000
_BEGIN_OR_END = 0x07  # FIN, SYN, RST


def filter_for(port: int) -> list[Instruction]:
    """Return the filter: TCP over IPv4, to or from the port, that carries bytes, begins or ends a connection."""
    at = {name: number for number, name in enumerate(_LABELS)}

    def jump(code: int, value: int, here: str, if_true: str, if_false: str) -> Instruction:
        following = at[here] + 1
        return Instruction(code, at[if_true] - following, at[if_false] - following, value)

    return [
        Instruction(_LD_HALF, 0, 0, 12),
        jump(_JUMP_EQUAL, _ETH_P_IP, "is IPv4", "protocol", "drop"),
        Instruction(_LD_BYTE, 0, 0, 14 + 9),
        jump(_JUMP_EQUAL, 6, "is TCP", "header", "drop"),
        Instruction(_LDX_HEADER, 0, 0, 14),  # X: the length of IP's header
        Instruction(_LD_HALF_X, 0, 0, 14),
        jump(_JUMP_EQUAL, port, "is from the port", "flags", "destination"),
        Instruction(_LD_HALF_X, 0, 0, 16),
        jump(_JUMP_EQUAL, port, "is to the port", "type", "drop"),
        Instruction(_LD_BYTE, 0, 0, _PACKET_TYPE),
        jump(_JUMP_EQUAL, _PACKET_OUTGOING, "leaves", "flags", "drop"),
        Instruction(_LD_BYTE_X, 0, 0, 14 + 13),
        jump(_JUMP_SET, _BEGIN_OR_END, "begins or ends", "take", "length"),
        Instruction(_LD_BYTE_X, 0, 0, 14 + 12),  # in its high half: the length of TCP's header in words
        Instruction(_AND, 0, 0, 0xF0),
        Instruction(_RIGHT, 0, 0, 2),
        Instruction(_ADD_X, 0, 0, 0),
        Instruction(_TO_X, 0, 0, 0),  # X: the length of both headers
        Instruction(_LD_HALF, 0, 0, 14 + 2),
        jump(_JUMP_EQUAL, 0, "is huge", "take", "compare"),
        jump(_JUMP_GREATER_X, 0, "compare", "take", "drop"),
        Instruction(_RETURN, 0, 0, _ALL_BYTES),
        Instruction(_RETURN, 0, 0, 0),
    ]


#: The places of the filter's instructions.
_LABELS = (
    "kind",
    "is IPv4",
    "protocol",
    "is TCP",
    "header",
    "source",
    "is from the port",
    "destination",
    "is to the port",
    "type",
    "leaves",
    "flags",
    "begins or ends",
    "length",
    "mask",
    "to bytes",
    "with IP's",
    "to X",
    "of the packet",
    "is huge",
    "compare",
    "take",
    "drop",
)


def _attach(capturing: socket.socket, instructions: list[Instruction]) -> None:
    packed = b"".join(Struct("=HBBI").pack(*instruction) for instruction in instructions)
    program = ctypes.create_string_buffer(packed)
    # struct sock_fprog: a number, and a pointer at its natural place.
    head = Struct("@HP").pack(len(instructions), ctypes.addressof(program))
    capturing.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, head)
