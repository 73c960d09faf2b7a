"""Times in the unit that reads best, with four significant digits."""

from collections.abc import Sequence

from bench.report.formatting import UNKNOWN

_UNITS = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"))


def readable_ns(time_ns: float) -> str:
    """Return a time, given in nanoseconds, in a unit of its own: 133.4 µs, 5.181 ms, 12.30 s."""
    return _shown(time_ns, *_unit_of(time_ns))


def readable_column_ns(times_ns: Sequence[float | None]) -> list[str]:
    """Return times that are compared, given in nanoseconds, in the unit of the shortest. A dash is for the unknown."""
    known = [time_ns for time_ns in times_ns if time_ns]
    unit = _unit_of(min(known)) if known else _UNITS[-1]
    return [UNKNOWN if time_ns is None else _shown(time_ns, *unit) for time_ns in times_ns]


def _unit_of(time_ns: float) -> tuple[float, str]:
    return next((unit for unit in _UNITS if time_ns >= unit[0] * 0.99995), _UNITS[-1])


def _shown(time_ns: float, unit_ns: float, unit: str) -> str:
    value = time_ns / unit_ns
    digits = 0 if value >= 1000 else 1 if value >= 100 else 2 if value >= 10 else 3
    return f"{value:,.{digits}f} {unit}"
