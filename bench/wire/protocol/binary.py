"""Attachments: bytes in the arguments of an event travel beside its JSON, which has placeholders in their place.

Nothing here recurses: how deep the arguments are nested is the peer's choice. `{"_placeholder": true, "num": 2}` stands
for the third attachment. Three headers are refused before any attachment is awaited: more attachments than
MAX_ATTACHMENTS, a placeholder out of range, an attachment without a placeholder.
"""

from __future__ import annotations

from typing import Any

from bench.wire.protocol.packets import Ack, BinaryHeader, Event, ProtocolError

#: The most attachments of a packet, far more than the 10 that official servers accept. A peer cannot announce
#: attachments without end.
MAX_ATTACHMENTS = 1000


class Attachments(list[bytes]):
    """The attachments that were taken out of arguments, in the order of their placeholders; see `encoder`."""

    def take(self, value: Any) -> dict[str, Any]:
        """Keep bytes, bytearray or memoryview; return the placeholder. Raises TypeError for anything else."""
        if not isinstance(value, (bytes, bytearray, memoryview)):
            raise TypeError(f"neither JSON nor bytes: {type(value).__name__}")
        self.append(bytes(value))
        return {"_placeholder": True, "num": len(self) - 1}


class Assembly:
    """An event or acknowledgement whose attachments are awaited. Raises ProtocolError for an impossible header."""

    def __init__(self, header: BinaryHeader) -> None:
        #: The size of the attachments so far.
        self.size_bytes = 0
        self._header = header
        self._places = _places(header)
        self._attachments: list[bytes] = []

    def add(self, attachment: bytes) -> Event | Ack | None:
        """Take the next attachment; return the complete packet after the last, None before."""
        self._attachments.append(attachment)
        self.size_bytes += len(attachment)
        header = self._header
        if len(self._attachments) < header.attachments:
            return None
        for container, key, number in self._places:
            container[key] = self._attachments[number]
        if header.name is not None:
            return Event(header.name, tuple(header.arguments), header.ack_id, header.namespace)
        assert header.ack_id is not None, "the decoder refuses an acknowledgement without an id"
        return Ack(header.ack_id, tuple(header.arguments), header.namespace)

    def __str__(self) -> str:
        kind = f"the event {self._header.name}" if self._header.name is not None else "an acknowledgement"
        return f"{kind} with {len(self._attachments)} of {self._header.attachments} attachments"


def _places(header: BinaryHeader) -> list[tuple[Any, Any, int]]:
    """Return the places of the placeholders: container, index or key, number of the attachment."""
    if header.attachments > MAX_ATTACHMENTS:
        raise ProtocolError(f"a packet with {header.attachments} attachments, more than {MAX_ATTACHMENTS}")
    places: list[tuple[Any, Any, int]] = []
    containers: list[Any] = [header.arguments]
    while containers:
        container = containers.pop()
        for key, value in container.items() if isinstance(container, dict) else enumerate(container):
            if isinstance(value, dict) and value.get("_placeholder") is True:
                number = value.get("num")
                if type(number) is not int:
                    raise ProtocolError("a placeholder without a number")
                if not 0 <= number < header.attachments:
                    raise ProtocolError(f"a placeholder out of range: {number} of {header.attachments}")
                places.append((container, key, number))
            elif isinstance(value, (dict, list)):
                containers.append(value)
    used = len({number for _, _, number in places})
    if used < header.attachments:
        raise ProtocolError(f"a packet with {header.attachments} attachments, but placeholders for {used}")
    return places
