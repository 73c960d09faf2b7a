"""The command line of `bench load`: what it refuses, what it fills in, and what the scenarios of a file become."""

from argparse import Namespace
from pathlib import Path

import pytest
from locust import events
from locust.argument_parser import LocustArgumentParser, get_parser
from locust.env import Environment

from bench.load.plugin import command
from bench.load.plugin.command_help import WIDTH, help_text
from bench.load.plugin.load_command import SCENARIOS_LOCUSTFILE
from bench.load.plugin.options import MisuseError
from bench.load.plugin.options import add_options as add_shared_options
from bench.load.plugin.scenario_users import user_class, weights_of
from bench.scenarios.loading import MODULE, ScenariosFile
from bench.scenarios.model import Emission, RoundTrip
from bench.wire.connection import Connection

FILE = ScenariosFile(
    "chat.py",
    "0" * 64,
    (RoundTrip("say", emit="say"), RoundTrip("join: a room", emit="join")),
    Connection(namespaces=("/chat",)),
    (Emission("typing", emit="typing"),),
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working directory: a folder with a scenarios file, and without a locustfile."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "chat.py").touch()
    return tmp_path


def parser() -> LocustArgumentParser:
    """Return the parser of a process in which `bench load` runs, whatever other tests have added in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(events.init_command_line_parser, "_handlers", [command.add_options, add_shared_options])
        return get_parser()


@pytest.mark.parametrize(
    ("arguments", "variables", "is_given"),
    [
        ("--processes 2", {}, True),
        ("-u 5", {"LOCUST_PROCESSES": "2"}, True),
        ("-u 5", {}, False),
        ("--master", {}, False),
        ("--processes 2 --worker", {}, False),
        ("--processes 2 --master-bind-port 6000 --master-port 6000", {}, False),
        ("--processes 2 --master-bind-port=5557", {}, False),
        ("--processes 2", {"LOCUST_MASTER_NODE_PORT": "6000", "LOCUST_MASTER_BIND_PORT": "6000"}, False),
    ],
)
def test_a_master_and_the_workers_that_it_forks_get_a_port_of_their_own(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, variables: dict[str, str], is_given: bool
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    given = command.own_port(arguments.split(), parser())
    assert bool(given) == is_given
    if not is_given:
        return
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    options = parser().parse_args(arguments.split())
    assert options.master_bind_port == options.master_port != 5557


@pytest.mark.parametrize("number", ["-9", "9999"])
def test_a_number_of_processes_that_cannot_be(folder: Path, number: str) -> None:
    with pytest.raises(MisuseError, match=rf"--processes {number}: expected a number up to 1,000, or -1 for a process"):
        command.own_port(["--processes", number], parser())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("", "nothing says what the users do: give --scenarios FILE, or -f FILE with users; there is no locustfile.py"),
        ("--scenarios chat.py -f x.py", "--scenarios chat.py and -f x.py: give one of them"),
        ("--scenarios nowhere.py", "--scenarios nowhere.py: there is no such file"),
        ("-f nowhere.py", "-f nowhere.py: there is no such file"),
        ("-f chat.py,nowhere.py", "-f nowhere.py: there is no such file"),
        ("-f chat.py --tasks say", "--tasks say: it belongs to --scenarios FILE"),
        ("--scenarios chat.py --web --headless", "--web and --headless: "),
    ],
)
def test_a_command_that_makes_no_sense(folder: Path, arguments: str, said: str) -> None:
    with pytest.raises(MisuseError) as refused:
        command.with_locustfile(arguments.split(), parser())
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize(
    ("arguments", "headless", "only_summary"),
    [("", True, True), ("--print-stats", True, False), ("--web", False, True)],
)
def test_a_run_begins_at_once_and_shows_its_lines(
    monkeypatch: pytest.MonkeyPatch, arguments: str, headless: bool, only_summary: bool
) -> None:
    monkeypatch.setattr("sys.argv", ["bench load", *arguments.split()])
    options = parser().parse_args(arguments.split())
    assert (options.headless, options.only_summary) == (headless, only_summary)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--usres 5", "no such option: --usres; did you mean --users?"),
        ("--zzz=5", "no such option: --zzz"),
        ("--scenarios", "argument --scenarios: expected one argument"),
        ("--scenarios chat.py --users many", "argument -u/--users: invalid int value: 'many'"),
        (
            "--precision 1 --scenarios chat.py",
            "bench load has no --precision: it belongs to `bench ab`, which compares ",
        ),
    ],
)
def test_an_option_that_is_wrong_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: str, said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.with_locustfile(arguments.split(), parser())
    assert ended.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith(f"bench: error: {said}")
    assert err.endswith("; see `bench load --help`\n")
    assert err.count("\n") == 1


def test_a_settings_file_that_cannot_be_read_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "pyproject.toml").write_text("[tool")
    with pytest.raises(SystemExit) as refused:
        command.with_locustfile(["--scenarios", "chat.py"], parser())
    assert refused.value.code == 2
    assert capsys.readouterr().err.startswith("bench: error: pyproject.toml: not TOML: Expected ']'")
    (folder / "pyproject.toml").unlink()
    (folder / "pyproject.toml").mkdir()
    with pytest.raises(MisuseError, match=r"^pyproject.toml: Is a directory$"):
        command.with_locustfile(["--scenarios", "chat.py"], parser())


def test_the_locustfile_of_a_run_by_scenarios(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line comes before a variable, and that before a file of Locust's."""
    by_scenarios = ["-f", str(SCENARIOS_LOCUSTFILE)]
    assert command.with_locustfile(["--scenarios", "chat.py"], parser()) == [*by_scenarios, "--scenarios", "chat.py"]
    (folder / "locust.conf").write_text("locustfile = chat.py\n")
    assert command.with_locustfile(["--scenarios", "chat.py"], parser()) == [*by_scenarios, "--scenarios", "chat.py"]
    assert command.with_locustfile(["--users", "5"], parser()) == ["--users", "5"]
    monkeypatch.setenv("BENCH_SCENARIOS", "chat.py")
    assert command.with_locustfile(["-u", "5"], parser()) == [*by_scenarios, "-u", "5"]
    assert command.with_locustfile(["-f", "chat.py"], parser()) == ["-f", "chat.py"]


@pytest.mark.parametrize(
    ("given", "filled"),
    [
        ({}, (10, 100.0, 31)),
        ({"num_users": 500, "spawn_rate": 5.0}, (500, 5.0, 130)),
        ({"run_time": 4}, (10, 100.0, 4)),
        ({"rate": "5:2s,9:2s"}, (10, 100.0, None)),
        ({"rate": "5"}, (10, 100.0, 31)),
        ({"headless": False}, (10, 100.0, None)),
    ],
)
def test_what_nobody_has_said_is_filled_in(given: dict[str, object], filled: tuple[object, ...]) -> None:
    said = {"num_users": None, "spawn_rate": None, "run_time": None, "rate": "", "headless": True, "scenarios": None}
    options = Namespace(**{**said, **given})
    command.complete(Environment(parsed_options=options), None)
    assert (options.num_users, options.spawn_rate, options.run_time) == filled


def test_the_help_has_80_columns_and_tells_every_option_once(folder: Path) -> None:
    text, _, _ = help_text(parser()).partition("\nexamples:\n")
    assert max(map(len, text.splitlines())) <= WIDTH == 80
    assert "%(" not in text
    for option in ("--users", "--processes", "--rate", "--scenarios", "--app", "--namespace", "--tags", "--web-host"):
        lines = [line for line in text.splitlines() if line.lstrip().startswith("-") and option in line.split()]
        assert len(lines) == 1, option
    assert "--effort" not in text


def test_options_of_the_locustfile_come_first_in_the_help(folder: Path) -> None:
    known = frozenset(action.dest for action in parser()._actions)
    asked = parser()
    asked.add_argument("--shop", help="the shop that they visit")
    assert (
        "\nof the locustfile:\n  --shop SHOP             the shop that they visit\n\nwhat the users do:\n"
        in help_text(asked, known)
    )


class TestUsersOfScenarios:
    @pytest.mark.parametrize(
        ("text", "weights"),
        [
            (None, {"say": 1, "join: a room": 1, "typing": 1}),
            ("say", {"say": 1}),
            ("say:3, typing", {"say": 3, "typing": 1}),
            ("join: a room:2", {"join: a room": 2}),
        ],
    )
    def test_weights(self, text: str | None, weights: dict[str, int]) -> None:
        assert weights_of(text, FILE) == weights

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("sing", "--tasks sing: there is no such scenario in chat.py, only say, join: a room, typing"),
            ("say:0", "--tasks say:0: a weight is a whole number from 1 to 1000"),
            ("say,say:2", "--tasks say,say:2: say is there twice"),
            (" , ", "--tasks ' , ': name some of say, join: a room, typing"),
        ],
    )
    def test_mistakes(self, text: str, said: str) -> None:
        with pytest.raises(MisuseError) as refused:
            weights_of(text, FILE)
        assert str(refused.value) == said

    def test_each_scenario_is_a_task(self) -> None:
        users = user_class(FILE, {"say": 2, "typing": 1})
        assert [getattr(task, "__name__", "") for task in users.tasks] == ["say", "say", "typing"]
        assert users.class_connection() == FILE.connection
        assert (users.__name__, users.__module__) == ("ScenariosUser", MODULE)
