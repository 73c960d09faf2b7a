"""The texts of the first files: Python and YAML, whatever a service or a page calls its events."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.scenarios.loading import SPECIAL_NAMES, load_scenarios
from bench.starting.description import (
    Description,
    DraftClient,
    DraftRequest,
    DraftScenario,
    DraftSession,
    DraftStep,
)
from bench.starting.files import Layout, all_files
from bench.starting.har import parse_har
from bench.starting.session import described
from bench.starting.source import Code, Names
from bench.starting.target import Target
from bench.starting.workflow import Workflow
from tests.support.folders import ROOT
from tests.support.hars import begun, har, http, received, sent, socket

APP, URL, SERVE = Target(app="chat:app"), Target(url="http://127.0.0.1:9"), Target(serve="node 'a b.js' {port}")
TEXT = st.text(min_size=1, max_size=30)
DATA = st.recursive(
    st.none() | st.integers(-(2**53), 2**53) | TEXT | st.binary(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def files(client: DraftClient, target: Target = APP, source: str = "chat:app", **more: Any) -> dict[str, str]:
    return all_files(Description((client,), source, **more), target, Workflow("socketio-bench"), Layout())


def check(texts: dict[str, str]) -> None:
    """Every text is Python, or YAML."""
    for name, text in texts.items():
        assert "\0" not in text
        if name.endswith(".py"):
            ast.parse(text, feature_version=(3, 11))
        else:
            assert yaml.safe_load(text)["jobs"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=50)
@given(event=TEXT, data=DATA, reply=TEXT, note=TEXT, source=TEXT)
def test_any_event_and_data_come_back_from_the_file(
    tmp_path: Path, event: str, data: Any, reply: str, note: str, source: str
) -> None:
    scenario = DraftScenario(
        Names(*SPECIAL_NAMES).new(event), "name", f"x{event}", data, (f"y{reply}",), comments=(note,)
    )
    client = DraftClient(
        scenarios=(scenario,),
        opening=(DraftStep(scenario),),
        answers={event: data},
        sessions=(DraftSession((DraftStep(scenario, 0.5),), 1.5),),
        comments=(note,),
    )
    texts = files(client, source=source, notes=(note,))
    check(texts)
    path = tmp_path / "scenarios.py"
    path.write_text(texts["socketio_scenarios.py"])
    (found,) = load_scenarios(path).scenarios
    assert (found.emit, found.data, found.reply) == (scenario.emit, data, scenario.reply[0])


@pytest.mark.parametrize("target", [APP, URL, SERVE])
@pytest.mark.parametrize("has_login", [True, False])
@pytest.mark.parametrize("kinds", ["timed", "emitted", "unfinished", "none"])
def test_all_kinds_of_files_are_python_and_yaml(target: Target, has_login: bool, kinds: str) -> None:
    scenario = DraftScenario(
        "say", "say", "say", {"id": "{uuid}"}, waits_for_nothing=kinds == "emitted", kinds=("uuid",),
        is_unfinished=kinds == "unfinished",
    )  # fmt: skip
    login = DraftRequest("POST", "/login", "login", "json", {"password": Code('secret("@env:PASSWORD")')})
    other = DraftRequest("PROPFIND", Code('"/x?key=" + secret("@env:KEY")'), headers={"x-csrf": Code('login["csrf"]')})
    client = DraftClient(
        scenarios=() if kinds == "none" else (scenario,),
        opening=(DraftStep(scenario),) if kinds in ("timed", "emitted") else (),
        requests=(login, other) if has_login else (),
        login_settings={"auth": Code('login["auth"]')} if has_login else {},
    )
    texts = files(client, target, variables={"PASSWORD": "the password"})
    check(texts)
    assert ("before_connect" in texts["locustfile.py"]) == has_login
    assert ("\n    @task\n" in texts["locustfile.py"]) == (kinds in ("timed", "emitted"))
    if target is SERVE:
        assert "ServeCommand(socketio_scenarios.serve, Path(__file__).parent)" in texts["test_socketio.py"]
        assert """serve = "node 'a b.js' {port}"\n""" in texts["socketio_scenarios.py"]
        assert "\nserve = socketio_scenarios.serve\n" in texts["locustfile.py"]
    assert ("round_trip" in texts["test_socketio.py"]) == (kinds == "timed")
    if target is not SERVE:
        assert ("socketio_server" in texts["test_socketio.py"]) == (target is APP)
    assert "PASSWORD: ${{ secrets.PASSWORD }}" in texts[".github/workflows/socketio-latency.yml"]


TIMED = DraftScenario("say", "say", "say", {"id": "{token}"}, ("said",))
COUNTED = DraftScenario("typing", "typing", "typing", waits_for_nothing=True)


@pytest.mark.parametrize(
    ("scenarios", "objectives"),
    [
        ((TIMED, COUNTED), ("p99 < 500 ms", "errors < 1 %")),
        ((COUNTED,), ("errors < 1 %",)),
        ((), ("connects >= 100 %",)),
    ],
)
def test_objectives_are_there_to_be_uncommented(
    tmp_path: Path, scenarios: tuple[DraftScenario, ...], objectives: tuple[str, ...]
) -> None:
    texts = files(DraftClient(scenarios=scenarios))
    text, locustfile = texts["socketio_scenarios.py"], texts["locustfile.py"]
    file = tmp_path / "socketio_scenarios.py"
    for uncommented, expected in ((text, ()), (text.replace('    # "', '    "'), objectives)):
        file.write_text(uncommented)
        found: dict[str, Any] = {}
        exec(compile(uncommented, file, "exec"), found)
        assert tuple(found["slo"]) == expected
        if scenarios:
            assert load_scenarios(file).slo == expected
    assert "    slo = socketio_scenarios.slo\n" in locustfile, "the load's users have the same"


def test_the_workflow_goes_the_way_of_the_example() -> None:
    text = files(DraftClient())[".github/workflows/socketio-latency.yml"]
    written, example = (yaml.safe_load(each) for each in (text, (ROOT / "examples" / "github-actions.yml").read_text()))
    assert written["permissions"] == example["permissions"]
    (own,), (known,) = written["jobs"].values(), example["jobs"].values()
    assert own.keys() == known.keys()
    assert [step.keys() for step in own["steps"]] == [step.keys() for step in known["steps"]]
    assert [step.get("uses") for step in own["steps"]] == [step.get("uses") for step in known["steps"]]
    assert own["steps"][4] == known["steps"][4]
    assert "--markdown latency.md" in own["steps"][3]["run"]


def test_a_bearer_token_of_a_login() -> None:
    entries = (
        http("POST", "/login", body={"password": "hush-hush"}, answer={"access": {"token": "t0ken-t0ken"}}),
        socket(*begun(), sent('42["a"]', 1), Authorization="Bearer t0ken-t0ken"),
    )
    found = described(parse_har(har(*entries)), "session.har")
    texts = all_files(found, APP, Workflow("socketio-bench"), Layout())
    check(texts)
    assert (
        'return {"headers": {"authorization": "Bearer " + login["access"]["token"]}}' in texts["socketio_scenarios.py"]
    )
    assert "t0ken" not in "".join(texts.values())


def test_a_hostile_recording_makes_no_code() -> None:
    hostile = '"""\nimport os; os.abort()\n"""\r\0'
    message = "42" + json.dumps([hostile, {hostile: hostile, "id": hostile}])
    entries = (
        http("POST", f"/login?{hostile}", body={hostile: hostile, "password": "x"}, answer={hostile: "t0ken-t0ken"}),
        socket(
            *begun({"token": "t0ken-t0ken"}),
            sent(message, 1),
            received(message, 1.5),
            received(message.replace("42", "421", 1), 2),
            sent(f"431{message[2:]}", 3),
            **{hostile: hostile},
        ),
    )  # fmt: skip
    found = described(parse_har(har(*entries)), hostile)
    texts = all_files(found, APP, Workflow("socketio-bench"), Layout())
    check(texts)
    for name, text in texts.items():
        if name.endswith(".py"):
            imported = {
                alias.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import) for alias in node.names
            }
            assert "os" not in imported
