"""The metrics that a trend can follow."""

from typing import Literal

Metric = Literal["p50", "p99", "cpu", "throughput"]
