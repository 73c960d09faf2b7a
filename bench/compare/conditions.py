"""What is different between the results of two sides, and whether that makes their comparison void.

Rules of this file: results in, `Difference`s out; nothing is measured or judged here but that. **Void** is a comparison
in which a difference of the figures says nothing of the service: another machine, another Python, other settings, cores
awake here and not there, another control, a generator that measured itself, figures that are missing. **Only said** is
what does not decide it or is the user's intention: another commit's uncommitted changes, several commits on one side,
the number of the core, how long the run was, how many processes generated the load.

Versions of packages lie between: a latency comparison then uses the bare control, which is no part of any stack. Where
there is none, and in load, which has no control, it is void. So is another kernel in load; beside a control it is said.
"""

from collections.abc import Callable, Iterator, Sequence

from bench.compare.model import Difference, DifferenceKind
from bench.results.header import MachineInfo
from bench.results.load import LoadResult
from bench.results.settings import LOAD_SETTINGS, Consequence, Values, values_of
from bench.results.store import Result

_COMMIT_LETTERS = 12

# Versions that are stored with a result, but are of nothing that takes part in a round trip of that kind.
_NO_PART = {"latency": {"locust", "pytest-benchmark"}, "load": {"pytest-benchmark"}}

#: The consequences of settings that differ, in the order in which they are listed.
CONSEQUENCES: tuple[Consequence, ...] = ("void", "said")


def changes(baselines: Sequence[Values], candidates: Sequence[Values]) -> str:
    """The entries that are not the same in all of these, as text: "users 100 → 20"; empty if there are none."""
    names = list(dict.fromkeys(name for values in (*baselines, *candidates) for name in values))
    changed: list[str] = []
    for name in names:
        baseline = list(dict.fromkeys(_text(values.get(name)) for values in baselines))
        candidate = list(dict.fromkeys(_text(values.get(name)) for values in candidates))
        if len({*baseline, *candidate}) > 1:
            changed.append(f"{name} {' or '.join(baseline)} → {' or '.join(candidate)}")
    return ", ".join(changed)


def environment_differences(baselines: Sequence[Result], candidates: Sequence[Result]) -> Iterator[Difference]:
    """Of machine and Python, of either kind. Versions of packages are `package_changes`."""

    def both(of: Callable[[MachineInfo], Values]) -> str:
        return changes(
            [of(result.machine_info) for result in baselines], [of(result.machine_info) for result in candidates]
        )

    if changed := both(_machine):
        yield Difference(kind=DifferenceKind.MACHINE, detail=changed, void=True)
    if changed := both(_kernel):
        has_control = baselines[0].kind == "latency"
        yield Difference(kind=DifferenceKind.MACHINE, detail=changed, void=not has_control)
    if changed := both(_python):
        yield Difference(kind=DifferenceKind.PYTHON, detail=changed, void=True)


def package_changes(baselines: Sequence[Result], candidates: Sequence[Result]) -> str:
    """Versions of what takes part in a round trip that are not the same in all results; empty if all are.

    Empty also where a result tells none at all, as pytest-benchmark by itself does.
    """
    if not all(result.packages for result in (*baselines, *candidates)):
        return ""
    no_part = _NO_PART[baselines[0].kind] | {"python"}  # which is a difference of its own

    def versions(result: Result) -> Values:
        return {name: version for name, version in result.packages.items() if name not in no_part}

    return changes([versions(result) for result in baselines], [versions(result) for result in candidates])


def commit_differences(baselines: Sequence[Result], candidates: Sequence[Result]) -> Iterator[Difference]:
    """Uncommitted changes, and sides that are of several commits."""
    for side, results in (("old", baselines), ("new", candidates)):
        commits = {result.commit_info.id: None for result in results}
        if len(commits) > 1:
            names = ", ".join(commit[:_COMMIT_LETTERS] for commit in commits)
            yield Difference(kind=DifferenceKind.COMMITS, detail=f"the {side} results are of {names}", void=False)
        for commit in {result.commit_info.id: None for result in results if result.commit_info.dirty}:
            detail = f"the {side} result is of {commit[:_COMMIT_LETTERS]} and changes to it"
            yield Difference(kind=DifferenceKind.DIRTY, detail=detail, void=False)


# --- load -----------------------------------------------------------------------------------------------------------


def load_differences(baselines: Sequence[LoadResult], candidates: Sequence[LoadResult]) -> Iterator[Difference]:
    """Of scenario and server, and what is wrong with a run."""
    for consequence in CONSEQUENCES:
        baseline, candidate = (
            [values_of(LOAD_SETTINGS, result, consequence) for result in side] for side in (baselines, candidates)
        )
        if changed := changes(baseline, candidate):
            yield Difference(kind=DifferenceKind.SETTINGS, detail=changed, void=consequence == "void")
    for side, results in (("old", baselines), ("new", candidates)):
        for result in results:
            if result.generator.verdict == "saturated":
                detail = f"in the {side} result: {result.generator.reason}"
                yield Difference(kind=DifferenceKind.SATURATED, detail=detail, void=True)
            if result.invalid_reason is not None:
                detail = f"in the {side} result: {result.invalid_reason}"
                yield Difference(kind=DifferenceKind.INVALID, detail=detail, void=True)
            if result.partial:
                detail = f"the {side} one: {result.partial_reason}"
                yield Difference(kind=DifferenceKind.PARTIAL, detail=detail, void=True)
            if result.forced:
                detail = f"the {side} run did not await its outstanding replies"
                yield Difference(kind=DifferenceKind.FORCED, detail=detail, void=True)


# --- the machine ----------------------------------------------------------------------------------------------------


def _machine(machine: MachineInfo) -> Values:
    """What makes it the same machine. Not the clock rate that it happened to have."""
    return {
        "node": machine.node,
        "system": machine.system,
        "machine": machine.machine,
        "processor": machine.cpu.get("brand_raw"),
        "cores": machine.cpu.get("count"),
    }


def _kernel(machine: MachineInfo) -> Values:
    return {"kernel": machine.release}


def _python(machine: MachineInfo) -> Values:
    return {"implementation": machine.python_implementation, "python": machine.python_version}


def _text(value: object) -> str:
    return "none" if value is None else str(value)
