"""`pytest bench` in any folder: a pytest plugin that finds the installed benchmarks.

It is part of every pytest session where this project is installed. So it imports nothing of the project. It does
nothing but for a command that names `bench` where there is no such file or folder. Where there is, `pytest --pyargs
bench` means the installed benchmarks.
"""

from pathlib import Path

import pytest

_NAME = "bench"


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """Have pytest take the name for the installed package's, and read the package's options in time."""
    known = early_config.known_args_namespace
    named = known.file_or_dir
    if _NAME not in named or (not known.pyargs and (early_config.invocation_params.dir / _NAME).exists()):
        return
    # By itself, pytest takes `--pyargs` into account when it collects, and that is after it has read the options.
    args.insert(0, "--pyargs")
    named[:] = [str(Path(__file__).with_name(_NAME)) if name == _NAME else name for name in named]
