"""Disturbances: thresholds hold, and what was not read is not judged."""

import json
from typing import Any, get_args

import pydantic
import pytest

from bench.machine.conditions import Conditions, Counters, GarbageCollection
from bench.machine.disturbances import (
    LOAD_PER_CORE,
    LOAD_SHARE,
    MAJOR_FAULTS,
    STEAL_SHARE,
    SWAPPED_IN_PAGES,
    Disturbance,
    DisturbanceKind,
    Interference,
    disturbances_between,
)
from bench.machine.processes import CoreTime

QUIET = Counters(
    cores=CoreTime(total_s=1000, used_s=400, stolen_s=1),
    own_cpu_s=50,
    major_faults=10,
    swapped_in_pages=10,
    throttled_us=10,
    throttled_periods=10,
    stops=1,
)


def conditions(seconds: float = 0, *, counters: dict[str, Any] | None = None, **changed: Any) -> Conditions:
    """Return the conditions of two quiet cores after so many seconds, with these other `counters`."""
    risen = QUIET.model_dump() | {"cores": core(seconds)} | (counters or {})
    values: dict[str, Any] = {
        "cores": (0, 1),
        "affinity": (0, 1),
        "load_average": 9.0,
        "garbage_collection": GarbageCollection(enabled=True, thresholds=(700, 10, 10), frozen=0),
        "python_optimised": True,
        "counters": Counters(**risen),
    }
    return Conditions(**(values | changed))


def core(seconds: float, used_s: float = 0, stolen_s: float = 0) -> CoreTime:
    return CoreTime(total_s=1000 + 2 * seconds, used_s=400 + used_s, stolen_s=1 + stolen_s)


def judged(before: Conditions, after: Conditions) -> tuple[Disturbance, ...]:
    """Return the disturbances of a pinned measurement on cores that were kept awake."""
    return disturbances_between(before, after, pinned=True, awake=(0, 1))


# Judging


def test_a_quiet_run_has_none() -> None:
    assert judged(conditions(), conditions(10)) == ()


LEAST: dict[str, tuple[DisturbanceKind, float, Conditions]] = {
    "steal": ("steal", STEAL_SHARE, conditions(10, counters={"cores": core(10, stolen_s=20.001 * STEAL_SHARE)})),
    "load": ("load", LOAD_SHARE, conditions(10, counters={"cores": core(10, used_s=20.001 * LOAD_SHARE)})),
    "throttled": ("throttled", 1, conditions(10, counters={"throttled_us": 11, "throttled_periods": 11})),
    "stopped": ("stopped", 2, conditions(10, counters={"stops": 3})),
    "swap": ("swap", SWAPPED_IN_PAGES, conditions(10, counters={"swapped_in_pages": 10 + SWAPPED_IN_PAGES})),
    "faults": ("swap", MAJOR_FAULTS, conditions(10, counters={"major_faults": 10 + MAJOR_FAULTS})),
}


@pytest.mark.parametrize(("kind", "value", "after"), LEAST.values(), ids=LEAST)
def test_from_the_threshold_on(kind: DisturbanceKind, value: float, after: Conditions) -> None:
    (spoiler,) = judged(conditions(), after)
    assert spoiler.kind == kind
    assert spoiler.value == pytest.approx(value, rel=1e-3)
    assert spoiler.text
    assert "\n" not in spoiler.text


JUST_BELOW = {
    "steal": {"cores": core(10, stolen_s=20 * STEAL_SHARE - 0.01)},
    "load": {"cores": core(10, used_s=20 * LOAD_SHARE - 0.01)},
    "swap": {"swapped_in_pages": 9 + SWAPPED_IN_PAGES},
    "faults": {"major_faults": 9 + MAJOR_FAULTS},
    "counters that fell": {"swapped_in_pages": 0, "major_faults": 0, "throttled_us": 0, "throttled_periods": 0},
}


@pytest.mark.parametrize("counters", JUST_BELOW.values(), ids=JUST_BELOW)
def test_below_it(counters: dict[str, Any]) -> None:
    assert judged(conditions(), conditions(10, counters=counters)) == ()


def test_what_the_run_itself_used_is_no_load() -> None:
    busy = {"cores": core(10, used_s=19), "own_cpu_s": 50 + 18.5}
    assert Interference.between(conditions(), conditions(10, counters=busy)).load_share == pytest.approx(0.025)
    assert judged(conditions(), conditions(10, counters=busy)) == ()
    more_than_there_was = busy | {"own_cpu_s": 50 + 19.5}  # sums of ticks are not exact
    assert Interference.between(conditions(), conditions(10, counters=more_than_there_was)).load_share == 0


@pytest.mark.parametrize(("load_average", "kinds"), [(2 * LOAD_PER_CORE - 0.01, []), (2 * LOAD_PER_CORE, ["load"])])
def test_the_load_average_counts_where_nothing_better_is_known(load_average: float, kinds: list[str]) -> None:
    before = conditions(counters={"cores": None}, load_average=load_average)
    assert [spoiler.kind for spoiler in judged(before, conditions(10))] == kinds


def test_shares_of_next_to_no_time_say_nothing() -> None:
    after = conditions(0.4, counters={"cores": core(0.4, stolen_s=0.8)})
    assert Interference.between(conditions(), after).steal_share is None


@pytest.mark.parametrize("unread", list(Counters.model_fields))
def test_what_was_not_read_is_not_judged(unread: str) -> None:
    everything = {
        "cores": core(10, used_s=5, stolen_s=5),
        "major_faults": 9999,
        "swapped_in_pages": 9999,
        "throttled_us": 9999,
        "throttled_periods": 9999,
    }
    after = conditions(10, counters=everything)
    all_kinds = {spoiler.kind for spoiler in judged(conditions(load_average=0.0), after)}
    assert all_kinds == {"steal", "load", "throttled", "swap"}
    for blind in (
        judged(conditions(load_average=0.0, counters={unread: None}), after),
        judged(conditions(load_average=0.0), conditions(10, counters=everything | {unread: None})),
    ):
        lost = all_kinds - {spoiler.kind for spoiler in blind}
        assert lost == {"cores": {"steal", "load"}, "own_cpu_s": {"load"}}.get(unread, set())


def test_how_it_was_placed() -> None:
    def kinds(cores: tuple[int, ...], pinned: bool, awake: tuple[int, ...]) -> list[str]:
        before, after = conditions(cores=cores), conditions(10, cores=cores)
        return [spoiler.kind for spoiler in disturbances_between(before, after, pinned=pinned, awake=awake)]

    assert kinds((0, 1), True, (0, 1)) == []
    assert kinds((0, 1), False, (0, 1)) == ["not pinned"]
    assert kinds((0, 1), True, (0,)) == ["cores halt"]
    assert kinds((0,), False, ()) == ["single core", "cores halt"]
    assert kinds((), False, ()) == ["not pinned", "cores halt"]
    (halting,) = disturbances_between(conditions(), conditions(10), pinned=True, awake=(0,))
    assert halting.text.startswith("cores 1 were not kept awake")


def test_what_is_judged_of_both_ends() -> None:
    plain: dict[str, Any] = {"governor": "performance"}
    slow: dict[str, Any] = {"governor": "powersave"}
    traced: dict[str, Any] = {"debugging": ("tracemalloc",)}
    assert judged(conditions(**plain), conditions(10, **plain)) == ()
    for first, second in ((slow, plain), (plain, slow)):
        (spoiler,) = judged(conditions(**first), conditions(10, **second))
        assert (spoiler.kind, "powersave" in spoiler.text) == ("governor", True)
    for first, second in ((traced, plain), (plain, traced), (traced, traced)):
        (spoiler,) = judged(conditions(**first), conditions(10, **second))
        assert (spoiler.kind, spoiler.text.count("tracemalloc")) == ("debug", 1)


def test_a_python_that_was_built_without_profile() -> None:
    for optimised, kinds in ((True, []), (None, []), (False, ["unoptimised python"])):
        before, after = conditions(python_optimised=optimised), conditions(10, python_optimised=optimised)
        assert [spoiler.kind for spoiler in judged(before, after)] == kinds


def test_every_kind_can_arise_and_they_come_in_order() -> None:
    found: list[str] = []
    for cores in ((0, 1), (0,)):
        before = conditions(governor="powersave", python_optimised=False, debugging=("tracemalloc",), cores=cores)
        worst = {"cores": core(10, used_s=9, stolen_s=9), "throttled_us": 99, "swapped_in_pages": 9999, "stops": 9}
        kinds = [each.kind for each in disturbances_between(before, conditions(10, counters=worst), pinned=False)]
        assert kinds == [kind for kind in get_args(DisturbanceKind) if kind in kinds]
        found += kinds
    assert set(found) == set(get_args(DisturbanceKind))


def test_it_is_stored_as_json_and_comes_back() -> None:
    now = Conditions.now([0])
    spoiler = Disturbance(kind="steal", text="much", value=0.5)
    during = Interference.between(now, Conditions.now([0]))
    for each in (now, spoiler, during):
        assert type(each).model_validate_json(each.model_dump_json()) == each
        assert type(each).model_validate(json.loads(each.model_dump_json())) == each


@pytest.mark.parametrize(
    "wrong", [{"kind": "gremlins"}, {"value": "1"}, {"value": float("nan")}, {"since": 1}, {"text": None}]
)
def test_what_is_stored_is_strict(wrong: dict[str, Any]) -> None:
    right = {"kind": "steal", "text": "much"}
    Disturbance.model_validate(right)
    with pytest.raises(pydantic.ValidationError):
        Disturbance.model_validate(right | wrong)
