"""The folder of stored results, and the kinds of results in it."""

from pathlib import Path
from typing import Literal

#: The two kinds of stored result, and the names of their folders.
Kind = Literal["latency", "load"]

KINDS: tuple[Kind, ...] = ("latency", "load")

#: The folder by default, in the working directory.
DEFAULT_ROOT = Path("results")
