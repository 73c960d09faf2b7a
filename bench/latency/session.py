"""The session of pytest in which `bench latency` measures. Nothing of the user's own tests has a part in it.

Rules of this file: pytest reads the settings file beside this one, and its root is the folder of the package. So a
benchmark has the same full name wherever the package lies. pytest reads no conftest.py, no `addopts` and no variable of
the environment, and loads no plugin but pytest-benchmark and those that the user names by `-p`. A plugin that orders
tests anew, repeats or watches them would change what is measured.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.checkout import HOME

#: The settings of pytest.
SETTINGS = Path(__file__).with_name("benchmarks.ini")

#: The variables by which a user tells pytest what to do in tests of their own.
_VARIABLES = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS")

#: The variable that keeps pytest from loading every plugin that is installed.
_NO_PLUGINS = "PYTEST_DISABLE_PLUGIN_AUTOLOAD"

_PACKAGE = "bench.latency"

_ARGUMENTS = (
    # With an equals sign: a path by itself would be a file that the user named.
    *(f"--config-file={SETTINGS}", f"--rootdir={HOME}", "--noconftest"),
    *("-p", "bench.conftest", "-p", "bench.latency.conftest", "-p", "pytest_benchmark.plugin"),
    # It would write a folder beside the package, or into the user's own cache of failures.
    *("-p", "no:cacheprovider"),
    # Others put the folder of the package first on the path, where it could hide a module of the service.
    "--import-mode=importlib",
)

#: The options of pytest-xdist, as far as they start more processes.
_OF_XDIST = ("-n", "--numprocesses", "--dist", "--tx", "--maxprocesses", "-d")


class SessionMisuseError(Exception):
    """A command line that makes no sense. One line."""


class UnknownOptionError(SessionMisuseError):
    """An option that neither the benchmarks nor pytest have. Its text is the option."""


#: The key of whether the session missed an objective: its exit code is that of an error of pytest, too.
MISSED_OBJECTIVE = pytest.StashKey[bool]()


#: The key of the arguments of `bench latency`; `pytest bench` has none.
ARGUMENTS = pytest.StashKey[Sequence[str]]()


@dataclass(frozen=True)
class Ended:
    """The end of a session: pytest's exit code, and what may be the reason of it.

    An objective was missed, or the reader of the output has gone. `reason` is why the session ended itself before its
    end, such as a service that is not there; empty if it did not.
    """

    code: int | pytest.ExitCode
    has_missed: bool
    has_lost_reader: bool
    reason: str


def measure(arguments: Sequence[str]) -> Ended:
    """Run the benchmarks with these options of pytest. Raises SessionMisuseError."""
    with _without_variables() as removed:
        session = _Session(arguments, removed)
        code = pytest.main([*_ARGUMENTS, *arguments, "--pyargs", _PACKAGE], [session])
        return Ended(code, session.has_missed, session.has_lost_reader, session.reason)


@contextmanager
def _without_variables() -> Iterator[dict[str, str | None]]:
    """Have pytest read no variables meanwhile. Yield those that were changed, with the values that they had."""
    before = {name: os.environ.get(name) for name in (*_VARIABLES, _NO_PLUGINS)}
    for name in _VARIABLES:
        os.environ.pop(name, None)
    os.environ[_NO_PLUGINS] = "1"
    try:
        yield before
    finally:
        _set_variables(before)


def _set_variables(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


class _Session:
    """A plugin that turns pytest's words about a wrong command line into one line."""

    def __init__(self, arguments: Sequence[str], variables: Mapping[str, str | None]) -> None:
        self._arguments = arguments
        self._variables = variables
        #: True if the session has ended because it missed an objective.
        self.has_missed = False
        #: True if the session has ended because nobody reads its output any more.
        self.has_lost_reader = False
        #: The reason for which the session has ended itself; empty if it has not.
        self.reason = ""
        self._config: pytest.Config | None = None

    @pytest.hookimpl(wrapper=True)
    def pytest_cmdline_parse(self) -> Generator[None, pytest.Config | None, pytest.Config | None]:
        try:
            return (yield)
        except pytest.UsageError as error:
            raise _misuse(str(error)) from None

    @pytest.hookimpl(wrapper=True)
    def pytest_cmdline_main(self) -> Generator[None, object, object]:
        try:
            return (yield)
        except pytest.UsageError as error:
            raise _misuse(str(error)) from None

    @pytest.hookimpl(tryfirst=True)
    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        self.has_lost_reader = self.has_lost_reader or isinstance(excinfo.value, BrokenPipeError)

    @pytest.hookimpl(trylast=True)
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Take the reason from pytest, which would show it as an interrupt."""
        if isinstance(excinfo.value, pytest.exit.Exception):
            self.reason = str(excinfo.value.msg)
            reporter = None if self._config is None else self._config.pluginmanager.get_plugin("terminalreporter")
            if reporter is not None:
                reporter._keyboardinterrupt_memo = None

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        self.has_missed = config.stash.get(MISSED_OBJECTIVE, False)

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[ARGUMENTS] = self._arguments
        self._config = config
        _set_variables(self._variables)  # the services that are started get the environment as it was
        if more := [name for name in config.option.file_or_dir if name != _PACKAGE]:
            raise pytest.UsageError(
                f"{more[0]}: bench latency measures its own benchmarks, and takes options alone; -k selects benchmarks"
            )


def _misuse(text: str) -> SessionMisuseError:
    """Return what pytest says, without its usage and the lines about its files."""
    _, found, said = text.rpartition(": error: ")
    line = (said if found else text).partition("\n")[0]
    _, found, unknown = line.partition("unrecognized arguments: ")
    if not found:
        return SessionMisuseError(_of_this_command(line))
    option = unknown.split()[0]
    if option.startswith("-n") or option.partition("=")[0] in _OF_XDIST:
        return SessionMisuseError(f"{option}: {ONE_AT_A_TIME}")
    return UnknownOptionError(option)


def _of_this_command(line: str) -> str:
    """Return a line for `pytest bench` with the names of the commands that work in any folder."""
    return line.replace("pytest bench", "bench latency").replace("locust -f FILE", "bench load -f FILE")


#: The reason why xdist is refused.
ONE_AT_A_TIME = "benchmarks are measured one at a time, in one process: others at the same time would be in the figures"
