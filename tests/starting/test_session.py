"""From a recorded session to the description of its clients: replies, ids, times to think, secrets."""

import ast
import contextlib
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from bench.starting.description import Description, DraftClient, DraftScenario
from bench.starting.files import Layout, all_files
from bench.starting.har import HarError, parse_har, read_har
from bench.starting.session import described
from bench.starting.target import Target
from bench.starting.workflow import Workflow
from tests.support.hars import SANITIZED, SESSION, Json, begun, har, http, received, sent, socket

A, B = "7d54ee9a-aa5e-4954-9189-d9b836260ab2", "2e46c55f-9340-4ccb-aa5e-86f564d91999"


def description(*entries: Json) -> Description:
    return described(parse_har(har(*entries)), "session.har")


def client(*messages: Json, auth: Any = None) -> DraftClient:
    (found,) = description(socket(*begun(auth), *messages)).clients
    return found


def scenarios(*messages: Json) -> list[DraftScenario]:
    return list(client(*messages).scenarios)


def texts(found: Description) -> str:
    return "\n".join(all_files(found, Target(app="chat:app"), Workflow("socketio-bench"), Layout()).values())


class TestReplies:
    def test_an_acknowledgement_is_matched_by_its_number(self) -> None:
        (first, second) = scenarios(
            sent('420["a",1]', 1), sent('421["b",2]', 1), received("431[2]", 2), received("430[1]", 3)
        )
        assert [(each.emit, each.data, each.reply, each.waits_for_nothing) for each in (first, second)] == [
            ("a", 1, (), False), ("b", 2, (), False),
        ]  # fmt: skip

    def test_an_event_is_matched_by_the_id_that_it_repeats(self) -> None:
        (say,) = scenarios(
            sent(f'42["say",{{"id":"{A}"}}]', 1),
            sent(f'42["say",{{"id":"{B}"}}]', 2),
            received(f'42["said",{{"id":"{B}"}}]', 3),
            received(f'42["said",{{"id":"{A}"}}]', 4),
        )
        assert (say.data, say.reply, say.kinds) == ({"id": "{uuid}"}, ("said",), ("uuid",))

    def test_each_event_that_answers_is_a_reply(self) -> None:
        (say,) = scenarios(
            sent(f'42["say",{{"id":"{A}"}}]', 1),
            received(f'42["said",{{"id":"{A}"}}]', 2),
            sent(f'42["say",{{"id":"{B}"}}]', 3),
            received(f'42["refused",{{"id":"{B}"}}]', 4),
        )
        assert say.reply == ("said", "refused")

    def test_an_event_is_matched_by_its_time_if_it_always_follows(self) -> None:
        (find,) = scenarios(
            sent('42["find",1]', 1), received('42["found"]', 1.1), sent('42["find",1]', 2), received('42["found"]', 2.1)
        )
        assert (find.reply, find.kinds) == (("found",), ())
        assert "By its time alone, found is the reply." in find.comments[0]

    @pytest.mark.parametrize(
        "more",
        [
            (received('42["tick"]', 4),),  # it comes by itself, too
            (sent('42["move"]', 4),),  # it does not come each time
        ],
    )
    def test_an_event_that_does_not_is_none(self, more: tuple[Json, ...]) -> None:
        found = client(sent('42["move"]', 1), received('42["tick"]', 1.1), *more)
        assert [scenario.waits_for_nothing for scenario in found.scenarios] == [True]
        assert "tick" in found.comments[0]

    def test_an_event_that_the_server_asks_about_is_no_reply(self) -> None:
        found = client(sent('42["ready"]', 1), received('425["confirm"]', 1.1), sent('435[{"ok":true}]', 1.2))
        assert [scenario.waits_for_nothing for scenario in found.scenarios] == [True]
        assert found.answers == {"confirm": {"ok": True}}

    def test_an_acknowledgement_that_never_came_is_an_emission(self) -> None:
        found = description(socket(*begun(), sent('420["a"]', 1)))
        assert found.clients[0].scenarios[0].waits_for_nothing
        assert found.notes[0] == "the acknowledgement of a never came: it is written as an emission"

    def test_an_emission_that_lacks_the_answer_of_others_awaits_it(self) -> None:
        found = description(
            socket(
                *begun(),
                sent(f'42["say",{{"id":"{A}"}}]', 1),
                sent(f'42["say",{{"id":"{B}"}}]', 2),
                received(f'42["said",{{"id":"{B}"}}]', 3),
            )
        )
        (say,) = found.clients[0].scenarios
        assert say.reply == ("said",)
        assert [step.scenario for step in found.clients[0].sessions[0].steps] == [say, say]
        assert found.notes[0].startswith("an emission of say was not answered")


class TestIds:
    @pytest.mark.parametrize(
        ("value", "placeholder"),
        [
            (f'"{A}"', "{uuid}"),
            (f'"order:{A}"', "order:{uuid}"),
            ('"01ARZ3NDEKTSV4RRFFQ69G5FAV"', "{token}"),
            ('"4f471aada3bfb2c1"', "{token}"),
            ('"V1StGXR8_Z5jdHi6B-myT"', "{token}"),
            ("1700000000123", "{int}"),
        ],
    )
    def test_what_looks_like_an_id_is_a_placeholder(self, value: str, placeholder: str) -> None:
        (say,) = scenarios(sent(f'42["say",{{"id":{value}}}]', 1), received(f'42["said",{value}]', 2))
        assert say.data == {"id": placeholder}

    def test_numbers_of_an_acknowledged_event_stay(self) -> None:
        (read,) = scenarios(sent('420["read",{"article":123456}]', 1), received('430[{"article":123456}]', 2))
        assert read.data == {"article": 123456}

    def test_an_id_that_the_server_pushed_stays(self) -> None:
        found = description(
            socket(
                *begun(), received(f'42["hello","{A}"]', 1), sent(f'420["enter","{A}","{B}"]', 3), received("430[]", 4)
            )
        )
        assert found.clients[0].scenarios[0].data == (A, "{uuid}")
        assert found.notes == (
            "argument 1 of enter is an id that stays as it was recorded: the server had sent it before",
        )

    def test_a_load_takes_an_id_from_the_reply_that_gave_it(self) -> None:
        found = description(
            socket(
                *begun(),
                sent('420["create"]', 1),
                received(f'430[{{"room":{{"id":"{A}"}}}}]', 2),
                sent(f'421["draw",{{"room":"{A}","stroke":"{B}"}}]', 3),
                received('431[["4f471aada3bfb2c1"],7]', 4),
                sent('42["undo","4f471aada3bfb2c1"]', 5),
            )
        )
        create, draw, undo = found.clients[0].scenarios
        assert draw.data == {"room": A, "stroke": "{uuid}"}
        assert draw.comments[0].startswith("room is an id that an earlier reply gave, and a load takes it from there.")
        assert [scenario.variable for scenario in (create, draw, undo)] == ["create", "_draw", "_undo"]
        assert found.notes[0] == "draw needs an id that an earlier reply gave: a load has it, alone it is not measured"
        locustfile = all_files(found, Target(app="chat:app"), Workflow("socketio-bench"), Layout())["locustfile.py"]
        steps = [line.strip() for line in locustfile.splitlines() if "_reply" in line]
        assert steps == [
            "self.create_reply = await self.round_trip(socketio_scenarios.create)",
            "self.draw_reply = await self.round_trip(",
            '"room": self.create_reply["room"]["id"],',
            "await self.emit(replace(socketio_scenarios._undo, data=self.draw_reply[0][0]))",
        ]
        ast.parse(locustfile)
        assert (create.data, undo.data) == (None, "4f471aada3bfb2c1")

    def test_so_do_the_setup_and_the_test(self) -> None:
        found = description(
            socket(
                *begun(),
                sent('42["create"]', 1),
                received(f'42["created",{{"room":"{A}"}}]', 1.1),
                sent(f'420["enter","{A}"]', 3),
                received("430[]", 4),
                sent('42["move"]', 5),
                sent('42["move"]', 6),
            )
        )
        texts = all_files(found, Target(app="chat:app"), Workflow("socketio-bench"), Layout())
        setup = texts["socketio_scenarios.py"].partition("async def setup")[2]
        assert "create_reply = await asyncio.wait_for(heard, 10)" in setup
        assert 'await client.call("enter", create_reply["room"])' in setup
        test = texts["test_socketio.py"]
        assert "create_reply = await round_trip(client, socketio_scenarios.create)" in test
        assert 'replace(socketio_scenarios._enter, data=create_reply["room"])' in test
        assert "SCENARIOS = [socketio_scenarios.create]" in test
        for name in ("socketio_scenarios.py", "test_socketio.py"):
            ast.parse(texts[name])

    def test_an_id_that_several_emissions_have_stays(self) -> None:
        first, second = scenarios(
            sent(f'420["begin","{A}"]', 1), received("430[]", 2), sent(f'421["end","{A}"]', 3), received("431[]", 4)
        )
        assert (first.data, second.data) == (A, A)

    def test_a_text_that_comes_back_has_a_token_after_it(self) -> None:
        (say,) = scenarios(
            sent('42["say",{"text":"good morning"}]', 1), received('42["said",{"by":"Ada","text":"good morning"}]', 2)
        )
        assert (say.data, say.kinds) == ({"text": "good morning {token}"}, ("token",))

    def test_a_reply_that_repeats_no_id_is_matched_in_order(self) -> None:
        (enter,) = scenarios(sent('42["enter",{"room":"room-7"}]', 1), received('42["entered",{"room":"room-7"}]', 2))
        assert (enter.data, enter.reply, enter.kinds) == ({"room": "room-7"}, ("entered",), ())
        assert "replies are matched in order" in enter.comments[0]

    def test_a_placeholder_of_the_page_itself_is_left_out(self) -> None:
        found = description(socket(*begun(), sent('42["template","Dear {token}"]', 1), sent('42["other"]', 2)))
        assert [scenario.emit for scenario in found.clients[0].scenarios] == ["other"]
        assert "template" in found.notes[0]


class TestSessions:
    def test_times_to_think_are_kept(self) -> None:
        found = client(
            sent('420["a"]', 0.52),
            received("430[]", 1.02),
            sent('42["b"]', 1.03),
            sent('42["b"]', 3.03),
            sent("41", 4.53),
        )
        opening, (session,) = found.opening, found.sessions
        assert [(step.scenario.emit, step.wait_s) for step in opening] == [("a", 0.5)]
        assert [(step.scenario.emit, step.wait_s) for step in session.steps] == [("b", 0.0), ("b", 2.0)]
        assert session.end_s == 1.5

    def test_what_has_a_joins_name_begins_the_connection(self) -> None:
        found = client(sent('42["joinRoom","x"]', 1), sent('42["move"]', 2), sent('42["leave"]', 3))
        assert [step.scenario.emit for step in found.opening] == ["joinRoom"]
        assert [step.scenario.emit for step in found.sessions[0].steps] == ["move", "leave"]

    def test_connections_to_the_same_namespace_are_sessions_of_a_client(self) -> None:
        found = description(socket(*begun(), sent('42["a"]', 1)), socket(*begun(), sent('42["b"]', 1)))
        (only,) = found.clients
        assert [[step.scenario.emit for step in session.steps] for session in only.sessions] == [["a"], ["b"]]

    def test_each_namespace_is_a_client(self) -> None:
        messages = [*begun(), *begun(namespace="/news")[1:], sent('42["a"]', 1), sent('42/news,["b"]', 2)]
        first, second = description(socket(*messages)).clients
        assert (first.suffix, second.suffix, second.settings["namespaces"]) == ("", "news", ("/news",))

    def test_a_namespace_that_was_only_joined_is_told(self) -> None:
        found = description(
            socket(*begun(), *begun(namespace="/idle")[1:], *begun(namespace="/news")[1:], sent('42/news,["b"]', 2))
        )
        assert [each.settings["namespaces"] for each in found.clients] == [("/news",)]
        assert "nothing was emitted in the namespace /idle: it has no files" in found.notes

    def test_another_server_is_left_out_and_told(self) -> None:
        other = socket(*begun(), url="wss://chat.other/socket.io/?EIO=4&transport=websocket")
        found = description(socket(*begun(), sent('42["a"]', 1)), other)
        assert found.origin == "https://chat.example"
        assert "the connections to https://chat.other are left out: https://chat.example has more" in found.notes

    def test_a_long_session_is_cut(self) -> None:
        messages = [sent('42["move"]', 1 + number / 10) for number in range(600)]
        found = description(socket(*begun(), *messages, sent('42["late"]', 100)))
        assert [scenario.emit for scenario in found.clients[0].scenarios] == ["move", "late"]
        assert [step.scenario.emit for step in found.clients[0].sessions[0].steps][-2:] == ["move", "late"]
        assert len(found.clients[0].sessions[0].steps) == 501
        assert "a session has 601 steps: the first 500 are written" in found.notes

    def test_a_recording_that_begins_too_late_is_told(self) -> None:
        found = description(socket(sent('420["a"]', 1), received("430[]", 2)))
        assert [scenario.emit for scenario in found.clients[0].scenarios] == ["a"]
        assert "the recording begins after the connection was made: its auth is not known" in found.notes

    def test_a_refused_connection_is_told(self) -> None:
        with pytest.raises(HarError, match="have joined no namespace"):
            description(socket(*begun()[:2], received('44{"message":"log in first"}', 1)))


#: A token in the form of a JWT, as a login gives it.
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.abcdefghijklmnopqrstuvwxyz"


class TestLoginByAnEvent:
    LOGIN = (
        sent('420["login",{"user":"ada","password":"hush-hush"}]', 1),
        received(f'430[{{"token":"{TOKEN}"}}]', 1.1),
    )
    SAY = (
        sent(f'42["say",{{"id":"{A}","token":"{TOKEN}"}}]', 2),
        received(f'42["said",{{"id":"{A}"}}]', 2.1),
        sent(f'42["say",{{"id":"{B}","token":"{TOKEN}"}}]', 3),
        received(f'42["said",{{"id":"{B}"}}]', 3.1),
    )

    def test_what_it_gives_is_taken_from_its_reply(self) -> None:
        found = description(socket(*begun(), *self.LOGIN, *self.SAY))
        assert list(found.variables) == ["SOCKETIO_LOGIN_PASSWORD"]
        written = texts(found)
        assert TOKEN not in written
        assert '"token": lambda: given["login_reply"]["token"]' in written
        assert '    given["login_reply"] = login_reply\n' in written
        assert "        self.login_reply = await self.round_trip(socketio_scenarios.login)\n" in written
        assert '"token": self.login_reply["token"]' in written
        assert '            socketio_scenarios.given["login_reply"] = login_reply\n' in written

    def test_an_event_that_gives_it(self) -> None:
        """The reply is an event, which comes with its arguments."""
        login = (
            sent(f'42["login",{{"id":"{A[:-1]}0","password":"hush-hush"}}]', 1),
            received(f'42["welcome",{{"id":"{A[:-1]}0","token":"{TOKEN}"}}]', 1.1),
        )
        written = texts(description(socket(*begun(), *login, *self.SAY)))
        assert '"token": lambda: given["login_reply"]["token"]' in written
        assert TOKEN not in written

    def test_in_the_middle_of_a_session_it_is_said(self) -> None:
        found = description(
            socket(*begun(), sent('42["look",1]', 0.5), sent('42["look",1]', 0.6), *self.LOGIN, *self.SAY)
        )
        assert any("say has a secret that the reply to login gave" in note for note in found.notes)
        assert "SOCKETIO_SAY_TOKEN" in found.variables
        assert '"token": self.login_reply["token"]' in texts(found)

    def test_on_another_connection_it_is_said(self) -> None:
        chat = (sent(f'42/chat,["say",{{"id":"{A}"}}]', 3), received(f'42/chat,["said",{{"id":"{A}"}}]', 3.1))
        found = description(socket(*begun(), *self.LOGIN), socket(*begun({"token": TOKEN}, "/chat"), *chat))
        said = "auth of a connection has what the reply to login gave on another connection"
        assert any(note.startswith(said) for note in found.notes)
        assert TOKEN not in texts(found)


class TestSecrets:
    def test_no_secret_of_a_real_session_is_in_any_file(self) -> None:
        whole = texts(described(read_har(SESSION), "session.har"))
        har = parse_har(SESSION.read_bytes())
        cookies = [value for exchange in har.exchanges for value in exchange.set_cookies.values()]
        assert len(cookies) == 1
        for secret in ("correct horse battery", "another horse", '"ada"', *cookies):
            assert secret not in whole
        login = next(exchange for exchange in har.exchanges if exchange.url.endswith("/login"))
        assert login.response is not None
        token = login.response.decode().rpartition('"token": "')[2].partition('"')[0]
        assert len(token) == 32
        assert token not in whole

    def test_a_login_gives_the_auth(self) -> None:
        found = described(read_har(SESSION), "session.har")
        (login,) = found.clients[0].requests
        assert (login.method, login.url, login.variable, login.body_keyword) == ("POST", "/login", "login", "json")
        assert found.clients[0].login_settings == {"auth": {"token": 'login["token"]', "client": "web"}}
        assert list(found.variables) == [
            "SOCKETIO_LOGIN_USER", "SOCKETIO_LOGIN_PASSWORD", "SOCKETIO_CHANGE_PASSWORD",
        ]  # fmt: skip

    def test_without_cookies_a_note_says_so(self) -> None:
        found = described(read_har(SANITIZED), "sanitized.har")
        assert [request.url for request in found.clients[0].requests] == ["/login"]
        assert any("the recording has no cookies" in note for note in found.notes)

    def test_a_login_may_need_a_request_before_it(self) -> None:
        found = description(
            http("GET", "/csrf", at_s=-3, answer={"csrf": "c5rf-c5rf-c5rf"}),
            http(
                "POST", "/session?next=%2F&key=k3y-k3y", at_s=-2, body="user=ada&csrf=c5rf-c5rf-c5rf",
                headers={"X_CSRF": "c5rf-c5rf-c5rf"}, answer={"ok": True}, set_cookie="session=s3ss10n; HttpOnly",
            ),
            socket(*begun(), sent('42["a"]', 1), Cookie="session=s3ss10n; _ga=GA1.2"),
        )  # fmt: skip
        csrf, login = found.clients[0].requests
        assert (csrf.url, csrf.variable) == ("/csrf", "csrf")
        assert login.body == {"user": 'secret("@env:SOCKETIO_LOGIN_USER")', "csrf": 'csrf["csrf"]'}
        assert login.headers == {"x-csrf": 'csrf["csrf"]'}
        assert "cookies" not in found.clients[0].settings
        assert any("_ga counts visitors" in note for note in found.notes)
        whole = texts(found)
        assert not [secret for secret in ("c5rf-c5rf", "s3ss10n", "k3y-k3y", "GA1.2") if secret in whole]

    def test_what_no_login_gives_is_a_variable(self) -> None:
        found = description(
            socket(
                *begun({"apiKey": "k-123456", "room": "lobby"}),
                sent('420["pay",{"card":{"number":4111111111111111,"pin":1234},"amount":5}]', 1),
                received("430[]", 2),
                sent('42["say",{"text":"the key is k-123456"}]', 3),
                query="EIO=4&transport=websocket&access_token=t-987654&v=2",
                Authorization="Bearer b-246810",
                Cookie="sid=c-13579",
                Origin="https://chat.example",
            )
        )
        settings = found.clients[0].settings
        assert settings["auth"] == {"apiKey": 'secret("@env:SOCKETIO_AUTH_API_KEY")', "room": "lobby"}
        assert settings["query"] == {"access_token": 'secret("@env:SOCKETIO_QUERY_ACCESS_TOKEN")', "v": "2"}
        assert settings["headers"] == {"authorization": 'secret("@env:SOCKETIO_HEADER_AUTHORIZATION")'}
        assert settings["cookies"] == {"sid": 'secret("@env:SOCKETIO_COOKIE_SID")'}
        whole = texts(found)
        for secret in ("k-123456", "t-987654", "b-246810", "c-13579", "1234"):
            assert secret not in whole.replace("4111111111111111", "")
        assert "the recording" not in "".join(found.notes)

    def test_a_short_cookie_is_not_taken_for_data(self) -> None:
        found = description(socket(*begun(), sent('42["paint",{"theme":"dark"}]', 1), Cookie="theme=dark"))
        assert found.clients[0].scenarios[0].data == {"theme": "dark"}

    @pytest.mark.parametrize(
        "name", ["password", "newPassword", "api_key", "accessToken", "authorization", "client-secret", "CSRF", "otp"]
    )
    def test_a_field_with_a_secrets_name_is_never_written(self, name: str) -> None:
        found = description(
            socket(*begun(), sent(f'42["change",{{"{name}":"hush-hush","deep":[{{"{name}":"hush2"}}]}}]', 1))
        )
        assert "hush" not in texts(found)

    @pytest.mark.parametrize("name", ["author", "keyboard", "passenger", "monkey"])
    def test_a_field_that_only_begins_like_it_is(self, name: str) -> None:
        found = description(socket(*begun(), sent(f'42["change",{{"{name}":"Ada Lovelace"}}]', 1)))
        assert "Ada Lovelace" in texts(found)

    def test_a_signed_token_is_a_secret_whatever_its_field_is_called(self) -> None:
        token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijk"
        found = description(socket(*begun(), sent(f'42["change",{{"x":"{token}","{token}":1}}]', 1)))
        assert "eyJ" not in texts(found)


@pytest.mark.parametrize("seed", range(60))
def test_a_damaged_recording_is_read_or_refused(seed: int) -> None:
    """A real recording with a few of its values replaced, deleted or doubled."""
    drawn = random.Random(seed)
    whole = json.loads(SESSION.read_bytes())
    places = list(_places(whole))
    for container, key in drawn.sample(places, 8):
        with contextlib.suppress(LookupError):  # it may be in what was replaced before
            container[key] = drawn.choice([None, True, -1, "", "42[", "0", [], {}, "2024-13-01", container[key]])
    try:
        found = described(parse_har(json.dumps(whole).encode()), "session.har")
    except HarError:
        return
    for name, text in all_files(found, Target(app="chat:app"), Workflow("socketio-bench"), Layout()).items():
        if name.endswith(".py"):
            ast.parse(text)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, key
        if isinstance(inner, (dict, list)):
            yield from _places(inner)
