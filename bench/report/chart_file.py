"""A Vega-Lite specification as one file that needs nothing else: HTML with Vega in it, SVG or PNG.

Rules of this file: a specification in, bytes out; nothing is fetched, now or when the page is opened.
"""

import html
import json
from typing import Any

import altair as alt
import vl_convert

from bench.report.chart_formats import ChartFormat

_PNG_SCALE = 2
_VEGA_LITE = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])


def chart_file(specification: dict[str, Any], form: ChartFormat, title: str) -> bytes:
    """Return the chart in that format; `title` is the page's, if the format is a page."""
    if form == "svg":
        return vl_convert.vegalite_to_svg(specification, vl_version=_VEGA_LITE).encode()
    if form == "png":
        return bytes(vl_convert.vegalite_to_png(specification, vl_version=_VEGA_LITE, scale=_PNG_SCALE))
    return _page(specification, html.escape(title)).encode()


def _page(specification: dict[str, Any], title: str) -> str:
    """Return an HTML page. (In vl-convert's own, a name that contains `</script>` would end the script.)"""
    bundle = vl_convert.javascript_bundle(vl_version=_VEGA_LITE)  # type: ignore[call-arg]  # it has a default
    embedded = json.dumps(specification).replace("<", "\\u003c")
    options = json.dumps({"renderer": "svg", "actions": {"export": True, "source": False, "editor": False}})
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="UTF-8">
<title>{title}</title>
<style>body {{ font-family: sans-serif; margin: 2em; }}</style>
</head>
<body>
<h1>{title}</h1>
<div id="chart"></div>
<script>{bundle}</script>
<script>vegaEmbed("#chart", {embedded}, {options}).catch(console.error);</script>
</body>
</html>
"""
