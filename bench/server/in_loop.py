"""A uvicorn server in the caller's event loop.

uvicorn is made to own a process. It installs signal handlers and configures logging. It exits the interpreter when it
cannot start, and leaves the sockets of a failed start open. Here it is a guest, so this module undoes all of that. It
binds the socket and imports the app itself. `_end` is the only way out, after a failed start and after an orderly stop.
"""

import asyncio
import contextlib
import socket
from collections.abc import Generator, Iterable
from types import TracebackType
from typing import Any, Self

import uvicorn
from uvicorn.config import HTTP_PROTOCOLS, LIFESPAN, LOG_LEVELS, WS_PROTOCOLS
from uvicorn.importer import ImportFromStringError, import_from_string
from uvicorn.lifespan.on import LifespanOn

from bench.server.address import listen, reachable
from bench.server.application import check_application
from bench.server.error import ServerError, UnservableError, one_line
from bench.server.lifespan import Lifespan
from bench.server.options import ServerOptions
from bench.server.used_before import make_fit
from bench.server.uvicorn_versions import LOOPS

#: The time in which cancelled tasks have to end, in seconds.
RELEASE_TIMEOUT_S = 1.0
#: uvicorn's ticks: their length in seconds, and the number after which it counts anew.
_TICK_S = 0.1
_MOST_TICKS = 864_000
#: The options with a fixed set of values, and these values.
CHOICES: dict[str, Iterable[str]] = {
    "loop": LOOPS,
    "http": HTTP_PROTOCOLS,
    "ws": WS_PROTOCOLS,
    "lifespan": LIFESPAN,
    "log_level": LOG_LEVELS,
}
#: The options of uvicorn that make no sense for a server in a loop.
NOT_HERE = ("uds", "fd", "reload", "workers")


class UvicornTestServer(uvicorn.Server):
    """A server of an ASGI app in the caller's event loop, asyncio's or uvloop's: `start_up`, `tear_down`, `async with`.

    `app` is an ASGI callable or "module:attribute" (imported at start-up). `port` 0 takes any free port. `config` goes
    to `uvicorn.Config`; `**ServerOptions(…).uvicorn` is the part that servers of every kind share. By default the
    WebSocket implementation is websockets-sansio if uvicorn has it, and requests in progress get a second at tear-down.
    Logging stays as the caller configured it; if nobody did, only warnings show.

    A server starts once: to start again, make another. An app that raises after it was asked to start up has failed
    to start. An app that raises at the sight of a lifespan scope has no lifespan, unless `lifespan="on"`.

    Tasks that the app started are the app's to end, in its lifespan's shut-down. For python-socketio that is
    `await sio.shutdown()`; without it, its service task lives on in the caller's loop. (The ping task of each
    connection lives on all the same, for a `ping_interval` at most.) An `AsyncServer` that was used in an earlier loop
    is made fit for this loop.
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
        _refuse_impossible(config)
        defaults = {"ws": ServerOptions().ws, "lifespan": "auto", "log_config": None, "timeout_graceful_shutdown": 1}
        super().__init__(uvicorn.Config(app, host=host, port=port, **(defaults | config)))
        self.name = app if isinstance(app, str) else str(getattr(app, "__qualname__", type(app).__name__))
        self.servers: list[asyncio.base_events.Server] = []
        self._start_timeout_s = start_timeout_s
        self._stop_timeout_s = stop_timeout_s
        self._was_started = False
        self._listener: socket.socket | None = None
        self._ready: asyncio.Future[None] | None = None
        self._serving: asyncio.Task[None] | None = None  # from start-up to tear-down
        self._port: int | None = None
        self._exit_asked = asyncio.Event()

    @property
    def port(self) -> int:
        """The port that it really listens on. Raises ServerError before it was started."""
        if self._port is None:
            raise ServerError(f"{self.name} has no port yet: start its server first")
        return self._port

    @property
    def url(self) -> str:
        """The URL for clients on this machine. Raises ServerError before it was started."""
        scheme = "https" if self.config.is_ssl else "http"
        return f"{scheme}://{reachable(self.config.host)}:{self.port}"

    @property
    def app(self) -> Any:
        """The app that it serves. Before it was started, this is what it was given, perhaps "module:attribute"."""
        return self.config.app

    @property
    def is_running(self) -> bool:
        """True while it serves."""
        return self.started and self._serving is not None and not self._serving.done()

    async def start_up(self) -> None:
        """Start to serve; return when the app's start-up is complete and the port is open.

        Raises ServerError if that fails or takes longer than `start_timeout_s`, or if it was started before. After
        any error, and after a cancellation, nothing is left behind.
        """
        if self.is_running:
            raise ServerError(f"the server of {self.name} runs already, at {self.url}: use it, or make another")
        if self._was_started:
            raise ServerError(f"the server of {self.name} was started before: make another UvicornTestServer")
        self._was_started = True
        self._load()
        make_fit()
        self._listener = listen(self.config.host, self.config.port, self.config.backlog)
        self._port = self._listener.getsockname()[1]
        self._ready = asyncio.get_running_loop().create_future()
        self._serving = serving = asyncio.create_task(self._serve_as_guest(), name=f"server of {self.name}")
        try:
            await asyncio.wait(
                {serving, self._ready}, timeout=self._start_timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
            if not self.started or serving.done():
                raise self._start_failure(serving)
        except BaseException:
            await self._end()
            raise

    async def tear_down(self) -> None:
        """Stop serving: requests in progress get `timeout_graceful_shutdown` seconds, then the app shuts down.

        Return at once if it does not run. Raises ServerError, after everything is released, if the app's shut-down
        failed or took longer than `stop_timeout_s` more, or if the server had died before. Cancelled, it stops by
        force, and asks the app to shut down all the same.
        """
        serving = self._serving
        if serving is None:
            return
        failure = self._exit_error()
        await self._end()
        if failure is None:
            failure = self._stop_failure(serving)
        if failure is not None:
            raise failure

    async def join(self) -> None:
        """Wait until it ends by itself. Raises ServerError if it died."""
        if self._serving is not None:
            await asyncio.wait({self._serving})
            failure = self._exit_error()
            if failure is not None:
                raise failure

    def check(self) -> None:
        """Raise ServerError if it is not running, with the reason if it died."""
        if not self.is_running:
            raise self._exit_error() or ServerError(f"the server of {self.name} is not running")

    async def __aenter__(self) -> Self:
        await self.start_up()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self.tear_down()
        except ServerError as failure:
            if error is None or isinstance(error, asyncio.CancelledError):
                raise
            error.add_note(str(failure))  # what went wrong first is the news

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Capture none: signals are the caller's."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start up as uvicorn does, and then report that it is done."""
        await super().startup(sockets)
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(None)

    async def main_loop(self) -> None:
        """Tick as uvicorn does, but end at once when it should exit, and not at the next tick."""
        counter = 0
        while not await self.on_tick(counter):
            counter = (counter + 1) % _MOST_TICKS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK_S):
                    await self._exit_asked.wait()

    @property
    def _app_lifespan(self) -> Lifespan | None:
        lifespan = getattr(self, "lifespan", None)  # uvicorn sets it when it serves
        return lifespan if isinstance(lifespan, Lifespan) else None

    def _load(self) -> None:
        """Import the app and uvicorn's implementations: uvicorn itself would exit if that fails. Raises ServerError."""
        config = self.config
        if isinstance(config.app, str):
            config.app = import_app(config.app)
        if not config.factory:
            check_application(self.name, config.app)
        try:
            config.load()
        except (Exception, SystemExit) as cause:
            raise ServerError(
                f"uvicorn cannot load what {self.name} is to be served with: {one_line(cause)}"
            ) from cause
        if issubclass(config.lifespan_class, LifespanOn):
            config.lifespan_class = Lifespan

    async def _serve_as_guest(self) -> None:
        assert self._listener is not None
        # SystemExit must not leave the task: asyncio would let it through and end the caller's whole program.
        try:
            await self.serve(sockets=[self._listener])
        except SystemExit as cause:
            raise ServerError(f"uvicorn exited with code {cause.code}") from cause

    def _start_failure(self, serving: asyncio.Task[None]) -> ServerError:
        lifespan = self._app_lifespan
        if not serving.done():
            return ServerError(
                f"{self.name} did not start: its start-up did not end within {self._start_timeout_s:g} s"
            )
        if lifespan is not None and (failure := lifespan.failure(f"{self.name} did not start")):
            return failure
        return self._exit_error() or ServerError(f"{self.name} did not start: its server ended at once")

    def _stop_failure(self, serving: asyncio.Task[None]) -> ServerError | None:
        lifespan = self._app_lifespan
        if serving.cancelled():
            return ServerError(
                f"{self.name} did not shut down within {self._stop_timeout_s:g} s and was ended by force: "
                "see what its lifespan waits for"
            )
        return None if lifespan is None else lifespan.failure(f"the shut-down of {self.name} failed")

    def _exit_error(self) -> ServerError | None:
        """Return why it ended, if it ended by itself and not in order."""
        if self._serving is None or not self._serving.done():
            return None
        if self._serving.cancelled():
            return ServerError(f"the server of {self.name} died: its task was cancelled")
        cause = self._serving.exception()
        if cause is None:
            return None
        failure = ServerError(f"the server of {self.name} died: {one_line(cause)}")
        failure.__cause__ = cause
        return failure

    async def _end(self) -> None:
        """End it in order if it is up; by force if it is not, or not in time, or if the caller is cancelled."""
        serving, self._serving = self._serving, None
        if serving is None:
            return
        self.should_exit = True
        self._exit_asked.set()
        lifespan = self._app_lifespan
        # Once the app is up, uvicorn goes on to open its port, and then sees that it should exit: that is in order.
        if not self.started and (lifespan is None or lifespan.is_starting):
            serving.cancel()
        try:
            await asyncio.wait({serving}, timeout=(self.config.timeout_graceful_shutdown or 0) + self._stop_timeout_s)
        finally:
            await self._release(serving)

    async def _release(self, serving: asyncio.Task[None]) -> None:
        """Leave nothing of it in the loop. Close and cancel before the wait: the caller may be cancelled again."""
        tasks = {serving, *self.server_state.tasks}
        for task in tasks:
            task.cancel()
        for server in self.servers:
            server.close()
        if self._listener is not None:
            self._listener.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        try:
            await asyncio.wait(tasks, timeout=RELEASE_TIMEOUT_S)
        finally:
            if self._app_lifespan is not None:
                await self._app_lifespan.end(RELEASE_TIMEOUT_S)
        await self._turns_until_closed()

    async def _turns_until_closed(self) -> None:
        # Transports close their sockets in the loop's next turns, and no event says when the last transport has.
        for _ in range(100):
            await asyncio.sleep(0)
            if not self.server_state.connections:
                break
        await asyncio.sleep(0)


def import_app(target: str) -> Any:
    """Return the app that "module:attribute" names. Raises UnservableError without it, ServerError if it fails."""
    try:
        return import_from_string(target)
    except ImportFromStringError as cause:
        raise UnservableError(f"app {target!r} was not found: {cause} Give it as module:attribute") from cause
    except (Exception, SystemExit) as cause:
        raise ServerError(f"app {target!r} failed to import: {one_line(cause)}") from cause


def _refuse_impossible(config: dict[str, Any]) -> None:
    """Raise ServerError for options that uvicorn would refuse later, and less clearly."""
    for option in NOT_HERE:
        if config.get(option) is not None:
            raise ServerError(f"{option}={config[option]!r} is not possible here: a test server has a host and a port")
    for option, known in CHOICES.items():
        value = config.get(option)
        if isinstance(value, str) and value not in known and ":" not in value:
            raise ServerError(f"{option}={value!r} is unknown: use one of {', '.join(known)}")
