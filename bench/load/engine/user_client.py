"""A user's view of its connection: what it sends and hears belongs to the user's namespace, unless it names another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Unpack

from bench.wire.client import FastClient
from bench.wire.connection import Connection, ConnectKeywords
from bench.wire.interface import Handler


class UserClient:
    """The connection of a user, for events that are not timed: `emit`, `call`, `on`. It survives reconnecting.

    The methods are those of `bench.wire.interface.Client`. Their `namespace` is that of the user, unless it is given.
    """

    emits_now = True

    def __init__(self, client: FastClient, namespace: str | None) -> None:
        self._client = client
        #: The user's namespace; None is the default namespace.
        self.namespace = namespace

    @property
    def received_ns(self) -> int:
        """Inside a handler or callback: when the event arrived that it is called for (`perf_counter_ns`)."""
        received_ns: int = self._client.received_ns
        return received_ns

    @property
    def connected(self) -> bool:
        """Return whether events can be emitted now."""
        return self._client.connected

    @property
    def sid(self) -> str | None:
        """Return the session id."""
        return self._client.sid

    def on(self, event: str, handler: Handler, namespace: str | None = None) -> None:
        """Call `handler(*arguments)` for every such event, also if it is the reply of a round trip.

        The last handler registered for an event counts. A handler may be a coroutine function. What it returns
        acknowledges the event, if the server asks for that.
        """
        self._client.listen(event, handler, namespace or self.namespace)

    def when_closed(self, callback: Callable[[str], None]) -> None:
        """Call `callback(reason)` when an established connection ends, whoever ended it."""
        self._client.when_closed(callback)

    async def emit(
        self, event: str, data: Any = None, *, namespace: str | None = None, callback: Handler | None = None
    ) -> int:
        """Emit an event; returns when it was handed to the transport (ns). See interface.Client for what it raises."""
        return self.emit_now(event, data, namespace=namespace, callback=callback)

    def emit_now(
        self, event: str, data: Any = None, *, namespace: str | None = None, callback: Handler | None = None
    ) -> int:
        """Do the same without a coroutine."""
        return self._client.emit_now(event, data, namespace=namespace or self.namespace, callback=callback)

    async def call(self, event: str, data: Any = None, *, namespace: str | None = None, timeout: float = 60.0) -> Any:
        """Emit an event and return its acknowledgement. Raises CallTimeout, Disconnected, and what `emit` raises."""
        return await self._client.call(event, data, namespace=namespace or self.namespace, timeout=timeout)

    async def connect(
        self, url: str, connection: Connection | None = None, **keywords: Unpack[ConnectKeywords]
    ) -> None:
        """Connect without being counted; the user's own `connect` is counted. Raises ConnectFailed."""
        await self._client.connect(url, connection, **keywords)

    async def disconnect(self) -> None:
        """Disconnect without being counted; the user connects again before its next task."""
        await self._client.disconnect()
