"""Which files a chart can be drawn into, by the end of their names. Apart from what draws, which is slow to import."""

from typing import Literal

ChartFormat = Literal["html", "svg", "png"]

#: By the ending of a file's name. Here, because importing what draws takes a second.
CHART_FORMATS: dict[str, ChartFormat] = {".html": "html", ".svg": "svg", ".png": "png"}
