"""Where the time of a round trip goes: the way to the service's handler, the handler, and the way back."""

from collections.abc import Sequence

from rich.console import Console

from bench.report.figures import microseconds, printable
from bench.report.lines import print_line, print_table
from bench.results.figure import figure
from bench.results.load import Operation

_TIMES = ("p50", "p90", "p99", "p99_9", "max")


def breakdown_table(operations: Sequence[Operation], console: Console) -> None:
    """Print the legs of each operation whose replies told of them; nothing where none did."""
    rows = [
        [f"{printable(operation.name)}: {leg.name}", *(microseconds(figure(leg.times_us, name)) for name in _TIMES)]
        for operation in operations
        for leg in operation.breakdown
    ]
    if rows:
        print_line(console, "")
        print_table(console, [["µs of service time", *(name.replace("_", ".") for name in _TIMES)], *rows])
