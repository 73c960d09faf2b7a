"""The options that `pytest bench` and `bench ab` share."""

from pathlib import Path
from typing import Any

import pytest

from bench.scenarios.catalogue import AB_BENCHMARKS, Benchmark
from bench.scenarios.model import RoundTrip
from bench.scenarios.options import Chosen, OptionError, chosen, refuse_ambiguous, selected

FILE = "from bench import RoundTrip\nsay = RoundTrip('say', emit='say')\njoin = RoundTrip('join', emit='join')\n"


def choose(directory: Path, **given: Any) -> Chosen:
    return chosen(
        AB_BENCHMARKS,
        **({"event": None, "reply": None, "payload": None, "scenarios": None} | given),
        directory=directory,
    )


def test_out_of_the_box_it_is_the_catalogue_and_nothing_is_stored_of_a_file(tmp_path: Path) -> None:
    built_in = choose(tmp_path)
    assert built_in.benchmarks == AB_BENCHMARKS
    assert built_in.stored(built_in.benchmarks[0]) is None


def test_a_file_is_looked_for_from_the_users_folder_and_names_its_benchmarks(tmp_path: Path) -> None:
    (tmp_path / "chat.py").write_text(FILE)
    found = choose(tmp_path, scenarios="chat.py")
    assert [benchmark.name for benchmark in found.benchmarks] == ["say", "join"]
    stored = found.stored(found.benchmarks[0])
    assert stored is not None
    assert stored.keys() == {"file", "sha256", "definition"}
    assert stored["file"] == "chat.py"
    assert stored != found.stored(found.benchmarks[1])


@pytest.mark.parametrize("option", ["event", "reply", "payload"])
def test_a_file_and_an_event_are_not_both_given(tmp_path: Path, option: str) -> None:
    with pytest.raises(OptionError) as raised:
        choose(tmp_path, scenarios="chat.py", **{option: "x"})
    assert str(raised.value).startswith(f"--scenarios chat.py and --{option} x: the file says what is emitted")


def test_a_file_of_nothing_but_emissions_has_nothing_to_time(tmp_path: Path) -> None:
    emission = "from bench import Emission\ntyping = Emission('is typing', emit='typing')\n"
    (tmp_path / "chat.py").write_text(emission)
    said = "no scenario in it has a reply to time (is typing: only a load performs an Emission)"
    with pytest.raises(OptionError) as raised:
        choose(tmp_path, scenarios="chat.py")
    assert str(raised.value) == f"--scenarios chat.py: {said}"
    (tmp_path / "chat.py").write_text(emission + FILE)
    assert [benchmark.name for benchmark in choose(tmp_path, scenarios="chat.py").benchmarks] == ["say", "join"]


def test_a_list_is_one_argument_unless_it_is_the_argument_list(tmp_path: Path) -> None:
    asked = {"event": "join", "payload": '["lobby {token}", 7]'}
    (listed,) = choose(tmp_path, **asked).benchmarks
    assert listed.scenario.request("t") == ["lobby t", 7]
    (benchmark,) = choose(tmp_path, **asked, args=True, reply="joined").benchmarks
    assert benchmark.scenario.request("t") == ("lobby t", 7)
    assert (benchmark.name, benchmark.scenario.matched_by) == ("join-joined", "token")
    assert choose(tmp_path, event="join", payload="[]", args=True).benchmarks[0].scenario.request("t") == ()


def test_what_an_event_carries_has_a_digest() -> None:
    folder = Path()
    digests = [
        choose(folder, event="join", payload=payload, args=args).payload_digest
        for payload, args in (('["a"]', False), (' [ "a" ]', False), ('["a"]', True), ('["b"]', False))
    ]
    assert digests[0] == digests[1]
    assert None not in digests
    assert len(set(digests)) == 3
    assert choose(folder, event="join").payload_digest is None


def test_several_events_may_answer(tmp_path: Path) -> None:
    (benchmark,) = choose(tmp_path, event="say", reply=["said", "not, said"], payload='{"id": "{int}"}').benchmarks
    assert (benchmark.name, benchmark.scenario.events) == ("say-said-not, said", ("said", "not, said"))
    assert (benchmark.scenario.token_kind, benchmark.reply) == ("int", "event")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"event": "say", "args": True}, "--args: it says that a JSON list is the argument list, give that with --p"),
        (
            {"event": "say", "args": True, "payload": '{"a": 1}'},
            '--args and --payload {"a": 1}: it is no JSON list, give the arguments as [first, second]',
        ),
        ({"args": True}, "--args: it belongs to an event, give that with --event"),
        ({"reply": ["said"]}, "--reply said: it belongs to an event, give that with --event"),
        ({"event": "say", "reply": ["said", "said"]}, "--reply said is there twice: give each event that may answer"),
        ({"event": "say", "reply": ["said", "connect"]}, "--reply 'connect' is no event of a service"),
        (
            {"event": "say", "reply": ["said"], "payload": '["{int}", "{uuid}"]'},
            '--payload ["{int}", "{uuid}"]: say→said has {uuid} and {int} in its data: keep the placeholder that',
        ),
        ({"scenarios": "chat.py", "args": True}, "--scenarios chat.py and --args: the file says what is emitted"),
    ],
)
def test_options_of_an_event_that_make_no_sense(tmp_path: Path, given: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError) as raised:
        choose(tmp_path, **given)
    assert str(raised.value).startswith(said)


def test_what_is_wrong_with_a_file_names_it_as_the_user_did(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"^--scenarios chat\.py: it cannot be read: no such file or directory$"):
        choose(tmp_path, scenarios="chat.py")


def test_benchmarks_are_selected_by_name() -> None:
    benchmarks = tuple(Benchmark(name, AB_BENCHMARKS[0].scenario) for name in ("say", "join"))
    assert selected(benchmarks, None) == benchmarks
    assert selected(benchmarks, " join , say,") == benchmarks[::-1]
    with pytest.raises(OptionError, match=r"^--benchmarks shout: there is no such benchmark, only say, join$"):
        selected(benchmarks, "say,shout")
    with pytest.raises(OptionError, match=r"^--benchmarks ',': name some of say, join$"):
        selected(benchmarks, ",")


@pytest.mark.parametrize(
    ("others", "event"),
    [
        ([{"emit": "b", "reply": "done"}], "done"),
        ([{"emit": "b", "reply": ("failed", "done")}], "done"),
        ([{"emit": "a", "reply": "done", "data": "{int}"}], "done"),
        ([{"emit": "a", "reply": "done", "data": 7}, {"emit": "b"}, {"emit": "b", "reply": "other"}], None),
    ],
)
def test_benchmarks_that_one_reply_may_answer_do_not_share_a_connection(
    others: list[dict[str, Any]], event: str | None
) -> None:
    scenarios = [RoundTrip("a", emit="a", reply="done"), *(RoundTrip(f"b{n}", **at) for n, at in enumerate(others))]
    benchmarks = [Benchmark(scenario.name, scenario) for scenario in scenarios]
    if event is None:
        refuse_ambiguous(benchmarks)
        return
    said = f"^a and b0 are both answered by {event}, and not both by a token, so .*, --benchmarks a$"
    with pytest.raises(OptionError, match=said):
        refuse_ambiguous(benchmarks)
