"""The attributes of user classes: which are refused, in which words, and which are the user's own."""

import importlib.util
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from bench.load.plugin.class_attributes import near_setting, refuse_faulty_attributes
from bench.load.plugin.options import MisuseError
from bench.load.plugin.user import SocketIOUser

FILE = """
from locust import FastHttpUser, HttpUser, constant

from bench import Connection, SocketIOUser, on, task


class Base(SocketIOUser):
    abstract = True


class U({bases}):
{body}
    @task
    async def talk(self):
        pass
"""

_numbers = count()


def user_class(folder: Path, body: str, bases: str = "Base") -> type[SocketIOUser]:
    """Return the class U of a file whose class has this body."""
    name = f"users_{next(_numbers)}"
    path = folder / f"{name}.py"
    path.write_text(FILE.format(bases=bases, body="".join(f"    {line}\n" for line in body.splitlines())))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: type[SocketIOUser] = module.U
    return made


@pytest.fixture(autouse=True)
def no_module_is_left() -> Iterator[None]:
    yield
    for name in [name for name in sys.modules if name.startswith("users_")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("auht = {'token': 'x'}", "U.auht is no setting of a user, and nothing uses it: did you mean auth?"),
        (
            "wait_tiem = constant(1)",
            "U.wait_tiem is no setting of a user, and nothing uses it: did you mean wait_time?",
        ),
        ("waitTime = constant(1)", "did you mean wait_time?"),
        ("namespaces = ('/chat',)", "did you mean namespace?"),
        ("transport = ('polling',)", "did you mean transports?"),
        ("reply_timout = 3", "did you mean reply_timeout?"),
        ("def on_strat(self): pass", "U.on_strat is no setting of a user, and nothing uses it: did you mean on_start?"),
        ("async def before_conect(self): pass", "did you mean before_connect?"),
        ("transports = 'websocket'", "U: transports are a tuple, ('websocket',), not the text 'websocket'"),
        ("reply_timeout = '5'", "U.reply_timeout is '5': expected a number of seconds, above 0 and at most a day"),
        ("reply_timeout = 0", "U.reply_timeout is 0: expected a number of seconds, above 0 and at most a day"),
        ("connect_timeout = 'soon'", "U: connect_timeout"),
        ("weight = '3'", "U.weight is '3': expected a number from 0 on"),
        ("fixed_count = 1.5", "U.fixed_count is 1.5: expected a whole number from 0 on"),
        ("max_in_flight = 0", "U.max_in_flight is 0: expected a whole number from 1 on"),
        ("pipelined = 'yes'", "U.pipelined is 'yes': expected True or False"),
        ("host = 8000", "U.host is 8000: expected a URL such as http://127.0.0.1:8000"),
        ("on_connect = None", "U.on_connect is None: expected a method"),
        (
            "@task\nasync def http(self): pass",
            "U.http is a task, and takes the place of self.http, which each user has: give it another name",
        ),
        ("@on('bye')\ndef disconnect(self, why): pass", "U.disconnect is a handler, and takes the place of"),
        ("@task\nasync def stop(self): pass", "U.stop is a task, and takes the place of self.stop"),
        (
            "@on('ask')\ndef a(self): pass\n@on('ask')\ndef b(self): pass",
            "U: a and b both handle ask; an event has one handler",
        ),
        (
            "connection = Connection(namespaces='/chat')\n@on('ask', namespace='/other')\ndef a(self): pass",
            "U.a handles events of /other, which its connection does not join: namespaces=('/chat', '/other')",
        ),
    ],
)
def test_a_fault_is_refused_in_one_line(tmp_path: Path, body: str, said: str) -> None:
    with pytest.raises(MisuseError) as raised:
        refuse_faulty_attributes(user_class(tmp_path, body))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("other", ["HttpUser", "FastHttpUser"])
def test_a_user_of_http_as_well_is_told_of_self_http(tmp_path: Path, other: str) -> None:
    said = f"U is both a SocketIOUser and another user: leave {other} out, and use self.http"
    with pytest.raises(MisuseError, match=said):
        refuse_faulty_attributes(user_class(tmp_path, "", f"Base, {other}"))


@pytest.mark.parametrize(
    "body",
    [
        "",
        "host = 'http://127.0.0.1:8000'; weight = 0.5; wait_time = constant(1); tasks = []",
        "room = 'lobby'; data = {'a': 1}; name = 'Ada'; task_count = 3",
        "hosts = ['a', 'b']\ndef pick(self): return self.hosts[0]",
        "hosts = ['a', 'b']\nfirst = hosts[0]",
        "hosts = ['a', 'b']\ndef pick(self): return getattr(self, 'hosts')",
        "@task\nasync def on_star(self): pass",
        "@on('auth')\ndef auths(self): pass",
        "@task\nasync def on_start(self): pass\nasync def wait(self): pass",
        "@staticmethod\ndef wait_time(): return 1",
        "def auth(self): return {}",
        "@on('ask')\ndef a(self): pass\n@on('ask', namespace='/other')\ndef b(self): pass",
        "_auht = 1",
    ],
)
def test_what_is_right_is_not_refused(tmp_path: Path, body: str) -> None:
    refuse_faulty_attributes(user_class(tmp_path, body))


def test_the_class_that_has_the_fault_is_named(tmp_path: Path) -> None:
    class_of_user = user_class(tmp_path, "auht = 1")
    heir = type("Heir", (class_of_user,), {"__module__": class_of_user.__module__})
    with pytest.raises(MisuseError, match=r"U\.auht"):
        refuse_faulty_attributes(heir)


def test_without_a_source_no_name_is_refused() -> None:
    refuse_faulty_attributes(type("U", (SocketIOUser,), {"auht": 1, "__module__": "nowhere"}))


def test_the_settings_themselves_are_near_to_none() -> None:
    assert near_setting("auht") == "auth"
    assert [name for name in dir(SocketIOUser) if near_setting(name)] == []
