"""The heat map of a load: how many replies took how long, over time."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.report.chart import Axis, Cell, HeatMap
from bench.report.formatting import count, duration
from bench.report.load_charts.limits import MOST_COLUMNS, MOST_ROWS
from bench.report.load_charts.operations import time_kind
from bench.report.load_charts.seconds import SecondsRead, Values
from bench.report.load_charts.time_axis import time_axis
from bench.results.figure import Figure
from bench.results.load import LoadResult

_NS_PER_US = 1000

#: The numbers of rows in which a map may have a factor of ten, the finest first.
_ROWS_PER_DECADE = (20, 16, 12, 10, 8, 6, 5, 4, 3, 2, 1)


def heat_map(result: LoadResult, read: SecondsRead) -> HeatMap | None:
    """Return the map of all operations together; None if nothing was answered.

    A column is one second or several, a row is a range of times. Rows are equally high on a logarithmic axis.
    """
    known = [durations_ns for durations_ns, _ in read.times if len(durations_ns)]
    if not known:
        return None
    least_ns = max(1, min(int(durations_ns[0]) for durations_ns in known))
    most_ns = max(int(durations_ns[-1]) for durations_ns in known)
    bounds_ns = _bounds_ns(least_ns, most_ns)
    width_s = math.ceil(len(read.times) / MOST_COLUMNS)
    counts = _counted(read.times, bounds_ns, width_s)
    start_s = result.timeline[0].t
    cells = [
        Cell(
            x=start_s + column * width_s,
            x_end=min(start_s + (column + 1) * width_s, start_s + len(read.times)),
            y=bounds_ns[row] / _NS_PER_US,
            y_end=bounds_ns[row + 1] / _NS_PER_US,
            count=int(counts[row, column]),
        )
        for row, column in np.argwhere(counts > 0).tolist()
    ]
    total, kind = sum(cell.count for cell in cells), time_kind(result)
    seconds = "a second" if width_s == 1 else f"{width_s} seconds"
    least, most = duration(Figure(least_ns / _NS_PER_US)), duration(Figure(most_ns / _NS_PER_US))
    return HeatMap(
        name="heat-map",
        title=f"{kind.capitalize()} of all replies over time",
        alt=f"A map of {count(total)} replies by time of the run and by {kind}, which was from {least} to {most}.",
        x=time_axis(result),
        y=Axis(kind, "µs", "logarithmic"),
        cells=tuple(cells),
        counted="replies",
        caption=(
            f"Each column is {seconds}. The stronger its colour, the more replies are in a cell. "
            "Two bands are two kinds of replies, which a percentile hides."
        ),
    )


def _bounds_ns(least_ns: int, most_ns: int) -> NDArray[np.float64]:
    """Return the bounds of the rows, from below the least time to above the greatest."""
    for per_decade in _ROWS_PER_DECADE:
        first = math.floor(math.log10(least_ns) * per_decade)
        last = math.floor(math.log10(most_ns) * per_decade) + 1
        if last - first <= MOST_ROWS:
            break
    return np.array([10 ** (place / per_decade) for place in range(first, last + 1)])


def _counted(times: Sequence[tuple[Values, Values]], bounds_ns: NDArray[np.float64], width_s: int) -> Values:
    counts = np.zeros((len(bounds_ns) - 1, math.ceil(len(times) / width_s)), dtype=np.int64)
    for second, (durations_ns, numbers) in enumerate(times):
        rows = np.clip(np.searchsorted(bounds_ns, durations_ns, side="right") - 1, 0, len(bounds_ns) - 2)
        np.add.at(counts[:, second // width_s], rows, numbers)
    return counts
