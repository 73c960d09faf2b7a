"""The stored result of a check by the observer: schema "wire/1". Data and what follows from it alone."""

from typing import Literal

from pydantic import BaseModel, Field, FiniteFloat, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from bench.machine.disturbances import Disturbance
from bench.results.header import WRITTEN, Header

WIRE_SCHEMA: Literal["wire/1"] = "wire/1"

#: The bounds with one emission in flight per connection, in µs: from the reply's packet to `received`.
RECEIVED_P50_BOUND_US = 1.0
RECEIVED_P99_BOUND_US = 10.0

#: The greatest share of the times that may be farther from the wire than they say.
WRONG_SHARE_BOUND = 0.01

ReceivedClock = Literal["kernel", "process"]


class Load(BaseModel):
    """The load of a row. `capacity_share` is the share of the capacity that arrives; null: emissions follow each other.

    `in_flight` is the number of emissions on each connection if they follow each other, else the greatest number. With
    `is_hogged` another process takes all that it gets of the generator's core.
    """

    model_config = WRITTEN

    connections: PositiveInt
    in_flight: PositiveInt = 1
    capacity_share: PositiveFloat | None = None
    is_hogged: bool = False


class WirePercentile(BaseModel):
    """A percentile in µs with its 95 % interval, which is null where there are too few samples beyond it."""

    model_config = WRITTEN

    value_us: FiniteFloat
    low_us: FiniteFloat | None
    high_us: FiniteFloat | None


class Span(BaseModel):
    """A time or a difference over all matched round trips: its median and its 99th percentile."""

    model_config = WRITTEN

    p50: WirePercentile
    p99: WirePercentile


class Stamps(BaseModel):
    """The kinds of receive times in a row of ours, and what they say of their own error.

    `exact` are the kernel's own times, `bounded` those that may be too late, and `process` those of the process's
    clock. `wrong` is the number of kernel times that are farther from the packet than they say, by more than
    `tolerance_us`. `bounded_error` is by how much bounded times were too late, `bounded_limit` by how much they say
    that they may be; null without any.
    """

    model_config = WRITTEN

    exact: NonNegativeInt
    bounded: NonNegativeInt
    process: NonNegativeInt
    wrong: NonNegativeInt
    tolerance_us: NonNegativeFloat
    bounded_error: Span | None = None
    bounded_limit: Span | None = None


class Sights(BaseModel):
    """The observer's account of a run: what it saw, and what it could not see.

    `matched` round trips were seen and reported, `unseen` ones reported only. `between_copies_us` is the median time
    between the two copies of a reply. `clock_error_us` is the greatest error of the observer's own times.
    """

    model_config = WRITTEN

    segments: NonNegativeInt
    dropped: NonNegativeInt
    cut: NonNegativeInt
    retransmitted: NonNegativeInt
    lost_streams: NonNegativeInt
    matched: NonNegativeInt
    unseen: NonNegativeInt
    between_copies_us: FiniteFloat | None
    clock_error_us: NonNegativeFloat
    clock_step_us: FiniteFloat = 0.0

    @property
    def is_complete(self) -> bool:
        """True if the capture lacks nothing."""
        return not (self.dropped or self.cut or self.lost_streams or self.clock_step_us)


class Row(BaseModel):
    """A run of a tool under a load.

    `wire` is the time between both packets. `beyond` is the reported service time minus that: of each round trip where
    the tool tells its times, else of the percentiles, and then the interval is that of the wire's percentile.
    `to_packet` is from `sent` to the emission's packet, `to_received` from the reply's packet to `received`. `send_us`
    is the median duration of `send` in the same process.
    """

    model_config = WRITTEN

    load: Load
    rate_per_s: NonNegativeFloat
    cpu_share: NonNegativeFloat | None
    wire: Span
    beyond: Span | None
    to_packet: Span | None = None
    to_received: Span | None = None
    send_us: NonNegativeFloat | None = None
    stamps: Stamps | None = None
    sights: Sights
    spoilers: tuple[Disturbance, ...] = ()


class Verdict(BaseModel):
    """A bound, and whether a row keeps it: `what` is measured, in µs or as a share."""

    model_config = WRITTEN

    what: Literal["received p50", "received p99", "sent p50", "wrong share"]
    value: FiniteFloat
    bound: FiniteFloat

    @property
    def is_met(self) -> bool:
        """True if the value does not exceed the bound."""
        return self.value <= self.bound


class Tool(BaseModel):
    """A tool with its rows, which have bounds if it `is_judged`.

    `asked_clock` is the clock of received messages that it was asked for, `received_clock` that which it used; null for
    a tool that does not tell.
    """

    model_config = WRITTEN

    name: str
    title: str
    version: str
    asked_clock: ReceivedClock | None
    received_clock: ReceivedClock | None
    is_judged: bool
    rows: tuple[Row, ...]


class Absent(BaseModel):
    """A tool that is left out, with the reason, of one load or (`load` null) of all."""

    model_config = WRITTEN

    tool: str
    title: str
    load: Load | None = None
    reason: str


class Wire(Header):
    """A whole check by the observer."""

    schema_: Literal["wire/1"] = Field(default=WIRE_SCHEMA, alias="schema")
    server_core: NonNegativeInt | None
    generator_cores: tuple[NonNegativeInt, ...]
    awake_cores: tuple[NonNegativeInt, ...]
    quick: bool
    seconds: PositiveFloat
    tools: tuple[Tool, ...]
    absent: tuple[Absent, ...]

    @property
    def is_met(self) -> bool:
        """True if every judged row keeps its bounds."""
        return all(verdict.is_met for tool in self.tools for row in tool.rows for verdict in verdicts(tool, row))


def verdicts(tool: Tool, row: Row) -> list[Verdict]:
    """Return what a row is judged by: nothing, unless its tool is judged and the capture is complete.

    With several emissions in flight on a connection, the kernel's times are bounds; then they have to be true as such.
    """
    if not tool.is_judged or not row.sights.is_complete or row.to_received is None:
        return []
    found = []
    if row.load.in_flight == 1:
        found.append(Verdict(what="received p50", value=abs(row.to_received.p50.value_us), bound=RECEIVED_P50_BOUND_US))
        found.append(Verdict(what="received p99", value=abs(row.to_received.p99.value_us), bound=RECEIVED_P99_BOUND_US))
    if row.to_packet is not None and row.send_us is not None and row.load.in_flight == 1:
        found.append(Verdict(what="sent p50", value=row.to_packet.p50.value_us, bound=row.send_us))
    if row.stamps is not None and (stamped := row.stamps.exact + row.stamps.bounded):
        found.append(Verdict(what="wrong share", value=row.stamps.wrong / stamped, bound=WRONG_SHARE_BOUND))
    return found
