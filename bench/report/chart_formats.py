"""The formats of a chart's file, by the end of its name. The modules that draw are slow to import, so not here."""

from typing import Literal

ChartFormat = Literal["html", "svg", "png"]

#: The formats by the ending of a file's name.
CHART_FORMATS: dict[str, ChartFormat] = {".html": "html", ".svg": "svg", ".png": "png"}
