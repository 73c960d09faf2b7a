"""Every section of docs/measurements.md can be made again, by a program that starts."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.validation.peers.run import chosen

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "measurements.md").read_text()
PROGRAMS = sorted(f"measurements.{path.stem}" for path in (PROJECT / "measurements").glob("[a-z]*.py"))

#: The module that the others share, and prints nothing.
SHARED = "measurements.connections"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module of this project to its end."""
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture(scope="module")
def sections() -> dict[str, list[str]]:
    """Return the commands of each section, as the program lists them."""
    found: dict[str, list[str]] = {}
    for line in run("measurements", "list").stdout.splitlines():
        section, command = line.split(maxsplit=1)
        found.setdefault(section, []).append(command)
    return found


def test_the_page_and_the_program_name_the_same_sections(sections: dict[str, list[str]]) -> None:
    assert set(re.findall(r"make measure WHAT=([a-z-]+)", PAGE)) == set(sections)


def test_the_load_generators_of_a_section_are_there(
    sections: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.validation.peers.run.is_enabled", lambda: True)
    named = [re.search(r"--only (\S+)", command) for commands in sections.values() for command in commands]
    groups = [found[1].split(",") for found in named if found is not None]
    assert groups
    for names in groups:
        assert sorted(peer.name for peer in chosen(names, processes=1)) == sorted(names)


def test_every_program_belongs_to_a_section(sections: dict[str, list[str]]) -> None:
    used = {word for commands in sections.values() for command in commands for word in command.split()}
    assert set(PROGRAMS) - used == {SHARED}


def test_every_section_of_the_page_has_a_target_and_a_date() -> None:
    _, *texts = re.split(r"^##+ ", PAGE, flags=re.MULTILINE)
    assert len(texts) > 10
    for text in texts:
        title = text.partition("\n")[0]
        assert "make measure WHAT=" in text, title
        assert re.search(r"20\d\d-\d\d-\d\d", text), title


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.slow
def test_every_program_starts(program: str) -> None:
    ended = run(program, *([] if program in (SHARED, "measurements.small") else ["--help"]))
    assert ended.returncode == 0, ended.stderr
    assert bool(ended.stdout) == (program != SHARED)


def test_a_simulation_prints_a_row_for_each_condition() -> None:
    heading, *rows = run("measurements.trend_simulation", "--series", "2").stdout.splitlines()
    assert heading.split()[0] == "results"
    assert len(rows) == 8


def test_an_unknown_section_is_refused_with_the_names_that_there_are() -> None:
    ended = run("measurements", "no-such")
    assert ended.returncode == 2
    assert "trend-simulation" in ended.stderr
