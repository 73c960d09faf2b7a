"""Functions within a scenario's data: each emission has what they return."""

from pathlib import Path

from bench.scenarios.loading import load_scenarios
from bench.scenarios.model import Emission, RoundTrip


def test_each_emission_calls_them() -> None:
    numbers = iter(range(10))
    say = RoundTrip("say", emit="say", data={"id": "{token}", "in": [{"n": lambda: next(numbers)}]}, reply="said")
    assert [say.request("rt-a-0-1"), say.request("rt-a-0-2")] == [
        {"id": "rt-a-0-1", "in": [{"n": 0}]},
        {"id": "rt-a-0-2", "in": [{"n": 1}]},
    ]
    assert not say.matched_in_order
    several = Emission("typing", emit="typing", data=("lobby", lambda: next(numbers)))
    assert several.request("rt-a-0-3") == ("lobby", 2)


def test_a_file_with_one_is_told_by_its_whole_text(tmp_path: Path) -> None:
    """Two runs of the same file are of the same definition, whatever the address of the function is."""
    path = tmp_path / "chat.py"
    text = 'from bench import RoundTrip\nsay = RoundTrip("say", emit="say", data={"key": lambda: 1})\n'
    path.write_text(text)
    files = [load_scenarios(path), load_scenarios(path)]
    definitions = {file.definition(file.scenarios[0]) for file in files}
    assert len(definitions) == 1
    path.write_text(text.replace("lambda: 1", "lambda: 2"))
    other = load_scenarios(path)
    assert other.definition(other.scenarios[0]) not in definitions
