"""A delay of the load generator, as results have it."""

from typing import Self

from pydantic import BaseModel

from bench.results.header import WRITTEN, NonNegative
from bench.timing.histogram import Histogram


class Lateness(BaseModel):
    """The distribution of a delay of the generator, in microseconds. New in load/4: mean."""

    model_config = WRITTEN

    p50: NonNegative
    p99: NonNegative
    max: NonNegative
    mean: NonNegative | None = None

    @classmethod
    def of(cls, delays: Histogram) -> Self | None:
        """Return the distribution of these delays; None of nothing."""
        p50, p99 = delays.percentile_ns(50), delays.percentile_ns(99)
        mean = delays.mean_ns
        if p50 is None or p99 is None or delays.max_ns is None or mean is None:
            return None
        return cls(p50=p50 / 1000, p99=p99 / 1000, max=delays.max_ns / 1000, mean=mean / 1000)
