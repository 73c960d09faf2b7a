"""From an application to scenarios: which events it handles, what it reads of their data, and how it answers."""

import argparse
import asyncio.base_events
import datetime as dt
import inspect
import itertools
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import socketio.async_server

from bench.scenarios.loading import load_scenarios
from bench.starting.application import Handler, Parameter, SocketIOServer
from bench.starting.description import Description, DraftScenario
from bench.starting.files import scenarios_text
from bench.starting.handlers import described
from bench.starting.probe import probed
from bench.starting.target import Target

HEAD = """
import socketio
sio = socketio.AsyncServer(async_mode="asgi")
app = socketio.ASGIApp(sio)
"""

_numbers = itertools.count()

Look = Callable[[str], dict[str, Any]]


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Look:
    """Return what is seen of an application with this source."""
    monkeypatch.syspath_prepend(tmp_path)

    def look_at(source: str) -> dict[str, Any]:
        name = f"looked_at_{next(_numbers)}"
        (tmp_path / f"{name}.py").write_text(HEAD + source)
        return probed(f"{name}:app")

    return look_at


@pytest.fixture
def describe(look: Look) -> Callable[[str], Description]:
    """Return the description of an application with this source."""

    def description_of(source: str) -> Description:
        found = look(source)
        servers = [
            SocketIOServer(
                server["path"],
                tuple(
                    Handler(
                        handler["namespace"], handler["event"], handler["source"],
                        tuple(Parameter(*each.values()) for each in handler["parameters"]),
                        handler["models"],
                    )
                    for handler in server["handlers"]
                ),
            )
            for server in found["servers"]
        ]  # fmt: skip
        return described("chat:app", servers)

    return description_of


@pytest.fixture
def scenario(describe: Callable[[str], Description]) -> Callable[[str, str], DraftScenario]:
    """Return the scenario of the handler with this signature and body."""

    def scenario_of(signature: str, body: str) -> DraftScenario:
        lines = "".join(f"    {line}\n" for line in body.splitlines())
        (client,) = describe(f"@sio.on('say')\nasync def say({signature}):\n{lines}").clients
        (only,) = client.scenarios
        return only

    return scenario_of


Scenario = Callable[[str, str], DraftScenario]


class TestReplies:
    @pytest.mark.parametrize(
        ("body", "data", "reply"),
        [
            ('return {"ok": data["text"]}', {"text": "hello"}, ()),
            ('await sio.emit("said", data, to=sid)', {"id": "{token}", "text": "hello"}, ("said",)),
            ('await sio.emit("said", {"id": data["id"]}, room=sid)', {"id": "{token}"}, ("said",)),
            ('await sio.emit("said", {**data, "by": data["by"]})', {"by": "{token}"}, ("said",)),
            ('text = data.get("text")\nawait sio.emit("said", (sid, text), to=sid)', {"text": "{token}"}, ("said",)),
            ('await sio.emit("said", f"you said {data[\'text\']}", to=sid)', {"text": "{token}"}, ("said",)),
            (
                'entry = {"id": data["id"]}\nlog.append(entry)\nawait sio.emit("said", entry, to=sid)',
                {"id": "{token}"},
                ("said",),
            ),
            (
                'said = {"by": [data["id"]]}\nsaid = {"entry": said}\nawait sio.emit("said", said, to=sid)',
                {"id": "{token}"},
                ("said",),
            ),
            ('if not data["ok"]:\n    return\nawait sio.emit("said", data["text"], to=sid)', None, ("said",)),
        ],
    )
    def test_what_surely_answers_is_awaited(self, scenario: Scenario, body: str, data: Any, reply: tuple[str]) -> None:
        found = scenario("sid, data", body)
        assert not found.waits_for_nothing
        assert found.reply == reply
        if data is not None:
            assert found.data == data

    def test_a_reply_that_repeats_nothing_is_matched_in_order(self, scenario: Scenario) -> None:
        found = scenario("sid, data", 'await sio.emit("said", {"text": data["text"].upper()}, to=sid)')
        assert (found.reply, found.kinds, found.data) == (("said",), (), {"text": "hello"})
        assert "matched in order" in found.comments[0]

    @pytest.mark.parametrize("change", ["entry = {}", 'entry["id"] = 5', "entry = masked(entry)"])
    def test_a_reply_that_has_changed_repeats_nothing(self, scenario: Scenario, change: str) -> None:
        body = f'entry = {{"id": data["id"], "at": 1}}\n{change}\nawait sio.emit("said", entry, to=sid)'
        assert scenario("sid, data", body).kinds == ()

    @pytest.mark.parametrize(
        "body",
        [
            "counts.append(data['text'])",
            "return None",
            'await sio.emit("said", data["id"], skip_sid=sid)',
            'await sio.emit("said", data["id"], room=data["room"])',
            'await sio.emit("said", 1)',
            'if data["id"]:\n    await sio.emit("said", data["id"], to=sid)',
            'await sio.emit("said", data["id"], to=sid, namespace="/other")',
            'async def later():\n    await sio.emit("said", data["id"], to=sid)\nsio.start_background_task(later)',
        ],
    )
    def test_what_may_not_answer_is_not_awaited(self, scenario: Scenario, body: str) -> None:
        found = scenario("sid, data", body)
        assert found.waits_for_nothing
        assert not found.is_unfinished
        assert found.comments

    @pytest.mark.parametrize(
        "other",
        [
            '@sio.event\nasync def leave(sid, data):\n    await sio.emit("answer", {"text": "left"}, to=sid)\n',
            '@sio.event\nasync def leave(sid, data):\n    await sio.emit("answer", {"of": data["id"]}, to=sid)\n',
            '@sio.event\nasync def leave(sid, data):\n    if data["all"]:\n        await sio.emit("answer", 1)\n',
            '@sio.event\nasync def connect(sid, environ):\n    await sio.emit("answer", "hello", to=sid)\n',
            '@sio.event\nasync def disconnect(sid):\n    await sio.emit("answer", "gone")\n',
        ],
    )
    def test_a_reply_that_others_cause_too_is_not_matched_in_order(
        self, describe: Callable[[str], Description], other: str
    ) -> None:
        join = '@sio.event\nasync def join(sid, data):\n    await sio.emit("answer", "joined", to=sid)\n'
        (client,) = describe(other + join).clients
        found = next(scenario for scenario in client.scenarios if scenario.emit == "join")
        assert (found.reply, found.waits_for_nothing, found.is_unfinished) == ((), True, False)
        assert found.comments == (
            "answer comes from other handlers, too, and repeats nothing of this: to time it, have it carry an id.",
        )

    def test_an_event_of_another_namespace_is_another_event(self, describe: Callable[[str], Description]) -> None:
        emits = 'async def join(sid, data):\n    await sio.emit("answer", "joined", to=sid{})\n'
        there = emits.format(', namespace="/news"')
        first, second = describe(f"@sio.event\n{emits.format('')}\n@sio.on('join', namespace='/news')\n{there}").clients
        assert [client.scenarios[0].reply for client in (first, second)] == [("answer",), ("answer",)]

    def test_no_scenario_ends_its_connection(self, describe: Callable[[str], Description]) -> None:
        (client,) = describe("@sio.event\nasync def leave(sid):\n    await sio.disconnect(sid)\n").clients
        assert client.scenarios == ()
        assert client.comments == ("leave has no scenario: its handler ends the connection.",)

    @pytest.mark.parametrize("body", ['await sio.disconnect(data["sid"])', "if data:\n    await sio.disconnect(sid)"])
    def test_a_connection_that_is_another_or_may_stay(self, scenario: Scenario, body: str) -> None:
        assert not scenario("sid, data: dict", f"{body}\nreturn 1").is_unfinished

    def test_data_that_nobody_knows_is_to_be_filled_in(self, scenario: Scenario) -> None:
        found = scenario("sid, data", "return await store(data)")
        assert found.is_unfinished
        assert found.comments == ("Fill in data: its handler does not show what it reads of it.",)

    def test_a_wrapper_says_nothing_of_what_is_in_it(self, describe: Callable[[str], Description]) -> None:
        (client,) = describe("@sio.event\nasync def say(*arguments):\n    return inner(*arguments)\n").clients
        assert client.scenarios[0].is_unfinished


class TestNames:
    @pytest.mark.parametrize("event", ["connection", "serve", "ready_url", "before_connect", "setup", "slo", "secret"])
    def test_no_event_takes_a_name_that_means_something_in_the_file(
        self, describe: Callable[[str], Description], tmp_path: Path, event: str
    ) -> None:
        description = describe(f"@sio.on('{event}')\nasync def take(sid):\n    return 1\n")
        path = tmp_path / "scenarios.py"
        path.write_text(scenarios_text(description, description.clients[0], Target(app="chat:app")))
        assert [scenario.name for scenario in load_scenarios(path).scenarios] == [event]


class TestData:
    @pytest.mark.parametrize(
        ("signature", "body", "data"),
        [
            ("sid", "return 1", None),
            ("sid, data=None", "return 1", None),
            ("sid, room, seat", "return room.upper() + str(seat + 1)", ("lobby", 1)),
            ("sid, number: int", "return number", 1),
            ("sid, data: dict[str, str]", 'return data["symbol"]', {"symbol": "hello"}),
            ("sid, data", 'return int(data["n"]) + data["user"]["age"]', {"n": 1, "user": {"age": 1}}),
            ("sid, data", 'return [x for x in data["items"]] or data["name"]', {"items": [], "name": "Ada"}),
            ("sid, data", 'if data.get("count", 0) > 3:\n    raise ValueError\nreturn 1', {"count": 1}),
            ("sid, data", 'return "mood" in data', {"mood": "hello"}),
            ("sid, content: bytes", "return len(content)", b"hello"),
            ("sid, data=None", 'return data.get("q", "lamps") + str(data.get("page", 0))', {"q": "lamps", "page": 1}),
            ("sid, step=3", "return step + 1", 3),
            ("sid, room, step=3", "return room.upper()", "lobby"),
        ],
    )  # fmt: skip
    def test_data_has_what_the_handler_reads(self, scenario: Scenario, signature: str, body: str, data: Any) -> None:
        found = scenario(signature, body)
        assert not found.is_unfinished
        assert found.data == data

    def test_data_is_that_of_a_model(self, describe: Callable[[str], Description]) -> None:
        source = """
from typing import Literal, TypedDict
from uuid import UUID
from pydantic import BaseModel

class Item(BaseModel):
    symbol: str
    amount: int

class Order(BaseModel):
    id: UUID
    kind: Literal["buy", "sell"]
    items: list[Item]
    first: Item
    note: str | None = None

class Place(TypedDict):
    room: str
    seat: int

@sio.event
async def order(sid, data):
    order = Order.model_validate(data)
    await sio.emit("ordered", {"id": str(order.id), "order": order.id}, to=sid)

@sio.event
async def sit(sid, data: Place):
    return data
"""
        order, sit = describe(source).clients[0].scenarios
        assert order.data == {
            "id": "{uuid}",
            "kind": "buy",
            "items": [{"symbol": "hello", "amount": 1}],
            "first": {"symbol": "hello", "amount": 1},
        }
        assert (order.reply, order.kinds) == (("ordered",), ("uuid",))
        assert sit.data == {"room": "lobby", "seat": 1}

    def test_data_is_within_the_limits_of_a_model(self, describe: Callable[[str], Description]) -> None:
        source = """
import datetime as dt
from enum import Enum
from typing import Annotated
from pydantic import BaseModel, Field

class Side(str, Enum):
    buy = "buy"

class Order(BaseModel):
    sku: str = Field(min_length=8, max_length=12)
    pin: str = Field(max_length=2)
    amount: int = Field(ge=5)
    price: Annotated[float, Field(gt=2, le=3)]
    side: Side
    symbol: str = Field(examples=["ACME"])
    at: dt.datetime

@sio.event
async def order(sid, data):
    return Order.model_validate(data).sku
"""
        (order,) = describe(source).clients[0].scenarios
        assert {name: value for name, value in order.data.items() if name != "at"} == {
            "sku": "hellohel", "pin": "he", "amount": 5, "price": 2.5, "side": "buy", "symbol": "ACME",
        }  # fmt: skip
        dt.datetime.fromisoformat(order.data["at"])


class TestConnections:
    def test_namespaces_classes_and_paths(self, describe: Callable[[str], Description]) -> None:
        found = describe("""
class Chat(socketio.AsyncNamespace):
    async def on_connect(self, sid, environ, auth):
        if auth != {"token": "secret", "room": 1}:
            return False

    async def on_say(self, sid, data):
        await self.emit("said", data, to=sid)

    async def on_disconnect(self, sid):
        pass

sio.register_namespace(Chat("/chat"))
sio.on("read", lambda sid, number: number, namespace="/news")
sio.on("disconnect", lambda sid: None)
app = socketio.ASGIApp(sio, socketio_path="ws/socket.io")
""")
        news, chat = sorted(found.clients, key=lambda client: client.settings["namespaces"], reverse=True)
        assert news.settings == {"namespaces": ("/news",), "socketio_path": "ws/socket.io"}
        assert chat.settings["auth"] == {
            "token": 'secret("@env:SOCKETIO_AUTH_TOKEN")', "room": 'secret("@env:SOCKETIO_AUTH_ROOM")',
        }  # fmt: skip
        assert [scenario.emit for scenario in chat.scenarios] == ["say"]
        assert list(found.variables) == ["SOCKETIO_AUTH_TOKEN", "SOCKETIO_AUTH_ROOM"]

    @pytest.mark.parametrize(
        "body",
        [
            'if (auth or {}).get("token") != "secret":\n        return False',
            'token = (auth or {})["token"]\n    if token != "secret":\n        return False',
            'auth = auth or {}\n    if auth.get("token") != "secret":\n        raise ConnectionRefusedError',
            'if not auth or auth["token"] != "secret":\n        return False',
            'if auth is None or auth.get("token") != "secret":\n        return False',
            'token = auth.get("token") if auth else None\n    if token != "secret":\n        return False',
            'token = auth and auth.get("token")\n    if token != "secret":\n        return False',
        ],
    )
    def test_auth_that_may_be_missing_has_the_keys_that_are_read(
        self, describe: Callable[[str], Description], body: str
    ) -> None:
        (client,) = describe(f"@sio.event\nasync def connect(sid, environ, auth):\n    {body}\n").clients
        assert client.settings == {"auth": {"token": 'secret("@env:SOCKETIO_AUTH_TOKEN")'}}

    def test_an_app_that_is_mounted(self, describe: Callable[[str], Description]) -> None:
        found = describe("""
from fastapi import FastAPI
app = FastAPI()
app.mount("/live", socketio.ASGIApp(sio, socketio_path="/live/socket.io"))

@sio.event
async def say(sid):
    return 1
""")
        assert found.clients[0].settings == {"socketio_path": "live/socket.io"}
        assert [scenario.emit for scenario in found.clients[0].scenarios] == ["say"]

    def test_a_handler_that_looks_at_the_request_is_told(self, describe: Callable[[str], Description]) -> None:
        found = describe("@sio.event\nasync def connect(sid, environ):\n    raise ConnectionRefusedError\n")
        assert "the connect handler of / may refuse, and sees the request alone" in found.notes[0]

    def test_nothing_known_is_a_client_that_listens(self, describe: Callable[[str], Description]) -> None:
        found = describe("app = lambda scope, receive, send: None\n")
        assert found.clients[0].scenarios == ()
        assert "no Socket.IO server was found in chat:app" in found.notes[0]


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import nothing_like_it", "cannot be imported: ModuleNotFoundError: No module named 'nothing_like_it'"),
        ("1 / 0", "cannot be imported: ZeroDivisionError: division by zero (looked_at"),
        ("raise SystemExit(3)", "cannot be imported: SystemExit: 3"),
        ("app = sio", "is a Socket.IO server, no ASGI application"),
        ("del app", "has no app"),
        ("app = 7", "is not an ASGI application but of type int"),
    ],
)
def test_what_cannot_be_served_is_one_line(look: Look, source: str, error: str) -> None:
    found = look(source)
    assert error in found["error"]
    assert "\n" not in found["error"]


def test_a_module_that_is_not_there() -> None:
    assert probed("nowhere_at_all:app") == {
        "error": "nowhere_at_all:app: there is no module nowhere_at_all in this folder, or in what is installed"
    }


@pytest.mark.parametrize("module", [argparse, inspect, socketio.async_server, asyncio.base_events])
def test_any_source_is_read(module: ModuleType) -> None:
    """Functions of all kinds, as if they were handlers."""
    classes = [kind for kind in vars(module).values() if inspect.isclass(kind)]
    functions = [f for owner in (module, *classes) for f in vars(owner).values() if inspect.isfunction(f)]
    handlers = [
        Handler("/", event, textwrap.dedent(inspect.getsource(function)), tuple(map(Parameter, names)))
        for function in functions
        if (names := list(inspect.signature(function).parameters))
        for event in (function.__name__, "connect")
    ]
    (client,) = described("chat:app", [SocketIOServer("socket.io", tuple(handlers))]).clients
    assert len(client.scenarios) > 20
    assert {scenario.is_unfinished for scenario in client.scenarios} == {True, False}
