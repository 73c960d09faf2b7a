"""The life of a user in the engine's thread: connect, run tasks, reconnect where needed, stop.

The session's connector makes the connection; this file performs what goes over it: see connector.py.

Stopping has one mechanism, whoever asks for it: the end of the test, a smaller user count, or StopUser. Nothing more is
sent, replies in flight are awaited up to their timeout, `on_stop` runs, and the connection is closed. What was in
flight is therefore always accounted for, unless the session is aborted.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from time import perf_counter_ns
from typing import Any, cast

from locust import User
from locust.exception import StopTest, StopUser
from locust.user.task import (
    LOCUST_STATE_RUNNING,
    LOCUST_STATE_STOPPING,
    LOCUST_STATE_WAITING,
    DefaultTaskSet,
)

from bench.exchange.in_flight import InFlight, Taker
from bench.exchange.outcomes import AmbiguousReplies, Answer, NoRoundTrip, RoundTripFailed, carries_error
from bench.exchange.requests import Exchange
from bench.load.engine.connector import Connector
from bench.load.engine.counters import ProcessCounters
from bench.load.engine.handlers import guarded, handlers_of, is_handling
from bench.load.engine.http import UserHttp, is_counted
from bench.load.engine.interface import SessionUser
from bench.load.engine.loop import Engine
from bench.load.engine.notes import NOT_CONNECTED, NOT_READ, Notes
from bench.load.engine.ongoing import OngoingOperation
from bench.load.engine.open_tasks import (
    LOST,
    OpenTasks,
    begin_otherwise,
    is_scheduled,
    is_wanted,
    leave_arrival,
    wanted,
)
from bench.load.engine.pacing import Dispatcher, OpenLoad
from bench.load.engine.tasks import TaskRunner, call
from bench.load.engine.transaction import Transaction
from bench.load.engine.user_client import UserClient
from bench.load.metrics.recorder import UNSCHEDULED, Recorder
from bench.results.load import REPLIED_KINDS, OperationKey, OperationKind
from bench.scenarios.model import Emission, RoundTrip
from bench.scenarios.tracing import NoPlaceForContext
from bench.wire.client import FastClient
from bench.wire.connection import Connection
from bench.wire.errors import (
    ClientError,
    NotRead,
    SettingError,
)
from bench.wire.interface import acknowledged
from bench.wire.protocol import DEFAULT_NAMESPACE

#: The pause of a task that could not send, in seconds. A task that goes on at once, whatever its round trips raise,
#: would keep the loop from everything else.
_NOT_SENT_PAUSE_S = 0.1

#: The bytes that may wait on a connection because the server does not read them, before an emission waits as well.
_MOST_UNSENT_BYTES = 1 << 16

#: The time after which an emission that waits for the server looks again, in seconds.
_UNREAD_PAUSE_S = 0.005

#: One reply in 64, as the clock's last bits have it, tells how long it waited for its task.
_QUEUEING_SAMPLE = 63


class NoEmission(TypeError):
    """An argument that is no definition of an emission, an event's name perhaps. The text is one line."""

    def __init__(self, given: object) -> None:
        super().__init__(
            f"emit takes an Emission, not {given!r:.60}: make it with Emission(name, emit=event, data=…), "
            "or use self.client.emit for an event that is not counted"
        )


@dataclass(frozen=True)
class SessionEnded:
    """The news that the session is over. An exception that ended it has been noted."""

    session: Session


class _NotBegun(Exception):
    """The failure to begin a repeated round trip."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Session(Taker):
    """A user's run: its tasks over one connection, which is replaced when it is lost."""

    def __init__(
        self,
        user: SessionUser,
        url: str,
        tokens: Iterator[str],
        engine: Engine,
        counters: ProcessCounters,
        open_load: OpenLoad,
        dispatcher: Dispatcher | None = None,
    ) -> None:
        self.user = user
        self.client = self._wire = FastClient()
        #: The same, as the user sees it, once the loop runs.
        self.user_client: UserClient | None = None
        self.exchange: Exchange | None = None  # needs the running loop
        self._connector: Connector  # the same
        self._notes: Notes  # the same
        self._url = url
        self._tokens = tokens
        self.engine = engine
        self.counters = counters
        self.open_load = open_load
        #: The source of arrivals, in an open load.
        self._dispatcher = dispatcher
        self._tasks = TaskRunner(self)
        self._open_tasks: OpenTasks | None = None
        self._timeout_ns = round(user.reply_timeout * 1e9)
        self._task: asyncio.Task[None] | None = None
        #: Set when the connection is lost, for a user without tasks.
        self._gone: asyncio.Future[None] | None = None
        self.stopping = False
        #: True once tasks are over: what is in flight is awaited, and nothing but `abort` can stop the session.
        self._is_ending = False
        #: True once nothing is in flight, and what `on_stop` sends is sent.
        self._closing = False
        #: True in a wait or a backoff: waking up loses nothing.
        self.idle = False
        #: The number of tasks that are connecting or disconnecting.
        self._steps_under_way = 0
        #: Set while no such task is there; made for the first of them. An event takes a thirtieth of a connection.
        self._steps_are_over: asyncio.Event | None = None
        self._http: UserHttp | None = None
        #: The exception that ends the user.
        self._noted: BaseException | None = None
        #: The definition of the last round trip; `_recorder` is the recorder of its operation.
        self._usual: RoundTrip | None = None
        self._recorder: Recorder
        #: True if more is to be noted of each success than most runs ask for: see `_note_more`.
        self._notes_more = False
        self._breakdown = False
        self._names_tokens = False
        # Of the task that is nothing but a round trip: see `repeat`.
        self._repeated: RoundTrip
        self._repeated_task: object = None
        self._wait_time: Callable[[], float]
        #: The end of the task's turn: it has to do something else, or raises.
        self._turn: asyncio.Future[float] | None = None
        #: Its round trip in flight.
        self._awaited: InFlight | None = None
        self._failure: BaseException | None = None

    # ------------------------------------------------------------------ called through Engine.submit

    def start(self) -> None:
        """Begin the session; end it if it was stopped before its turn."""
        if self.stopping:
            self.counters.arrived += 1
            self.engine.post(SessionEnded(self))
            return
        self._breakdown, self._names_tokens = self.engine.breakdown, self.engine.names_tokens
        self._notes_more = self._breakdown or self._names_tokens
        self.user._session = self
        self.user._perform_with(self.round_trip if self._dispatcher is None else self.scheduled_round_trip)
        self._task = asyncio.get_running_loop().create_task(self._live())

    def request_stop(self, graceful: bool = False) -> None:
        """Stop once nothing is in flight; `graceful` lets the task that runs come to its own end first."""
        if self._task is None:  # it has not begun
            self.stopping = True
            return
        if self._task.done() or self._is_ending:
            return
        self.stopping, self._tasks.may_go_on = True, False
        self.user._state = LOCUST_STATE_STOPPING
        if self._open_tasks is not None:
            self._open_tasks.retire()
            if graceful and self._open_tasks.finish():
                return
        if self.idle or (not graceful and not self._in_flight):
            self._task.cancel()

    def abort(self) -> None:
        """Stop at once; what is in flight stays unfinished."""
        self.stopping = self._is_ending = self._closing = True
        self._tasks.may_go_on = False
        if self._task is not None:
            self._task.cancel()

    # ------------------------------------------------------------------ what users call

    async def round_trip(self, definition: RoundTrip, intended_ns: int = UNSCHEDULED, waited_ns: int = 0) -> Any:
        """Perform and note one round trip; returns what the reply carries. Raises RoundTripFailed or Disconnected."""
        if self.stopping and not self._closing and not intended_ns:  # what the schedule wanted before is still sent
            await self.may_send()
        exchange = self.exchange
        assert exchange is not None, "round trips are performed by a running user"
        try:
            emission = exchange.begin(definition)
        except Exception as error:
            await self._not_sent(OperationKey(getattr(definition, "name", "")), error, intended_ns)
            raise
        if definition is not self._usual:
            self._usual, self._recorder = definition, self.engine.recorder(definition.name)
        self._recorder.sent_bytes += self._wire.message_bytes
        try:
            await emission
        except BaseException as error:
            exchange.end(emission, error)
            self._ended(definition, emission, error, intended_ns, waited_ns)
            raise
        self._succeeded(definition, emission, intended_ns, waited_ns)
        return acknowledged(emission.reply)

    def _succeeded(self, definition: RoundTrip, emission: InFlight, intended_ns: int, waited_ns: int) -> None:
        """Note a round trip that has succeeded, and what follows from that."""
        assert self.exchange is not None, "it has performed the round trip"
        self.exchange.in_flight -= 1
        if definition is not self._usual:
            self._usual, self._recorder = definition, self.engine.recorder(definition.name)
        received_ns, error_ns = emission.received_ns, emission.error_ns
        if self._dispatcher is None:
            self._recorder.succeeded(emission.sent_ns, received_ns, emission.reply_bytes, emission.read_ns, error_ns)
        else:
            self._recorder.answered(
                intended_ns,
                emission.sent_ns,
                received_ns,
                waited_ns,
                emission.reply_bytes,
                emission.read_ns,
                error_ns,
            )
        reply = emission.reply
        if self._notes_more:
            self._note_more(emission)
        if not received_ns & _QUEUEING_SAMPLE:
            now_ns = perf_counter_ns()
            self.engine.queueing.append(now_ns)
            self.engine.queueing.append(now_ns - (received_ns if error_ns < 0 else emission.read_ns))
        is_usual = len(reply) == 1 and (type(reply[0]) is not dict or "error" not in reply[0])
        if not is_usual and carries_error(reply) and definition.check is None:
            self._recorder.error_replies += 1
        self._tasks.has_awaited = True
        if self.stopping:
            self._stop_if_idle()
        self._connector.failed_attempts = 0

    def _note_more(self, emission: InFlight) -> None:
        """Note what only some runs ask for: the stamps of the reply, and the token."""
        if self._breakdown:
            self._recorder.handled(emission.sent_ns, _handled_ns(emission.reply), emission.received_ns)
        if self._names_tokens:
            self._recorder.named(emission.token)

    # ------------------------------------------------------------------ a task that is nothing but a round trip

    def performed_by(self, task: object) -> RoundTrip | None:
        """Return the definition if the task is nothing but a round trip, which `repeat` can perform; else None."""
        definition = getattr(task, "performs", None)
        is_own = vars(self.user).get("round_trip") == self.round_trip  # the user may have made another of it
        return definition if is_own and isinstance(definition, RoundTrip) else None

    async def repeat(self, task: object, definition: RoundTrip, wait_time: Callable[[], float]) -> float:
        """Perform the round trip of the user's only task over and over, until there is something else to do.

        No coroutine and no task of asyncio goes on for each of them: `take` does that. Returns how long the user is to
        wait, in seconds, and raises what `round_trip` raises.
        """
        exchange = self.exchange
        assert exchange is not None, "round trips are performed by a running user"
        turn = self._turn = asyncio.get_running_loop().create_future()
        self._repeated, self._repeated_task, self._wait_time = definition, task, wait_time
        self._repeat()
        try:
            seconds: float = await turn
        except BaseException as error:
            emission, self._awaited = self._awaited, None
            self._failure = None
            if emission is not None:
                emission.cancel()
                exchange.end(emission, error)
                self._ended(definition, emission, error, UNSCHEDULED, 0)
            raise
        emission, self._awaited = self._awaited, None
        failure, self._failure = self._failure, None
        if emission is not None:
            failure = emission.exception()
            assert failure is not None, "it would have gone on"
            exchange.end(emission, failure)
            self._ended(definition, emission, failure, UNSCHEDULED, 0)
        elif isinstance(failure, _NotBegun):
            await self._not_sent(OperationKey(definition.name), failure.error, UNSCHEDULED)
            failure = failure.error
        if failure is not None:
            raise failure
        return seconds

    def take(self, emission: InFlight) -> None:
        """Go on after the end of a repeated round trip."""
        if emission is not self._awaited:
            return  # its task was cancelled
        seconds = 0.0
        if not emission.failed():
            self._awaited = None
            try:
                self._succeeded(self._repeated, emission, UNSCHEDULED, 0)
                seconds = self._wait_time()
                tasks = self.user.tasks
                if seconds <= 0 and self._tasks.may_go_on and len(tasks) == 1 and tasks[0] is self._repeated_task:
                    self._repeat()
                    return
            except BaseException as error:  # of `wait_time`: the task raises it
                self._failure = error
        self._end_turn(seconds)

    def _repeat(self) -> None:
        """Begin the repeated round trip again; if that cannot be, its task's turn is over."""
        exchange, definition = self.exchange, self._repeated
        assert exchange is not None, "it has one"
        try:
            emission = exchange.begin(definition)
        except Exception as error:
            self._failure = _NotBegun(error)
            self._end_turn(0.0)
            return
        if definition is not self._usual:
            self._usual, self._recorder = definition, self.engine.recorder(definition.name)
        self._recorder.sent_bytes += self._wire.message_bytes
        self._awaited = emission
        emission.give_to(self)

    def _end_turn(self, seconds: float) -> None:
        assert self._turn is not None, "there is a task"
        if not self._turn.done():
            self._turn.set_result(seconds)

    # ------------------------------------------------------------------ what else users call

    async def emission(self, definition: Emission) -> None:
        """Emit and wait for no reply; note that it was sent, or why it was not. Raises Disconnected and others.

        If the server does not read what was sent before, the emission waits, as long as a reply would be awaited. A
        loop of emissions would keep all else from running, so others have their turn after each of them.
        """
        if not isinstance(definition, Emission):
            raise NoEmission(definition)
        key = OperationKey(definition.name, "emission")
        exchange = self.exchange
        assert exchange is not None, "emissions are performed by a running user"
        if self.stopping and not self._closing and not is_wanted():  # what the schedule wanted before is still sent
            await self.may_send()
        intended_ns = choked_ns = waited_ns = 0
        try:
            if self._wire.unsent_bytes > _MOST_UNSENT_BYTES:
                choked_ns = await self._until_read(definition)
            if self._dispatcher is not None:
                refusal = "" if self.client.connected and not self._is_ending else LOST
                intended_ns, waited_ns = wanted(definition.name, refusal, "emission")
            sent_ns = exchange.emit(definition)
        except Exception as error:
            await self._not_sent(key, error, intended_ns)
            raise
        recorder = self.engine.recorder(*key)
        recorder.sent_bytes += self._wire.message_bytes
        if self._dispatcher is None:
            recorder.succeeded(sent_ns, sent_ns)
        else:
            recorder.answered(intended_ns, sent_ns, sent_ns, waited_ns + choked_ns if intended_ns else 0)
        await asyncio.sleep(0)
        self._tasks.has_awaited = True

    async def _until_read(self, definition: Emission) -> int:
        """Return once the server has read what waits for it, and how long that took in nanoseconds. Raises NotRead."""
        began_ns = perf_counter_ns()
        while (waits_bytes := self._wire.unsent_bytes) > _MOST_UNSENT_BYTES:
            if perf_counter_ns() - began_ns > self._timeout_ns:
                if self._dispatcher is not None:
                    wanted(definition.name, NOT_READ, "emission")
                raise NotRead(f"the server has not read {waits_bytes:,} bytes within {self._timeout_ns / 1e9:g} s")
            await asyncio.sleep(_UNREAD_PAUSE_S)
        self._tasks.has_awaited = True
        return perf_counter_ns() - began_ns

    async def scheduled_round_trip(self, definition: RoundTrip) -> Any:
        """Perform a round trip in an open load: the first in an arrival's task is what the schedule wanted."""
        try:
            is_in_order = definition.matched_in_order
        except AttributeError:
            raise NoRoundTrip(definition) from None
        if is_in_order and is_scheduled():
            wanted(definition.name, "it is matched in order, which an open load does not do")
            self._notes.invalid(
                f"{definition.name} is matched in order, one in flight, and an open load does not wait: "
                "give it a token, or wait for replies"
            )
            raise StopUser
        refusal = ""
        if not self.client.connected or self._is_ending:
            refusal = NOT_CONNECTED if self._connector.has_left else LOST
        intended_ns, waited_ns = wanted(definition.name, refusal)
        return await self.round_trip(definition, intended_ns, waited_ns)

    def transaction(self, name: str) -> Transaction:
        """Return a transaction, to be entered: the time of its block is noted."""
        return Transaction(partial(self.begin_operation, name, "transaction"), self.is_cut_off)

    def begin_operation(self, name: str, kind: OperationKind) -> OngoingOperation:
        """Begin an operation that is no round trip; the caller says to what is returned how it ends.

        In an open load, an HTTP request may be what the schedule wanted.
        """
        is_paced = self._dispatcher is not None and kind in REPLIED_KINDS
        if kind in ("connect", "disconnect"):
            begin_otherwise()
        intended_ns, waited_ns = wanted(name, kind=kind) if is_paced else (UNSCHEDULED, 0)
        return OngoingOperation(
            self.engine.recorder(name, kind),
            kind,
            self.counters.ongoing,
            is_paced=is_paced,
            intended_ns=intended_ns,
            waited_ns=waited_ns,
        )

    async def connect(self) -> None:
        """Connect again after `disconnect`: see `Connector.connect`."""
        await self._connector.connect()

    async def disconnect(self) -> None:
        """Disconnect on purpose: see `Connector.disconnect`."""
        await self._connector.disconnect()

    @property
    def http(self) -> UserHttp:
        """Return the HTTP requests of the user, made when they are first asked for. In the engine's thread."""
        if self._http is None:
            user = self.user
            self._http = UserHttp(self, self._url, user._settings().tls, self._timeout_ns, user._known_secrets)
        return self._http

    async def _not_sent(self, key: OperationKey, error: Exception, intended_ns: int) -> None:
        """Count what was wanted and could not be sent; wait a little if it was not the schedule that wanted it.

        Raises StopUser if no load could perform the definition.
        """
        if isinstance(error, (AmbiguousReplies, NoPlaceForContext)):
            self._notes.invalid(str(error))
            raise StopUser from error
        if isinstance(error, NoRoundTrip):
            raise error  # it has no name under which it could be counted
        self._tasks.has_awaited = False
        if intended_ns or self._dispatcher is None or not is_wanted():
            self._notes.not_sent(key, error, intended_ns or perf_counter_ns())
        if not intended_ns:
            await asyncio.sleep(_NOT_SENT_PAUSE_S)

    def _ended(
        self, definition: RoundTrip, emission: InFlight, error: BaseException, intended_ns: int, waited_ns: int
    ) -> None:
        """Take note that a round trip that was sent has ended, and not by its reply."""
        if isinstance(error, RoundTripFailed):
            token = emission.token if self._names_tokens else ""
            self._notes.failed(definition, error, intended_ns, waited_ns, token)
        self._tasks.has_awaited = True
        self._tasks.may_go_on = False  # the connection may be lost, or have to be replaced
        if self.stopping:
            self._stop_if_idle()

    # ------------------------------------------------------------------ the life

    @property
    def _in_flight(self) -> int:
        replies = self.exchange.in_flight if self.exchange is not None else 0
        replies += self._steps_under_way
        return replies if self._http is None else replies + self._http.in_flight

    def _stop_if_idle(self) -> None:
        """Stop if the round trip that has ended was the last while the session stops."""
        if not self._is_ending and not self._in_flight and not self._task_may_finish():
            assert self._task is not None
            self._task.cancel()

    def _task_may_finish(self) -> bool:
        """Under --stop-timeout a running task goes on until Locust's patience ends."""
        return bool(self.user.environment.stop_timeout)

    async def _live(self) -> None:
        is_over_by_error = False
        self.user._state = LOCUST_STATE_RUNNING
        namespace = self._namespace()
        self.exchange = Exchange(self.client, self._tokens, self._timeout_ns, namespace)
        self.exchange.trace_field = self.engine.trace_field
        self.exchange.late = self.counters.late
        self.exchange.abandoned = self.counters.abandoned
        self._notes = Notes(self.engine, self.counters, self.exchange, self.client)
        self.exchange.when_unexpected = self._notes.unexpected
        self.exchange.when_unasked(self._notes.received)
        self._hear_other_namespaces(namespace)
        self._connector = Connector(self, self._url, self.exchange)
        self.client.when_closed(self._lost, self.exchange.namespace)
        self.user_client = UserClient(self.client, namespace)
        for handler in handlers_of(type(self.user)):
            method = guarded(getattr(self.user, handler.method), self, leave_arrival)
            self.client.listen(handler.event, method, handler.namespace or namespace)
        if self._dispatcher is not None and self.user.tasks:
            self._open_tasks = OpenTasks(self, self._dispatcher)
            self._open_tasks.enter()
        try:
            await self._connector.establish()
            await self._run_on_start()
            if not self.user.tasks:
                await self._stay_connected()
            elif self._open_tasks is None:
                await self._tasks.run_task_set(DefaultTaskSet(cast(User, self.user)))
            else:
                await self._open_tasks.serve()
        except (StopUser, StopTest, asyncio.CancelledError):
            is_over_by_error = self._open_tasks is not None and self._open_tasks.uncaught
        except BaseException as error:
            is_over_by_error = True
            self._note_once(self.user, error)
        try:
            await self._close(run_on_stop=not is_over_by_error)
        except asyncio.CancelledError:
            pass  # aborted
        except BaseException as error:
            self.engine.raised(error, self.user)
        finally:
            self._connector.arrive()
            self.engine.flush()
            self.engine.post(SessionEnded(self))

    def _hear_other_namespaces(self, own: str | None) -> None:
        """Count what comes unasked in the namespaces that are joined beside the user's own."""
        try:
            joined = self.user._settings().namespaces or ()
        except SettingError:  # each attempt to connect tells it
            return
        for namespace in joined:
            if namespace != (own or DEFAULT_NAMESPACE):
                self.client.on("*", partial(self._notes.received_in, namespace), namespace)

    def _namespace(self) -> str | None:
        """Return the user's namespace; None is the default namespace."""
        try:
            return self.user._settings().namespace
        except SettingError:  # each attempt to connect tells it
            return None

    async def _stay_connected(self) -> None:
        """Be there, as a user without tasks, and connect again where the connection is lost. Raises StopUser."""
        self.user._state = LOCUST_STATE_WAITING
        while True:
            await self.before_task()
            gone = self._gone = asyncio.get_running_loop().create_future()
            self.idle = True
            try:
                await gone
            finally:
                self.idle = False

    def _note_once(self, holder: object, error: BaseException) -> None:
        """Note an exception that ends the user, and passes here on its way more than once."""
        if error is not self._noted:
            self._noted = error
            self.engine.raised(error, holder)

    async def _run_on_start(self) -> None:
        try:
            await call(self.user.on_start)
        except (StopUser, StopTest):
            raise
        except (ClientError, RoundTripFailed):
            pass  # counted
        except asyncio.CancelledError as error:
            if self.is_cancelled():
                raise
            self.engine.raised(error, self.user)
            raise StopUser from error
        except Exception as error:
            if not is_counted(error):
                raise

    async def _close(self, run_on_stop: bool) -> None:
        """Await what is in flight, run `on_stop` and disconnect: the tasks are over."""
        assert self.exchange is not None
        assert self._task is not None
        self._is_ending = True
        if self._open_tasks is not None:
            self._open_tasks.retire()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0)  # a cancellation that was asked for in this very step of the task strikes here
        cancelled = self._task.cancelling()
        try:
            if self._closing:  # aborted, perhaps in the same turn of the loop as the stop
                raise StopUser
            # There is something in flight where the task awaited several at once, and where arrivals were taken.
            if self._steps_are_over is not None:
                await self._steps_are_over.wait()
            await self.exchange.quiet()
            if self._http is not None:
                await self._http.quiet()
            if self._open_tasks is not None:
                await self._open_tasks.cancel()  # what they still await is no reply
            if self.client.connected and not self.exchange.broken:
                await self.exchange.settle()
            self.stopping, self._tasks.may_go_on = True, False
            self.user._state = LOCUST_STATE_STOPPING
            is_aborted, self._closing = self._closing, True
            if run_on_stop and not is_aborted:
                async with asyncio.timeout(self._timeout_ns / 1e9):
                    await call(self.user.on_stop)
        except (StopUser, StopTest, ClientError, RoundTripFailed, TimeoutError):
            pass
        except GeneratorExit:
            raise
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError) and self._task.cancelling() > cancelled:
                raise
            if not is_counted(error):
                self.engine.raised(error, self.user)
        finally:
            if self._open_tasks is not None:
                await self._open_tasks.cancel()  # if aborted: what they await is unfinished
            self.client.cancel_handlers()
            try:
                await self.client.disconnect()
            finally:
                self.exchange.close()
                if self._http is not None:
                    await self._http.close()

    def _lost(self, reason: str) -> None:
        if self.client.connected:  # the server has ended the user's own namespace: the others are of no use to it
            self.client.abort(reason)
            return
        self._connector.lost(reason)
        self._tasks.may_go_on = False
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)
        if self._open_tasks is not None:
            self._open_tasks.connection_lost()

    # ------------------------------------------------------------------ ConnectorHost, HttpHost, HandlerHost

    async def sleep(self, seconds: float) -> None:
        """Sleep; a stop ends it at once. Raises StopUser."""
        if self.stopping:
            raise StopUser
        self.idle = True
        try:
            await asyncio.sleep(seconds)
        finally:
            self.idle = False

    async def with_cookies(self, connection: Connection) -> Connection:
        """Return the settings with the cookies that the user's HTTP requests got."""
        return connection if self._http is None else await self._http.with_cookies(connection)

    @contextlib.contextmanager
    def awaited_at_the_end(self) -> Iterator[None]:
        """Have a session that stops await the block, as it awaits replies."""
        self._steps_under_way += 1
        if self._steps_are_over is None:
            self._steps_are_over = asyncio.Event()
        self._steps_are_over.clear()
        try:
            yield
            self._tasks.has_awaited = True
        finally:
            self._steps_under_way -= 1
            if not self._steps_under_way:
                self._steps_are_over.set()
            if self.stopping:
                self._stop_if_idle()

    def hold_tasks(self) -> None:
        """Have no task begin before the connection has been looked at."""
        self._tasks.may_go_on = False

    def is_cut_off(self) -> bool:
        """Return whether the session is being stopped, so that what goes on is not of the user's own making."""
        return self.stopping or self._is_ending

    async def may_send(self) -> None:
        """Return if the user may still send. Raises StopUser.

        While replies are awaited, a handler may send what the server needs in order to answer.
        """
        if self.stopping and not self._closing:
            await asyncio.sleep(0)  # a pending cancellation strikes here, whatever the task makes of exceptions
            if not self._task_may_finish() and not (is_handling() and self._in_flight):
                raise StopUser

    def note_quiet(self) -> None:
        """Take note that a request has ended."""
        self._tasks.has_awaited = True
        if self.stopping:
            self._stop_if_idle()

    def handler_raised(self, error: BaseException) -> None:
        """Note what a handler has raised; StopUser ends the user, and what is counted already is not noted again."""
        if isinstance(error, (StopUser, StopTest)):
            self.request_stop()
        elif isinstance(error, asyncio.CancelledError) and (self.stopping or self._is_ending):
            pass
        elif not (isinstance(error, (ClientError, RoundTripFailed)) or is_counted(error)):
            self.engine.raised(error, self.user)

    # ------------------------------------------------------------------ interface.TaskHost

    async def before_task(self) -> None:
        """Return once a task may run. Raises StopUser."""
        if self.stopping:
            raise StopUser
        await self._connector.restore()
        self._tasks.may_go_on = not self.stopping

    async def wait(self, seconds: float) -> None:
        """Sleep so long. Raises StopUser."""
        if seconds > 0:
            self.user._state = LOCUST_STATE_WAITING
            await self.sleep(seconds)
            self.user._state = LOCUST_STATE_RUNNING
        else:
            await asyncio.sleep(0)

    @property
    def is_ready(self) -> bool:
        """True if the user can take an arrival: it is connected, or has disconnected on purpose."""
        return self.client.connected or self._connector.has_left

    def is_cancelled(self) -> bool:
        """Return whether the session is being stopped, so that this package caused a CancelledError."""
        task = asyncio.current_task()
        if self.stopping or self._is_ending or task is None:
            return True
        while task.cancelling():  # the user's own code cancelled it
            task.uncancel()
        return False

    def task_raised(self, holder: object, error: BaseException) -> None:
        """Note the exception; the user goes on if `catch_exceptions` says so."""
        if is_counted(error):  # an HTTP request that has failed
            return
        if self.user.environment.catch_exceptions:
            self.engine.raised(error, holder)
            return
        self._note_once(holder, error)
        raise error


def _handled_ns(reply: tuple[Any, ...]) -> tuple[int, int] | None:
    """Return when the service says that its handler began and ended; None: it does not say."""
    first = reply.carried if isinstance(reply, Answer) else reply[0] if reply else None
    handled = first.get("handled_ns") if isinstance(first, dict) else None
    if isinstance(handled, list) and len(handled) == 2 and all(type(stamp) is int for stamp in handled):
        return handled[0], handled[1]
    return None
