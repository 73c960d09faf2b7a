"""The labels of axes of times: the values are in microseconds, and each label has the unit that suits it."""

#: The label of a tick of so many microseconds, as an expression of Vega: 250 µs, 1.5 ms, 12 s.
DURATION_LABEL = (
    "abs(datum.value) >= 1e6 ? format(datum.value / 1e6, ',.4~r') + ' s' : "
    "abs(datum.value) >= 1e3 ? format(datum.value / 1e3, ',.4~r') + ' ms' : "
    "format(datum.value, ',.4~r') + ' µs'"
)
