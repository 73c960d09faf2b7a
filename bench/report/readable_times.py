"""A time in the unit that reads best."""

_UNITS = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"))


def readable_ns(time_ns: float) -> str:
    """Return a time, given in nanoseconds, with four significant digits in the greatest unit of which it has any."""
    for unit_ns, unit in _UNITS:
        if time_ns >= unit_ns * 0.99995 or unit == "µs":
            value = time_ns / unit_ns
            digits = 0 if value >= 1000 else 1 if value >= 100 else 2 if value >= 10 else 3
            return f"{value:,.{digits}f} {unit}"
    raise AssertionError("the last unit is for all times")
