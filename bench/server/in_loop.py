"""A uvicorn server in the caller's event loop.

uvicorn is made to run a process: it installs signal handlers, configures logging, exits the interpreter when it cannot
start, and leaves open what a failed start had opened. Here it is a guest, so each of these is undone: the socket is
bound here, the app is imported here, and `_end` is the one way out, for a failed start as for an orderly stop.
"""

import asyncio
import contextlib
import copy
import socket
import sys
from collections.abc import Generator, Iterable
from types import TracebackType
from typing import Any, Self

import uvicorn
from uvicorn.config import HTTP_PROTOCOLS, LIFESPAN, LOOP_FACTORIES, WS_PROTOCOLS
from uvicorn.importer import ImportFromStringError, import_from_string
from uvicorn.lifespan.on import LifespanOn, LifespanReceiveMessage, LifespanSendMessage

from bench.server.error import ServerError, one_line

RELEASE_TIMEOUT_S = 1.0  # for what has been cancelled to notice
OPTIONS: dict[str, Iterable[str]] = {
    "loop": LOOP_FACTORIES,
    "http": HTTP_PROTOCOLS,
    "ws": WS_PROTOCOLS,
    "lifespan": LIFESPAN,
}
NOT_HERE = ("uds", "fd", "reload", "workers")


class UvicornTestServer(uvicorn.Server):
    """Serves an ASGI app in the caller's event loop, asyncio's or uvloop's: `start_up`, `tear_down`, `async with`.

    `app` is an ASGI callable or "module:attribute" (imported at start-up). `port` 0 takes any free one. `config` goes
    to `uvicorn.Config`; by default the WebSocket implementation is websockets-sansio, requests get a second to finish
    at tear-down, and logging is left as the caller configured it (so only warnings, if nobody did). A server starts
    once; make another to start again.

    An app that raises after it was asked to start up has failed to start, whatever `lifespan` says; one that raises
    at the sight of a lifespan scope just has no lifespan.

    Tasks that the app started are the app's to end, in its lifespan's shutdown. For python-socketio that is
    `await sio.shutdown()`; without it, its service task lives on in the caller's loop.
    """

    def __init__(
        self,
        app: Any,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        start_timeout_s: float = 30.0,
        stop_timeout_s: float = 5.0,
        **config: Any,
    ) -> None:
        _refuse_unknown(config)
        defaults = {"ws": "websockets-sansio", "lifespan": "auto", "log_config": None, "timeout_graceful_shutdown": 1}
        super().__init__(uvicorn.Config(app, host=host, port=port, **(defaults | config)))
        self.name = app if isinstance(app, str) else str(getattr(app, "__qualname__", type(app).__name__))
        self.servers: list[asyncio.base_events.Server] = []
        self._start_timeout_s = start_timeout_s
        self._stop_timeout_s = stop_timeout_s
        self._listener: socket.socket | None = None
        self._serving: asyncio.Task[None] | None = None
        self._ready: asyncio.Event | None = None
        self._port: int | None = None

    @property
    def port(self) -> int:
        """The port that it really listens on. Raises ServerError before it was started."""
        if self._port is None:
            raise ServerError(f"{self.name} has no port yet: start its server first")
        return self._port

    @property
    def url(self) -> str:
        """Where clients on this machine reach it. Raises ServerError before it was started."""
        scheme = "https" if self.config.is_ssl else "http"
        return f"{scheme}://{reachable(self.config.host)}:{self.port}"

    @property
    def is_running(self) -> bool:
        """Whether it serves now."""
        return self.started and self._serving is not None and not self._serving.done()

    async def start_up(self) -> None:
        """Starts to serve; returns when the app's start-up is complete and the port is open.

        Raises ServerError if it cannot, or not within `start_timeout_s`, or was started before. Whatever is raised,
        cancellation included, nothing is left behind.
        """
        if self.is_running:
            raise ServerError(f"the server of {self.name} runs already, at {self.url}: tear it down, or make another")
        if self._ready is not None:
            raise ServerError(f"the server of {self.name} was started before: make another UvicornTestServer")
        self._load()
        self._ready = asyncio.Event()
        self._listener = bind(self.config.host, self.config.port)
        self._port = self._listener.getsockname()[1]
        self._serving = asyncio.create_task(self._serve_as_guest(self._listener), name=f"server of {self.name}")
        ready = asyncio.create_task(self._ready.wait())
        try:
            await asyncio.wait({self._serving, ready}, timeout=self._start_timeout_s, return_when="FIRST_COMPLETED")
            if not self.started:
                raise self._start_failure(self._serving)
        except BaseException:
            await self._end()
            raise
        finally:
            ready.cancel()

    async def tear_down(self) -> None:
        """Stops serving: requests in progress get `timeout_graceful_shutdown` seconds, then the app shuts down.

        Returns at once if it does not run. Raises ServerError, after everything is released, if the app's shut-down
        failed or took longer than `stop_timeout_s` more, or if the server had died before. Cancelled, it stops by
        force.
        """
        serving = self._serving
        if serving is None:
            return
        failure = self._death(serving)
        await self._end()
        if failure is None:
            failure = self._stop_failure(serving)
        if failure is not None:
            raise failure

    async def join(self) -> None:
        """Waits until it ends by itself. Raises ServerError if it dies, or is not running."""
        if self._serving is not None:
            await asyncio.wait({self._serving})
        self.check()

    def check(self) -> None:
        """Raises ServerError if it is not running, with the reason if it died."""
        if self.is_running:
            return
        death = None if self._serving is None else self._death(self._serving)
        raise death or ServerError(f"the server of {self.name} is not running: start it first")

    async def __aenter__(self) -> Self:
        await self.start_up()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self.tear_down()
        except ServerError as failure:
            if error is None:
                raise
            error.add_note(str(failure))  # what went wrong first is the better news

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Signals are the caller's."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """uvicorn's own start-up, which then says that it is done."""
        await super().startup(sockets)
        if self._ready is not None:
            self._ready.set()

    def _load(self) -> None:
        """Imports the app and uvicorn's implementations: uvicorn itself would exit where that fails."""
        config = self.config
        if isinstance(config.app, str):
            config.app = import_app(config.app)
        if not callable(config.app):
            raise ServerError(f"{self.name} is a {type(config.app).__name__}, not an ASGI application: name the app")
        try:
            config.load()
        except (Exception, SystemExit) as cause:
            raise ServerError(f"uvicorn cannot load what serves {self.name}: {one_line(cause)}") from cause
        if issubclass(config.lifespan_class, LifespanOn):
            config.lifespan_class = _Lifespan

    async def _serve_as_guest(self, listener: socket.socket) -> None:
        # SystemExit must not leave the task: asyncio would let it through and end the caller's whole program.
        try:
            await self.serve(sockets=[listener])
        except SystemExit as cause:
            raise ServerError(f"uvicorn gave up with exit code {cause.code}") from cause

    def _start_failure(self, serving: asyncio.Task[None]) -> ServerError:
        lifespan = getattr(self, "lifespan", None)
        if not serving.done():
            stage = "its start-up did" if isinstance(lifespan, _Lifespan) and not lifespan.is_up else "it did"
            return ServerError(f"{self.name} did not start: {stage} not end within {self._start_timeout_s:g} s")
        if isinstance(lifespan, _Lifespan) and lifespan.should_exit:
            failure = ServerError(f"{self.name} did not start: its start-up failed: {lifespan.reason}", lifespan.said)
            failure.__cause__ = lifespan.cause
            return failure
        cause = None if serving.cancelled() else serving.exception()
        if isinstance(cause, OSError):
            return _no_listening(self.config.host, self.config.port, cause)
        failure = ServerError(f"{self.name} did not start: {one_line(cause) if cause else 'it was cancelled'}")
        failure.__cause__ = cause
        return failure

    def _death(self, serving: asyncio.Task[None]) -> ServerError | None:
        """Why it ended by itself, if it did so otherwise than in order."""
        if not serving.done():
            return None
        if serving.cancelled():
            return ServerError(f"the server of {self.name} died: its task was cancelled")
        cause = serving.exception()
        if cause is None:
            return None
        failure = ServerError(f"the server of {self.name} died: {one_line(cause)}")
        failure.__cause__ = cause
        return failure

    def _stop_failure(self, serving: asyncio.Task[None]) -> ServerError | None:
        if serving.cancelled():
            return ServerError(
                f"{self.name} did not shut down within {self._stop_timeout_s:g} s and was ended by force"
            )
        if isinstance(self.lifespan, _Lifespan) and self.lifespan.should_exit:
            failure = ServerError(f"the shut-down of {self.name} failed: {self.lifespan.reason}", self.lifespan.said)
            failure.__cause__ = self.lifespan.cause
            return failure
        return self._death(serving)

    async def _end(self) -> None:
        """Ends it in order as far as it is up, by force as far as it is not, or in time, or the caller is cancelled."""
        serving, self._serving = self._serving, None
        if serving is None:
            return
        self.should_exit = True
        lifespan = getattr(self, "lifespan", None)
        if not self.started and not (isinstance(lifespan, _Lifespan) and lifespan.is_up):
            serving.cancel()
        grace_s = (self.config.timeout_graceful_shutdown or 0) + self._stop_timeout_s
        try:
            await asyncio.wait({serving}, timeout=grace_s)
        finally:
            await self._release(serving)

    async def _release(self, serving: asyncio.Task[None]) -> None:
        """Leaves nothing of it in the loop. Cancels first, then waits: so it holds if the caller is cancelled again."""
        tasks: set[asyncio.Task[Any]] = {serving, *self.server_state.tasks}
        for task in tasks:
            task.cancel()
        for server in self.servers:
            server.close()
        if self._listener is not None:
            self._listener.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        lifespan = getattr(self, "lifespan", None)
        try:
            await asyncio.wait(tasks, timeout=RELEASE_TIMEOUT_S)
            if isinstance(lifespan, _Lifespan):
                await lifespan.end(RELEASE_TIMEOUT_S)
        finally:
            if isinstance(lifespan, _Lifespan) and lifespan.task is not None:
                lifespan.task.cancel()
        for _ in range(100):  # transports close their sockets in one of the loop's next turns
            await asyncio.sleep(0)
            if not self.server_state.connections:
                break
        await asyncio.sleep(0)


class _Lifespan(LifespanOn):
    """uvicorn's lifespan, which besides knows its task (to cancel it) and why the app failed (to say so)."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(copy.copy(config))
        self.task: asyncio.Task[Any] | None = None
        self.cause: BaseException | None = None
        self.said = ""
        self._is_asked = False
        self._is_shutting_down = False
        app = config.loaded_app

        async def watched(scope: Any, receive: Any, send: Any) -> None:
            try:
                await app(scope, receive, send)
            except BaseException as cause:
                self.cause = self.cause or cause
                raise

        self.config.loaded_app = watched

    @property
    def is_up(self) -> bool:
        """Whether the app's start-up is complete."""
        return self.startup_event.is_set() and not self.startup_failed and not self.error_occurred

    @property
    def reason(self) -> str:
        """Why the app failed, in one line."""
        if self.cause is not None:
            return one_line(self.cause)
        lines = self.said.strip().splitlines()
        return lines[-1] if lines else "it gave no reason"

    async def main(self) -> None:
        self.task = asyncio.current_task()
        await super().main()
        if self.error_occurred and self._is_asked:  # it has a lifespan, then: uvicorn would serve it all the same
            if self._is_shutting_down:
                self.shutdown_failed = True
            else:
                self.startup_failed = True

    async def shutdown(self) -> None:
        self._is_shutting_down = True
        await super().shutdown()
        if self.shutdown_failed:
            self.should_exit = True

    async def end(self, timeout_s: float) -> None:
        """Ends its task: by asking for the shut-down if the app is up and was not asked, else by cancelling it."""
        if self.task is None:
            return
        if self.is_up and not self._is_shutting_down:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.shutdown(), timeout_s)
        if not self.task.done():
            self.task.cancel()
            await asyncio.wait({self.task}, timeout=timeout_s)

    async def receive(self) -> LifespanReceiveMessage:
        message = await super().receive()
        self._is_asked = True
        return message

    async def send(self, message: LifespanSendMessage) -> None:
        if message["type"] in ("lifespan.startup.failed", "lifespan.shutdown.failed"):
            self.said = str(message.get("message", ""))
            self.cause = sys.exception()  # what the app is handling while it says so
        await super().send(message)


def import_app(target: str) -> Any:
    """What "module:attribute" names. Raises ServerError if it is not there or fails to import."""
    try:
        return import_from_string(target)
    except ImportFromStringError as cause:
        raise ServerError(f"app {target!r} was not found: {cause} Give it as module:attribute") from cause
    except (Exception, SystemExit) as cause:
        raise ServerError(f"app {target!r} failed to import: {one_line(cause)}") from cause


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to the first address of `host`, not listening yet. Raises ServerError if that is not possible."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, OverflowError, UnicodeError) as cause:
        raise _no_listening(host, port, cause) from cause
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except (OSError, OverflowError) as cause:
        listener.close()
        raise _no_listening(host, port, cause) from cause
    return listener


def reachable(host: str) -> str:
    """`host` as clients on this machine write it in a URL: a wildcard is the loopback, IPv6 goes into brackets."""
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{host}]" if ":" in host else host


def _no_listening(host: str, port: int, cause: Exception) -> ServerError:
    reason = getattr(cause, "strerror", None) or str(cause)
    return ServerError(f"cannot listen on {host} port {port}: {reason}; choose another port, or 0 for any free one")


def _refuse_unknown(config: dict[str, Any]) -> None:
    """uvicorn would find out about these later, in ways that are hard to read."""
    for option in NOT_HERE:
        if config.get(option) is not None:
            raise ServerError(f"{option}={config[option]!r} is not possible here: a test server has a host and a port")
    for option, known in OPTIONS.items():
        value = config.get(option)
        if isinstance(value, str) and value not in known and ":" not in value:
            raise ServerError(f"{option}={value!r} is unknown: use one of {', '.join(known)}")
