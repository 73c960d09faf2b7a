"""The parts of a load as they see each other: the user that a session runs, and the session that tasks run in.

The engine knows Locust's side by `SessionUser` alone, so it imports nothing of that side.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from locust.env import Environment

from bench.load.engine.counters import ProcessCounters
from bench.load.engine.loop import Engine
from bench.load.engine.pacing import OpenLoad, PacedUser
from bench.scenarios.model import RoundTrip
from bench.secrets import KnownSecrets
from bench.wire.connection import Connection
from bench.wire.interface import Client


class SessionUser(PacedUser, Protocol):
    """A Socket.IO user as its session sees it: what it connects to, what it performs, and how long it waits."""

    environment: Environment
    tasks: list[Any]
    wait_time: Any
    _state: Any
    _session: Any
    #: True if the user has a feed, and there was no row left for it.
    _lacks_rows: bool

    def before_connect(self) -> Any:
        """Prepare an attempt to connect."""

    def on_connect(self) -> Any:
        """Begin on a new connection."""

    def on_start(self) -> Any:
        """Begin as a user, once it is connected for the first time."""

    def on_stop(self) -> Any:
        """End as a user, still connected unless the server is gone."""

    def _settings(self) -> Connection:
        """Return the settings of the next attempt to connect."""

    @property
    def _known_secrets(self) -> KnownSecrets | None:
        """The place for what the user learns that is secret, if the run has any."""

    def _perform_with(self, perform: Callable[[RoundTrip], Awaitable[Any]]) -> None:
        """Have this function perform the user's round trips, unless the user overrides how."""


class TaskHost(Protocol):
    """A session as the tasks that run in it see it: it says when they may run, and how they wait."""

    async def before_task(self) -> None:
        """Return once a task may run: connected, and not stopping. Raises StopUser."""

    async def wait(self, seconds: float) -> None:
        """Sleep for that time, at least for a turn of the loop. Raises StopUser."""

    def performed_by(self, task: object) -> RoundTrip | None:
        """Return the definition if the task is nothing but a round trip, which `repeat` can perform; else None."""

    async def repeat(self, task: object, definition: RoundTrip, wait_time: Callable[[], float]) -> float:
        """Perform the round trip of the only task over and over; returns how long to wait then, in seconds."""

    def task_raised(self, holder: object, error: BaseException) -> None:
        """Note an exception that is no part of the control flow. Raises it again if it is not to be caught."""

    def is_cancelled(self) -> bool:
        """Return whether the session is being stopped: it caused a CancelledError then, else the task did."""


class OpenTaskHost(TaskHost, Protocol):
    """A session as its tasks in an open load see it."""

    user: SessionUser
    engine: Engine
    counters: ProcessCounters
    open_load: OpenLoad
    stopping: bool
    idle: bool

    @property
    def client(self) -> Client:
        """The connection, which survives reconnecting."""

    @property
    def is_ready(self) -> bool:
        """True if the user can take an arrival: it is connected, or has disconnected on purpose."""

    def request_stop(self, graceful: bool = False) -> None:
        """Stop once nothing is in flight; `graceful` lets the task that runs come to its own end first."""
