"""The pictures of the README and of the docs: there, described, small, and made by the Makefile's command."""

import re
from pathlib import Path

import pytest

from bench.report.load_charts.run import load_charts
from tests.support.example_loads import open_load, stage

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
MAKEFILE = (ROOT / "Makefile").read_text()

#: The most bytes of a picture, because everybody who clones the project gets all of them.
MOST_BYTES = 150_000

_IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)]+)\)")


def images() -> list[tuple[Path, str, Path]]:
    """Return the pictures that the pages show: the page, the text in the picture's place, and its file."""
    return [
        (page, text, (page.parent / address).resolve())
        for page in PAGES
        for text, address in _IMAGE.findall(page.read_text())
        if "://" not in address
    ]


def made() -> set[Path]:
    """Return the files that `make pictures` makes."""
    shown, folder = (re.search(rf"^{name} := (.*)$", MAKEFILE, re.MULTILINE) for name in ("SHOWN", "PICTURES"))
    assert shown is not None
    assert folder is not None
    return {ROOT / folder[1] / f"{name}.svg" for name in shown[1].split()}


def test_the_readme_shows_two() -> None:
    assert [page.name for page, _, _ in images()].count("README.md") == 2


@pytest.mark.parametrize(("page", "text", "file"), images(), ids=lambda value: getattr(value, "name", ""))
def test_a_picture_is_described_and_small(page: Path, text: str, file: Path) -> None:
    assert len(text.split()) > 5, f"{page.name} says too little in place of {file.name}"
    assert file.read_bytes().startswith(b"<svg")
    assert file.stat().st_size < MOST_BYTES


def test_make_pictures_makes_what_the_pages_show_and_nothing_else() -> None:
    assert {file for _, _, file in images()} == made() == set((ROOT / "docs" / "pictures").iterdir())
    recipe = MAKEFILE.partition("\npictures: ")[2].partition("\n\n")[0]
    assert "$(BIN)/bench show load/latest" in recipe
    assert "--format svg --output build/pictures" in recipe
    assert "cp $(SHOWN:%=build/pictures/%.svg) $(PICTURES)" in recipe


def test_they_are_of_the_charts_as_they_are_now() -> None:
    titles = {
        chart.name: chart.title for chart in load_charts(open_load(stages=(stage("1", 1, 0, 5), stage("2", 2, 5, 9))))
    }
    for file in made():
        assert titles[file.stem] in file.read_text(), file.name
