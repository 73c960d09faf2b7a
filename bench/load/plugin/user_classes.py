"""The user classes of a Locust process: which are Socket.IO users, and which of them can run."""

from __future__ import annotations

import logging
from argparse import Namespace
from collections.abc import Sequence
from typing import cast

from locust import User
from locust.env import Environment

from bench.load.engine.pacing import OpenLoad
from bench.load.engine.tasks import tasks_that_do_not_await
from bench.load.metrics.result import UserClass
from bench.load.plugin.class_attributes import refuse_faulty_attributes
from bench.load.plugin.connection_options import over_class
from bench.load.plugin.feeds import feeds_of
from bench.load.plugin.options import MisuseError
from bench.load.plugin.user import SETTINGS, SocketIOUser
from bench.scenarios.feeds import FeedError, counted_rows
from bench.timing.arrivals import Arrivals
from bench.wire.connection import Connection


def socket_io_users(environment: Environment) -> list[type[SocketIOUser]]:
    """Return the classes of Socket.IO users that run."""
    return [user_class for user_class in environment.user_classes if issubclass(user_class, SocketIOUser)]


def all_socket_io_users(environment: Environment) -> list[type[SocketIOUser]]:
    """Return the classes of Socket.IO users, with those that can still be picked on the page."""
    pickable = cast("dict[str, type[User]]", environment.available_user_classes or {})
    classes = {*environment.user_classes, *pickable.values()}
    return [user_class for user_class in classes if issubclass(user_class, SocketIOUser)]


def longest_reply_timeout_s(environment: Environment) -> float:
    """Return the longest time that a reply may be awaited, in seconds; 0 without Socket.IO users."""
    return max((user_class.reply_timeout for user_class in socket_io_users(environment)), default=0.0)


def described(
    user_classes: Sequence[type[SocketIOUser]], open_load: OpenLoad, options: Namespace | None = None
) -> tuple[UserClass, ...]:
    """Return what a result tells of the classes, with the options of the command line for their connections."""
    found = []
    for user_class in user_classes:
        limits = open_load.limits_of(user_class)
        connection = over_class(options, user_class.class_connection())
        wait_time: object = user_class.wait_time
        found.append(
            UserClass(
                name=user_class.__name__,
                transports=connection.transports,
                serializer=connection.serializer,
                host=user_class.host,
                reply_timeout_s=user_class.reply_timeout,
                pipelined=user_class.pipelined,
                most_at_once=limits.most_at_once,
                max_wait_s=limits.max_wait_s,
                arrivals=wait_time if isinstance(wait_time, Arrivals) else None,
            )
        )
    return tuple(found)


def refuse_impossible_users(environment: Environment) -> None:
    """Raise MisuseError for tasks that are no coroutines, and for settings that contradict."""
    for user_class in socket_io_users(environment):
        _refuse_contradictory_settings(user_class)
        refuse_faulty_attributes(user_class)
        for feed in feeds_of(user_class).values():
            try:
                feed.rows()
            except FeedError as error:
                raise MisuseError(f"{user_class.__name__}: {error}") from None
        if blocking := list(tasks_that_do_not_await(user_class)):
            raise MisuseError(f"{blocking[0]} is not `async def`: the tasks of a SocketIOUser are coroutines")


def refuse_users_left_without_tasks(environment: Environment) -> None:
    """Raise MisuseError for a class whose tasks --tags or --exclude-tags leave out: its users would do nothing.

    Locust leaves tasks out when a test begins.
    """
    for user_class in socket_io_users(environment):
        if not user_class.tasks and has_decorated_tasks(user_class):
            raise MisuseError(
                f"--tags and --exclude-tags leave {user_class.__name__} without a task: name other tags, or the user "
                "classes to run"
            )


def has_decorated_tasks(user_class: type[SocketIOUser]) -> bool:
    """Return whether the class has methods with @task, those included that Locust leaves out."""
    return any(hasattr(getattr(user_class, name, None), "locust_task_weight") for name in dir(user_class))


class NoTasksFilter(logging.Filter):
    """A filter that drops Locust's warning of a class without tasks, for users who need none. For the root logger."""

    def __init__(self, environment: Environment) -> None:
        super().__init__()
        self._environment = environment

    def filter(self, record: logging.LogRecord) -> bool:
        """Let all pass but that warning."""
        text = str(record.msg)
        if "had no tasks left after filtering" not in text:
            return True
        return text.partition(" ")[0] not in {user_class.__name__ for user_class in socket_io_users(self._environment)}


def refuse_too_few_rows(environment: Environment, options: Namespace) -> None:
    """Raise MisuseError for fewer rows of a unique feed than users, where the number of users is known before."""
    number = getattr(options, "num_users", None) or getattr(options, "users", None)
    classes = environment.user_classes
    if environment.shape_class is not None or len(classes) != 1 or not isinstance(number, int):
        return
    for feed in feeds_of(classes[0]).values():
        if feed.unique and (rows := len(feed.rows())) < number:
            raise MisuseError(
                f"{classes[0].__name__}: {feed.name} has {counted_rows(rows)}, and each of {number:,} users needs "
                "a row of its own: give it more rows, or leave `unique=True` out"
            )


def _refuse_contradictory_settings(user_class: type[SocketIOUser]) -> None:
    """Raise MisuseError for a setting that both the connection of the class and an attribute of the class give."""
    connection: object = user_class.connection
    if connection is None:
        return
    if not isinstance(connection, Connection):
        found = type(connection).__name__
        raise MisuseError(f"{user_class.__name__}: connection is no Connection(…), but of type {found}")
    default = Connection()
    for name in user_class.given_settings():
        if getattr(connection, SETTINGS[name]) != getattr(default, SETTINGS[name]):
            raise MisuseError(
                f"{user_class.__name__}: {name} is a setting of its connection as well: give it in one place"
            )


def leave_out_unnamed(environment: Environment) -> None:
    """Leave out the users that are meant to run only when the command line names them. Raises MisuseError."""
    options = environment.parsed_options
    if options is None or options.user_classes or options.class_picker:
        return
    chosen = [
        user_class
        for user_class in environment.user_classes
        if not (issubclass(user_class, SocketIOUser) and user_class.only_when_named)
    ]
    if not chosen:
        raise MisuseError("every user class here runs only when it is named: name one on the command line")
    environment.user_classes = chosen
