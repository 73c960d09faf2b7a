"""The stored result of a comparison of generators: schema "peers/1". Data and medians, no files and no clock."""

import statistics
from typing import Literal

from pydantic import BaseModel, Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from bench.results.header import WRITTEN, Header

PEERS_SCHEMA: Literal["peers/1"] = "peers/1"

#: The peer that all are compared with: this project, in one process.
OURS = "ours"


class Round(BaseModel):
    """A run of a generator: the counts of the server and the kernel in its measured interval.

    CPU shares are of one core. `reported_…` is the tool's own report of its whole run. `answered` is the number of the
    server's answers in the whole run.
    """

    model_config = WRITTEN

    round_trips_per_s: NonNegativeFloat
    cpu_us_per_round_trip: PositiveFloat
    cpu_share: NonNegativeFloat
    server_cpu_us_per_round_trip: NonNegativeFloat
    server_cpu_share: NonNegativeFloat
    #: The memory of all the generator's processes (PSS), at the end of the warm-up.
    memory_bytes: NonNegativeInt
    answered: NonNegativeInt
    reported_round_trips: NonNegativeInt | None = None
    reported_p50_us: NonNegativeFloat | None = None
    reported_p99_us: NonNegativeFloat | None = None
    #: The reason why the tool reported nothing, though it should have.
    unreported: str | None = None


class Figures(BaseModel):
    """A generator at one number of connections, in every round that it came through.

    `one_connection_bytes` is its memory with a single connection; `memory_per_connection_bytes` is the growth from
    there. It is null if the connections are too few to tell.
    """

    model_config = WRITTEN

    peer: str
    title: str
    version: str
    connections: PositiveInt
    rounds: tuple[Round, ...] = Field(min_length=1)
    one_connection_bytes: NonNegativeInt | None = None

    @property
    def round_trips_per_s(self) -> float:
        """The median of the rounds."""
        return statistics.median(measured.round_trips_per_s for measured in self.rounds)

    @property
    def cpu_us_per_round_trip(self) -> float:
        """The median of the rounds."""
        return statistics.median(measured.cpu_us_per_round_trip for measured in self.rounds)

    @property
    def server_cpu_share(self) -> float:
        """The median of the rounds."""
        return statistics.median(measured.server_cpu_share for measured in self.rounds)

    @property
    def cpu_share(self) -> float:
        """The median of the rounds."""
        return statistics.median(measured.cpu_share for measured in self.rounds)

    @property
    def memory_per_connection_bytes(self) -> float | None:
        """The median of the rounds' growth from one connection to all of them, per connection."""
        if self.one_connection_bytes is None:
            return None
        grown = statistics.median(measured.memory_bytes for measured in self.rounds) - self.one_connection_bytes
        return grown / (self.connections - 1)

    def reported_us(self, name: Literal["p50", "p99"]) -> float | None:
        """Return the median of the tool's own reports in µs, over the rounds in which it reported."""
        values = [measured.reported_p50_us if name == "p50" else measured.reported_p99_us for measured in self.rounds]
        known = [value for value in values if value is not None]
        return statistics.median(known) if known else None


class Absent(BaseModel):
    """A generator that did not take part, or not to the end, and the reason.

    `connections` is null if it never started.
    """

    model_config = WRITTEN

    peer: str
    title: str
    connections: PositiveInt | None = None
    reason: str


class Peers(Header):
    """A whole comparison."""

    schema_: Literal["peers/1"] = Field(default=PEERS_SCHEMA, alias="schema")
    server_core: NonNegativeInt | None
    generator_cores: tuple[NonNegativeInt, ...]
    rounds: PositiveInt
    warm_up_s: NonNegativeFloat
    measured_s: NonNegativeFloat
    figures: tuple[Figures, ...]
    absent: tuple[Absent, ...]

    def times_ours(self, figures: Figures) -> float | None:
        """Return a generator's CPU per round trip as a multiple of ours: the median of the rounds' own ratios.

        The ratios are taken round by round, because the machine drifts: runs within the same minute are comparable.
        None if ours did not take part.
        """
        same = (other for other in self.figures if other.peer == OURS and other.connections == figures.connections)
        ours = next(same, None)
        if ours is None:
            return None
        pairs = zip(figures.rounds, ours.rounds, strict=False)  # one of them may have been left out later on
        return statistics.median(theirs.cpu_us_per_round_trip / own.cpu_us_per_round_trip for theirs, own in pairs)
