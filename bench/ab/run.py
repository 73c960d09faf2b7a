"""Two revisions of a service, live and in alternation, until it is known by how much they differ.

Rules of this file: generator and launcher are those of this process, and only the service comes from the revision's
folder. Before any measurement, a trial checks this for each side, and checks that the service answers. The unit is the
restart: both servers start anew, with fresh hash seeds and an environment of random size. The luck of a process (memory
layout, order of dictionaries) makes a greater difference between two processes than most commits do. The side that is
ahead has no influence on the end. Whatever was started is gone at the end, however that comes.

Ctrl-C ends the measuring with the restarts that are complete. A second Ctrl-C is a KeyboardInterrupt like any other.
"""

import contextlib
import datetime as dt
import os
import random
import secrets
import signal
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.machinery import PathFinder
from pathlib import Path

import uvloop

from bench.ab.environments import dependencies, environment, versions
from bench.ab.errors import AbError, AbFailedError
from bench.ab.origin import PythonProgram, check_command, check_python, python_program
from bench.ab.preparation import link, prepare
from bench.ab.restart import BurstPlan, Figures, Side, SideError, compare, metrics_of
from bench.ab.worktree import Checkout, Repository
from bench.exchange.preparation import connect
from bench.exchange.requests import Exchange
from bench.interleave.loop import InterruptibleLoop, gc_frozen
from bench.interleave.process_seed import ProcessSeed
from bench.machine.conditions import Conditions
from bench.machine.cores import generator_cores, pinned_to, server_core
from bench.machine.descriptors import raise_file_limit
from bench.machine.disturbances import Interference, disturbances_between
from bench.machine.idle import NoIdle, NoIdleError, idle_reason
from bench.machine.interrupts import ended_by_signals
from bench.machine.processes import affinity
from bench.machine.system import missing
from bench.results.ab import AbBenchmark, AbMetric, AbResult, AbScenarios, AbSettings, AbSide, Metric, StoppedBy
from bench.results.provenance import installed, machine_info, packages
from bench.results.requirements import other_packages
from bench.results.service_logs import ServiceLogs, service_logs
from bench.scenarios.catalogue import Benchmark
from bench.scenarios.options import Chosen
from bench.scenarios.tokens import tokens
from bench.secrets import KnownSecrets, Secrets
from bench.server import (
    CommandProcess,
    OwnedServer,
    ServeCommand,
    Served,
    ServedApp,
    ServedCommand,
    ServerError,
    ServerOptions,
    ServerProcess,
)
from bench.server.command import START_TIMEOUT_S, without_secrets
from bench.server.error import EXIT_GRACE_S, exit_reason, with_last_words
from bench.statistics.estimates import Estimate, estimate
from bench.statistics.stopping import StoppingRule
from bench.statistics.verdicts import THRESHOLD, verdicts
from bench.wire.client import FastClient
from bench.wire.errors import ClientError

#: The names of the two sides.
NAMES = ("A", "B")

#: The bursts of the trial, which shows that both services answer.
_TRIAL = BurstPlan(burst=5, pairs=2, in_flight=4, saturated_burst=8, saturated_pairs=2, warm_up=1)
_SAME = "both revisions are the same commit: whatever differs is noise"


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


@dataclass(frozen=True)
class State:
    """The progress after a restart: the estimates of p50 so far, by benchmark, and the seconds that are left."""

    restarts: int
    elapsed_s: float
    left_s: float
    estimates: tuple[tuple[str, Estimate], ...]


@dataclass(frozen=True)
class Notice:
    """A line for the user that stays on the screen."""

    text: str


#: The news of a comparison: the step that begins, a line that stays, or the progress.
Report = Callable[[State | Notice | str], None]


@dataclass(frozen=True)
class Source:
    """The source of a side's service: its folder, and the interpreter with its packages (None: this interpreter)."""

    checkout: Checkout
    python: Path | None

    @property
    def label(self) -> str:
        """The revision, for people."""
        return self.checkout.label


def compare_revisions(plan: AbPlan, a: str, b: str, directory: Path, report: Report = lambda _: None) -> AbResult:
    """Compare the revisions of the repository around `directory`.

    `report` is called with the present step as text, and with the State after each restart. Raises AbError if the
    comparison is impossible, AbFailedError if a service fails, and KeyboardInterrupt before the first restart.
    """
    raise_file_limit()
    repository = Repository.around(directory)
    revisions = [repository.revision(a), repository.revision(b)]
    if plan.command is not None:
        check_command(plan.command.arguments(0), repository)
    with ended_by_signals(), service_logs() as logs:
        report("checking the revisions out")
        with repository.checkouts(revisions, copy_worktree=plan.writes) as checkouts:
            report(Notice(f"serving {plan.service}; its output: {logs.folder}"))
            try:
                sources = [
                    _source(plan, checkout, repository, logs.file(f"prepare-{name}"), report)
                    for name, checkout in zip(NAMES, checkouts, strict=True)
                ]
                return _Run(plan, (sources[0], sources[1]), repository, logs, report).result()
            except AbFailedError as error:
                if not logs.keep(plan.hide):
                    raise
                raise AbFailedError(f"{error}; the service's output is kept in {logs.folder}") from error


# --- before -----------------------------------------------------------------------------------------------------------


def _source(plan: AbPlan, checkout: Checkout, repository: Repository, log_file: Path, report: Report) -> Source:
    link(plan.links, repository, checkout)
    if plan.prepare is not None:
        report(f"preparing {checkout.label}")
        prepare(plan.prepare, checkout, log_file, plan.hide)
    if plan.command is not None:
        return Source(checkout, None)
    _look_for_app(plan, checkout)
    if plan.env_per_rev:
        report(f"building the environment of {checkout.label}")
    python = environment(dependencies(_folders(checkout))) if plan.env_per_rev else None
    return Source(checkout, python)


def _folders(checkout: Checkout) -> list[Path]:
    """Return the folders that may name a revision's dependencies: from the user's folder up to the repository's."""
    return [
        folder
        for folder in (checkout.directory, *checkout.directory.parents)
        if folder == checkout.root or checkout.root in folder.parents
    ]


def _import_folders(plan: AbPlan, checkout: Checkout) -> list[Path]:
    if plan.app_directory is None:
        return [checkout.directory]
    return [checkout.directory, checkout.directory / plan.app_directory]


def _look_for_app(plan: AbPlan, checkout: Checkout) -> None:
    """Raise AbError if the app's module is not in the revision's folder."""
    folders = _import_folders(plan, checkout)
    locations = [str(folder) for folder in folders]
    for part in plan.app.partition(":")[0].split("."):
        spec = PathFinder.find_spec(part, locations)
        if spec is None:
            names = (str(folder.relative_to(checkout.root)) for folder in folders)
            where = " or ".join("its top folder" if name == "." else name for name in names)
            raise AbError(
                f"--app {plan.app}: revision {checkout.label} has no such module in {where}; go to the folder that it "
                "is imported from, or name it with --app-dir"
            )
        locations = list(spec.submodule_search_locations or ())


def _notes(plan: AbPlan, sources: Sequence[Source], repository: Repository, sides: Sequence[AbSide]) -> Iterator[str]:
    """Yield the notes on the two revisions, for people."""
    if (lacks := missing()) is not None:
        yield lacks
    a, b = (source.checkout for source in sources)
    changes = repository.changes()
    if a.revision.commit is not None and a.revision.commit == b.revision.commit:
        yield _SAME
    if None in (a.revision.commit, b.revision.commit):
        if changes:
            yield f"WORKTREE has uncommitted changes: {_listed([change[3:] for change in changes])}"
        else:
            yield "WORKTREE has no uncommitted changes"
    elif tracked := [change[3:] for change in changes if not change.startswith("??")]:
        yield f"the working tree has uncommitted changes, which are in neither revision: {_listed(tracked)}"
    if plan.command is None:
        yield from _notes_on_dependencies(plan, (a, b), sides)
    for name in sorted(sides[0].packages.keys() | sides[1].packages.keys()):
        old, new = (side.packages.get(name, "none") for side in sides)
        if old != new:
            yield f"different packages: {name} {old} and {new}"


def _notes_on_dependencies(plan: AbPlan, checkouts: Sequence[Checkout], sides: Sequence[AbSide]) -> Iterator[str]:
    if not plan.env_per_rev:
        found = (other_packages(_folders(checkout), f"{plan.app} of {checkout.label}") for checkout in checkouts)
        yield from dict.fromkeys(note for note in found if note is not None)
    wanted = [dependencies(_folders(checkout)) for checkout in checkouts]
    if wanted[0].digest != wanted[1].digest and not plan.env_per_rev:
        file = wanted[0].file or wanted[1].file
        yield f"the revisions' dependencies differ ({file}), but both ran with the same packages: see --env-per-rev"
    if wanted[0].python != wanted[1].python:
        asked = " and ".join(dependency.python or "none" for dependency in wanted)
        yield f"the revisions ask for different Pythons ({asked}); both ran with {sides[0].packages['python']}"


def _listed(names: Sequence[str], shown: int = 5) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


@contextlib.contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Hold a Ctrl-C back until the end of the block, which takes some milliseconds."""
    held: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: held.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if held:
        raise KeyboardInterrupt


# --- the run ----------------------------------------------------------------------------------------------------------


class _Run:
    """A comparison, from the first trial to the result."""

    def __init__(
        self,
        plan: AbPlan,
        sources: tuple[Source, Source],
        repository: Repository,
        logs: ServiceLogs,
        report: Report,
    ) -> None:
        self._plan = plan
        self._sources = sources
        self._repository = repository
        self._log_files = [logs.file(name) for name in NAMES]
        self._report = report
        #: The interpreter of each side's command, once it is known; None if the command is no Python program.
        self._programs: list[PythonProgram | None] = []
        self._origin_notes: list[str] = []
        self._random = random.Random(plan.seed)
        self._origin = secrets.token_hex(4)
        self._restarts: list[Figures] = []
        self._server_core = server_core()
        generators = generator_cores()
        self._generator_core = generators[0] if generators else None
        cores = [core for core in (self._generator_core, self._server_core) if core is not None]
        self._cores = tuple(cores) or affinity() or ()

    def result(self) -> AbResult:
        """Return the result: try both services, measure, and sum up."""
        notes: list[str] = []
        awake = self._cores if self._plan.awake else ()
        # If this system does not tell cores apart, none can be kept awake either, for the same reason as core 0.
        if self._plan.awake and (reason := idle_reason(awake or (0,))):
            notes.append(f"the cores were not kept awake: {reason}")
            awake = ()
        described = machine_info(), packages()
        with InterruptibleLoop.open(uvloop.new_event_loop) as loop:
            self._report("trying both services")
            self._restart(loop, _TRIAL, first=0, is_trial=True)
            sides = [self._side(side) for side in (0, 1)]
            notes = [*_notes(self._plan, self._sources, self._repository, sides), *self._origin_notes, *notes]
            before = Conditions.now(self._cores)
            started_at = dt.datetime.now(dt.UTC)
            started_s = time.monotonic()
            own_cores = () if self._generator_core is None else (self._generator_core,)
            try:
                with NoIdle(awake), pinned_to(own_cores), gc_frozen():
                    stopped_by = self._measure(loop, started_s)
            except NoIdleError as error:
                raise AbFailedError(str(error)) from error
            duration_s = time.monotonic() - started_s
            after = Conditions.now(self._cores)
        return AbResult(
            datetime=started_at,
            commit_info=sides[1].commit_info,
            machine_info=described[0],
            packages=described[1],
            a=sides[0],
            b=sides[1],
            settings=self._settings(awake),
            restarts=len(self._restarts),
            duration_s=duration_s,
            stopped_by=stopped_by,
            benchmarks=summary(self._plan.benchmarks, self._restarts, self._plan.rule.confidence, self._plan.threshold),
            notes=tuple(notes),
            spoilers=disturbances_between(before, after, pinned=self._server_core is not None, awake=awake),
            interference=Interference.between(before, after),
        )

    def _measure(self, loop: InterruptibleLoop, started_s: float) -> StoppedBy:
        """Measure by restarts until the end. Raises KeyboardInterrupt if there is no answer yet."""
        self._report("measuring")
        try:
            while True:
                self._restarts.append(self._restart(loop, self._plan.bursts, first=len(self._restarts) % 2))
                elapsed_s = time.monotonic() - started_s
                each_s = elapsed_s / len(self._restarts)
                by_name = [(benchmark.name, self._effects(benchmark)) for benchmark in self._plan.benchmarks]
                to_go = max(self._plan.rule.replicates_to_go(effects) for _, effects in by_name)
                self._report(
                    State(
                        restarts=len(self._restarts),
                        elapsed_s=elapsed_s,
                        left_s=max(0.0, min(to_go * each_s, self._plan.max_time_s - elapsed_s)),
                        estimates=tuple(
                            (name, estimate(effects, self._plan.rule.confidence)) for name, effects in by_name
                        ),
                    )
                )
                if to_go == 0:
                    return "precision"
                if elapsed_s + each_s > self._plan.max_time_s:
                    return "time"
        except KeyboardInterrupt as interrupt:
            is_second = isinstance(interrupt.__context__, KeyboardInterrupt)  # while it tidied up after the first
            if is_second or not self._restarts:
                raise
            return "interrupt"

    def _effects(self, benchmark: Benchmark) -> list[float]:
        return [figures[benchmark.name, "p50"].effect for figures in self._restarts]

    def _restart(self, loop: InterruptibleLoop, bursts: BurstPlan, first: int, *, is_trial: bool = False) -> Figures:
        """Start both servers, time them, and stop them. Raises AbFailedError if a side fails."""
        # They start side by side, on a core each if there are two, in either order; then they share the server's core.
        cores = [self._server_core, self._generator_core if self._generator_core is not None else self._server_core]
        if self._random.random() < 0.5:
            cores.reverse()
        with contextlib.ExitStack() as stack:
            servers = [self._server(side, core) for side, core in enumerate(cores)]
            for server in servers:
                stack.callback(server.stop)
            for server in servers:  # the last step of both sides comes first
                stack.callback(server.ask_to_stop)
            self._start(servers)
            for side, server in enumerate(servers):
                if isinstance(server, ServerProcess):
                    self._check_origin(server, side)
                elif isinstance(server, CommandProcess) and is_trial:
                    self._check_origin_of_command(server, side)
                if self._server_core is not None:
                    server.pin(self._server_core)
            try:
                return loop.run(self._exchange(servers, bursts, first))
            except SideError as error:
                server = servers[error.side]
                reason = exit_reason(server.check, EXIT_GRACE_S) or with_last_words(str(error), server.wrote_last)
                raise self._failure(error.side, reason) from error

    def _start(self, servers: Sequence[OwnedServer]) -> None:
        """Start the servers side by side. Raises AbFailedError, which also says if the other side started."""
        reasons: dict[int, str] = {}
        with _interrupts_held_back():  # inside Popen, a Ctrl-C would leave a process that nobody knows of
            for side, server in enumerate(servers):
                try:
                    server.launch()
                except ServerError as error:
                    reasons[side] = str(error)
        for side, server in enumerate(servers):
            try:
                if side not in reasons:
                    server.start()
            except ServerError as error:
                reasons[side] = str(error)
        if len(reasons) > 1:
            raise AbFailedError(
                f"neither revision's service starts; {self._named(0)}: {reasons[0]}{self._empty_submodules(0)}"
            )
        for side, reason in reasons.items():
            raise self._failure(side, f"{reason}; {NAMES[1 - side]} started")

    def _server(self, side: int, core: int | None) -> OwnedServer:
        source = self._sources[side]
        environment = ProcessSeed.drawn(self._random).environment
        if self._plan.app_directory is not None:
            inherited = os.environ.get("PYTHONPATH")
            folder = str(source.checkout.directory / self._plan.app_directory)
            environment["PYTHONPATH"] = f"{folder}{os.pathsep}{inherited}" if inherited else folder
        served_with = self._plan.server
        options = replace(served_with, core=core, environment={**served_with.environment, **environment})
        return self._served(source).server(options, self._log_files[side])

    def _served(self, source: Source) -> Served:
        plan, directory = self._plan, source.checkout.directory
        if plan.command is not None:
            return ServedCommand(replace(plan.command, directory=directory), plan.hide)
        return ServedApp(plan.app, directory, source.python, plan.start_timeout_s, plan.hide)

    def _check_origin(self, server: ServerProcess, side: int) -> None:
        """Check that it is the revision's service: an editable install would serve the checkout's to both sides.

        Raises AbError if it is not.
        """
        root, others = self._sources[side].checkout.root, [self._repository.root]
        others += [source.checkout.root for source in self._sources]
        app_file = Path(server.app_file)
        if server.app_file and root not in app_file.parents:
            raise AbError(
                f"{self._named(side)}: {self._plan.app} was imported from {app_file}, which is not in the revision's "
                "folder; name the folder that it is imported from with --app-dir"
            )
        for file in map(Path, server.files):
            for other in others:
                if other != root and other in file.parents and root not in file.parents:
                    raise AbError(
                        f"{self._named(side)}: {self._plan.app} uses {file}, which is not in the revision's folder; "
                        "name the folder that it is imported from with --app-dir"
                    )

    def _check_origin_of_command(self, server: CommandProcess, side: int) -> None:
        """Check that the code of a command's service is that of its revision, as far as that can be told.

        Raises AbError if it is not.
        """
        program = python_program(server.listeners)
        self._programs.append(program)
        if program is None:
            note = "the origin of the code was not checked, because the command's service is no Python program"
            self._origin_notes = list(dict.fromkeys([*self._origin_notes, note]))
            return
        root = self._sources[side].checkout.root
        others = [self._repository.root, *(source.checkout.root for source in self._sources)]
        others = [other for other in others if other != root]
        notes = check_python(program, root, others, self._named(side))
        self._origin_notes = list(dict.fromkeys([*self._origin_notes, *notes]))

    async def _exchange(self, servers: Sequence[OwnedServer], bursts: BurstPlan, first: int) -> Figures:
        settings = self._plan.chosen.connection
        clients = [FastClient(), FastClient()]
        connections: list[Side] = []
        try:
            for side, (client, server) in enumerate(zip(clients, servers, strict=True)):
                names = tokens(self._origin, 2 * len(self._restarts) + side)
                exchange = Exchange(client, names, self._plan.reply_timeout_ns, settings.namespace)
                connections.append(Side(exchange, server.cpu_ns))
                try:
                    limit_s = self._plan.reply_timeout_ns / 1e9
                    await connect(client, server.url, settings, self._plan.chosen.file, limit_s, self._plan.known)
                except ClientError as error:
                    raise SideError(side, error) from error
            return await compare((connections[0], connections[1]), self._plan.benchmarks, bursts, first)
        finally:
            for connection in connections:
                connection.exchange.close()
            for client in clients:
                with contextlib.suppress(ClientError):
                    await client.disconnect()

    def _failure(self, side: int, reason: str) -> AbFailedError:
        other = f" (it was fine {len(self._restarts)} times before)" if self._restarts else ""
        return AbFailedError(f"{self._named(side)}: {reason}{other}{self._empty_submodules(side)}")

    def _empty_submodules(self, side: int) -> str:
        """Return the tail of a message that names a possible cause: submodules that the user's checkout lacks, too."""
        empty = self._sources[side].checkout.empty_submodules
        names = _listed(empty)
        return (
            f"; its submodules are empty ({names}), as in your checkout: `git submodule update --init`" if empty else ""
        )

    def _named(self, side: int) -> str:
        return f"{NAMES[side]}, {self._sources[side].label}"

    def _side(self, side: int) -> AbSide:
        source = self._sources[side]
        return AbSide(
            revision=source.checkout.revision.name,
            label=source.label,
            commit_info=source.checkout.commit_info,
            environment="shared" if source.python is None and self._plan.command is None else "own",
            packages=self._packages(side),
        )

    def _packages(self, side: int) -> dict[str, str]:
        """Return the versions of a side's Python and packages; empty if its service is no Python program."""
        python = self._sources[side].python
        if self._plan.command is not None:
            program = self._programs[side]
            if program is None:
                return {}
            python = program.interpreter
        try:
            return installed() if python is None else versions(python)
        except (OSError, subprocess.SubprocessError, ValueError):
            return {}

    def _settings(self, awake: Sequence[int]) -> AbSettings:
        plan = self._plan
        given = Secrets.of(plan.chosen.connection)
        return AbSettings(
            app=plan.app if plan.command is None else None,
            command=None if plan.command is None else plan.command.shown,
            prepare=None if plan.prepare is None else given.hide(without_secrets(plan.prepare)),
            links=tuple(map(str, plan.links)),
            precision=plan.rule.precision,
            threshold=plan.threshold,
            confidence=plan.rule.confidence,
            max_time_s=plan.max_time_s,
            burst=plan.bursts.burst,
            pairs=plan.bursts.pairs,
            saturated_burst=plan.bursts.saturated_burst,
            saturated_pairs=plan.bursts.saturated_pairs,
            in_flight=plan.bursts.in_flight,
            seed=plan.seed,
            server_core=self._server_core,
            generator_core=self._generator_core,
            awake=tuple(awake),
            scenarios=_scenarios(plan.chosen),
        )


# --- after ------------------------------------------------------------------------------------------------------------


def _scenarios(chosen: Chosen) -> AbScenarios | None:
    """Return the stored part of the user's file of scenarios; None without a file."""
    file = chosen.file
    if file is None:
        return None
    definitions = {benchmark.name: file.definition(benchmark.scenario) for benchmark in chosen.benchmarks}
    return AbScenarios(file=file.name, sha256=file.sha256, definitions=definitions)


def summary(
    benchmarks: Sequence[Benchmark], restarts: Sequence[Figures], confidence: float, threshold: float
) -> tuple[AbBenchmark, ...]:
    """Return the restarts' figures as estimates and verdicts, all in a single family (see `verdicts`)."""
    keys: list[tuple[str, Metric]] = [
        (benchmark.name, metric) for benchmark in benchmarks for metric in metrics_of(benchmark)
    ]
    effects = {key: [figures[key].effect for figures in restarts] for key in keys}
    estimates = {key: estimate(effects[key], confidence) for key in keys}
    decided = dict(zip(keys, verdicts(list(estimates.values()), threshold), strict=True))

    def metric_of(key: tuple[str, Metric]) -> AbMetric:
        found = estimates[key]
        return AbMetric(
            metric=key[1],
            a_us=statistics.median(figures[key].a_us for figures in restarts),
            b_us=statistics.median(figures[key].b_us for figures in restarts),
            effect=found.effect,
            low=found.low,
            high=found.high,
            half_width=found.half_width,
            standard_error=found.standard_error,
            verdict=decided[key],
            log_effects=tuple(effects[key]),
        )

    return tuple(
        AbBenchmark(
            name=benchmark.name,
            event=benchmark.scenario.emit,
            reply=benchmark.scenario.answers,
            metrics=tuple(metric_of((benchmark.name, metric)) for metric in metrics_of(benchmark)),
        )
        for benchmark in benchmarks
    )
