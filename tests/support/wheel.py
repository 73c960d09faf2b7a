"""The wheel of this checkout or of another state of it, and an environment that it is installed into."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.support.folders import ROOT
from tests.versions.pythons import SUPPORTED, found

#: The files that a wheel is made of.
_FILES = ("pyproject.toml", "README.md", "LICENSE", "pytest_socketio_bench.py")
_BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"
_LIMIT_S = 120
_INSTALL_LIMIT_S = 600


def build_wheel(folder: Path, checkout: Path = ROOT) -> Path:
    """Build the wheel of a checkout in `folder`, from a copy of its sources; return its path."""
    source = folder / "source"
    source.mkdir()
    for name in _FILES:
        shutil.copy(checkout / name, source)
    # With `app`, as in the checkout: that it is left out is what the wheel is for.
    for name in ("app", "bench"):
        left_out = shutil.ignore_patterns("node_modules", ".venv", "__pycache__", "*.so")
        shutil.copytree(checkout / name, source / name, ignore=left_out)
    command = [sys.executable, "-c", _BUILD, str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=_LIMIT_S)
    (wheel,) = folder.glob("*.whl")
    return wheel


def installed_beside_ours(wheel: Path, folder: Path) -> Path:
    """Install the wheel into a new environment in `folder`, which has our packages but not our checkout.

    Return the environment's folder of scripts.
    """
    base = str(getattr(sys, "_base_executable", sys.executable))
    subprocess.run([base, "-m", "venv", "--without-pip", folder], check=True, timeout=_LIMIT_S)
    python = folder / "bin" / "python"
    install = ["install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([base, "-m", "pip", "--python", str(python), *install], check=True, timeout=_LIMIT_S)
    # A folder that a .pth file names has its own .pth files left alone, so the editable install is not seen.
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "ours.pth").write_text(sysconfig.get_path("purelib") + os.linesep)
    for name in ("pytest", "locust"):
        _, _, program = Path(sys.executable).with_name(name).read_text().partition("\n")
        script = folder / "bin" / name
        script.write_text(f"#!{python}\n{program}")
        script.chmod(0o755)
    return folder / "bin"


def installed_in_another_python(wheel: Path, folder: Path) -> Path | None:
    """Install the wheel, with all that it asks for, into an environment of another version of Python than ours.

    Return the environment's folder of scripts; None if there is no other version on this machine.
    """
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    pythons = (found(version) for version in SUPPORTED if version != ours)
    python = next((each for each in pythons if each is not None), None)
    if python is None:
        return None
    uv = Path(sys.executable).with_name("uv")
    into = ("pip", "install", "--quiet", "--python", folder / "bin" / "python", wheel)
    for command in ((uv, "venv", "--quiet", "--no-python-downloads", "--python", python, folder), (uv, *into)):
        subprocess.run(command, env=without_ours(), check=True, capture_output=True, timeout=_INSTALL_LIMIT_S)
    return folder / "bin"


def without_ours() -> dict[str, str]:
    """Return this process's environment without what would show the checkout to another interpreter."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST", "BENCH_"))}
