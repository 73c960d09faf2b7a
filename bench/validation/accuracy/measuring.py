"""The run of the scenarios: ours in alternation within each group, then the others, all on the same servers.

Our generator is a `locust` process as anybody would start it, on the core that is not the server's. Every repetition is
kept; no run is repeated because of its result. Everything that was started is gone when this returns, however it does.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter_ns

from bench.machine.conditions import Conditions
from bench.machine.disturbances import Disturbance, Interference, disturbances_between
from bench.results.load import LoadResult
from bench.results.store import ResultError, load
from bench.results.temporary import temporary_folder
from bench.targets.process import FaultyProcess
from bench.validation.accuracy import model
from bench.validation.accuracy.expected import NothingSeenError
from bench.validation.accuracy.model import Absent, FigureCheck, Row, Run, ToolFigure
from bench.validation.accuracy.peers import RATE_PER_S
from bench.validation.accuracy.scenarios import (
    BASELINE,
    JUDGED_REPETITIONS,
    Group,
    Load,
    Measurement,
    RunEvidence,
    Scenario,
)
from bench.validation.peers.generator import Program
from bench.validation.peers.peer import PROJECT, Command, LeftOut, PacedLoad, Peer, ToolReport
from bench.validation.peers.tools import script
from bench.validation.processes import processes_options

_USERS = Path(__file__).parent / "programs" / "accuracy_users.py"
#: The time that a tool may take in addition to the load: to start, to connect, to await the last replies, to report.
_ENDING_S = 60.0
_PEERS_TIMEOUT_S = 2.0


class AccuracyFailedError(Exception):
    """The check could not be carried out; the text says why, in one line."""


@dataclass(frozen=True)
class Plan:
    """The cores of a check, and its extent. The caller keeps `awake_cores` from halting."""

    generator_cores: Sequence[int]
    server_core: int | None
    awake_cores: Sequence[int]
    quick: bool

    @property
    def cores(self) -> list[int]:
        """The cores of the generators and of the server."""
        return [*self.generator_cores, *([] if self.server_core is None else [self.server_core])]


@dataclass(frozen=True)
class Outcome:
    """The results of all scenarios; `peers` are the versions of the tools that took part, by name."""

    scenarios: tuple[model.Scenario, ...]
    peers: dict[str, str]
    absent: tuple[Absent, ...]


@dataclass
class _Repetitions:
    """The measurements, runs and tool reports of one scenario so far."""

    measurements: list[list[Measurement]] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    #: By tool: its report, and the number of replies that the server lost in its run.
    tool_reports: dict[str, tuple[ToolReport, int]] = field(default_factory=dict)


def measure(
    groups: Sequence[Group], peers: Sequence[Peer[PacedLoad]], plan: Plan, tell: Callable[[str], None]
) -> Outcome:
    """Run all of it; `tell` hears of each run. Raises AccuracyFailedError or ServerError."""
    with temporary_folder("bench-accuracy-") as folder:
        return _Check(peers, plan, tell, folder).of(groups)


class _Check:
    def __init__(self, peers: Sequence[Peer[PacedLoad]], plan: Plan, tell: Callable[[str], None], folder: Path) -> None:
        self._peers = peers
        self._plan = plan
        self._tell = tell
        self._folder = folder
        self._runs = 0
        self._absent: list[Absent] = []

    def of(self, groups: Sequence[Group]) -> Outcome:
        versions: dict[str, str] = {}
        taking_part: list[Peer[PacedLoad]] = []
        for peer in self._peers:
            try:
                versions[peer.name] = peer.prepare(self._folder)
                taking_part.append(peer)
            except LeftOut as reason:
                self._leave_out(peer, None, reason)
        scenarios = [scenario for group in groups for scenario in self._group(group, taking_part)]
        return Outcome(tuple(scenarios), versions, tuple(self._absent))

    # ------------------------------------------------------------------ a group

    def _group(self, group: Group, peers: Sequence[Peer[PacedLoad]]) -> list[model.Scenario]:
        repetitions = {scenario.name: _Repetitions() for scenario in group.scenarios}
        with ExitStack() as stack:
            servers = {
                scenario.name: stack.enter_context(FaultyProcess(scenario.faults, core=self._plan.server_core))
                for scenario in group.scenarios
            }
            for server in servers.values():
                _await_first_period(server)
            for repetition in range(group.repetitions):
                baseline: RunEvidence | None = None
                for scenario in group.scenarios:
                    evidence = self._ours(
                        scenario, servers[scenario.name], str(repetition + 1), repetitions[scenario.name]
                    )
                    if scenario.name == BASELINE:
                        baseline = evidence
                    try:
                        repetitions[scenario.name].measurements.append(scenario.measurements(evidence, baseline))
                    except NothingSeenError as reason:
                        raise AccuracyFailedError(f"{scenario.name}: {reason}") from None
            for scenario in group.scenarios:
                for peer in peers:
                    self._theirs(peer, scenario, servers[scenario.name], repetitions[scenario.name])
        described = []
        for scenario in group.scenarios:
            runs = [repetitions[scenario.name].runs]
            if scenario.needs_baseline:
                runs.append(repetitions[BASELINE].runs)
            described.append(self._described(scenario, repetitions[scenario.name], quietest(runs)))
        return described

    def _described(self, scenario: Scenario, repetitions: _Repetitions, judged: Sequence[int]) -> model.Scenario:
        rows = [
            Row.of(
                first.figure,
                first.unit,
                [_of_figure(measurements, first.figure) for measurements in repetitions.measurements],
                is_exact=first.is_exact,
                is_judged=not self._plan.quick,
                judged=judged,
                peers=_tool_figures(first.figure, repetitions.tool_reports),
            )
            for first in repetitions.measurements[0]
        ]
        return model.Scenario(
            name=scenario.name,
            title=scenario.title,
            rate_per_s=scenario.load.rate_per_s,
            duration_s=scenario.load.seconds,
            rows=tuple(rows),
            runs=tuple(repetitions.runs),
        )

    # ------------------------------------------------------------------ ours

    def _ours(self, scenario: Scenario, server: FaultyProcess, seed: str, repetitions: _Repetitions) -> RunEvidence:
        folder = self._new_folder(scenario.name)
        server.reset(scenario.load.warmup_s)
        before = Conditions.now(self._plan.cores)
        try:
            with Program(_command(scenario.load, server.url, seed, folder), self._cores, folder / "output.log") as own:
                # 1 after failures, such as those that are asked for here: whether it came through, its result tells.
                code = own.wait(scenario.load.seconds + _ENDING_S)
                output = own.output
        except LeftOut as reason:
            raise AccuracyFailedError(f"{scenario.name}: locust: {reason}") from None
        after = Conditions.now(self._plan.cores)
        pinned, awake = self._plan.server_core is not None, self._plan.awake_cores
        spoilt = disturbances_between(before, after, pinned=pinned, awake=awake)
        result = _stored(scenario, folder, code, output)
        samples = [int(line) for path in folder.glob("samples-*") for line in path.read_text().split()]
        evidence = RunEvidence(seed, result, server.truth(), _lines(folder / "timeouts"), samples)
        try:
            run = _run_of(f"{scenario.name} {seed}", evidence, Interference.between(before, after), spoilt)
        except NothingSeenError as reason:
            raise AccuracyFailedError(f"{scenario.name}: {reason}") from None
        repetitions.runs.append(run)
        self._tell(_progress(scenario, run))
        return evidence

    @property
    def _cores(self) -> Sequence[int]:
        return self._plan.generator_cores

    # ------------------------------------------------------------------ theirs

    def _theirs(
        self, peer: Peer[PacedLoad], scenario: Scenario, server: FaultyProcess, repetitions: _Repetitions
    ) -> None:
        if scenario.peers_s is None:
            return
        folder = self._new_folder(f"{scenario.name}-{peer.name}")
        server.reset()
        paced = PacedLoad(server.url, RATE_PER_S, scenario.peers_s, scenario.load.timeout_s or _PEERS_TIMEOUT_S, folder)
        try:
            with Program(peer.command(paced), self._cores, folder / "output.log") as program:
                program.wait(paced.seconds + _ENDING_S)
            repetitions.tool_reports[peer.name] = peer.report(paced, program.output), server.truth().lost
        except LeftOut as reason:
            self._leave_out(peer, scenario, reason)
        else:
            self._tell(f"{scenario.name}: {peer.name} at {RATE_PER_S}/s")

    def _leave_out(self, peer: Peer[PacedLoad], scenario: Scenario | None, reason: LeftOut) -> None:
        name = None if scenario is None else scenario.name
        self._absent.append(Absent(peer=peer.name, scenario=name, reason=str(reason)))
        self._tell(f"{'' if name is None else f'{name}: '}{peer.name} is left out: {reason}")

    def _new_folder(self, name: str) -> Path:
        self._runs += 1
        folder = self._folder / f"{self._runs}-{name}"
        folder.mkdir()
        return folder


def _await_first_period(server: FaultyProcess) -> None:
    """Wait until the first period of a server that stalls is over: that period has no stall."""
    if server.faults.stall is None:
        return
    over_ns = server.truth().started_ns + server.faults.stall.period_ns
    time.sleep(max(0, over_ns - perf_counter_ns()) / 1e9)


def _command(load: Load, url: str, seed: str, folder: Path) -> Command:
    is_own_user = load.timeout_s is not None or load.is_sampled
    arguments = [str(script("locust")), "-f", str(_USERS if is_own_user else PROJECT / "locustfile.py")]
    arguments += ["--headless", "--only-summary", "--host", url, "--results", str(folder), "--seed", seed]
    arguments += ["--rate", load.rate, "--arrivals", load.shape, "--warmup", f"{load.warmup_s:g}"]
    arguments += ["--users", str(load.users), "--spawn-rate", str(load.users)]
    arguments += processes_options(load.processes)
    environment = {"ACCURACY_NOTES": str(folder)}
    user = "EchoUser"
    if load.timeout_s is not None:
        user, environment["ACCURACY_TIMEOUT_S"] = "ImpatientUser", f"{load.timeout_s:g}"
    if load.is_sampled:
        user, environment["ACCURACY_SAMPLES"] = "SampledUser", "1"
    return Command([*arguments, user], environment)


def _stored(scenario: Scenario, folder: Path, code: int, output: str) -> LoadResult:
    paths = list(folder.glob("load/*/*.json"))
    if len(paths) != 1:
        last = next((line for line in reversed(output.splitlines()) if line.strip()), "nothing")
        raise AccuracyFailedError(f"{scenario.name}: locust ended with exit code {code}; it wrote last: {last}")
    try:
        result = load(paths[0])
    except ResultError as error:
        raise AccuracyFailedError(f"{scenario.name}: {error}") from None
    assert isinstance(result, LoadResult)
    return result


def quietest(runs: Sequence[Sequence[Run]]) -> tuple[int, ...]:
    """Return the repetitions that are judged: those in whose runs other processes took least of the cores' time.

    The result is empty if that time is not known of all repetitions. The kernel reports it, not our figures: no
    repetition is left out because of its result.
    """
    taken = [[run.taken_share for run in repetition] for repetition in zip(*runs, strict=True)]
    known = [sum(share for share in shares if share is not None) for shares in taken if None not in shares]
    if len(known) < len(taken) or len(taken) <= JUDGED_REPETITIONS:
        return ()
    return tuple(sorted(sorted(range(len(known)), key=known.__getitem__)[:JUDGED_REPETITIONS]))


def _lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def _run_of(name: str, evidence: RunEvidence, others: Interference, spoilt: tuple[Disturbance, ...]) -> Run:
    steal_share, load_share = others.steal_share, others.load_share
    generator, operation = evidence.result.generator, evidence.operation
    return Run(
        run=name,
        sent=operation.sent,
        dropped=operation.dropped,
        generator_cpu_share=generator.cpu_share,
        send_lateness_p99_us=None if generator.send_lateness_us is None else generator.send_lateness_us.p99,
        verdict=generator.verdict,
        reason=generator.reason,
        taken_share=None if steal_share is None or load_share is None else steal_share + load_share,
        spoilers=spoilt,
    )


def _progress(scenario: Scenario, run: Run) -> str:
    share = "unknown" if run.generator_cpu_share is None else f"{run.generator_cpu_share:.0%}"
    verdict = f", {run.verdict}: {run.reason}" if run.verdict == "saturated" else ""
    return f"{run.run}: {scenario.load.rate_per_s}/s for {scenario.load.seconds:g} s, generator's CPU {share}{verdict}"


def _of_figure(measurements: Sequence[Measurement], figure: str) -> FigureCheck:
    return next(measurement.check for measurement in measurements if measurement.figure == figure)


def _tool_figures(figure: str, tool_reports: Mapping[str, tuple[ToolReport, int]]) -> dict[str, ToolFigure]:
    found = {}
    for name, (report, lost) in tool_reports.items():
        if figure == "timeouts":
            timeouts = None if report.timeouts is None else model.Quantity(value=report.timeouts)
            found[name] = ToolFigure(reported=timeouts, truth=lost)
        else:
            time_us = report.times_us.get(figure)
            found[name] = ToolFigure(reported=None if time_us is None else model.Quantity(value=time_us))
    return found
