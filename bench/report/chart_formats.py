"""The formats of a chart's file, and whether charts can be drawn. The modules that draw are an extra, so not here."""

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from bench.results.errors import ResultError

ChartFormat = Literal["html", "svg", "png"]

#: The formats by the ending of a file's name.
CHART_FORMATS: dict[str, ChartFormat] = {".html": "html", ".svg": "svg", ".png": "png"}

#: The packages that draw. They take more room than everything else together.
_DRAWING = ("altair", "vl_convert")


def can_draw() -> bool:
    """Return true if the packages that draw are installed."""
    return all(find_spec(package) is not None for package in _DRAWING)


def chart_format(option: str, path: Path) -> ChartFormat:
    """Return the format of the chart's file that an option names. Raises ResultError if it cannot be drawn."""
    if path.suffix not in CHART_FORMATS:
        raise ResultError(f"{option} {path}: its name has to end in {', '.join(CHART_FORMATS)}")
    if not can_draw():
        raise ResultError(f"{option} {path}: charts need more packages: pip install 'socketio-bench[charts]'")
    return CHART_FORMATS[path.suffix]
