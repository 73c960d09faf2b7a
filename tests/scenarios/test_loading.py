"""A user's file of scenarios: what is taken from it, and what is refused in one line."""

import sys
from pathlib import Path

import pytest

from bench.scenarios.loading import ScenariosError, ScenariosFile, load_scenarios

CHAT = """
from bench import Connection, RoundTrip

connection = Connection(auth={"token": "hunter22"}, socketio_path="ws/socket.io", namespaces="/chat")

say = RoundTrip("say", emit="say", data={"id": "{token}", "text": "hello"}, reply="said")
join = RoundTrip("join the lobby", emit="join", data=("lobby", 7))
same_again = say
_draft = RoundTrip("draft", emit="draft")
"""


def loaded(folder: Path, source: str | bytes, name: str = "chat_scenarios.py") -> ScenariosFile:
    path = folder / name
    path.write_bytes(source if isinstance(source, bytes) else source.encode())
    return load_scenarios(path)


def test_scenarios_are_those_at_the_top_level_in_their_order(tmp_path: Path) -> None:
    file = loaded(tmp_path, CHAT)
    assert [scenario.name for scenario in file.scenarios] == ["say", "join the lobby"]
    assert file.name == "chat_scenarios.py"
    assert file.connection is not None
    assert (file.connection.auth, file.connection.namespace) == ({"token": "hunter22"}, "/chat")
    assert "hunter22" not in repr(file)


def test_emissions_are_apart_from_what_has_a_reply(tmp_path: Path) -> None:
    line = "typing = Emission('typing', emit='typing', data={'id': '{token}'})\n"
    file = loaded(tmp_path, f"from bench import Emission, RoundTrip\n{line}say = RoundTrip('say', emit='say')\n")
    assert [scenario.name for scenario in file.scenarios] == ["say"]
    assert [(emission.name, emission.request("t")) for emission in file.emissions] == [("typing", {"id": "t"})]
    with pytest.raises(ScenariosError, match="typing and say have the same name, 'typing'"):
        loaded(tmp_path, f"from bench import Emission, RoundTrip\n{line}say = RoundTrip('typing', emit='say')\n")


def test_all_that_can_be_sent_is_taken(tmp_path: Path) -> None:
    data = "(None, b'bytes', {'a': [bytearray(b'x'), {'b': 1.5}]}, '{token}')"
    file = loaded(tmp_path, f"from bench import RoundTrip\nsay = RoundTrip('say', emit='say', data={data})\n")
    assert file.scenarios[0].request("t")[1:] == (b"bytes", {"a": [bytearray(b"x"), {"b": 1.5}]}, "t")


def test_a_file_without_a_connection_has_none(tmp_path: Path) -> None:
    assert loaded(tmp_path, "from bench import RoundTrip\nsay = RoundTrip('say', emit='say')").connection is None


def test_it_may_import_what_lies_beside_it_and_define_what_it_likes(tmp_path: Path) -> None:
    (tmp_path / "payloads_of_chat.py").write_text("GREETING = {'id': '{token}'}\n")
    before = list(sys.path)
    file = loaded(
        tmp_path,
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\nfrom payloads_of_chat import GREETING\nfrom bench import RoundTrip\n"
        "@dataclass\nclass Room:\n    name: str = 'lobby'\n"
        "say = RoundTrip('say', emit=Room().name, data=GREETING, reply='said')\n",
    )
    assert file.scenarios[0].request("t") == {"id": "t"}
    assert file.scenarios[0].emit == "lobby"
    assert sys.path == before


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("", "there is no scenario at its top level, such as say = RoundTrip(…)"),
        ("x = 1\nsay = (\n", "line 2: it is not Python: '(' was never closed"),
        (b"\xff\xfe", "it is not Python: "),
        (b"x = '\0'", "it is not Python: "),
        ("import nowhere_to_be_found", "line 1: ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        (
            "\n\nraise RuntimeError('two\\nlines \\x1b[31m')",
            "line 3: RuntimeError: two lines \N{REPLACEMENT CHARACTER}[31m",
        ),
        ("def f():\n    1 / 0\n\nf()", "line 2: ZeroDivisionError: division by zero"),
        ("raise SystemExit", "line 1: SystemExit"),
        (
            "from bench import RoundTrip\n\nsay = RoundTrip('say', emit='connect')",
            "line 3: ValueError: 'connect' is no event of a service: Socket.IO reserves it",
        ),
        (
            "from bench import RoundTrip\na = RoundTrip('say', emit='a')\nb = RoundTrip('say', emit='b')",
            "a and b have the same name, 'say'",
        ),
        (
            "from bench import RoundTrip\na = RoundTrip('s\\x07', emit='a')",
            "the name of a has a character that cannot be shown: 's\\x07'",
        ),
        (
            "from bench import RoundTrip\na = RoundTrip('a', emit='a', data={'of': [b'', {1}]})",
            "the data of a cannot be sent: Type is not JSON serializable: set",
        ),
        (
            "from bench import Emission\na = Emission('a', emit='a', data=('{token}', {1: 2}))",
            "the data of a cannot be sent: Dict key must be str",
        ),
        (
            "from bench import RoundTrip\na = RoundTrip('a', emit='a')\nsetup = 7",
            "setup is no function, but of type int",
        ),
        (
            "from bench import RoundTrip\na = RoundTrip('a', emit='a')\nasync def setup():\n    pass",
            "line 3: setup takes one argument: `async def setup(client)`",
        ),
        (
            "from bench import RoundTrip\na = RoundTrip('a', emit='a')\nbefore_connect = lambda http, name: None",
            "line 3: before_connect takes one argument: `async def before_connect(http)`",
        ),
        (
            "from bench import RoundTrip\n\na = RoundTrip('a', emit='a', data='{int}{uuid}', reply='b')",
            "line 3: ValueError: a has {uuid} and {int} in its data: keep the placeholder that its reply repeats",
        ),
        (
            "from bench import RoundTrip\na = RoundTrip('a', emit='a')\nconnection = {'auth': 'hunter22'}",
            "connection is no Connection(…), but of type dict",
        ),
        (
            "from bench import RoundTrip\na = RoundTrip('a', emit='a')\nslo = {'p99': 1}",
            "slo is {'p99': 1}: expected a list of objectives, such as slo = ['p99 < 50 ms']",
        ),
        (
            "from bench import RoundTrip\na = RoundTrip('a', emit='a')\nslo = ['p99 < 50']",
            "slo: objective 'p99 < 50': the limit has no unit: expected a time such as 50 ms",
        ),
        (
            "from bench import Connection, RoundTrip\na = RoundTrip('a', emit='a')\nadmin = Connection()",
            "all its scenarios use the connection that is called connection, and it has no other: admin",
        ),
        (
            "from bench import Connection, RoundTrip\na = RoundTrip('a', emit='a')\nconnection = Connection()\n"
            "admin = Connection(auth='hunter22')",
            "all its scenarios use the connection that is called connection, and it has no other: connection, admin",
        ),
    ],
)
def test_what_is_wrong_with_it_is_one_line(tmp_path: Path, source: str | bytes, said: str) -> None:
    with pytest.raises(ScenariosError) as raised:
        loaded(tmp_path, source)
    assert said in str(raised.value)
    assert str(raised.value).isprintable()
    assert "hunter22" not in str(raised.value)


def test_a_mistake_in_what_it_imports_is_told_of_the_line_that_imports_it(tmp_path: Path) -> None:
    (tmp_path / "mistaken_module.py").write_text("x = \n")
    with pytest.raises(ScenariosError, match=r"^line 2: SyntaxError: invalid syntax \(mistaken_module.py, line 1\)"):
        loaded(tmp_path, "\nimport mistaken_module\n")


@pytest.mark.parametrize(("name", "said"), [("nothing.py", "no such file"), ("", "is a directory"), ("\0", "null")])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(ScenariosError, match=r"^it cannot be read: ") as raised:
        load_scenarios(tmp_path / name)
    assert said in str(raised.value)


def test_the_digest_of_a_definition_is_of_what_it_sends_and_awaits(tmp_path: Path) -> None:
    def digest(line: str, comment: str = "") -> str:
        file = loaded(tmp_path, f"from bench import RoundTrip  {comment}\nsay = RoundTrip({line})\n")
        return file.definition(file.scenarios[0])

    data = "data={'id': '{token}'}"
    asked = digest(f"'say', emit='say', {data}, reply='said'")
    assert digest(f"'say', emit='say', {data}, reply='said'", "# a comment") == asked
    assert digest(f"'say', emit='say', {data}") != asked
    assert digest("'say', emit='say', data={'id': '{token}', 'text': 'x'}, reply='said'") != asked
    assert digest("'say', emit='says', data={'id': '{token}'}, reply='said'") != asked
    # as a result stored before there were checks, other placeholders and several events has it
    assert asked == "36e8acf8f92f6a0518a6473eb395f304e24f8eee729617bf4b86ffa4835752a6"
    checked = digest(f"'say', emit='say', {data}, reply='said', check=lambda said: None")
    assert checked != asked
    assert digest(f"'say', emit='say', {data}, reply='said', check=lambda said: 'no'") == checked
    assert digest("'say', emit='say', data={'id': '{int}'}, reply='said'") != asked
    assert digest(f"'say', emit='say', {data}, reply=('said', 'refused')") != asked
    function = digest("'say', emit='say', data=lambda token: token")
    assert digest("'say', emit='say', data=lambda token: token") == function
    assert digest("'say', emit='say', data=lambda token: token", "# who knows") != function


def test_a_connection_that_cannot_be_is_one_line_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(ScenariosError) as raised:
        loaded(tmp_path, "from bench import Connection\nconnection = Connection(transports='websocket')\n")
    assert str(raised.value) == "line 2: transports are a tuple, ('websocket',), not the text 'websocket'"
