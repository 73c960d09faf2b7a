"""The labels of axes, as expressions of Vega: each value has the unit that suits it."""

import json
from typing import Any

from bench.printable import printable
from bench.report.chart import Axis, Unit

#: The ticks of an axis of nines, as 1 / (1 - p), and their labels.
NINES: tuple[tuple[int, str], ...] = (
    (1, "0 %"),
    (2, "50 %"),
    (4, "75 %"),
    (10, "90 %"),
    (100, "99 %"),
    (1_000, "99.9 %"),
    (10_000, "99.99 %"),
    (100_000, "99.999 %"),
    (1_000_000, "99.9999 %"),
    (10_000_000, "99.99999 %"),
)

_ROUNDED_S = "(round(datum.value * 1000) / 1000)"

_BY_UNIT: dict[Unit, str] = {
    "µs": (
        "abs(datum.value) >= 1e6 ? format(datum.value / 1e6, ',.4~r') + ' s' : "
        "abs(datum.value) >= 1e3 ? format(datum.value / 1e3, ',.4~r') + ' ms' : "
        "format(datum.value, ',.4~r') + ' µs'"
    ),
    "s": "format(datum.value, ',.6~r') + ' s'",
    "min": (
        f"trim(({_ROUNDED_S} >= 3600 ? format(floor({_ROUNDED_S} / 3600), ',') + ' h ' : '') + "
        f"({_ROUNDED_S} % 3600 >= 60 ? floor({_ROUNDED_S} % 3600 / 60) + ' min ' : '') + "
        f"({_ROUNDED_S} % 60 || !{_ROUNDED_S} ? format({_ROUNDED_S} % 60, '.6~r') + ' s' : ''))"
    ),
    "share": "format(datum.value * 100, ',.4~r') + ' %'",
    "bytes": (
        "abs(datum.value) >= 1e9 ? format(datum.value / 1e9, ',.4~r') + ' GB' : "
        "abs(datum.value) >= 1e6 ? format(datum.value / 1e6, ',.4~r') + ' MB' : "
        "abs(datum.value) >= 1e3 ? format(datum.value / 1e3, ',.4~r') + ' kB' : "
        "format(datum.value, ',.4~r') + ' B'"
    ),
}

_NUMBER = "format(datum.value, ',.6~r')"
_SIGNED = "(datum.value > 0 ? '+' : '') + format(datum.value * 100, ',.4~r') + ' %'"
_LETTERS_OF_PLACE = 24

#: The first digits of a value, from 1 to 10.
_MANTISSA = "(datum.value / pow(10, floor(log(datum.value) / LN10 + 1e-9)))"
#: True for 1, 2, 5, 10, 20 and so on. Where labels of a logarithmic axis meet, Vega would drop 1 ms beside 0.9 ms.
_IS_ROUND = f"indexof([1, 2, 5], round({_MANTISSA})) >= 0 && abs({_MANTISSA} - round({_MANTISSA})) < 0.01"


#: The seconds between two ticks of an axis in hours, minutes and seconds. Beyond the last the last is taken.
_STEPS_S = (
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    15,
    30,
    *(60 * n for n in (1, 2, 5, 10, 15, 30)),
    *(3600 * n for n in (1, 2, 3, 6, 12, 24)),
)

#: The ratio of the ends of a logarithmic axis below which all of its ticks are labelled: fewer of them would be round.
NARROW = 5


def label_expression(axis: Axis, is_signed: bool = False, is_narrow: str = "false") -> str:
    """Return the expression of the labels of an axis. A signed share is a change, such as +1.5 %.

    `is_narrow` is an expression that is true where the ends of the axis are less than NARROW times apart.
    """
    if axis.scale == "nines":
        names = {str(nines): label for nines, label in NINES}
        return f"{json.dumps(names)}[datum.value]"
    if axis.unit == "place":
        names_of_places = [_cut(printable(label)) for label in axis.labels]
        return f"{json.dumps(names_of_places)}[datum.value]"
    if axis.unit == "share" and is_signed:
        return _SIGNED
    label = _BY_UNIT.get(axis.unit, _NUMBER)
    return f"{_IS_ROUND} || ({is_narrow}) ? ({label}) : ''" if axis.scale == "logarithmic" else label


def ticks(axis: Axis) -> dict[str, Any]:
    """Return the values of the ticks where the scale does not choose them, and the ends of the axis do not matter."""
    if axis.scale == "nines":
        return {"values": [nines for nines, _ in NINES]}
    if axis.unit == "place":
        return {"values": list(range(len(axis.labels)))}
    return {}


def minute_ticks(low: str, high: str, number: str) -> str:
    """Return the expression of the ticks from `low` to `high`: at whole minutes, hours and the like, about `number`."""
    apart = f"(({high}) - ({low})) / ({number})"
    step = str(_STEPS_S[-1])
    for shorter in reversed(_STEPS_S[:-1]):
        step = f"{apart} <= {shorter} ? {shorter} : {step}"
    return f"sequence(ceil(({low}) / ({step})) * ({step}), ({high}) + ({step}) / 1000, ({step}))"


def _cut(label: str) -> str:
    return label if len(label) <= _LETTERS_OF_PLACE else label[: _LETTERS_OF_PLACE - 1] + "…"
