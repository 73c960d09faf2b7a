"""The log of a service beside the figures: read while it grows, bounded, without secrets and control characters."""

import os
import random
from pathlib import Path

import pytest

from bench.report.formats.html import render as page
from bench.report.formats.markdown import render as markdown
from bench.report.formats.text import render
from bench.report.load import load_document
from bench.results.load import LoadResult
from bench.results.service_log import KEPT_LINES, LONGEST_LINE, LogReader, ServiceLog, log_of_files
from tests.support.example_results import load_result


def test_each_line_has_the_time_at_which_it_was_found(tmp_path: Path) -> None:
    path = tmp_path / "service.log"
    path.write_text("before the run\n")
    reader = LogReader(path)
    with path.open("a") as log:
        for second, text in enumerate(("one\ntw", "", "o\n", "three", "\n\nfour")):
            log.write(text)
            log.flush()
            reader.read(float(second))
    found = reader.log(str)
    assert found is not None
    assert [(line.t, line.text) for line in found.first] == [
        *((0.0, "one"), (2.0, "two"), (4.0, "three"), (4.0, ""), (4.0, "four")),
    ]
    assert (found.lines, found.left_out, found.last) == (5, 0, ())


@pytest.mark.parametrize("lines", [1, 99, 100, 101, 199, 200, 201, 202, 5000])
def test_the_first_and_the_last_lines_are_kept_and_all_are_counted(tmp_path: Path, lines: int) -> None:
    path, chance = tmp_path / "service.log", random.Random(lines)
    written = "".join(f"line {number}{'.' * chance.randrange(300)}\n" for number in range(lines)).encode()
    for cuts in (0, 1, 40):
        path.write_bytes(b"")
        reader = LogReader(path)
        ends = [*sorted(chance.randrange(len(written)) for _ in range(cuts)), len(written)]
        start = 0
        for end in ends:
            with path.open("ab") as log:
                log.write(written[start:end])
            reader.read(float(end))
            start = end
        found = reader.log(str)
        assert found is not None
        numbers = [int(line.text.split()[1].rstrip(".")) for line in found.kept]
        expected = list(range(lines)) if lines <= 200 else [*range(100), *range(lines - 100, lines)]
        assert numbers == expected
        assert (found.lines, found.left_out) == (lines, max(0, lines - 200))
        assert len(found.first) == min(lines, KEPT_LINES)


def test_a_service_that_writes_much_fills_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "service.log"
    path.touch()
    reader = LogReader(path)
    with path.open("ab") as log:
        log.write(b"x" * 5_000_000)  # a line without an end
        log.write(b"\n" + b"a line of a service that says much\n" * 500_000)
    reader.read(1.0)
    found = reader.log(str)
    assert found is not None
    assert (found.lines, found.left_out) == (500_001, 500_001 - 2 * KEPT_LINES)
    assert len(found.model_dump_json()) < 50_000
    assert found.first[0].text == "x" * LONGEST_LINE + "…"


def test_a_log_that_begins_anew_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "service.log"
    reader = LogReader(path)  # it is not there yet
    reader.read(0.5)
    assert reader.log(str) is None
    path.write_text("a long line of the first process\n")
    reader.read(1.0)
    other = tmp_path / "other.log"
    other.write_text("a line of the second process, as long as\n")
    os.replace(other, path)  # noqa: PTH105
    reader.read(2.0)
    path.write_text("short\n")
    reader.read(3.0)
    found = reader.log(str)
    assert found is not None
    assert [line.t for line in found.first] == [1.0, 2.0, 3.0]


def test_a_log_that_begins_anew_with_the_same_words_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "service.log"
    path.write_text("of the trial\n")
    reader = LogReader(path)
    for restart in (1, 2):
        path.write_text("serving\n")
        reader.begin_anew()
        reader.read(float(restart))
    found = reader.log(str)
    assert found is not None
    assert [(line.t, line.text) for line in found.first] == [(1.0, "serving"), (2.0, "serving")]


def test_an_open_line_ends_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "service.log"
    path.touch()
    reader = LogReader(path)
    path.write_text("killed in the mid")
    reader.read(1.0)
    path.write_text("serving\n")
    reader.begin_anew()
    reader.read(2.0)
    found = reader.log(str)
    assert found is not None
    assert [(line.t, line.text) for line in found.first] == [(1.0, "killed in the mid"), (2.0, "serving")]
    assert found.lines == 2


def test_the_logs_of_processes_one_after_the_other(tmp_path: Path) -> None:
    paths = [tmp_path / f"service-{number}.log" for number in range(4)]
    for number, path in enumerate(paths[:3]):
        path.write_text(f"first {number}\nlast {number}")
        os.utime(path, (0, 1_000_000 + number))
    found = log_of_files(paths, 1_000_000, lambda text: text.replace("last 1", "..."))
    assert found is not None
    assert [(line.t, line.text) for line in found.first] == [
        *((0.0, "first 0"), (0.0, "last 0"), (1.0, "first 1"), (1.0, "..."), (2.0, "first 2"), (2.0, "last 2")),
    ]
    assert log_of_files([], 0, str) is None
    assert log_of_files(paths[3:], 0, str) is None


def test_secrets_colours_and_control_characters_are_not_stored(tmp_path: Path) -> None:
    path = tmp_path / "service.log"
    path.touch()
    reader = LogReader(path)
    filling = "f" * (LONGEST_LINE - 5)
    path.write_bytes(
        b"\x1b[32mINFO\x1b[0m\tok\r\n\x1b]0;title\x07\xff\n" + f"{filling} secret-word and more\n".encode()
    )
    reader.read(1.0)
    found = reader.log(lambda text: text.replace("secret-word", "..."))
    assert found is not None
    assert [line.text for line in found.first] == ["INFO    ok", "�]0;title��", f"{filling} ... …"]


def with_log(lines: int, left_out: int = 0) -> LoadResult:
    log = {
        "lines": lines,
        "left_out": left_out,
        "first": [{"t": 0.2, "text": "<b>first</b>"}],
        "last": [{"t": 7.25, "text": "the last"}],
    }
    return load_result().model_copy(update={"service_log": ServiceLog.model_validate(log)})


def test_a_load_stores_and_shows_it() -> None:
    result = with_log(1502, 1500)
    read = LoadResult.model_validate_json(result.to_json(), strict=True)
    assert read.service_log == result.service_log
    said = "the service wrote 1,502 lines during the run: bench report shows the first 1 and the last 1"
    text = render(load_document(read))
    assert f"\n{said}\n" in text
    assert "the last\n" not in text
    assert said in markdown(load_document(read))
    shown = page(load_document(read))
    assert "&lt;b&gt;first&lt;/b&gt;" in shown
    assert "1,500 lines left out" in shown
    assert "<summary>the service wrote 1,502 lines during the run</summary>" in shown
    assert "the service wrote" not in render(load_document(load_result()))
    assert "the service wrote 2 lines during the run: bench report shows them" in render(load_document(with_log(2)))
