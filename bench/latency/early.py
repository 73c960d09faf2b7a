"""A quiet end if Ctrl-C comes while pytest starts, instead of a traceback of some import.

pytest loads this before its other plugins (`-p` in pyproject.toml). Elsewhere bench/conftest.py imports it, before the
modules that load slowly.
"""

import pytest

from bench.machine.interrupts import give_interrupts_back, ignore_interrupts_at_exit, interrupts_end, is_starting

interrupts_end()
ignore_interrupts_at_exit()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart() -> None:
    """Leave Ctrl-C to pytest, which handles it from now on."""
    if is_starting():
        give_interrupts_back()
