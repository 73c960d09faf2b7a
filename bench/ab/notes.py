"""The notes on two revisions: what people have to know of them to read the comparison."""

from collections.abc import Iterator, Sequence

from bench.ab.environments import dependencies
from bench.ab.plan import AbPlan
from bench.ab.source import Source, dependency_folders
from bench.ab.worktree import Checkout, Repository
from bench.machine.system import missing
from bench.results.ab import AbSide
from bench.results.requirements import other_packages
from bench.statistics.percentiles import FEWEST_VALUES

_SAME = "both revisions are the same commit: whatever differs is noise"


def notes_on(plan: AbPlan, sources: Sequence[Source], repository: Repository, sides: Sequence[AbSide]) -> Iterator[str]:
    """Yield the notes on the two revisions, for people."""
    if (lacks := missing()) is not None:
        yield lacks
    if not plan.bursts.has_p99:
        trips = f"{plan.bursts.pairs:,} pairs of bursts of {plan.bursts.burst}"
        yield f"no p99: of {trips}, fewer than {FEWEST_VALUES['p99']} round trips a restart, it is their maximum"
    a, b = (source.checkout for source in sources)
    changes = repository.changes()
    if a.revision.commit is not None and a.revision.commit == b.revision.commit:
        yield _SAME
    if None in (a.revision.commit, b.revision.commit):
        if changes:
            yield f"WORKTREE has uncommitted changes: {listed([change[3:] for change in changes])}"
        else:
            yield "WORKTREE has no uncommitted changes"
    elif tracked := [change[3:] for change in changes if not change.startswith("??")]:
        yield f"the working tree has uncommitted changes, which are in neither revision: {listed(tracked)}"
    if plan.command is None:
        yield from _notes_on_dependencies(plan, (a, b), sides)
    for name in sorted(sides[0].packages.keys() | sides[1].packages.keys()):
        old, new = (side.packages.get(name, "none") for side in sides)
        if old != new:
            yield f"different packages: {name} {old} and {new}"


def _notes_on_dependencies(plan: AbPlan, checkouts: Sequence[Checkout], sides: Sequence[AbSide]) -> Iterator[str]:
    if not plan.env_per_rev:
        found = (
            other_packages(dependency_folders(checkout), f"{plan.app} of {checkout.label}") for checkout in checkouts
        )
        yield from dict.fromkeys(note for note in found if note is not None)
    wanted = [dependencies(dependency_folders(checkout)) for checkout in checkouts]
    if wanted[0].digest != wanted[1].digest and not plan.env_per_rev:
        file = wanted[0].file or wanted[1].file
        yield f"the revisions' dependencies differ ({file}), but both ran with the same packages: see --env-per-rev"
    if wanted[0].python != wanted[1].python:
        asked = " and ".join(dependency.python or "none" for dependency in wanted)
        yield f"the revisions ask for different Pythons ({asked}); both ran with {sides[0].packages['python']}"


def listed(names: Sequence[str], shown: int = 5) -> str:
    """Return the first of the names, for people, and how many more there are."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
