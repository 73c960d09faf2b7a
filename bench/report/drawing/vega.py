"""The programs of the extra `charts`: specifications of Vega-Lite in, Vega, SVG, PNG or the library of a page out.

Rules of this file: nothing is fetched, now or when a page is opened.
"""

import functools
from typing import Any

import altair as alt
import vl_convert

#: The version of Vega-Lite that altair writes.
_VEGA_LITE = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])

_PNG_SCALE = 2


def as_vega(specification: dict[str, Any]) -> dict[str, Any]:
    """Return the specification in Vega."""
    compiled: dict[str, Any] = vl_convert.vegalite_to_vega(specification, vl_version=_VEGA_LITE)
    return compiled


def as_svg(specification: dict[str, Any]) -> bytes:
    """Return the picture as SVG."""
    return vl_convert.vegalite_to_svg(specification, vl_version=_VEGA_LITE).encode()


def as_png(specification: dict[str, Any]) -> bytes:
    """Return the picture as PNG, with twice as many pixels as the specification has."""
    return bytes(vl_convert.vegalite_to_png(specification, vl_version=_VEGA_LITE, scale=_PNG_SCALE))


@functools.cache
def library() -> str:
    """Return the script that draws, for a page. It takes seconds to make, so it is made once in a process."""
    return vl_convert.javascript_bundle(vl_version=_VEGA_LITE)  # type: ignore[call-arg]  # it has a default
