"""uvicorn's side of the ASGI lifespan. It also knows its task, to end it, and why the app failed, to report that."""

import asyncio
import contextlib
import copy
import sys
from typing import Any

from uvicorn import Config
from uvicorn.lifespan.on import LifespanOn, LifespanReceiveMessage, LifespanSendMessage

from bench.server.error import ServerError, one_line
from bench.server.uvicorn_versions import app_has_raised


class Lifespan(LifespanOn):
    """A lifespan in which an app that raises after it took the start-up message has failed, also with "auto".

    uvicorn would serve this app all the same, as an app without a lifespan. An app that has none raises as soon as it
    sees the scope, before it takes a message.
    """

    def __init__(self, config: Config) -> None:
        super().__init__(copy.copy(config))
        self.task: asyncio.Task[Any] | None = None
        self._cause: BaseException | None = None
        self._said = ""
        self._is_asked = False
        self._is_complete = False
        self._is_shutting_down = False
        app = config.loaded_app

        async def watched(scope: Any, receive: Any, send: Any) -> None:
            try:
                await app(scope, receive, send)
            except BaseException as cause:
                self._cause = self._cause or cause
                raise

        self.config.loaded_app = watched

    @property
    def is_starting(self) -> bool:
        """True until the app has finished its start-up, or has failed to."""
        return not self.startup_event.is_set()

    def failure(self, what: str) -> ServerError | None:
        """Return the error if the app's start-up or shut-down failed: `what`, and why. None if it did not fail."""
        if not self.should_exit:
            return None
        failure = ServerError(f"{what}: {self._reason}", self._said)
        failure.__cause__ = self._cause
        return failure

    @property
    def _reason(self) -> str:
        if self._cause is not None:
            return one_line(self._cause)
        lines = self._said.strip().splitlines()
        return lines[-1] if lines else "the app gave no reason"

    async def end(self, timeout_s: float) -> None:
        """End its task: ask the app to shut down if it is up and was not asked, then cancel it."""
        if self.task is None:
            return
        try:
            if self._is_complete and not self._is_shutting_down:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.shutdown(), timeout_s)
        finally:
            self.task.cancel()
        await asyncio.wait({self.task}, timeout=timeout_s)

    async def main(self) -> None:
        """Run the app's lifespan; uvicorn starts this as a task."""
        self.task = asyncio.current_task()
        await super().main()
        # Nobody runs in between: who waits for the events that were just set wakes up after this.
        has_raised = app_has_raised(self)
        if has_raised and self._is_complete:
            self.shutdown_failed = True
        elif has_raised and self._is_asked:
            self.startup_failed = True

    async def shutdown(self) -> None:
        """Ask the app to shut down, and wait for it."""
        self._is_shutting_down = True
        await super().shutdown()
        self.should_exit = self.should_exit or self.shutdown_failed  # super() overlooks an app that failed before

    async def receive(self) -> LifespanReceiveMessage:
        """Return the next message for the app."""
        message = await super().receive()
        self._is_asked = True
        return message

    async def send(self, message: LifespanSendMessage) -> None:
        """Take a message from the app."""
        if message["type"] in ("lifespan.startup.failed", "lifespan.shutdown.failed"):
            self._said = str(message.get("message", ""))
            self._cause = sys.exception()  # the error that the app is handling while it says so
        await super().send(message)
        self._is_complete = self._is_complete or message["type"] == "lifespan.startup.complete"
