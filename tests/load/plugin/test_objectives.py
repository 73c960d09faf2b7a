"""The objectives of a run: who says them, in which order, and what is refused before the run."""

import re
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import yaml
from locust.argument_parser import get_empty_argument_parser, setup_parser_arguments

from bench.load.plugin.class_attributes import refuse_faulty_attributes
from bench.load.plugin.objectives import if_undecided_of, known_operations, objectives_of
from bench.load.plugin.options import MisuseError, add_options
from bench.load.plugin.scenario_users import user_class, weights_of
from bench.load.plugin.tasks import task
from bench.load.plugin.user import SocketIOUser
from bench.objectives.parsing import parse_objectives
from bench.scenarios.loading import load_scenarios
from bench.scenarios.model import Emission, RoundTrip
from tests.support.folders import ROOT

SAY, TYPE = RoundTrip("say", emit="say"), Emission("typing", emit="typing")


class Plain(SocketIOUser):
    say = task(3)(SAY)
    type = task(TYPE)


class Typist(SocketIOUser):
    type = task(TYPE)


class WithObjectives(Plain):
    slo = ("p99 < 2 s", "errors < 1 %")


class WithMore(Plain):
    slo = "errors < 1 %; p50 < 1 s"


class WithCode(SocketIOUser):
    @task
    async def anything(self) -> None:
        await self.round_trip(RoundTrip("whatever", emit="say"))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(options: Namespace, *users: type[SocketIOUser]) -> list[str]:
    return [objective.text for objective in objectives_of(options, users).objectives]


def test_the_first_that_says_any_says_all(folder: Path) -> None:
    given = Namespace(slo="p99 < 1 s; p50 < 1 s")

    assert said(Namespace(), Plain) == []
    (folder / "pyproject.toml").write_text('[tool.socketio-bench]\nslo = ["p99 < 3 s"]\n')
    assert said(Namespace(), Plain) == ["p99 < 3 s"]
    assert said(Namespace(slo=" "), Plain) == ["p99 < 3 s"], "an empty field of the form says nothing"
    assert said(Namespace(), WithObjectives) == ["p99 < 2 s", "errors < 1 %"]
    assert said(Namespace(), WithObjectives, WithMore) == ["p99 < 2 s", "errors < 1 %", "p50 < 1 s"]
    assert said(given, WithObjectives) == ["p99 < 1 s", "p50 < 1 s"]


def test_a_scenarios_file_says_them_as_the_class_of_its_users_does(folder: Path) -> None:
    file = folder / "chat_scenarios.py"
    file.write_text(
        'from bench import RoundTrip\n\nsay = RoundTrip("say", emit="say")\nslo = ["p99 < 2 s", "say: p50 < 1 s"]\n'
    )
    loaded = load_scenarios(file)

    assert said(Namespace(), user_class(loaded, weights_of(None, loaded))) == ["p99 < 2 s", "say: p50 < 1 s"]


@pytest.mark.parametrize(
    ("options", "users", "reason"),
    [
        (Namespace(slo="p99 < 50"), (Plain,), "--slo: objective 'p99 < 50': the limit has no unit"),
        (Namespace(slo="sya: p99 < 1 s"), (Plain,), "no such operation: did you mean say?"),
        (Namespace(slo="conect: p99 < 1 s"), (Plain,), "no such operation: did you mean connect?"),
        (Namespace(slo="typing: p99 < 1 s"), (Plain,), "typing is an emission, which awaits no reply"),
        (Namespace(slo="typing (emission): max < 1 s"), (Plain,), "typing (emission) is an emission"),
        (Namespace(slo="connect: throughput > 1/s"), (Plain,), "connect has no throughput"),
        (Namespace(slo="tpying: throughput > 1/s"), (Plain,), "no such operation: did you mean typing?"),
        (Namespace(slo="history: p99 < 1 s"), (Plain,), "no such operation: there are connect, say"),
        (Namespace(slo="disconnect: p99 < 1 s"), (Plain,), "no such operation: did you mean connect?"),
        (Namespace(slo="p99 < 1 s"), (Typist,), "nothing here awaits a reply, so there are no times"),
        (Namespace(slo_abort=True), (Plain,), "--slo-abort: there is no objective; give one with --slo"),
    ],
)
def test_what_makes_no_sense_is_refused(options: Namespace, users: Any, reason: str) -> None:
    with pytest.raises(MisuseError) as refused:
        objectives_of(options, users)

    assert reason in str(refused.value)


def test_a_fault_names_its_place(folder: Path) -> None:
    class Faulty(Plain):
        slo = "p99 < 50"

    with pytest.raises(MisuseError, match=r"^Faulty.slo: objective 'p99 < 50': "):
        objectives_of(Namespace(), [Faulty])
    (folder / "pyproject.toml").write_text('[tool.socketio-bench]\nslo = "p99 < 50"\n')
    with pytest.raises(MisuseError, match=r"pyproject.toml: slo: objective 'p99 < 50': "):
        objectives_of(Namespace(), [Plain])


@pytest.mark.parametrize("slo", [5, ["p99 < 1 s", 5], {"p99": 1}])
def test_an_attribute_that_is_no_text_is_refused(slo: Any) -> None:
    faulty = type("Faulty", (Plain,), {"slo": slo})

    with pytest.raises(MisuseError, match=r"Faulty.slo is .*: expected an objective such as 'p99 < 50 ms', or a list"):
        refuse_faulty_attributes(faulty)


def test_names_are_known_of_users_without_code_of_their_own() -> None:
    class WithHook(Plain):
        async def on_connect(self) -> None:
            pass

    assert known_operations([Plain]) == frozenset(("connect", "say", "typing", "typing (emission)"))
    assert known_operations([Plain, WithCode]) is None
    assert known_operations([WithHook]) is None
    # What only the run can tell is told by its result.
    assert said(Namespace(slo="whatever: p99 < 1 s"), WithCode) == ["whatever: p99 < 1 s"]


def parsed(*arguments: str) -> Namespace:
    parser = get_empty_argument_parser()
    setup_parser_arguments(parser)
    add_options(parser)
    options: Namespace = parser.parse_args(list(arguments))
    return options


def test_the_option_is_a_text_whatever_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parsed().slo is None
    assert parsed("--slo", "p99 < 1 s", "--slo", "errors < 0.1 %").slo == "p99 < 1 s; errors < 0.1 %"
    assert if_undecided_of(parsed("--slo-undecided", "fail")) == "fail"
    monkeypatch.setenv("BENCH_SLO", "p50 < 1 s; errors < 1 %")
    assert parsed().slo == "p50 < 1 s; errors < 1 %"
    assert parsed("--slo", "p99 < 1 s").slo == "p99 < 1 s", "the command line comes before the environment"


def test_the_example_for_ci_has_options_and_objectives_that_there_are() -> None:
    example = yaml.safe_load((ROOT / "examples" / "github-actions-load.yml").read_text())
    (command,) = [step["run"] for step in example["jobs"]["load"]["steps"] if "bench load" in step.get("run", "")]
    asked = re.findall(r"--slo '([^']*)'", command)

    assert len(parse_objectives(asked)) == 4
    options = parsed(
        "--slo", asked[0], "--slo-abort", "--junit", "objectives.xml", "--report", "load.html", "--rate", "200"
    )
    given = set(re.findall(r"--[a-z-]+", command)) - {"--users", "--run-time"}
    assert {option.removeprefix("--").replace("-", "_") for option in given} <= vars(options).keys()
