"""The options of `pytest bench`, as the user types them."""

from pathlib import Path
from typing import Any

import pytest

from bench.latency.options import EFFORTS, OptionError, parse
from bench.scenarios.catalogue import LATENCY_BENCHMARKS
from bench.server import ServeCommand
from tests.support.folders import ROOT

HERE = Path("somewhere")


def test_out_of_the_box_it_is_foo_bar_as_it_lies_beside_the_suite() -> None:
    options = parse(directory=HERE)
    assert options.is_default
    assert options.app == options.service == "app.main:app"
    assert options.directory != HERE
    assert options.benchmarks == LATENCY_BENCHMARKS
    assert [benchmark.reply for benchmark in options.benchmarks] == ["event", "acknowledged"]
    assert options.reply_timeout_ns == 5_000_000_000


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "nothing says which service to measure: give --app"),
        ({"event": "NEWS"}, "nothing says which service to measure: give --app"),
        ({"app": "chat:app"}, "nothing says what to measure: give --scenarios"),
        ({"url": "http://a"}, "nothing says what to measure: give --scenarios"),
    ],
)
def test_outside_of_the_checkout_service_and_scenarios_have_to_be_named(
    tmp_path: Path, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(OptionError) as raised:
        parse(**given, directory=tmp_path)
    assert str(raised.value).startswith(said)
    assert parse(**given, directory=tmp_path, checkout=ROOT)
    service = {} if "url" in given else {"app": "chat:app"}
    assert parse(**(given | service | {"event": "NEWS"}), directory=tmp_path)


def test_the_effort_says_how_many_processes_unless_they_are_given() -> None:
    efforts = [parse(effort=effort, directory=HERE) for effort in EFFORTS]
    assert [options.processes for options in efforts] == sorted({options.processes for options in efforts})
    assert [options.max_time_s for options in efforts] == sorted({options.max_time_s for options in efforts})
    assert parse(directory=HERE) == parse(effort="normal", directory=HERE)
    assert parse(directory=HERE).processes == 5
    given = parse(effort="quick", processes="3", directory=HERE)
    assert (given.processes, given.max_time_s) == (3, EFFORTS["quick"].max_time_s)


def test_an_app_comes_from_the_users_directory() -> None:
    options = parse(app="shop.asgi:make.app", directory=HERE)
    assert (options.app, options.directory, options.is_default) == ("shop.asgi:make.app", HERE, False)


@pytest.mark.parametrize("given", [{"url": "http://[::1]:80/x"}, {"host": "http://[::1]:80/x"}])
def test_host_means_url(given: dict[str, Any]) -> None:
    options = parse(**given, directory=HERE)
    assert options.url == options.service == "http://[::1]:80/x"
    assert not options.is_default


def test_what_is_secret_in_a_url_is_for_connecting_alone() -> None:
    options = parse(url="http://u:hunter22@h/?key=hunter22", directory=HERE)
    assert options.url == options.service == "http://h/?..."
    assert options.whole_url == "http://u:hunter22@h/?key=hunter22"
    assert "hunter22" not in repr(options)


@pytest.mark.parametrize(
    "given",
    [
        {"url": "u:hunter22@h"},
        {"url": "http://u:hunter22@h", "host": "http://u:hunter22@h/?hunter22"},
        {"url": "http://u:hunter22@h/?hunter22", "app": "a:b"},
    ],
)
def test_no_error_shows_what_is_secret_in_a_url(given: dict[str, Any]) -> None:
    with pytest.raises(OptionError) as raised:
        parse(**given, directory=HERE)
    assert "hunter22" not in str(raised.value)


def test_the_same_url_twice_is_one() -> None:
    assert parse(url="http://a", host="http://a", directory=HERE).url == "http://a"


def test_an_event_alone_is_acknowledged_and_has_no_argument() -> None:
    (benchmark,) = parse(event="NEWS", directory=HERE).benchmarks
    assert (benchmark.name, benchmark.reply) == ("NEWS", "acknowledged")
    assert benchmark.scenario.request("token") is None


def test_an_event_with_a_reply_and_a_payload() -> None:
    (benchmark,) = parse(event="NEWS", reply="PUBLISHED", payload='{"id": ["{token}"]}', directory=HERE).benchmarks
    assert (benchmark.name, benchmark.reply) == ("NEWS-PUBLISHED", "event")
    assert benchmark.scenario.request("t") == {"id": ["t"]}
    assert not benchmark.scenario.matched_in_order


def test_without_a_token_replies_are_matched_in_order() -> None:
    (benchmark,) = parse(event="NEWS", reply="PUBLISHED", payload="[1]", directory=HERE).benchmarks
    assert benchmark.scenario.matched_in_order


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"app": "nothing"}, "--app 'nothing'"),
        ({"app": "a:b:c"}, "--app 'a:b:c'"),
        ({"app": "a b:c"}, "--app 'a b:c'"),
        ({"app": ""}, "--app ''"),
        ({"url": "localhost:8000"}, "--url 'localhost:8000'"),
        ({"host": "ftp://a"}, "--host 'ftp://a'"),
        ({"url": "http://a", "host": "http://b"}, "--url http://a and --host http://b"),
        ({"url": "http://a", "app": "a:b"}, "--app a:b and --url http://a"),
        ({"reply": "BAR"}, "--reply BAR"),
        ({"payload": "{}"}, "--payload {}"),
        ({"event": "NEWS", "payload": "{"}, "--payload '{' is not JSON"),
        ({"event": "NEWS", "payload": "NaN"}, "--payload 'NaN' is not JSON"),
        ({"event": ""}, "--event ''"),
        ({"event": "NEWS", "reply": "disconnect"}, "--reply 'disconnect'"),
        ({"reply_timeout": "soon"}, "--reply-timeout 'soon'"),
        ({"reply_timeout": "0"}, "--reply-timeout '0'"),
        ({"reply_timeout": "nan"}, "--reply-timeout 'nan'"),
        ({"reply_timeout": "1e9"}, "--reply-timeout '1e9'"),
        ({"processes": "0"}, "--server-processes '0'"),
        ({"processes": "many"}, "--server-processes 'many'"),
        ({"processes": "51"}, "--server-processes '51'"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_the_option(given: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError) as raised:
        parse(**given, directory=HERE)
    assert str(raised.value).startswith(said)
    assert "\n" not in str(raised.value)


def test_a_command_is_served_where_the_user_is(tmp_path: Path) -> None:
    options = parse(
        serve="node server.js {port}", ready_url="/up", start_timeout="2m", event="NEWS", directory=tmp_path
    )
    assert options.command == ServeCommand("node server.js {port}", tmp_path, "/up", 120.0)
    assert (options.service, options.is_default) == ("node server.js {port}", False)


@pytest.mark.parametrize(
    ("given", "command", "ready_url"),
    [
        ({}, "of the file {port}", "/up"),
        ({"serve": "of the user"}, "of the user", None),
        ({"ready_url": "/other"}, "of the file {port}", "/other"),
        ({"app": "chat:app"}, None, None),
        ({"url": "http://127.0.0.1:9"}, None, None),
    ],
)
def test_an_option_comes_before_the_scenarios_file(
    tmp_path: Path, given: dict[str, Any], command: str | None, ready_url: str | None
) -> None:
    (tmp_path / "file.py").write_text(
        "from bench import RoundTrip\nserve = 'of the file {port}'\nready_url = '/up'\nsay = RoundTrip('a', emit='b')\n"
    )
    found = parse(scenarios="file.py", directory=tmp_path, **given).command
    assert (found and found.command, found and found.ready_url) == (command, ready_url)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"serve": " "}, "--serve: there is no command"),
        ({"serve": "x", "app": "chat:app"}, "--serve and --app chat:app: give the command that serves"),
        ({"serve": "x", "url": "http://127.0.0.1:9"}, "--serve and --url http://127.0.0.1:9: give the command"),
        ({"serve": "x", "ready_url": "up"}, "--ready-url: give a path such as /health"),
        ({"ready_url": "/up"}, "--ready-url /up: it belongs to a command"),
        ({"serve": "x", "start_timeout": "soon"}, "--start-timeout 'soon': give seconds"),
        ({"app": "chat:app", "start_timeout": "0"}, "--start-timeout '0': give seconds"),
        (
            {"url": "http://127.0.0.1:9", "start_timeout": "1"},
            "--start-timeout 1: the server at http://127.0.0.1:9 runs",
        ),
    ],
)
def test_what_cannot_be_served_is_one_line(tmp_path: Path, given: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError) as raised:
        parse(**given, directory=tmp_path)
    assert str(raised.value).startswith(said)


def test_a_command_of_another_type_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "file.py").write_text("from bench import RoundTrip\nserve = ['x']\nsay = RoundTrip('a', emit='b')\n")
    with pytest.raises(OptionError, match=r"--scenarios file\.py: serve is no text, but of type list"):
        parse(scenarios="file.py", directory=tmp_path)


def test_a_transport_restricts_the_benchmarks() -> None:
    assert parse(directory=HERE).transport is None
    options = parse(directory=HERE, connection={"connection_transport": "polling", "connection_auth": "1"})
    assert options.transport == "polling"
    assert options.chosen.connection.auth == 1
    with pytest.raises(OptionError, match="`pytest bench` measures each transport on its own"):
        parse(directory=HERE, connection={"connection_transport": "polling,websocket"})
