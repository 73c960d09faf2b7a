"""A user's connection, made as often as it has to be: attempts, what refuses them, pauses between them, and leaving.

Each attempt to connect begins with the user's `before_connect`, and ends with its `on_connect`. If either fails, the
attempt has failed. A user that has disconnected on purpose is not connected again until its task asks for that.

Belongs to the engine's thread. The session, which owns the connector, says when nothing more may be sent.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import AbstractContextManager
from time import perf_counter_ns
from typing import Any, Literal, Protocol

from locust.exception import StopTest, StopUser

from bench.exchange.outcomes import RoundTripFailed
from bench.exchange.requests import Exchange
from bench.load.engine.counters import ProcessCounters
from bench.load.engine.http import is_counted
from bench.load.engine.interface import SessionUser
from bench.load.engine.loop import Engine
from bench.load.engine.notes import Hint
from bench.load.engine.ongoing import OngoingOperation
from bench.load.engine.tasks import call
from bench.results.load import CONNECT, OperationKind
from bench.wire.client import FastClient
from bench.wire.connection import Connection
from bench.wire.conversation import BY_THE_CLIENT
from bench.wire.errors import REFUSED, ClientError, ConnectFailed, SettingError, kind_of
from bench.wire.protocol import DEFAULT_NAMESPACE

# As Socket.IO's own clients reconnect: 1 s doubling up to 5 s, each half as much more or less at random.
_BACKOFF_FIRST_S = 1.0
_BACKOFF_MAX_S = 5.0
_BACKOFF_JITTER = 0.5

#: The operation of a user that disconnects on purpose. It is the name and the kind of its row.
DISCONNECT: Literal["disconnect"] = "disconnect"

#: The kind of error of an attempt to connect that the user's own code has made fail before it began.
BEFORE_CONNECT = "before_connect"

#: The time after connecting in which a server may still refuse, in seconds. python-socketio with `always_connect` says
#: yes first, and calls the service's handler then.
_REFUSAL_S = 0.5


class ConnectorHost(Protocol):
    """A session as the connector of its user sees it."""

    user: SessionUser
    engine: Engine
    counters: ProcessCounters

    @property
    def client(self) -> FastClient:
        """The client, which survives reconnecting."""

    async def may_send(self) -> None:
        """Return if the user may still send. Raises StopUser."""

    async def sleep(self, seconds: float) -> None:
        """Sleep; a stop ends it at once. Raises StopUser."""

    async def with_cookies(self, connection: Connection) -> Connection:
        """Return the settings with the cookies that the user's HTTP requests got."""

    def begin_operation(self, name: str, kind: OperationKind) -> OngoingOperation:
        """Begin an operation; the caller says to what is returned how it ends."""

    def awaited_at_the_end(self) -> AbstractContextManager[None]:
        """Have a session that stops await the block, as it awaits replies."""

    def hold_tasks(self) -> None:
        """Have no task begin before the connection has been looked at."""

    def is_cut_off(self) -> bool:
        """Return whether the session is being stopped."""

    def is_cancelled(self) -> bool:
        """Return whether the session is being stopped, so that this package caused a CancelledError."""


class Connector:
    """The maker of a user's connection, which notes each attempt and each disconnection as an operation."""

    def __init__(self, host: ConnectorHost, url: str, exchange: Exchange) -> None:
        self._host = host
        self._user = host.user
        self._client = host.client
        self._url = url
        self._exchange = exchange
        #: True if the user has disconnected on purpose.
        self.has_left = False
        #: The number of attempts to connect since a round trip has succeeded, which its session sets back.
        self.failed_attempts = 0
        #: The lock of an attempt to connect, and the task that has it.
        self._connecting = asyncio.Lock()
        self._connecting_task: asyncio.Task[Any] | None = None
        #: The time at which the connection was made.
        self._connected_ns = 0
        #: The last attempt to connect while it may still be refused, with the time of the connection, and the timer.
        self._held: tuple[OngoingOperation, int, asyncio.TimerHandle] | None = None
        self._arrived = False

    # ------------------------------------------------------------------ what the session calls

    async def establish(self) -> None:
        """Connect, over and over until it succeeds, unless the user has left on purpose. Each attempt is noted."""
        while not self.has_left:
            if self.failed_attempts:
                await self._back_off()
            async with self._connecting:
                if self._client.connected or self.has_left or await self._try_to_connect():
                    return

    async def restore(self) -> None:
        """Replace a connection that is of no use any more, and connect again if it is lost."""
        if self._exchange.broken:
            await self._client.disconnect()
            self._exchange.broken = False
        if not self._client.connected and not self.has_left:
            await self.establish()

    async def connect(self) -> None:
        """Connect again after `disconnect`: an attempt, which is noted. Raises ConnectFailed, and what the user raises.

        Does nothing where there is a connection. After a failure the user connects before its next task, as it does
        when it has lost its connection.
        """
        if self._client.connected:
            return
        if self._connecting_task is asyncio.current_task():
            raise RuntimeError(
                "before_connect and on_connect are part of an attempt to connect: they cannot begin another"
            )
        await self._host.may_send()
        self.has_left = False
        async with self._connecting:
            if self._client.connected:
                return
            with self._host.awaited_at_the_end():
                try:
                    await self._attempt()
                except BaseException:
                    self.failed_attempts += 1
                    self._host.hold_tasks()
                    raise

    async def disconnect(self) -> None:
        """Disconnect on purpose, which is noted. What is in flight is lost. Does nothing without a connection."""
        await self._host.may_send()
        self.has_left = True
        self._host.hold_tasks()
        if not self._client.connected:
            return
        if not self._exchange.broken:
            await self._exchange.settle()  # what is left over shows that matching in order was wrong
        operation = self._host.begin_operation(DISCONNECT, DISCONNECT)  # unfinished, if it is cancelled
        with self._host.awaited_at_the_end():
            await self._client.disconnect()
            operation.succeeded()
        self._exchange.broken = False  # nothing overdue can come over the next connection

    def lost(self, reason: str) -> None:
        """Take note that the connection has ended, for this reason."""
        self._settle(reason)
        if kind_of(reason) != BY_THE_CLIENT:
            self._host.counters.lost_ns = perf_counter_ns()
        if perf_counter_ns() - self._connected_ns > _BACKOFF_MAX_S * 1e9:
            self.failed_attempts = 0  # it was no failed attempt: a user may be there without any round trip

    def arrive(self) -> None:
        """Take note that the user is there: its first attempt to connect has ended, either way."""
        if not self._arrived:
            self._arrived = True
            self._host.counters.arrived += 1

    # ------------------------------------------------------------------ an attempt

    async def _try_to_connect(self) -> bool:
        """Make an attempt to connect; return whether it has succeeded. An exception of the user's code is noted."""
        self.failed_attempts += 1  # set back by the first round trip that succeeds, not by connecting
        try:
            await self._attempt()
        except (StopUser, StopTest, GeneratorExit):
            raise
        except (ClientError, RoundTripFailed):
            return False  # counted
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError) and self._host.is_cancelled():
                raise
            if not is_counted(error):
                self._host.engine.raised(error, self._user)
            return False
        return self._client.connected or self.has_left

    async def _attempt(self) -> None:
        """Make an attempt to connect, from `before_connect` to `on_connect`. Raises what makes it fail."""
        self._connecting_task = asyncio.current_task()
        try:
            connection = await self._prepared()
            await self._connect_with(connection)
            await self._greet()
        finally:
            self._connecting_task = None

    async def _prepared(self) -> Connection:
        """Return the settings of an attempt, after the user has prepared it."""
        try:
            await self._prepare()
            connection = self._user._settings()
            if (namespace := connection.namespace or DEFAULT_NAMESPACE) != self._exchange.namespace:
                raise ConnectFailed(
                    f"the user's namespace was {self._exchange.namespace}, and before_connect made it {namespace}: "
                    "set it before, in __init__"
                )
            return await self._host.with_cookies(connection)
        except (StopUser, StopTest, GeneratorExit):
            raise
        except BaseException as error:
            if not isinstance(error, asyncio.CancelledError) or not self._host.is_cut_off():
                is_told = isinstance(error, ConnectFailed | SettingError)
                kind = str(error) if is_told else f"{BEFORE_CONNECT} raised {type(error).__name__}"
                self._host.begin_operation(CONNECT, CONNECT).failed(kind)
                self._host.counters.note_failed_attempt(kind)
                self.arrive()
            raise

    async def _prepare(self) -> None:
        """Have the user prepare an attempt, within the time that an attempt may take. Raises ConnectFailed."""
        limit_s = self._user._settings().connect_timeout
        limit = asyncio.timeout(limit_s)
        try:
            await self._call_within(limit)
        except TimeoutError:
            if not limit.expired():  # the user's own
                raise
            raise ConnectFailed(f"{BEFORE_CONNECT} did not end within {limit_s:g} s, the connect timeout") from None

    async def _call_within(self, limit: asyncio.Timeout) -> None:
        async with limit:
            await call(self._user.before_connect)

    async def _connect_with(self, connection: Connection) -> None:
        attempt = self._host.begin_operation(CONNECT, CONNECT)  # unfinished, if it is cancelled
        try:
            await self._client.connect(self._url, connection)
        except ConnectFailed as failure:
            attempt.failed(str(failure))
            self._host.counters.note_failed_attempt(str(failure))
            self.arrive()
            raise
        self._host.counters.note_connected()
        self._connected_ns = self._client.received_ns
        self._hold(attempt)
        self.arrive()
        counters, reason = self._host.counters, self._client.not_upgraded
        if reason and not counters.tells_not_upgraded:
            counters.tells_not_upgraded = True
            self._host.engine.post(Hint(f"polling was not upgraded to WebSocket, so it goes on: {reason}"))

    def _hold(self, attempt: OngoingOperation) -> None:
        """Note an attempt that has succeeded a little later: a server may let in before it asks its handler."""
        self._settle()
        settling = asyncio.get_running_loop().call_later(_REFUSAL_S, self._settle)
        self._held = attempt, self._client.received_ns, settling

    def _settle(self, lost_for: str = "") -> None:
        """Note how the last attempt has ended: in a refusal if that is why its connection was lost at once."""
        if self._held is None:
            return
        (attempt, connected_ns, settling), self._held = self._held, None
        settling.cancel()
        if kind_of(lost_for) == REFUSED:
            attempt.failed(lost_for)
            self._host.counters.note_failed_attempt(lost_for)
        else:
            attempt.succeeded(connected_ns)

    async def _greet(self) -> None:
        """Have the user begin on its new connection. A user that could not begin is disconnected."""
        attempts = self.failed_attempts
        try:
            await call(self._user.on_connect)
        except (StopUser, StopTest, GeneratorExit):
            raise
        except BaseException:
            self.failed_attempts = max(attempts, 1)  # a round trip of it may have succeeded before another failed
            if not self._host.is_cut_off():
                await self._client.disconnect()
            raise

    async def _back_off(self) -> None:
        delay_s = min(_BACKOFF_FIRST_S * 2 ** (self.failed_attempts - 1), _BACKOFF_MAX_S)
        await self._host.sleep(delay_s * (1 + _BACKOFF_JITTER * random.uniform(-1, 1)))
