"""Charts: what a document draws, as data. A format with pictures draws them, and every format has their numbers.

Rules of this file: data only, no drawing. A builder of a document makes charts of a result's figures. Whatever draws a
chart knows no result. Texts are whole and as they came. Times are in microseconds, shares are from 0 to 1.
"""

from dataclasses import dataclass
from typing import Literal

#: The unit of the values along an axis. `place` is a number in a sequence whose names are the axis' labels. `min` are
#: seconds as well, but shown in hours, minutes and seconds.
Unit = Literal["µs", "s", "min", "per second", "share", "bytes", "number", "ratio", "place"]

#: The scale of an axis. `nines` is logarithmic in 1 / (1 - p), so that each further nine takes the same room.
Scale = Literal["linear", "logarithmic", "nines"]

#: The form in which a series is drawn. `band` fills between `low` and `high`, `level` is a line from one x to another.
Mark = Literal["line", "points", "steps", "band", "bars", "level"]

#: The part that a series plays, from which it takes its colour, its dashes and its shape.
Role = Literal["plain", "baseline", "candidate", "control", "good", "warning", "bad", "faint"]


@dataclass(frozen=True)
class Axis:
    """An axis. `labels` are the names of places, the first of place 0. `from_zero` says that it begins at zero."""

    title: str
    unit: Unit = "number"
    scale: Scale = "linear"
    from_zero: bool = False
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Point:
    """A point of a series. On an axis of `nines`, x is the share p from 0 to 1.

    `y` is None where nothing is known: a line is broken there. `low` and `high` are the ends of an interval or a band,
    `until` is the x at which a level ends. `text` is what a reader sees who points at it, beside the values.
    """

    x: float
    y: float | None
    low: float | None = None
    high: float | None = None
    until: float | None = None
    text: str = ""


@dataclass(frozen=True)
class Series:
    """The points of a thing that has a name, drawn alike."""

    label: str
    points: tuple[Point, ...]
    mark: Mark = "line"
    role: Role = "plain"


@dataclass(frozen=True)
class Event:
    """A moment or a place along the x axis that is marked across all panels, such as the end of the warm-up."""

    x: float
    text: str
    role: Role = "faint"


@dataclass(frozen=True)
class Panel:
    """Series that share a y axis."""

    y: Axis
    series: tuple[Series, ...]
    title: str = ""


@dataclass(frozen=True)
class Chart:
    """A chart of panels, one below the other, which share the x axis and the events along it.

    `name` is the chart's in names of files, in lower case with hyphens. `alt` tells in a sentence or two what the chart
    shows, for who does not see it. `caption` says how to read it.
    """

    name: str
    title: str
    alt: str
    x: Axis
    panels: tuple[Panel, ...]
    events: tuple[Event, ...] = ()
    caption: str = ""


@dataclass(frozen=True)
class Cell:
    """A rectangle of a heat map, and the number of values in it."""

    x: float
    x_end: float
    y: float
    y_end: float
    count: int


@dataclass(frozen=True)
class HeatMap:
    """A map of how many values lie where. Rectangles without any are left out. The rest is as in a Chart."""

    name: str
    title: str
    alt: str
    x: Axis
    y: Axis
    cells: tuple[Cell, ...]
    counted: str
    caption: str = ""


@dataclass(frozen=True)
class Effect:
    """A row of a forest plot: an effect with its interval, whose ends are None if they are not known."""

    label: str
    value: float
    low: float | None
    high: float | None
    role: Role = "plain"
    text: str = ""


@dataclass(frozen=True)
class Forest:
    """Effects below each other, beside a line at `neutral`, where there is none. The rest is as in a Chart."""

    name: str
    title: str
    alt: str
    x: Axis
    effects: tuple[Effect, ...]
    neutral: float = 0.0
    caption: str = ""


#: What a document may draw.
AnyChart = Chart | HeatMap | Forest


@dataclass(frozen=True)
class Charts:
    """The charts of a result, and the reasons why some are missing, a line each."""

    charts: tuple[AnyChart, ...]
    missing: tuple[str, ...] = ()
