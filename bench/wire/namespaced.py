"""A client as its user sees it: what it sends and hears belongs to one namespace, unless the user names another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, Unpack

from bench.wire.connection import Connection, ConnectKeywords
from bench.wire.interface import Client, Handler

_Client = TypeVar("_Client", bound=Client)


class NamespacedClient(Generic[_Client]):
    """A client whose events belong to `namespace`, unless a call names another; None is the default namespace.

    The methods are those of `interface.Client`.
    """

    def __init__(self, client: _Client, namespace: str | None) -> None:
        self._client = client
        self.namespace = namespace

    @property
    def received_ns(self) -> int:
        """Inside a handler or callback: when the event arrived that it is called for (`perf_counter_ns`)."""
        return self._client.received_ns

    @property
    def connected(self) -> bool:
        """Return whether events can be emitted now."""
        return self._client.connected

    def on(self, event: str, handler: Handler, namespace: str | None = None) -> None:
        """Call `handler(*arguments)` for every such event; the last handler registered for an event counts.

        A handler may be a coroutine function. What it returns acknowledges the event, if the server asks for that.
        """
        self._client.on(event, handler, namespace or self.namespace)

    def when_closed(self, callback: Callable[[str], None]) -> None:
        """Call `callback(reason)` when an established connection ends, whoever ended it."""
        self._client.when_closed(callback)

    async def emit(
        self, event: str, data: Any = None, *, namespace: str | None = None, callback: Handler | None = None
    ) -> int:
        """Emit an event; returns when it was handed to the transport (ns). See interface.Client for what it raises."""
        return await self._client.emit(event, data, namespace=namespace or self.namespace, callback=callback)

    async def call(self, event: str, data: Any = None, *, namespace: str | None = None, timeout: float = 60.0) -> Any:
        """Emit an event and return its acknowledgement. Raises CallTimeout, Disconnected, and what `emit` raises."""
        return await self._client.call(event, data, namespace=namespace or self.namespace, timeout=timeout)

    async def connect(
        self, url: str, connection: Connection | None = None, **keywords: Unpack[ConnectKeywords]
    ) -> None:
        """Connect without being counted. Raises ConnectFailed."""
        await self._client.connect(url, connection, **keywords)

    async def disconnect(self) -> None:
        """Disconnect without being counted."""
        await self._client.disconnect()
