"""The attributes of a user class, looked at before a test: a mistyped name, and a value that cannot be.

Attributes of the user's own are welcome. A name is taken for a mistyped setting only if it is near to a setting and
nothing in the files of the class uses it. What nobody reads has no effect, whatever it was meant for.
"""

from __future__ import annotations

import ast
import inspect
import math
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from locust import FastHttpUser, HttpUser

from bench.load.engine.handlers import EventHandler, handlers_of
from bench.load.plugin.options import MisuseError
from bench.load.plugin.user import SETTINGS, SocketIOUser
from bench.mistyped import nearest
from bench.wire.errors import SettingError
from bench.wire.protocol import DEFAULT_NAMESPACE

#: The functions of a user that are called for it, if its class has them.
HOOKS = ("before_connect", "on_connect", "on_start", "on_stop")

#: The settings that are no settings of the connection: ours, and Locust's.
_OTHER_SETTINGS = (
    *("connection", "reply_timeout", "pipelined", "max_in_flight", "longest_wait", "only_when_named", "slo"),
    *("host", "wait_time", "tasks", "weight", "fixed_count", "abstract"),
)

#: The similarity from which on a name is near to a setting: the user's own attributes are many.
_NEAR = 0.75

_LONGEST_TIMEOUT_S = 86_400.0


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_timeout(value: Any) -> bool:
    return _is_number(value) and 0 < value <= _LONGEST_TIMEOUT_S


def _are_texts(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(isinstance(text, str) for text in value)
    return value is None or isinstance(value, str)


#: What each setting has to be, and a word for that.
_VALUES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "reply_timeout": (_is_timeout, "a number of seconds, above 0 and at most a day"),
    "longest_wait": (lambda value: value is None or _is_number(value), "a number of seconds, or None"),
    "pipelined": (lambda value: isinstance(value, bool), "True or False"),
    "only_when_named": (lambda value: isinstance(value, bool), "True or False"),
    "max_in_flight": (lambda value: type(value) is int and value >= 1, "a whole number from 1 on"),
    "weight": (lambda value: _is_number(value) and 0 <= value < math.inf, "a number from 0 on"),
    "fixed_count": (lambda value: type(value) is int and value >= 0, "a whole number from 0 on"),
    "host": (lambda value: value is None or isinstance(value, str), "a URL such as http://127.0.0.1:8000"),
    "slo": (_are_texts, "an objective such as 'p99 < 50 ms', or a list of them"),
    **dict.fromkeys(HOOKS, (callable, "a method")),
}


def refuse_faulty_attributes(user_class: type[SocketIOUser]) -> None:
    """Raise MisuseError for a mistyped attribute, a value or name that cannot be, and handlers that exclude others."""
    _refuse_http_users(user_class)
    for name, (is_right, expected) in _VALUES.items():
        value = inspect.getattr_static(user_class, name)
        if not is_right(value.__func__ if isinstance(value, staticmethod | classmethod) else value):
            raise MisuseError(f"{user_class.__name__}.{name} is {value!r:.60}: expected {expected}")
    for part, name in _own_names(user_class):
        near = near_setting(name)
        if near is not None and not _is_used(name, user_class):
            raise MisuseError(
                f"{part.__name__}.{name} is no setting of a user, and nothing uses it: did you mean {near}?"
            )
    _refuse_taken_names(user_class)
    _refuse_handlers(user_class)


def near_setting(name: str) -> str | None:
    """Return the setting for which a name may be mistyped; None for a setting, and for a name far from all of them."""
    known = (*SETTINGS, *_OTHER_SETTINGS, *HOOKS)
    if name in known or hasattr(SocketIOUser, name):
        return None
    plain = {setting.replace("_", ""): setting for setting in known}
    found = nearest(name.lower().replace("_", ""), plain, _NEAR)
    return plain[found] if found is not None else None


def _refuse_http_users(user_class: type[SocketIOUser]) -> None:
    for other in (HttpUser, FastHttpUser):
        if issubclass(user_class, other):
            raise MisuseError(
                f"{user_class.__name__} is both a SocketIOUser and another user: leave {other.__name__} out, "
                'and use self.http, as in `async with self.http.get("/") as response`'
            )


def _own_parts(user_class: type[SocketIOUser]) -> list[type]:
    """Return the class and those it inherits from that are the user's own."""
    return [part for part in user_class.__mro__ if part not in SocketIOUser.__mro__]


def _refuse_taken_names(user_class: type[SocketIOUser]) -> None:
    """Raise MisuseError for a task or a handler with the name of a part of each user, which it would replace."""
    events = {handler.method for handler in handlers_of(user_class)}
    for part in _own_parts(user_class):
        for name, value in vars(part).items():
            is_task = hasattr(value, "locust_task_weight")
            if (is_task or name in events) and name not in HOOKS and hasattr(SocketIOUser, name):
                raise MisuseError(
                    f"{part.__name__}.{name} is a {'task' if is_task else 'handler'}, and takes the place of "
                    f"self.{name}, which each user has: give it another name"
                )


def _own_names(user_class: type[SocketIOUser]) -> Iterator[tuple[type, str]]:
    """Yield the names of attributes that may be mistyped: none of tasks, of handlers, or with a _ before it."""
    events = {handler.method for handler in handlers_of(user_class)}
    for part in _own_parts(user_class):
        for name, value in vars(part).items():
            if not (name.startswith("_") or name in events or hasattr(value, "locust_task_weight")):
                yield part, name


def _is_used(name: str, user_class: type[SocketIOUser]) -> bool:
    """Return whether the files of the class read the name in any way, as far as their sources can be had."""
    read = [_names_read_in(part) for part in _own_parts(user_class)]
    return any(names is None or name in names for names in read)


@cache
def _names_read_in(part: type) -> frozenset[str] | None:
    """Return the names that the file of a class reads; None if its source cannot be had."""
    try:
        module = sys.modules.get(part.__module__)
        tree = ast.parse(Path(inspect.getfile(module or _code_of(part))).read_bytes())
    except (OSError, TypeError, ValueError, SyntaxError):
        return None
    found = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Load()) | ast.Attribute(attr=name, ctx=ast.Load()):
                found.add(name)
            case ast.Constant(value=str(text)):  # for getattr
                found.add(text)
    return frozenset(found)


def _code_of(part: type) -> Any:
    """Return a function of a class, which knows its file; None if it has none."""
    return next((value for value in vars(part).values() if inspect.isfunction(value)), None)


def _refuse_handlers(user_class: type[SocketIOUser]) -> None:
    """Raise MisuseError for two handlers of the same event, and for a namespace that the user does not join."""
    try:
        connection = user_class.class_connection()
    except SettingError as error:
        raise MisuseError(f"{user_class.__name__}: {error}") from None
    taken: dict[tuple[str, str], EventHandler] = {}
    for handler in handlers_of(user_class):
        namespace = handler.namespace or connection.namespace or DEFAULT_NAMESPACE
        other = taken.setdefault((handler.event, namespace), handler)
        if other is not handler:
            raise MisuseError(
                f"{user_class.__name__}: {other.method} and {handler.method} both handle {handler.event}; an event has "
                "one handler"
            )
        if handler.namespace is not None and connection.namespaces and namespace not in connection.namespaces:
            raise MisuseError(
                f"{user_class.__name__}.{handler.method} handles events of {namespace}, which its connection does not "
                f"join: namespaces={(*connection.namespaces, namespace)!r}"
            )
