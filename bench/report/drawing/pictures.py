"""Charts as a picture: SVG or PNG, on a light ground. It needs the extra `charts`."""

from collections.abc import Sequence
from typing import Literal

from bench.report.chart import AnyChart
from bench.report.drawing.look import LIGHT
from bench.report.drawing.specification import picture_specification
from bench.report.drawing.vega import as_png, as_svg

#: The width of a picture's panels, in pixels.
WIDTH = 860

PictureFormat = Literal["svg", "png"]


def picture(charts: Sequence[AnyChart], form: PictureFormat) -> bytes:
    """Return the charts below each other in one picture."""
    specification = picture_specification(charts, LIGHT, WIDTH)
    return as_svg(specification) if form == "svg" else as_png(specification)
