"""The charts of a page: what the page's script draws, as JSON, and the elements around it.

Rules of this file: it is imported only where charts can be drawn, because it imports what draws them.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bench.printable import printable
from bench.report.chart import AnyChart, Axis, Forest, HeatMap
from bench.report.drawing.look import VARIABLES
from bench.report.drawing.specification import panel_specifications
from bench.report.drawing.vega import as_vega, library

__all__ = ["embedded", "library", "prepared"]

#: The column of the texts of points.
_TEXT = "t"

#: The width of a panel until the page says its own, in pixels.
_WIDTH = 860


def embedded(charts: Sequence[Mapping[str, Any]], *, with_texts: bool) -> str:
    """Return prepared charts as JSON that may stand within an element `script`; `with_texts` with those of points."""
    shown = charts if with_texts else [_without_texts(chart) for chart in charts]
    text = json.dumps(shown, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _without_texts(chart: Mapping[str, Any]) -> dict[str, Any]:
    panels = []
    for panel in chart["panels"]:
        table = panel["table"]
        kept = [place for place, column in enumerate(table["columns"]) if column != _TEXT]
        columns = [table["columns"][place] for place in kept]
        rows = [[row[place] for place in kept] for row in table["rows"]]
        panels.append(panel | {"table": {"columns": columns, "rows": rows}})
    return {**chart, "panels": panels}


def prepared(chart: AnyChart) -> dict[str, Any]:
    """Return a chart as the page's script draws it."""
    specifications = [as_vega(specification) for specification in panel_specifications(chart, VARIABLES, _WIDTH)]
    if isinstance(chart, Forest):
        panels = [{"labels": [], "y": _axis(Axis(""))}]
        kind = "forest"
    elif isinstance(chart, HeatMap):
        panels = [{"labels": [], "y": _axis(chart.y)}]
        kind = "heat"
    else:
        panels = [
            {"labels": [printable(series.label) for series in panel.series], "y": _axis(panel.y)}
            for panel in chart.panels
        ]
        kind = "chart"
    return {
        "kind": kind,
        "x": _axis(chart.x) | {"signed": isinstance(chart, Forest)},
        "counted": printable(chart.counted) if isinstance(chart, HeatMap) else "",
        "panels": [panel | _panel(specification) for panel, specification in zip(panels, specifications, strict=True)],
    }


def _axis(axis: Axis) -> dict[str, Any]:
    return {
        "title": printable(axis.title),
        "unit": axis.unit,
        "scale": axis.scale,
        "zero": axis.from_zero,
        "labels": [printable(label) for label in axis.labels],
    }


def _panel(specification: dict[str, Any]) -> dict[str, Any]:
    """Return the specification without the panel's rows, and beside it these rows, each column's name said once."""
    rows: list[Mapping[str, Any]] = []
    name = ""
    data = []
    for source in specification["data"]:
        if source["name"].startswith("panel"):
            rows, name = source.get("values", []), source["name"]
            data.append({key: value for key, value in source.items() if key != "values"})
        else:
            data.append(source)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    return {
        "vega": specification | {"data": data, "autosize": {"type": "fit-x", "contains": "padding"}},
        "data": name,
        "table": {"columns": columns, "rows": [[row.get(column) for column in columns] for row in rows]},
    }
