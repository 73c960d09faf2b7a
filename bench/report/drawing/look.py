"""The looks of series: colours, dashes and shapes, the same on a page, in a picture and in a legend.

Rules of this file: pure. Colours are Okabe and Ito's, which colour-blind people can tell apart, and dashes and shapes
say the same again. A page has each colour twice, for a light and a dark ground, as a variable of its style sheet. A
picture has the colours of the light ground.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.report.chart import Role, Series

#: The colours by name, on a light ground.
LIGHT: Mapping[str, str] = {
    "ink": "#1f2328",
    "muted": "#59636e",
    "grid": "#d1d9e0",
    "ground": "#ffffff",
    "blue": "#0072b2",
    "vermilion": "#d55e00",
    "green": "#009e73",
    "purple": "#cc79a7",
    "orange": "#e69f00",
    "sky": "#56b4e9",
}

#: The same on a dark ground: lighter, and the last is Okabe and Ito's yellow, because blue has become sky blue.
DARK: Mapping[str, str] = {
    "ink": "#e6edf3",
    "muted": "#9aa4af",
    "grid": "#3d444d",
    "ground": "#0d1117",
    "blue": "#56b4e9",
    "vermilion": "#f5803e",
    "green": "#2fc59b",
    "purple": "#e6a3cb",
    "orange": "#eeae2d",
    "sky": "#f0e442",
}

#: The colours of a page: variables, so that a page follows the reader's light or dark without drawing anew.
VARIABLES: Mapping[str, str] = {name: f"var(--{name})" for name in LIGHT}

_SOLID = (1, 0)
_DASHED = (6, 3)
_DOTTED = (2, 2)

#: The colours and dashes of plain series, in turn.
_PLAIN: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("blue", _SOLID),
    ("vermilion", _DASHED),
    ("green", (8, 3, 2, 3)),
    ("purple", (4, 2)),
    ("orange", _SOLID),
    ("sky", _DOTTED),
    ("ink", (10, 4)),
)

#: The shapes of the points of plain series, in turn.
_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")

_BY_ROLE: Mapping[Role, tuple[str, tuple[int, ...], str]] = {
    "baseline": ("blue", _SOLID, "circle"),
    "candidate": ("vermilion", _DASHED, "diamond"),
    "control": ("muted", _DOTTED, "square"),
    "good": ("green", _SOLID, "circle"),
    "warning": ("orange", _DASHED, "triangle-up"),
    "bad": ("vermilion", _SOLID, "cross"),
    "faint": ("muted", _SOLID, "circle"),
}


@dataclass(frozen=True)
class Look:
    """The look of a series: the name of its colour, the lengths of dash and gap, and the shape of its points."""

    colour: str
    dashes: tuple[int, ...]
    shape: str


def looks(series: Sequence[Series]) -> list[Look]:
    """Return the looks of a panel's series. Plain series take the looks that no role has, as far as these last."""
    taken = {_BY_ROLE[line.role][0] for line in series if line.role in _BY_ROLE}
    free = [plain for plain in _PLAIN if plain[0] not in taken] or list(_PLAIN)
    found = []
    number = 0
    for line in series:
        if line.role in _BY_ROLE:
            found.append(Look(*_BY_ROLE[line.role]))
        else:
            colour, dashes = free[number % len(free)]
            found.append(Look(colour, dashes, _SHAPES[number % len(_SHAPES)]))
            number += 1
    return found


def colour_of(role: Role) -> str:
    """Return the name of the colour of a role: blue for a plain thing."""
    return _BY_ROLE[role][0] if role in _BY_ROLE else "blue"


def shape_of(role: Role) -> str:
    """Return the shape of the points of a role: a circle for a plain thing."""
    return _BY_ROLE[role][2] if role in _BY_ROLE else "circle"
