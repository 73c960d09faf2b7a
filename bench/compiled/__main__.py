"""Builds the compiled modules: `python -m bench.compiled`, or `make compiled`.

Exit code 1 says that it failed, 2 that there is nothing here to compile with.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

from bench.compiled import DIRECTIVES, MODULES, ROOT, build_folder, compiled_source, is_built

_FAILED = 1
_NOT_POSSIBLE = 2


def main() -> int:
    """Build what is not built yet; returns the exit code."""
    folder = build_folder()
    if is_built(folder):
        _say(f"The hot path is compiled already, in {folder.relative_to(ROOT)}")
        return 0
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(compiler) is None:
        return _refuse(f"there is no C compiler ({compiler}); on Debian: apt install gcc libc6-dev python3-dev")
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        return _refuse("Python's C headers are missing; on Debian: apt install python3-dev")
    try:
        import setuptools  # noqa: F401
        from Cython.Compiler.Errors import CompileError
    except ImportError as missing:
        return _refuse(f"{missing.name} is not installed: pip install -e '.[dev]'")
    began_s = time.monotonic()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            _build(Path(temporary))
            # Whole or not at all: another process may be looking for it.
            shutil.rmtree(folder, ignore_errors=True)
            (Path(temporary) / "built").rename(folder)
    except OSError as error:
        return _refuse(f"{error.filename or folder}: {error.strerror or error}", _FAILED)
    except CompileError:  # of which Cython has said what it is
        return _refuse("Cython does not take it", _FAILED)
    for other in folder.parent.iterdir():
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)  # of sources that are no more
    _say(
        f"Compiled {len(MODULES)} modules in {time.monotonic() - began_s:.0f} s, into {folder.relative_to(ROOT)}. "
        "They are used from now on, unless their sources change."
    )
    return 0


def _build(folder: Path) -> None:
    """Build the modules. Raises what Cython and the compiler raise, and SystemExit."""
    from Cython.Build import cythonize
    from setuptools import Extension, setup

    os.chdir(ROOT)
    extensions = [
        Extension(module, [str(compiled_source(module).relative_to(ROOT))], extra_compile_args=["-O3", "-g0"])
        for module in MODULES
    ]
    setup(
        script_name="setup.py",
        script_args=[
            *("--quiet", "build_ext", "--build-lib", str(folder / "built"), "--build-temp", str(folder / "o")),
            *("--parallel", str(os.cpu_count() or 1)),
        ],
        name="socketio-bench",
        packages=[],
        ext_modules=cythonize(  # type: ignore[no-untyped-call]
            extensions,
            build_dir=str(folder / "c"),
            nthreads=os.cpu_count() or 1,
            compiler_directives=DIRECTIVES,
            include_path=[path for path in sys.path if path],
            quiet=True,
        ),
    )


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _refuse(reason: str, code: int = _NOT_POSSIBLE) -> int:
    sys.stderr.write(f"The hot path cannot be compiled: {reason}. It stays plain Python, which does the same.\n")
    return code


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)  # what was half built is gone already
