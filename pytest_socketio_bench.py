"""`pytest bench` in any folder: a pytest plugin that finds the installed benchmarks.

It is part of every pytest session where this project is installed. So it imports nothing of the project. It does
nothing but for a command that names `bench` where there is no such file or folder. Where there is, `pytest --pyargs
bench` means the installed benchmarks.
"""

import warnings
from pathlib import Path

import pytest

_NAME = "bench"
_IS_OURS = pytest.StashKey[bool]()


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """Have pytest take the name for the installed package's, and read the package's options in time."""
    known = early_config.known_args_namespace
    named = known.file_or_dir
    if _NAME not in named or (not known.pyargs and (early_config.invocation_params.dir / _NAME).exists()):
        return
    # By itself, pytest takes `--pyargs` into account when it collects, and that is after it has read the options.
    args.insert(0, "--pyargs")
    early_config.stash[_IS_OURS] = True
    named[:] = [str(Path(__file__).with_name(_NAME)) if name == _NAME else name for name in named]


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Keep pytest-asyncio from warning about its settings, which the benchmarks have no use for."""
    if config.stash.get(_IS_OURS, False):
        warnings.filterwarnings("ignore", ".*asyncio_default_fixture_loop_scope", pytest.PytestDeprecationWarning)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Return a line about the installed benchmarks, if a folder of the project has the name that was typed."""
    folder = config.invocation_params.dir / _NAME
    is_named = _NAME in getattr(config.option, "file_or_dir", ()) and not config.option.pyargs
    if not is_named or not folder.exists() or folder.resolve() == Path(__file__).with_name(_NAME).resolve():
        return None
    return "socketio-bench: bench is this project's own; `bench latency` runs the installed benchmarks"
