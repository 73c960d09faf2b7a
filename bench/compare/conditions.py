"""The differences between the results of two sides: each makes the comparison void, or the report only says it.

Rules of this file: results in, `Difference`s out; nothing else is measured or judged here. A comparison is **void** if
a difference of the figures says nothing about the service. Reasons are another machine, another Python, other settings,
cores kept awake on one side only, or another control. A generator that measured itself and missing figures are reasons,
too. A difference is **only said** if it does not decide the comparison or is the user's intention. Examples are
uncommitted changes, several commits on one side, the number of the core, the length of the run, and the number of
generator processes.

Versions of packages lie between. A latency comparison then uses the bare control, which is no part of any stack.
Without a bare control the comparison is void, and so it is in load, which has no control. Another kernel makes a
comparison of loads void; if there is a control, it is only said.
"""

from collections.abc import Callable, Iterator, Sequence

from bench.compare.model import Difference, DifferenceKind
from bench.results.header import MachineInfo
from bench.results.load import LoadResult
from bench.results.settings import (
    CLOCK,
    LOAD_SETTINGS,
    SAME_CLOCK,
    Consequence,
    Setting,
    T,
    Values,
    received_clocks,
    values_of,
)
from bench.results.store import Result

_COMMIT_LETTERS = 12

# Versions that are stored with a result, but are of nothing that takes part in a round trip of that kind.
_NO_PART = {"latency": {"locust", "pytest-benchmark"}, "load": {"pytest-benchmark"}}

#: The consequences of settings that differ, in the order in which they are listed.
CONSEQUENCES: tuple[Consequence, ...] = ("void", "said")


def changes(baselines: Sequence[Values], candidates: Sequence[Values]) -> str:
    """Return the entries that differ between the sides as text, "users 100 → 20"; empty if there are none."""
    names = list(dict.fromkeys(name for values in (*baselines, *candidates) for name in values))
    changed: list[str] = []
    for name in names:
        baseline = list(dict.fromkeys(_text(values.get(name)) for values in baselines))
        candidate = list(dict.fromkeys(_text(values.get(name)) for values in candidates))
        if len({*baseline, *candidate}) > 1:
            changed.append(f"{name} {' or '.join(baseline)} → {' or '.join(candidate)}")
    return ", ".join(changed)


def setting_changes(
    settings: Sequence[Setting[T]], baselines: Sequence[T], candidates: Sequence[T], consequence: Consequence
) -> str:
    """Return the settings with this consequence that differ, as text, and what to do about them."""
    old, new = ([values_of(settings, measured, consequence) for measured in side] for side in (baselines, candidates))
    remedies = [
        setting.remedy
        for setting in settings
        if setting.remedy and len({values.get(setting.name) for values in (*old, *new)}) > 1
    ]
    return "; ".join(filter(None, (changes(old, new), *remedies)))


def environment_differences(baselines: Sequence[Result], candidates: Sequence[Result]) -> Iterator[Difference]:
    """Yield the differences of machine and Python, for either kind; `package_changes` has the versions of packages."""

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
    """Return the differing versions of packages that take part in a round trip; empty if all are the same.

    It is also empty if a result has no versions at all, as pytest-benchmark's own files.
    """
    if not all(result.packages for result in (*baselines, *candidates)):
        return ""
    no_part = _NO_PART[baselines[0].kind] | {"python"}  # which is a difference of its own

    def versions(result: Result) -> Values:
        return {name: version for name, version in result.packages.items() if name not in no_part}

    return changes([versions(result) for result in baselines], [versions(result) for result in candidates])


def commit_differences(baselines: Sequence[Result], candidates: Sequence[Result]) -> Iterator[Difference]:
    """Yield uncommitted changes, and each side that has results of several commits."""
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
    """Yield the differences of scenario and server, and the faults of each run."""
    for consequence in CONSEQUENCES:
        if changed := setting_changes(LOAD_SETTINGS, baselines, candidates, consequence):
            yield Difference(kind=DifferenceKind.SETTINGS, detail=changed, void=consequence == "void")
    if changed := _clock_changes(baselines, candidates):
        yield Difference(kind=DifferenceKind.SETTINGS, detail=f"{changed}; {SAME_CLOCK}", void=True)
    for side, results in (("old", baselines), ("new", candidates)):
        for result in results:
            if result.generator.verdict == "saturated":
                detail = f"in the {side} result: {result.generator.reason}"
                yield Difference(kind=DifferenceKind.SATURATED, detail=detail, void=True)
            if result.invalid_reason is not None:
                detail = f"in the {side} result: {result.invalid_reason}"
                yield Difference(kind=DifferenceKind.INVALID, detail=detail, void=True)
            if result.service_loss is not None:
                detail = f"in the {side} result: {result.service_loss.text}"
                yield Difference(kind=DifferenceKind.SERVICE_LOST, detail=detail, void=True)
            if result.partial:
                detail = f"the {side} one: {result.partial_reason}"
                yield Difference(kind=DifferenceKind.PARTIAL, detail=detail, void=True)
            if result.forced:
                detail = f"the {side} run did not await its outstanding replies"
                yield Difference(kind=DifferenceKind.FORCED, detail=detail, void=True)


def _clock_changes(baselines: Sequence[LoadResult], candidates: Sequence[LoadResult]) -> str:
    """Return the operations whose replies were not timed by the same clock, as text, by clocks."""
    old, new = ([received_clocks(result) for result in side] for side in (baselines, candidates))
    found: dict[str, list[str]] = {}
    for label in dict.fromkeys(label for clocks in (*old, *new) for label in clocks):
        baseline, candidate = ([{CLOCK: clocks[label]} for clocks in side if label in clocks] for side in (old, new))
        if baseline and candidate and (changed := changes(baseline, candidate)):
            found.setdefault(changed, []).append(label)
    return ", ".join(f"{changed} ({', '.join(labels)})" for changed, labels in found.items())


# --- the machine ----------------------------------------------------------------------------------------------------


def _machine(machine: MachineInfo) -> Values:
    """Return the values that make it the same machine, without the clock rate, which changes all the time."""
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
