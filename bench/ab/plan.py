"""The plan of a comparison of two revisions: what the options of `bench ab` come to."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from bench.ab.restart import BurstPlan
from bench.objectives.of_times import TimeObjectives
from bench.scenarios.catalogue import Benchmark
from bench.scenarios.options import Chosen
from bench.secrets import KnownSecrets, Secrets
from bench.server import ServeCommand, ServerOptions
from bench.server.command import START_TIMEOUT_S
from bench.statistics.stopping import StoppingRule
from bench.statistics.verdicts import THRESHOLD


@dataclass(frozen=True)
class AbPlan:
    """The plan of a comparison: the service, the scenarios and the precision.

    `app_directory` is a folder with modules, relative to the user's folder. `threshold` is relative.
    """

    app: str
    chosen: Chosen
    reply_timeout_ns: int
    #: The command that serves, in place of the app.
    command: ServeCommand | None = None
    start_timeout_s: float = START_TIMEOUT_S
    #: The command that is run once in each revision's folder, and the paths that lead into the user's checkout there.
    prepare: str | None = None
    links: tuple[Path, ...] = ()
    app_directory: Path | None = None
    rule: StoppingRule = field(default_factory=StoppingRule)
    threshold: float = THRESHOLD
    max_time_s: float = 180.0
    bursts: BurstPlan = field(default_factory=BurstPlan)
    awake: bool = True
    #: What has to hold of the candidate, and what a load alone could judge.
    slo: TimeObjectives = field(default_factory=TimeObjectives)
    #: The folder of results, whose changes are none of a revision.
    results: Path | None = None
    env_per_rev: bool = False
    server: ServerOptions = field(default_factory=ServerOptions)
    seed: int = field(default_factory=lambda: secrets.randbits(32))

    @property
    def benchmarks(self) -> tuple[Benchmark, ...]:
        """The scenarios to compare."""
        return self.chosen.benchmarks

    @property
    def writes(self) -> bool:
        """True if something is to be written to the revisions' folders, so that the checkout itself cannot be such."""
        return self.command is not None or self.prepare is not None or bool(self.links)

    @property
    def service(self) -> str:
        """The service, for people."""
        return self.app if self.command is None else self.command.shown

    @cached_property
    def known(self) -> KnownSecrets:
        """The secrets that the user gave, and those that come to be known in the comparison."""
        return KnownSecrets(Secrets.of(self.chosen.connection))

    @property
    def hide(self) -> Callable[[str], str]:
        """The function that takes secrets out of a text of the service."""
        return self.known.hide
