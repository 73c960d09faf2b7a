"""One user's life in the engine's thread: connect, run tasks, reconnect where needed, stop.

Stopping has one mechanism, whoever asks for it (the end of the test, a smaller user count, StopUser): nothing more is
sent, replies in flight are awaited up to their timeout, `on_stop` runs, the connection is closed. What was in flight
is therefore always accounted for, unless the stop is forced.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from locust import TaskSet, User
from locust.exception import StopTest, StopUser
from locust.user.task import (
    LOCUST_STATE_RUNNING,
    LOCUST_STATE_STOPPING,
    LOCUST_STATE_WAITING,
    DefaultTaskSet,
)

from bench.load.engine import Engine
from bench.load.recording import CONNECT, TIMEOUT
from bench.load.tasks import call, run_task_set
from bench.roundtrip import Exchange, ReplyTimeout, RoundTrip, RoundTripFailed
from bench.wire.client import FastClient
from bench.wire.interface import ClientError, ConnectFailed, acknowledged

if TYPE_CHECKING:
    from bench.load.user import SocketIOUser

# As Socket.IO's own clients reconnect: 1 s doubling up to 5 s, each half as much more or less at random.
_BACKOFF_FIRST_S = 1.0
_BACKOFF_MAX_S = 5.0
_BACKOFF_JITTER = 0.5


@dataclass(frozen=True)
class TaskRaised:
    """A user's own code raised an exception."""

    user: User | TaskSet
    error: Exception


@dataclass(frozen=True)
class SessionEnded:
    """The session is over; `error` is what ended it, where it did not end by stopping."""

    session: Session
    error: BaseException | None


@dataclass
class Shared:
    """What all sessions of a process have in common. The engine's thread writes, the gevent side reads."""

    arrived: int = 0
    """Sessions whose first attempt to connect has ended, either way."""
    late: Counter[str] = field(default_factory=Counter)
    abandoned: Counter[str] = field(default_factory=Counter)
    """Emissions and attempts to connect whose wait was cut off: the unfinished ones."""


class Session:
    """Runs one user's tasks over one connection, which is replaced when it is lost."""

    def __init__(self, user: SocketIOUser, url: str, tokens: Iterator[str], engine: Engine, shared: Shared) -> None:
        self.user = user
        self.client = FastClient()
        self.exchange: Exchange | None = None  # needs the running loop
        self._url = url
        self._tokens = tokens
        self._engine = engine
        self._shared = shared
        self._timeout_ns = round(user.reply_timeout * 1e9)
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._closing = False
        """Tasks are over; what `on_stop` sends is sent."""
        self._idle = False
        """In a wait or a backoff: nothing is lost by waking up."""
        self._arrived = False
        self._failed_attempts = 0
        self.may_go_on = False
        self.has_awaited = False

    # ------------------------------------------------------------------ called through Engine.submit

    def start(self) -> None:
        """Begin the session."""
        # For this user, the method is the session's own: one coroutine less in every round trip.
        vars(self.user)["round_trip"] = self.round_trip
        self._task = asyncio.get_running_loop().create_task(self._live())

    def request_stop(self, graceful: bool = False) -> None:
        """Stop once nothing is in flight; `graceful` lets the task that runs come to its own end first."""
        if self._task is None or self._task.done() or self._closing:
            return
        self._stopping, self.may_go_on = True, False
        self.user._state = LOCUST_STATE_STOPPING
        if self._idle or (not graceful and not self._in_flight):
            self._task.cancel()

    def abort(self) -> None:
        """Stop at once; what is in flight stays unfinished."""
        self._stopping = self._closing = True
        self.may_go_on = False
        if self._task is not None:
            self._task.cancel()

    # ------------------------------------------------------------------ what users call

    async def round_trip(self, definition: RoundTrip) -> Any:
        """Perform and note one round trip; returns what the reply carries. Raises RoundTripFailed or Disconnected."""
        if self._stopping and not self._closing:
            await asyncio.sleep(0)  # a pending cancellation strikes here, whatever the task makes of exceptions
            if not self._task_may_finish():
                raise StopUser
        exchange = self.exchange
        assert exchange is not None, "round trips are performed by a running user"
        emission = exchange.begin(definition)
        try:
            received_ns, reply = await emission[3]
        except BaseException as error:
            exchange.end(emission, error)
            self._ended(definition, error)
            raise
        exchange.end(emission)
        self._engine.log(definition.name).succeeded(emission[2], received_ns)
        self.has_awaited = True
        if self._stopping:
            self._stop_if_idle()
        self._failed_attempts = 0
        return reply[0] if len(reply) == 1 else acknowledged(reply)

    def _ended(self, definition: RoundTrip, error: BaseException) -> None:
        """A round trip that was sent has ended, and not by its reply."""
        if isinstance(error, RoundTripFailed):
            kind = TIMEOUT if isinstance(error, ReplyTimeout) else error.kind
            self._engine.log(definition.name).failed(error.sent_ns, perf_counter_ns(), kind)
        self.has_awaited = True
        self.may_go_on = False  # the connection may be lost, or have to be replaced
        if self._stopping:
            self._stop_if_idle()

    # ------------------------------------------------------------------ the life

    @property
    def _in_flight(self) -> int:
        return self.exchange.in_flight if self.exchange is not None else 0

    def _stop_if_idle(self) -> None:
        """A round trip has ended while the session stops: was it the last?"""
        if not self._closing and not self._in_flight and not self._task_may_finish():
            assert self._task is not None
            self._task.cancel()

    def _task_may_finish(self) -> bool:
        """Under --stop-timeout a running task goes on until Locust's patience ends."""
        return bool(self.user.environment.stop_timeout)

    async def _live(self) -> None:
        error: BaseException | None = None
        self.user._state = LOCUST_STATE_RUNNING
        self.exchange = Exchange(self.client, self._tokens, self._timeout_ns)
        self.exchange.late = self._shared.late
        self.exchange.abandoned = self._shared.abandoned
        self.client.when_closed(self._lost)
        try:
            await self._connect()
            await self._run_on_start()
            await run_task_set(DefaultTaskSet(self.user), self)
        except (StopUser, StopTest, asyncio.CancelledError):
            pass
        except BaseException as uncaught:
            error = uncaught
        try:
            await self._close(run_on_stop=error is None)
        except asyncio.CancelledError:
            pass  # forced
        finally:
            self._arrive()
            self._engine.flush()
            self._engine.outbox.append(SessionEnded(self, error))

    async def _run_on_start(self) -> None:
        try:
            await call(self.user.on_start)
        except (StopUser, StopTest):
            raise
        except (ClientError, RoundTripFailed):
            pass  # counted
        except Exception as error:
            self._engine.outbox.append(TaskRaised(self.user, error))
            raise

    async def _close(self, run_on_stop: bool) -> None:
        """What a stop does once the tasks are over."""
        assert self.exchange is not None
        await self.exchange.quiet()  # there is something in flight where the task awaited several at once
        self._stopping, self.may_go_on = True, False
        self.user._state = LOCUST_STATE_STOPPING
        forced, self._closing = self._closing, True
        try:
            if run_on_stop and not forced:
                async with asyncio.timeout(self._timeout_ns / 1e9):
                    await call(self.user.on_stop)
        except (StopUser, StopTest, ClientError, RoundTripFailed, TimeoutError):
            pass
        except Exception as error:
            self._engine.outbox.append(TaskRaised(self.user, error))
        finally:
            await self.client.disconnect()
            self.exchange.close()

    async def _connect(self) -> None:
        """Connect, over and over until it succeeds. Each attempt is noted."""
        log = self._engine.log(CONNECT)
        while True:
            if self._failed_attempts:
                await self._back_off()
            self._failed_attempts += 1  # set back by the first round trip that succeeds, not by connecting
            started_ns = perf_counter_ns()
            try:
                await self.client.connect(
                    self._url,
                    auth=self.user.auth,
                    headers=self.user.headers,
                    transports=self.user.transports,
                    tls=self.user.tls,
                    socketio_path=self.user.socketio_path,
                    wait_timeout=self.user.connect_timeout,
                )
            except ConnectFailed as failure:
                log.failed(started_ns, perf_counter_ns(), str(failure))
                self._arrive()
            except asyncio.CancelledError:
                self._shared.abandoned[CONNECT] += 1
                raise
            else:
                log.succeeded(started_ns, self.client.received_ns)
                self._arrive()
                return

    def _lost(self, _reason: str) -> None:
        self.may_go_on = False

    def _arrive(self) -> None:
        """The user is there: its first attempt to connect has ended, either way."""
        if not self._arrived:
            self._arrived = True
            self._shared.arrived += 1

    async def _back_off(self) -> None:
        delay_s = min(_BACKOFF_FIRST_S * 2 ** (self._failed_attempts - 1), _BACKOFF_MAX_S)
        await self._sleep(delay_s * (1 + _BACKOFF_JITTER * random.uniform(-1, 1)))

    async def _sleep(self, seconds: float) -> None:
        """Sleep; a stop ends it at once."""
        if self._stopping:
            raise StopUser
        self._idle = True
        try:
            await asyncio.sleep(seconds)
        finally:
            self._idle = False

    # ------------------------------------------------------------------ tasks.Performer

    async def before_task(self) -> None:
        """Return once a task may run. Raises StopUser."""
        if self._stopping:
            raise StopUser
        exchange = self.exchange
        assert exchange is not None
        if exchange.broken:
            await self.client.disconnect()
            exchange.broken = False
        if not self.client.connected:
            await self._connect()
        self.may_go_on = not self._stopping

    async def wait(self, seconds: float) -> None:
        """Sleep so long. Raises StopUser."""
        if seconds > 0:
            self.user._state = LOCUST_STATE_WAITING
            await self._sleep(seconds)
            self.user._state = LOCUST_STATE_RUNNING
        else:
            await asyncio.sleep(0)

    def task_raised(self, holder: User | TaskSet, error: Exception) -> None:
        """Tell Locust; the user goes on where `catch_exceptions` says so."""
        self._engine.outbox.append(TaskRaised(holder, error))
        if not self.user.environment.catch_exceptions:
            raise error
