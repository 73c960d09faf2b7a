"""The metrics that a trend can follow, and how much of it is shown. It imports little: a command's help has both."""

from typing import Literal

#: The number of results of a series that are shown, if the user does not say it.
SHOWN = 20

Metric = Literal["p50", "p99", "cpu", "throughput"]
