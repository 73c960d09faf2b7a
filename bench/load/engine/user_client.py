"""The connection of a load user, as the user's code sees it."""

from __future__ import annotations

from bench.wire.client import FastClient
from bench.wire.interface import Handler
from bench.wire.namespaced import NamespacedClient


class UserClient(NamespacedClient[FastClient]):
    """The connection of a user, for events that are not timed: `emit`, `call`, `on`. It survives reconnecting.

    After its `disconnect`, which is not counted, the user connects again before its next task.
    """

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

    def emit_now(self, event: str, data: object = None, *, namespace: str | None = None) -> int:
        """Emit an event without a coroutine; see `emit`."""
        return self._client.emit_now(event, data, namespace=namespace or self.namespace)
