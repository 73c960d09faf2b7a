"""The kinds of stored results, and so the names of their folders."""

from typing import Literal

#: The two kinds of stored result, and the names of their folders.
Kind = Literal["latency", "load"]

KINDS: tuple[Kind, ...] = ("latency", "load")
