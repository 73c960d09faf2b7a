"""The programs of the extra `charts`: specifications of Vega-Lite in, Vega, SVG, PNG or the library of a page out.

Rules of this file: nothing is fetched, now or when a page is opened.
"""

import functools
from collections.abc import Iterable
from typing import Any

import altair as alt
import vl_convert

from bench.results.errors import ResultError

_PNG_SCALE = 2


def drawn_version(written: str, known: Iterable[str]) -> str:
    """Return the version of Vega-Lite to draw by: the newest that is `known` and no newer than the `written` one.

    altair often writes a version before vl-convert knows it. Raises ResultError if none fits.
    """
    first, second = _numbers(written)
    fit = [numbers for numbers in map(_numbers, known) if numbers[0] == first and numbers[1] <= second]
    if not fit:
        raise ResultError(
            f"altair writes Vega-Lite {first}.{second}, and vl-convert cannot draw it: "
            "pip install --upgrade 'socketio-bench[charts]'"
        )
    return ".".join(map(str, max(fit)))


def as_vega(specification: dict[str, Any]) -> dict[str, Any]:
    """Return the specification in Vega."""
    compiled: dict[str, Any] = vl_convert.vegalite_to_vega(specification, vl_version=_vega_lite())
    return compiled


def as_svg(specification: dict[str, Any]) -> bytes:
    """Return the picture as SVG."""
    return vl_convert.vegalite_to_svg(specification, vl_version=_vega_lite()).encode()


def as_png(specification: dict[str, Any]) -> bytes:
    """Return the picture as PNG, with twice as many pixels as the specification has."""
    return bytes(vl_convert.vegalite_to_png(specification, vl_version=_vega_lite(), scale=_PNG_SCALE))


@functools.cache
def library() -> str:
    """Return the script that draws, for a page. It takes seconds to make, so it is made once in a process."""
    return vl_convert.javascript_bundle(vl_version=_vega_lite())  # type: ignore[call-arg]  # it has a default


@functools.cache
def _vega_lite() -> str:
    return drawn_version(alt.SCHEMA_VERSION, vl_convert.get_vegalite_versions())


def _numbers(version: str) -> tuple[int, int]:
    first, second, *_ = version.removeprefix("v").split(".")
    return int(first), int(second)
