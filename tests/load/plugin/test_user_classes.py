"""The user classes of a process: which run, which cannot, and what a result tells of them."""

from argparse import Namespace
from typing import Any, TypeVar

import pytest
from locust import User
from locust import task as locusts_task
from locust.env import Environment

from bench.load.engine.pacing import OpenLoad
from bench.load.metrics.result import UserClass
from bench.load.plugin.options import MisuseError
from bench.load.plugin.user import SocketIOUser
from bench.load.plugin.user_classes import (
    all_socket_io_users,
    described,
    leave_out_unnamed,
    longest_reply_timeout_s,
    refuse_impossible_users,
    socket_io_users,
)
from bench.timing.arrivals import arrivals

_task: Any = locusts_task  # whose types know no coroutines
T = TypeVar("T")


def task(function: T) -> T:
    decorated: T = _task(function)
    return decorated


class EchoUser(SocketIOUser):
    pipelined = True
    transports = ("polling", "websocket")

    @task
    async def echo(self) -> None:
        pass


class SpareUser(SocketIOUser):
    only_when_named = True
    reply_timeout = 20.0
    wait_time = arrivals(5)

    @task
    async def echo(self) -> None:
        pass


class BlockingUser(SocketIOUser):
    @task
    def echo(self) -> None:
        pass


class IdleUser(SocketIOUser):
    pass


class OtherUser(User):
    @task
    def work(self) -> None:
        pass


def an_environment(*classes: type[User], **options: Any) -> Environment:
    given = Namespace(**{"user_classes": [], "class_picker": False, **options})
    return Environment(user_classes=list(classes), parsed_options=given)


def test_socket_io_users_among_others() -> None:
    environment = an_environment(EchoUser, OtherUser, SpareUser)
    assert socket_io_users(environment) == [EchoUser, SpareUser]
    assert longest_reply_timeout_s(environment) == 20
    assert longest_reply_timeout_s(an_environment(OtherUser)) == 0
    environment.available_user_classes = {"IdleUser": IdleUser}  # type: ignore[dict-item]
    assert set(all_socket_io_users(environment)) == {EchoUser, SpareUser, IdleUser}


def test_a_class_runs_only_when_it_is_named() -> None:
    environment = an_environment(EchoUser, OtherUser, SpareUser)
    leave_out_unnamed(environment)
    assert environment.user_classes == [EchoUser, OtherUser]
    named = an_environment(SpareUser, user_classes=["SpareUser"])
    leave_out_unnamed(named)
    assert named.user_classes == [SpareUser]
    with pytest.raises(MisuseError, match="name one on the command line"):
        leave_out_unnamed(an_environment(SpareUser))


def test_tasks_are_coroutines() -> None:
    refuse_impossible_users(an_environment(EchoUser, OtherUser))
    with pytest.raises(MisuseError, match=r"BlockingUser\.echo is not `async def`"):
        refuse_impossible_users(an_environment(BlockingUser))


def test_a_user_without_tasks_may_run() -> None:
    refuse_impossible_users(an_environment(IdleUser))


def test_what_a_result_tells_of_them() -> None:
    own = arrivals(5)
    assert described([EchoUser, SpareUser], OpenLoad(max_in_flight=7, max_wait_s=3.0)) == (
        UserClass("EchoUser", ("polling", "websocket"), None, 10.0, True, 7, None, None),
        UserClass("SpareUser", ("websocket",), None, 20.0, False, 1, 3.0, own),
    )
