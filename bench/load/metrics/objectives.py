"""The objectives of a load, judged by its figures. Pure.

A saturated generator spoils figures. An objective on a spoilt figure is not judged: neither way would it say anything
of the service. Nor is it judged where the result is wrong, or lacks a part of the load.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from bench.load.metrics.figures import Chosen, LoadFigures
from bench.load.metrics.saturation import ALL
from bench.objectives.judging import judge, not_judged
from bench.objectives.model import JudgedObjective, Objective
from bench.results.load import GeneratorHealth, Spoilt

#: The confidence with which an objective has to be missed for a load to be ended before its time.
#:
#: A load is looked at again and again. With this confidence, a load that just meets its objective is hardly ever ended.
ABORT_CONFIDENCE = 0.999

#: The number of seconds that a load is looked at each second. Later the time between two looks is this part of it.
_EACH_SECOND_S = 60


def judged_load(
    objectives: Sequence[Objective],
    figures: LoadFigures,
    generator: GeneratorHealth,
    refused: str | None = None,
    lost: str | None = None,
) -> tuple[JudgedObjective, ...]:
    """Return the objectives of a load as they were judged. `refused` says why none of them can be.

    `lost` says how the service was lost during the load. An objective that is missed is missed all the same. Others
    are not judged: what was answered before does not tell that they hold.
    """
    found = []
    for objective in objectives:
        chosen = figures.choose(objective)
        if isinstance(chosen, str):
            found.append(not_judged(objective, chosen, objective.operation))
            continue
        measured = figures.measured(objective, chosen)
        useless = refused or measured.useless_because or spoilt(generator, objective, chosen)
        judged = judge(objective, replace(measured, useless_because=useless))
        if lost is not None and judged.verdict == "missed":
            judged = judged.model_copy(update={"reason": lost})
        elif lost is not None:
            judged = judge(objective, replace(measured, useless_because=lost))
        found.append(judged)
    return tuple(found)


def surely_missed(
    objectives: Sequence[Objective],
    figures: LoadFigures,
    generator: GeneratorHealth,
    give_way: Callable[[], None] = lambda: None,
) -> JudgedObjective | None:
    """Return the first objective that a load that goes on has missed already, come what may; None if there is none.

    `give_way` is called before each objective: all of them may take long.
    """
    for objective in objectives:
        give_way()
        chosen = figures.choose(objective)
        if isinstance(chosen, str) or spoilt(generator, objective, chosen) is not None:
            continue
        if figures.holds(objective, chosen):
            continue
        judged = judge(objective, figures.measured(objective, chosen, ABORT_CONFIDENCE))
        if judged.verdict == "missed":
            return judged
    return None


def is_time_to_look(second: int, last: int) -> bool:
    """Return true if a load that has gone on for so many seconds is to be looked at again after the last look."""
    return second - last >= max(1, second // _EACH_SECOND_S)


def spoilt(generator: GeneratorHealth, objective: Objective, chosen: Chosen) -> str | None:
    """Return why the figure of an objective is the saturated generator's; None if it is the service's.

    The counts of a saturated generator are true. But what it is too late for it drops, and by the process's clock it
    makes timeouts.
    """
    if generator.verdict != "saturated":
        return None
    depends: set[Spoilt] = set()
    if objective.is_of_times or objective.metric == "timeouts":
        depends.add("response times" if chosen.is_open and objective.is_of_times else "service times")
        if not chosen.are_kernels:
            depends.add("times by the process's clock")
    elif objective.metric in ("throughput", "dropped"):
        depends.add("throughput")
    if not depends & set(generator.spoils or ALL):
        return None
    return f"the figure is the generator's, which was saturated: {generator.reason}"
