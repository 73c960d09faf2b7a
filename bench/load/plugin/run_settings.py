"""The settings of a test in one process, made of the command line."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass

from bench.load.engine.interface import SessionUser
from bench.load.engine.pacing import OpenLoad
from bench.load.plugin.options import (
    breakdown_of,
    is_open,
    open_load_of,
    process_clock_of,
    slowest_of,
    trace_field_of,
    warmup_s_of,
)
from bench.timing.rates import Share


@dataclass(frozen=True)
class RunSettings:
    """The settings of a test in one process. It starts at `started_ns` of this process's clock.

    Its window opens `warmup_s` after the load has started.
    """

    started_ns: int
    open_load: OpenLoad
    warmup_s: float
    is_open: bool
    breakdown: bool
    #: True if the process's own clock is to tell the receive times.
    process_clock: bool
    #: The share that this process has of the rows of feeds that are not unique.
    rows: Share
    #: The number of the slowest round trips of each operation that the result names.
    slowest: int = 0
    #: The field of the data that has the trace context of each emission; None: there is none.
    trace_field: str | None = None

    @classmethod
    def of(
        cls,
        options: Namespace,
        users: Sequence[type[SessionUser]],
        started_ns: int,
        share: Share,
        rows: Share,
    ) -> RunSettings:
        """Return the settings that the options say for a process with a share of the load and of the rows of feeds.

        Raises MisuseError.
        """
        return cls(
            started_ns=started_ns,
            open_load=open_load_of(options, share),
            warmup_s=warmup_s_of(options),
            is_open=is_open(options, users),
            breakdown=breakdown_of(options),
            slowest=slowest_of(options),
            trace_field=trace_field_of(options),
            process_clock=process_clock_of(options),
            rows=rows,
        )
