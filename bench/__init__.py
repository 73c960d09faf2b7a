"""Everything that measures: latency, load, and the comparison of stored results."""

from bench.compiled import enable

enable()
