"""Labels and notes of results: given, merged with those of the project, stored and shown."""

from pathlib import Path

import pytest

from bench.latency.options import OptionError, parse
from bench.project_settings import ProjectSettingsError
from bench.report.formats.markdown import render as markdown
from bench.report.formats.text import render
from bench.report.latency import latency_document
from bench.report.load import load_document
from bench.results.labels import LabelError, has_labels, in_words, labels_in, labels_of, note_of
from bench.results.latency import LatencyResult
from bench.results.load import LoadResult
from bench.results.store import open_file
from tests.support.example_results import load_result

RESULTS = Path(__file__).parent.parent / "data" / "results"


@pytest.mark.parametrize(
    ("texts", "labels"),
    [
        ([], {}),
        ([""], {}),
        (["machine=ci"], {"machine": "ci"}),
        (["a=1", "b=2", "a=1"], {"a": "1", "b": "2"}),
        (["a=1; b = two words ;"], {"a": "1", "b": "two words"}),
        (["formula=x=y"], {"formula": "x=y"}),
        (["pull.request-7=größer <b>"], {"pull.request-7": "größer <b>"}),
    ],
)
def test_labels_are_read(texts: list[str], labels: dict[str, str]) -> None:
    assert labels_in(texts) == labels
    assert labels_in([in_words(labels)]) == labels


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("machine", "--label 'machine': expected NAME=VALUE"),
        ("machine=", "expected NAME=VALUE"),
        ("=ci", "expected NAME=VALUE|a name has letters"),
        ("a b=1", "a name has letters"),
        ("1a=1", "begins with a letter"),
        ("a=1;a=2", "--label a: it is given twice, as '1' and '2'"),
        ("a=x\x1by", "--label a: a value has at most 200 characters, and is on one line"),
        (f"a={'x' * 201}", "at most 200 characters"),
        (";", "expected NAME=VALUE"),
        (";".join(f"a{number}=1" for number in range(51)), "51 labels are given, and a result may have 50"),
    ],
)
def test_labels_that_cannot_be_are_named_in_a_line(text: str, said: str) -> None:
    with pytest.raises(LabelError, match=said) as raised:
        labels_in([text])
    assert "\n" not in str(raised.value)


def test_a_note_is_a_line() -> None:
    assert note_of(None) is None
    assert note_of(" \n ") is None
    assert note_of(" before\n the \x1b[31mrelease ") == "before the �[31mrelease"
    with pytest.raises(LabelError, match="2,001 characters, and may have 2,000"):
        note_of("x" * 2001)


def test_the_labels_of_the_project_are_replaced_by_those_given(tmp_path: Path) -> None:
    project = tmp_path / "pyproject.toml"
    project.write_text('[tool.socketio-bench]\nlabels = {team = "chat", machine = "any"}\n')
    assert labels_of(["machine=ci"], tmp_path) == {"team": "chat", "machine": "ci"}
    project.write_text('[tool.socketio-bench]\nlabels = {"a team" = "chat"}\n')
    with pytest.raises(LabelError, match=r"a name has letters.*tool.socketio-bench"):
        labels_of([], tmp_path)
    project.write_text("[tool.socketio-bench]\nlabels = {team = 7}\n")
    with pytest.raises(ProjectSettingsError, match=r"pyproject.toml.*labels is {'team': 7}: expected the labels"):
        labels_of([], tmp_path)


def test_results_are_picked_by_all_the_labels_that_are_wanted() -> None:
    assert has_labels({"a": "1", "b": "2"}, {"a": "1"})
    assert has_labels({}, {})
    assert not has_labels({"a": "1"}, {"a": "1", "b": "2"})
    assert not has_labels({"a": "2"}, {"a": "1"})


def test_a_load_keeps_and_shows_its_labels_and_its_note() -> None:
    result = load_result().model_copy(update={"labels": {"machine": "<b>ci</b>"}, "note": "a *first* run"})
    read = LoadResult.model_validate_json(result.to_json(), strict=True)
    assert (read.labels, read.note) == (result.labels, result.note)
    text = render(load_document(read))
    assert "\nlabels: machine=<b>ci</b>\nnote: a *first* run\n" in text
    shown = markdown(load_document(read))
    assert "<b>" not in shown
    assert "*first*" not in shown


def test_without_words_nothing_is_written() -> None:
    written = load_result().to_json()
    assert b'"labels"' not in written
    assert b'"note"' not in written
    assert "labels:" not in render(load_document(load_result()))


def test_a_latency_result_has_the_words_of_its_benchmarks() -> None:
    path = sorted(RESULTS.glob("latency/*/0001_*.json"))[0]
    result = open_file(path).as_model(LatencyResult)
    assert (result.labels, result.note) == ({}, None)
    given = {"labels": {"machine": "ci"}, "note": "first"}
    labelled = [each.model_copy(update={"extra_info": each.extra_info | given}) for each in result.benchmarks]
    result = result.model_copy(update={"benchmarks": tuple(labelled)})
    assert (result.labels, result.note) == ({"machine": "ci"}, "first")
    assert "labels: machine=ci\nnote: first\n" in render(latency_document(result))


def test_the_options_of_pytest_take_labels(tmp_path: Path) -> None:
    options = parse(app="chat:app", event="say", labels=["a=1"], note=" x ", directory=tmp_path)
    assert (options.labels, options.note) == ({"a": "1"}, "x")
    with pytest.raises(OptionError, match="--label 'a': expected NAME=VALUE"):
        parse(app="chat:app", event="say", labels=["a"], directory=tmp_path)
