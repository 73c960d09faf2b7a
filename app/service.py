"""The service's answer to each event.

    FOO    {"name", "to"?}   BAR {"foo": name} to everyone; with "to": "sender" or "room:<room>" to those only
    JOIN   {"room"}          the sender enters the room, if it is in fewer than MAX_ROOMS
    LEAVE  {"room"}          the sender leaves the room
    else                     REJECTED {"event", "errors"} to the sender only

Rules: an event either does what it asks for or is rejected whole. A client's mistake costs one line in the log and
nothing else. A handler returns the acknowledgement. It is sent if the client asked for it, and always after the event
that answers (python-socketio drops it otherwise). A sender need not be in a room to send to it. `FOO` is what is
benchmarked: it validates, counts and emits, and does not log.
"""

import hmac
import logging
from collections.abc import Sequence
from time import monotonic_ns
from typing import Any

import socketio
from pydantic import ValidationError

from app.events import (
    EVERYONE,
    MAX_LENGTH,
    ROOM_PREFIX,
    SENDER,
    Bar,
    Credentials,
    FieldError,
    Foo,
    InvalidEventError,
    Join,
    Leave,
    Rejected,
    StampedBar,
    read,
)
from app.logs import BoundedFilter

#: The number of rooms that a client may be in at most. Each room costs memory that all clients share.
MAX_ROOMS = 100

logger = logging.getLogger(__name__)
logger.addFilter(BoundedFilter())


class FooBar(socketio.AsyncNamespace):  # type: ignore[misc]
    """The FOO→BAR service on the default namespace.

    `answered` is the number of valid FOOs since the start. It is raised before the BAR is sent, so whoever has seen a
    BAR finds its FOO counted.

    Args:
        token: what clients have to give to connect; None lets everyone in.
        stamps: whether a BAR tells when its FOO was handled (see StampedBar).
    """

    def __init__(self, token: str | None = None, stamps: bool = False) -> None:
        super().__init__("/")
        self.answered = 0
        self._stamps = stamps
        self._rooms: dict[str, set[str]] = {}
        self._token = None if token is None else _bytes(token)

    async def trigger_event(self, event: Any, sid: str, *arguments: Any) -> dict[str, Any] | None:
        """Handle one event of the client `sid` and return its acknowledgement.

        All events come through here, not through `on_<event>` methods, because `event` is the client's choice. It may
        be no string at all, or claim to be `connect`, which would reach the handler of real connections.
        """
        try:
            if event == "FOO":
                return await self._foo(sid, arguments)
            if event == "JOIN":
                return await self._join(sid, arguments)
            if event == "LEAVE":
                return await self._leave(sid, arguments)
            # only python-socketio's own connect and disconnect come while the client is not (any more) connected
            if not self.server.manager.is_connected(sid, self.namespace):
                if event == "connect":
                    self._connect(sid, *arguments)
                else:
                    self._rooms.pop(sid, None)
                return None
            message = "Should be FOO, JOIN or LEAVE"
            raise InvalidEventError([FieldError(field="event", message=message)])
        except InvalidEventError as error:
            return await self._reject(sid, event, error)

    def clients(self) -> int:
        """Return the number of connected clients."""
        return sum(1 for _ in self.server.manager.get_participants(self.namespace, None))

    async def _foo(self, sid: str, arguments: Sequence[Any]) -> dict[str, Any]:
        began_ns = monotonic_ns() if self._stamps else 0
        foo = read(Foo, arguments)
        bar = Bar(foo=foo.name).model_dump()
        if began_ns:
            bar = StampedBar(foo=foo.name, handled_ns=(began_ns, monotonic_ns())).model_dump()
        self.answered += 1
        # any other `to` is "room:<room>", which is what the room is called (see _room)
        to = None if foo.to == EVERYONE else sid if foo.to == SENDER else foo.to
        await self.server.emit("BAR", bar, to=to)
        return bar

    async def _join(self, sid: str, arguments: Sequence[Any]) -> dict[str, Any]:
        join = read(Join, arguments)
        rooms = self._rooms.setdefault(sid, set())
        if len(rooms) >= MAX_ROOMS and join.room not in rooms:
            message = f"Should be one of at most {MAX_ROOMS} rooms: leave another one first"
            raise InvalidEventError([FieldError(field="room", message=message)])
        rooms.add(join.room)
        await self.enter_room(sid, _room(join.room))
        return join.model_dump()

    async def _leave(self, sid: str, arguments: Sequence[Any]) -> dict[str, Any]:
        leave = read(Leave, arguments)
        self._rooms.get(sid, set()).discard(leave.room)
        await self.leave_room(sid, _room(leave.room))
        return leave.model_dump()

    async def _reject(self, sid: str, event: Any, error: InvalidEventError) -> dict[str, Any]:
        # lone surrogates, which JSON can bring, fit neither a model nor a log
        name = event[:MAX_LENGTH].encode(errors="replace").decode() if isinstance(event, str) else ""
        logger.warning("rejected %r of client %s: %s", name, sid, error)
        rejected = Rejected(event=name, errors=error.errors).model_dump()
        await self.server.emit("REJECTED", rejected, to=sid)
        return rejected

    def _connect(self, sid: str, environ: dict[str, Any], auth: Any) -> None:
        if self._token is None:
            return
        try:
            token = _bytes(Credentials.model_validate(auth).token)
        except ValidationError:
            token = b""
        if not hmac.compare_digest(token, self._token):
            logger.warning("refused client %s: no or wrong token", sid)
            raise socketio.exceptions.ConnectionRefusedError('Refused: connect with auth {"token": <the right token>}')


def _room(room: str) -> str:
    """Return the room's name inside python-socketio, where clients must not reach each other's sid, a room as well."""
    return ROOM_PREFIX + room


def _bytes(token: str) -> bytes:
    """Return the token as bytes, for comparing in constant time. Lone surrogates (from JSON) are kept."""
    return token.encode(errors="surrogatepass")
