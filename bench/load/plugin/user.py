"""SocketIOUser: a Locust user whose tasks are coroutines."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from gevent.pool import Group
from locust import User
from locust.env import Environment
from locust.user.task import LOCUST_STATE_RUNNING

from bench.load.engine.http import UserHttp
from bench.load.engine.session import Session
from bench.load.engine.transaction import Transaction
from bench.load.engine.user_client import UserClient
from bench.load.plugin.connection_options import over_class
from bench.load.plugin.feeds import feeds_of
from bench.load.plugin.hosts import whole_url
from bench.load.plugin.process import LoadProcess
from bench.load.plugin.process_run import UserGreenlet
from bench.scenarios.model import Emission, RoundTrip
from bench.secrets import KnownSecrets
from bench.wire.connection import MAX_MESSAGE_BYTES, Connection, PerAttempt, Serializer, TransportName, watched
from bench.wire.tls import Tls

#: The attributes of a user class that are settings of its connection, with the field of Connection that they stand for.
SETTINGS = {
    "namespace": "namespaces",
    "auth": "auth",
    "headers": "headers",
    "cookies": "cookies",
    "query": "query",
    "transports": "transports",
    "tls": "tls",
    "socketio_path": "socketio_path",
    "serializer": "serializer",
    "max_message_bytes": "max_message_bytes",
    "connect_timeout": "connect_timeout",
}


class SocketIOUser(User):
    """A Socket.IO client under load: one connection, and tasks that are `async def`.

    The connection is made before `on_start` and, where it is lost, again before the next task. `on_start`, `on_stop`
    and tasks run in an asyncio loop in a thread of its own: they must not block, and gevent has no part in them. All
    else is Locust's: weights, `wait_time`, tags, task sets, the web page, `--processes`. For example::

        class EchoUser(SocketIOUser):
            @task
            async def foo_bar(self) -> None:
                await self.round_trip(FOO_BAR_TO_SENDER)

    `connection = Connection(auth=…, namespaces=…)` is how a user connects. The attributes `namespace`, `auth`,
    `headers`, `cookies`, `query`, `transports`, `tls`, `socketio_path`, `serializer`, `max_message_bytes` and
    `connect_timeout` say the same singly. Give a setting in one place only. `auth`, `headers` and `cookies` may be
    methods, which are called for each attempt. Options of the command line come before the class. In `__init__`,
    `self.auth = …` gives a user a setting of its own, which comes before both.
    """

    abstract = True

    #: True if the class runs only where the command line names it, and is otherwise left out of the mix.
    only_when_named: bool = False

    #: The objectives of this class's runs, as in ["p99 < 50 ms", "errors < 0.1 %"], unless the command line gives some.
    slo: str | Sequence[str] | None = None

    #: The time that a reply is awaited, in seconds. Beyond it the round trip is a timeout.
    reply_timeout: float = 10.0

    #: The settings of the connection, all together. None: the attributes below are the settings.
    connection: Connection | None = None

    #: The time that an attempt to connect may take, in seconds.
    connect_timeout: float = 5.0

    #: True if tasks of this user may overlap on its connection in an open load. Otherwise the user takes an arrival
    #: only when it has no task under way, and arrivals wait for a user that has none.
    pipelined: bool = False

    #: The number of tasks of a pipelined user that may be on their way at once in an open load; others are dropped.
    max_in_flight: int = 1000

    #: The longest time that an arrival of an open load may wait for a user to be free, in seconds, unless the user is
    #: pipelined. Beyond it the arrival is dropped. None: as long as `reply_timeout`.
    longest_wait: float | None = None

    #: The namespace that is joined, and to which round trips and `client` belong; None is the default namespace.
    namespace: str | None = None

    #: The payload sent with the request to connect, for the server's `connect` handler.
    auth: Any = None

    #: Additional headers of every HTTP request that connecting takes.
    headers: PerAttempt[Mapping[str, str]] | None = None

    #: Cookies of every HTTP request that connecting takes.
    cookies: PerAttempt[Mapping[str, str]] | None = None

    #: The query of every HTTP request that connecting takes, in addition to that of the host.
    query: Mapping[str, str] | None = None

    #: `("polling",)`, or `("polling", "websocket")` to begin with polling and upgrade, as browsers do.
    transports: Sequence[TransportName] = ("websocket",)

    #: The authorities to trust at an `https://` host, and the certificate to show. By default: the system's, and none.
    tls: Tls | None = None

    #: The path under the host at which the server takes Socket.IO connections.
    socketio_path: str = "socket.io"

    #: The format of events: "json", or "msgpack" for a server that has it.
    serializer: Serializer = "json"

    #: The largest message that the client takes, in bytes.
    max_message_bytes: int = MAX_MESSAGE_BYTES

    #: The whole URLs of the classes' hosts, with user, password and query, by the URL that is shown.
    whole_urls: ClassVar[dict[str, str]] = {}

    #: False if the class may perform other operations than those of its tasks; None: its methods tell.
    performs_tasks_alone: ClassVar[bool | None] = None

    _session: Session | None = None
    _lacks_rows = False
    _perform: Callable[[RoundTrip], Awaitable[Any]] | None = None

    def __init__(self, environment: Environment) -> None:
        """Make a user, with its rows of feeds. Locust calls this in gevent; what awaits belongs to `before_connect`."""
        super().__init__(environment)
        if feeds_of(type(self)):
            self._lacks_rows = not LoadProcess.of(environment).give_rows(self)

    async def before_connect(self) -> None:
        """Prepare an attempt to connect: log in, and set `self.auth`, `self.headers` or other settings of it.

        The session calls it before each attempt, also when a lost connection is made again. Its time is not that of
        `connect`. If it raises, the attempt has failed, and is repeated after a while. It may be a plain function.
        """

    async def on_connect(self) -> None:
        """Begin on a new connection: enter a room, for example.

        The session calls it after each attempt that has succeeded, the first time before `on_start`. If it raises, the
        user is disconnected, and tries again after a while. It may be a plain function.
        """

    async def on_start(self) -> None:  # type: ignore[override]  # Locust's is a plain function, which works as well
        """Begin as a user. The session calls it when the user has connected for the first time."""

    async def on_stop(self) -> None:
        """End as a user. The session calls it when the user stops, still connected unless the server is gone."""

    @property
    def client(self) -> UserClient:
        """The connection, for events that are not timed: `emit`, `call`, `on`. It survives reconnecting.

        What it sends and hears belongs to the user's namespace, unless `namespace` names another.
        """
        if self._session is None or self._session.user_client is None:
            raise RuntimeError("a user has its client from before_connect on")
        return self._session.user_client

    @property
    def http(self) -> UserHttp:
        """The user's HTTP requests: `async with self.http.post("/login", json=…) as response`.

        Each request is an operation of the run. Cookies that it gets go with the connection where they belong to it.
        """
        if self._session is None:
            raise RuntimeError("a user has its http from before_connect on")
        return self._session.http

    async def connect(self) -> None:
        """Connect again after `disconnect`; an operation of the run. Does nothing where there is a connection.

        Raises ConnectFailed, which is counted; the user then connects before its next task.
        """
        assert self._session is not None, "a running user connects"
        await self._session.connect()

    async def disconnect(self) -> None:
        """Disconnect on purpose; an operation of the run. The user stays disconnected until it calls `connect`.

        A round trip meanwhile is counted as not sent. Does nothing where there is no connection.
        """
        assert self._session is not None, "a running user disconnects"
        await self._session.disconnect()

    async def round_trip(self, definition: RoundTrip) -> Any:
        """Perform one round trip and note how long it took; returns what the reply carries.

        A failure is counted and raises RoundTripFailed, or Disconnected if nothing could be sent. A task that does not
        catch it ends, and the next task begins.
        """
        assert self._perform is not None, "round trips are performed by a running user"
        return await self._perform(definition)

    async def emit(self, definition: Emission) -> None:
        """Emit an event that nothing answers, and count it as sent: nothing else is known of it.

        If it could not be sent it is counted with the reason, and raises MessageTooLarge, Disconnected, or NotRead if
        the server does not read what was sent before. A task that does not catch it ends, and the next task begins.
        """
        assert self._session is not None, "emissions are performed by a running user"
        await self._session.emission(definition)

    def transaction(self, name: str) -> Transaction:
        """Return a block whose time is noted: `async with self.transaction("checkout"):`.

        Its operation has succeeded if the block does not raise. What the block sends is counted as anywhere else.
        """
        if not isinstance(name, str) or not name:
            raise TypeError(f"transaction takes a name, not {name!r:.60}")
        assert self._session is not None, "transactions are performed by a running user"
        return self._session.transaction(name)

    async def wait(self, seconds: float | None = None) -> None:
        """Sleep for that time, or as long as `wait_time` says, in the middle of a task."""
        await asyncio.sleep(self.wait_time() if seconds is None else seconds)

    @classmethod
    def given_settings(cls) -> list[str]:
        """Return which settings the class, or a class that it inherits from, says by an attribute of their own."""
        own = cls.__mro__[: cls.__mro__.index(SocketIOUser)]
        return [name for name in SETTINGS if any(name in vars(part) for part in own)]

    @classmethod
    def class_connection(cls) -> Connection:
        """Return the settings that all users of this class begin with."""
        given = {SETTINGS[name]: getattr(cls, name) for name in cls.given_settings()}
        return replace(cls.connection or Connection(), **given)

    # ------------------------------------------------------------------ the session's side of it

    def _settings(self) -> Connection:
        """Return the settings of the next attempt to connect."""
        of_class = {SETTINGS[name]: getattr(self, name) for name in self.given_settings()}
        own = {SETTINGS[name]: getattr(self, name) for name in SETTINGS if name in vars(self)}
        settings = replace(self.connection or Connection(), **of_class)
        settings = replace(over_class(self.environment.parsed_options, settings), **own)
        known = self._known_secrets
        return settings if known is None else watched(settings, known)

    @property
    def _known_secrets(self) -> KnownSecrets | None:
        """The place for what the user learns that is secret, if the run has any."""
        return LoadProcess.of(self.environment).known_secrets

    def _perform_with(self, perform: Callable[[RoundTrip], Awaitable[Any]]) -> None:
        """Have a function of the session perform the round trips. Called before any code of the user runs."""
        self._perform = perform
        # If nobody overrides it, the method is the session's own: one coroutine less in every round trip.
        if type(self).round_trip is SocketIOUser.round_trip:
            vars(self).setdefault("round_trip", perform)

    # ------------------------------------------------------------------ Locust's side of it

    def start(self, group: Group) -> UserGreenlet:
        """Start the session. What `User.run` does (on_start, task sets, on_stop) the session does, with coroutines."""
        process = LoadProcess.of(self.environment)
        greenlet = process.join(self, whole_url(self))
        group.add(greenlet)
        self._group, self._greenlet = group, greenlet
        self._state = LOCUST_STATE_RUNNING
        process.pause_starting()
        return greenlet

    def stop(self, force: bool = False) -> bool:
        """Ask the session to stop; with `force`, and as Locust does without --stop-timeout, wait until it has.

        Either way replies in flight are awaited up to their timeout: see session.py.
        """
        session = None if self._greenlet is None else self._greenlet.session
        if force or session is None:
            self._group.killone(self._greenlet)
            return True
        session.engine.submit(session.request_stop, True)
        return False
