"""The README and the documentation pages do what they say: their commands work, their options and links exist.

Rules: each page is typed in a copy of the project of its own, from top to bottom, as a newcomer would type it. A `sh`
block runs in a shell. A `python` block runs, or becomes the file that its caption names. A `console` block takes hours,
needs root or other machines: its lines are parsed by the parser that would read them, and not run.
"""

import itertools
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer

from bench import cli
from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
ENVIRONMENT = Path(sys.executable).parent.parent
README = ROOT / "README.md"
PAGES = (README, *sorted((ROOT / "docs").rglob("*.md")))

#: The most lines that the README may have. What is longer belongs to a page.
README_LINES = 170

#: pytest-benchmark reads its defaults from here, so the commands are typed as they are. Tests of a user's own have no
#: such options.
SHORT = {"PYTEST_ADDOPTS": "--effort=quick --benchmark-max-time=0.05 --benchmark-min-rounds=3"}

#: `bench latency` reads no variable of pytest's. So these options stand in its commands.
_SHORT_LATENCY = f"bench latency {SHORT['PYTEST_ADDOPTS']}"

#: The commands of `console` blocks that are not this project's: their options are their own business.
FOREIGN = {
    "apt",
    "cat",
    "cd",
    "curl",
    "docker",
    "export",
    "git",
    "node",
    "npm",
    "openssl",
    "pip",
    "prometheus",
    "sudo",
    "ulimit",
}

LANGUAGES = {"sh", "python", "console", "text", "json", "toml", "yaml", "js", "css", "ini", "markdown"}

_FENCE = re.compile(
    r"^(?P<fence>`{3,}|:{3,})(?:\{(?P<directive>[\w:-]+)\})?[ ]*(?P<argument>[^\n]*)\n(?P<body>.*?)^(?P=fence)[ ]*$",
    re.MULTILINE | re.DOTALL,
)
_FIELD = re.compile(r":(?P<name>[\w-]+):[ ]*(?P<value>[^\n]*)\n")


@dataclass(frozen=True)
class Block:
    """A block of code on a page. `file` is the name of the file that it is, if it has a caption."""

    line: int
    language: str
    text: str
    file: str | None = None


def blocks_of(markdown: str) -> Iterator[Block]:
    """Return the blocks of code of a page, in order; directives that are no code are left out."""
    for match in _FENCE.finditer(markdown):
        line = markdown.count("\n", 0, match.start()) + 1
        if match["directive"] is None:
            yield Block(line, match["argument"].strip(), match["body"])
        elif match["directive"] in ("code-block", "code"):
            text, fields = match["body"], {}
            while field := _FIELD.match(text):
                fields[field["name"]] = field["value"].strip()
                text = text[field.end() :]
            yield Block(line, match["argument"].strip(), text.lstrip("\n"), fields.get("caption"))


def commands_of(console: str) -> Iterator[list[str]]:
    """Return the words of each command that a `console` block has after a `$`."""
    for line in console.replace("\\\n", " ").splitlines():
        if not line.startswith("$ "):
            continue
        lexer = shlex.shlex(line[2:], posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        lexer.commenters = "#"
        words: list[str] = []
        for word in (*lexer, ";"):
            if word.strip("&|;"):
                words.append(word)
            elif words:
                yield words
                words = []


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the project with one commit, in which the environment stands as if it were its own."""
    copy = tmp_path / "clone"
    copy.mkdir()
    listed = _git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")
    for file in filter(None, listed):
        if (ROOT / file).is_file():
            (copy / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, copy / file)
    _git(copy, "init", "--quiet", "--initial-branch=main")
    _git(copy, "add", "--all")
    _git(copy, "commit", "--quiet", "--message", "The project as it is")
    (copy / ".venv").symlink_to(ENVIRONMENT)
    for file in ("requirements.lock", "pyproject.toml"):
        os.utime(copy / file, (0, 0))  # older than the environment, so that `make` does not build that anew
    return copy


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-c", "user.name=nobody", "-c", "user.email=nobody@example", *arguments],
        cwd=folder, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


def typed_on_earlier_pages(page: Path) -> set[str]:
    """Return the `sh` blocks of the pages before this one, but for those that write a file.

    They are not typed twice. So no page may need the result of a block that stands on an earlier page, too.
    """
    earlier = PAGES[: PAGES.index(page)]
    blocks = (block for other in earlier for block in blocks_of(other.read_text()))
    return {block.text for block in blocks if block.language == "sh" and "cat >" not in block.text}


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_does_what_it_says(page: Path, copy: Path) -> None:
    typed = typed_on_earlier_pages(page)
    for block in blocks_of(page.read_text()):
        where = f"{page.name}, line {block.line}"
        if block.text in typed:
            continue
        if block.file is not None:
            (copy / block.file).write_text(block.text)
        elif block.language == "sh":
            own_tests = {"PYTEST_ADDOPTS": ""} if re.search(r"^pytest test_", block.text, re.MULTILINE) else {}
            text = block.text.replace("bench latency", _SHORT_LATENCY)
            _run(where, ["bash", "-euc", f'export PATH="$PWD/.venv/bin:$PATH"\n{text}'], copy, own_tests)
        elif block.language == "python":
            _run(where, [sys.executable, "-c", block.text], copy)
        elif block.language == "console":
            commands = list(commands_of(block.text))
            assert commands, f"{where}: no line of this block begins with a $"
            for words in commands:
                check_options(where, words, copy)


def _run(where: str, command: Sequence[str], folder: Path, variables: Mapping[str, str] | None = None) -> None:
    # As if the environment were the copy's own: pytest refuses a conftest beside a package that is another folder's.
    environment = os.environ | SHORT | {"PYTHONPATH": str(folder)} | dict(variables or {})
    # Not Locust's own port for workers: two pages may run at once.
    environment |= dict.fromkeys(("LOCUST_MASTER_BIND_PORT", "LOCUST_MASTER_NODE_PORT"), str(free_port()))
    ended = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    output = f"{ended.stdout}\n{ended.stderr}"
    assert ended.returncode == 0, f"{where}\n{command[-1]}\n{output}"
    assert "Traceback" not in output, f"{where}\n{command[-1]}\n{output}"


# ------------------------------------------------------------------ options, read and not carried out

#: Reads the options of a load run and of Locust's own, and stops before anything is started.
PARSE_LOCUST = """
import sys
from bench.load import SocketIOUser
from locust.argument_parser import parse_options
parse_options(sys.argv[1:])
"""

#: Reads the options of `bench load`, and stops before anything is started.
PARSE_LOAD = """
import locust.main
from locust.argument_parser import get_parser
locust.main.main = lambda: get_parser().parse_args()
from bench.load.plugin.command import run
run()
"""

#: Runs a module until it has read its options.
PARSE_MODULE = """
import argparse, runpy, sys
read = argparse.ArgumentParser.parse_args
def read_and_stop(*arguments, **named):
    read(*arguments, **named)
    sys.exit(0)
argparse.ArgumentParser.parse_args = read_and_stop
sys.argv[:] = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def check_options(where: str, words: Sequence[str], folder: Path) -> None:
    """Have the parser of a command read its words, and fail if it does not take them."""
    variables: dict[str, str] = {}
    while re.fullmatch(r"[A-Z_]+=.*", words[0]):
        name, _, value = words[0].partition("=")
        variables[name] = value
        words = words[1:]
    command, *arguments = words
    if command == "bench":
        _describe(arguments, folder)
    if arguments[:1] == ["latency"]:
        collecting = [str(Path(sys.executable).with_name("bench")), *arguments, "--collect-only"]
        _run(f"{where}: {shlex.join(words)}", collecting, folder, variables)
    elif arguments[:1] == ["load"]:
        _run(f"{where}: {shlex.join(words)}", [sys.executable, "-c", PARSE_LOAD, *arguments[1:]], folder, variables)
    elif command == "bench":
        _parse_bench(where, arguments)
    elif command == "locust":
        _run(f"{where}: {shlex.join(words)}", [sys.executable, "-c", PARSE_LOCUST, *arguments], folder, variables)
    elif command == "pytest":
        collecting = [sys.executable, "-m", "pytest", *arguments, "--collect-only"]
        _run(f"{where}: {shlex.join(words)}", collecting, folder, variables)
    elif command == "make":
        targets = [word for word in arguments if "=" not in word]
        assert targets, f"{where}: make what?"
        for target in targets:
            assert target in make_targets(), f"{where}: make has no target {target}"
    elif command == "pip":
        # The project is in no registry, and nobody knows where a reader has it from.
        assert not any("://" in word for word in arguments), f"{where}: a reader has no such address"
    elif command == "python" and arguments[:1] == ["-m"]:
        _parse_module(f"{where}: {shlex.join(words)}", arguments[1:], folder)
    else:
        assert command in FOREIGN, f"{where}: nobody knows how to check {command!r}; a `sh` block would run it"


def _describe(arguments: Sequence[str], folder: Path) -> None:
    """Write the scenarios file that a command names, if the page has not written it yet."""
    for option, name in itertools.pairwise(arguments):
        if option == "--scenarios" and not (folder / name).exists():
            (folder / name).write_text('from bench import RoundTrip\n\nsay = RoundTrip("say", emit="say")\n')


def _parse_bench(where: str, arguments: Sequence[str]) -> None:
    group = typer.main.get_command(cli.app)
    try:
        context = group.make_context("bench", list(arguments[:1]))
        name, command, _ = group.resolve_command(context, list(arguments[:1]))  # type: ignore[attr-defined]
        command.make_context(name, list(arguments[1:]), parent=context)
    except typer.TyperException as error:
        pytest.fail(f"{where}: bench {shlex.join(arguments)}: {error.format_message()}")


def _parse_module(where: str, arguments: Sequence[str], folder: Path) -> None:
    module, *options = arguments
    assert find_spec(module) is not None, f"{where}: there is no module {module}"
    if options:
        package = find_spec(f"{module}.__main__") if (ROOT / module.replace(".", "/")).is_dir() else find_spec(module)
        assert package is not None, f"{where}: {module} cannot be run"
        source = Path(package.origin or "").read_text()
        # Without this parser it would not stop, but run.
        assert "argparse" in source, f"{where}: {module} does not read its options with argparse"
        _run(where, [sys.executable, "-c", PARSE_MODULE, *arguments], folder)


def make_targets() -> set[str]:
    """Return the targets of the Makefile that a user may type."""
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


# ------------------------------------------------------------------ what holds of the text


def test_readme_is_short() -> None:
    assert len(README.read_text().splitlines()) <= README_LINES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_has_a_language_whose_blocks_are_checked_or_are_no_commands(page: Path) -> None:
    for block in blocks_of(page.read_text()):
        assert block.language in LANGUAGES, f"{page.name}, line {block.line}: {block.language!r}"


def test_readme_links_to_pages_and_headings_that_exist() -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", README.read_text())
    assert len(links) > 10
    for link in links:
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        page = ROOT / path if path else README
        assert page.is_file(), link
        assert not anchor or anchor in anchors_of(page.read_text()), link


def anchors_of(markdown: str) -> set[str]:
    """Return the anchors of a page's headings, made as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", markdown, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.fixture(scope="module")
def known_options() -> set[str]:
    """Return every option of every command of this project, from what their parsers print."""
    helps = [
        ["-m", "pytest", "bench", "--help"],
        ["-c", PARSE_LOCUST, "--help"],
        ["-m", "app", "--help"],
        ["-m", "bench", "latency", "--help"],
        ["-m", "bench", "load", "--help"],
    ]
    group: Any = typer.main.get_command(cli.app)
    commands = [group.get_command(None, name) for name in group.list_commands(None)]
    known = {option for command in commands for parameter in command.params for option in parameter.opts}
    for arguments in helps:
        shown = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
        )
        known |= set(re.findall(r"--[a-z][a-z-]*", shown.stdout))
    return known | {"--help", "--version", "--storage"}  # the last is of the command pytest-benchmark


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_options_that_a_page_names_exist(page: Path, known_options: set[str]) -> None:
    prose = _FENCE.sub("", page.read_text())
    named = {option for code in re.findall(r"`([^`\n]+)`", prose) for option in re.findall(r"--[a-z][a-z-]*", code)}
    assert named <= known_options, sorted(named - known_options)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_that_a_page_names_exist(page: Path) -> None:
    named = set(re.findall(r"`make ([a-z][a-z-]*)", _FENCE.sub("", page.read_text())))
    assert named <= make_targets(), sorted(named - make_targets())


def test_ci_builds_the_site_strictly_and_runs_the_tests() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    for target in ("docs-check", "test", "test-slow"):
        assert re.search(rf"^make .*\b{target}$", script, re.MULTILINE), target


# ------------------------------------------------------------------ the checks themselves


def test_blocks_are_found_with_language_text_and_file() -> None:
    page = "# A\n\n```sh\nls\n```\n\n```{code-block} python\n:caption: a.py\n\nx = 1\n```\n\n```{toctree}\nb\n```\n"
    assert list(blocks_of(page)) == [Block(3, "sh", "ls\n"), Block(7, "python", "x = 1\n", "a.py")]


def test_commands_of_a_console_are_told_from_its_output_and_from_each_other() -> None:
    console = "$ A=1 bench ab 'a b' \\\n  HEAD && make test # why\nbench no command\n"
    assert list(commands_of(console)) == [["A=1", "bench", "ab", "a b", "HEAD"], ["make", "test"]]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("bench ab HEAD~1 HEAD --no-such-option", "No such option"),
        ("bench no-such-command", "No such command"),
        ("pytest bench --effort enormous", "invalid choice: 'enormous'"),
        ("locust -f locustfile.py --no-such-option", "unrecognized arguments"),
        ("bench latency --no-such-option", "no such option: --no-such-option"),
        ("bench load -f locustfile.py --no-such-option", "no such option: --no-such-option"),
        ("make no-such-target", "no target no-such-target"),
        ("python -m bench.no_such_module", "no module bench.no_such_module"),
        ("python -m app --no-such-option", "unrecognized arguments"),
        ("python -m bench.compiled --no-such-option", "does not read its options with argparse"),
        ("pip install git+https://nowhere.example/bench.git", "a reader has no such address"),
        ("no-such-command", "nobody knows how to check 'no-such-command'"),
    ],
)
def test_a_console_line_that_would_be_refused_is_found(line: str, complaint: str) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception), match=complaint):
        check_options("here", shlex.split(line), ROOT)


@pytest.mark.parametrize(
    "line",
    [
        "bench ab HEAD~1 HEAD --max-time 3m",
        "pytest bench --effort quick -k uvloop",
        "BENCH_SEED=1 locust -f locustfile.py --rate 500 EchoUser",
        "make chaos SEED=7",
        "python -m app --port 8001",
    ],
)
def test_a_console_line_that_is_right_is_read_and_not_carried_out(line: str) -> None:
    check_options("here", shlex.split(line), ROOT)
