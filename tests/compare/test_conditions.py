"""Differences in how results were measured: those that make a comparison void, and those that are only told."""

from typing import Any

import pytest

from bench.compare.model import DifferenceKind, IncomparableError
from bench.results.header import MachineInfo
from bench.results.load import Generator, Scenario, Server
from bench.results.service_loss import ServiceLoss
from tests.support.comparisons import compared, differences, latency_runs, load_runs, open_scenario
from tests.support.example_results import load_result, operation
from tests.support.latency_results import SHA256, latency, timed

LATENCY_VOID: list[tuple[dict[str, Any], DifferenceKind, str]] = [
    ({"machine": {"node": "there"}}, DifferenceKind.MACHINE, "node here → there"),
    ({"machine": {"cpu": {"count": 4, "brand_raw": "some processor"}}}, DifferenceKind.MACHINE, "cores 2 → 4"),
    ({"machine": {"python_version": "3.12.1"}}, DifferenceKind.PYTHON, "python 3.11.7 → 3.12.1"),
    ({"loop": "asyncio"}, DifferenceKind.SETTINGS, "loop uvloop → asyncio"),
    ({"service": "chat:app"}, DifferenceKind.SETTINGS, "service app.main:app → chat:app"),
    ({"server_core": None}, DifferenceKind.SETTINGS, "server pinned True → False"),
    ({"awake": {"cores": []}}, DifferenceKind.SETTINGS, "cores awake → may halt"),
    ({"awake": None}, DifferenceKind.SETTINGS, "cores awake → unknown"),
    (
        {"received_clock": "kernel"},
        DifferenceKind.SETTINGS,
        "received clock process → kernel; --process-clock measures with the process's clock, as older versions do",
    ),
    (
        {"controls": {"same-stack": timed(80) | {"processes": 4, "sha256": "cd" * 32}, "bare": None}},
        DifferenceKind.CONTROL,
        f"control's source {SHA256[:12]} → {'cd' * 6}",
    ),
]


LOAD_VOID: list[tuple[dict[str, Any], DifferenceKind, str]] = [
    (
        {"machine_info": MachineInfo(node="there", system="Linux", python_version="3.11.7", cpu={"count": 4})},
        DifferenceKind.MACHINE,
        "node here → there, cores 2 → 4",
    ),
    (
        {
            "machine_info": MachineInfo(
                node="here", system="Linux", release="6.2", python_version="3.11.7", cpu={"count": 2}
            )
        },
        DifferenceKind.MACHINE,
        "kernel  → 6.2",
    ),
    (
        {"server": Server(app="app.main:app", loop="asyncio", core=0)},
        DifferenceKind.SETTINGS,
        "loop uvloop → asyncio",
    ),
    (
        {"generator": Generator(processes=1, verdict="saturated", reason="CPU share 99 %")},
        DifferenceKind.SATURATED,
        "in the new result: CPU share 99 %",
    ),
    (
        {"service_loss": ServiceLoss.of_process(4.2, 3, "")},
        DifferenceKind.SERVICE_LOST,
        "in the new result: the service died at second 4.2 of the run: exit code 3",
    ),
    ({"partial": True, "partial_reason": "no report from a"}, DifferenceKind.PARTIAL, "the new one: no report from a"),
    (
        {"invalid_reason": "replies of others were taken for its own"},
        DifferenceKind.INVALID,
        "in the new result: replies of others were taken for its own",
    ),
    ({"forced": True}, DifferenceKind.FORCED, "the new run did not await its outstanding replies"),
    (
        {"operations": (operation(received_clock="kernel"),)},
        DifferenceKind.SETTINGS,
        "received clock process → kernel (FOO → BAR); --process-clock measures with the process's clock, as older "
        "versions do",
    ),
]


class TestVoid:
    @staticmethod
    def refused_and_forced(old: Any, new: Any, kind: DifferenceKind, detail: str) -> None:
        with pytest.raises(IncomparableError) as refused:
            compared([old], [new])
        assert str(refused.value) == f"not comparable: {kind}: {detail}; --force compares all the same"
        forced = compared([old], [new], force=True)
        assert forced.forced
        assert [(difference.kind, difference.detail) for difference in forced.differences if difference.void] == [
            (kind, detail)
        ]
        judged = [row for benchmark in forced.benchmarks for row in benchmark.rows if row.verdict is not None]
        assert judged
        assert all(row.forced for row in judged)

    @pytest.mark.parametrize(("changed", "kind", "detail"), LATENCY_VOID)
    def test_latency(self, changed: dict[str, Any], kind: DifferenceKind, detail: str) -> None:
        (old,), (new,) = latency_runs(1), latency_runs(1, first=100, **changed)
        self.refused_and_forced(old, new, kind, detail)

    @pytest.mark.parametrize(("changed", "kind", "detail"), LOAD_VOID)
    def test_load(self, changed: dict[str, Any], kind: DifferenceKind, detail: str) -> None:
        self.refused_and_forced(load_result(), load_result(**changed), kind, detail)

    @pytest.mark.parametrize(
        ("changed", "detail"),
        [
            ({"users": 20}, "users 50 → 20"),
            ({"rate_per_s": 1000.0}, "rate per second 500.0 → 1000.0"),
            ({"model": "closed", "rate_per_s": None}, "model open → closed, rate per second 500.0 → none"),
            ({"arrivals": "constant"}, "arrivals none → constant"),
            ({"transport": "polling"}, "transport websocket → polling"),
            ({"user_classes": ("A", "B")}, "user classes EchoUser → A, B"),
            (
                {"pipelined": (), "max_wait_s": 10.0},
                "one task at a time none → EchoUser, longest wait for a user s none → 10.0",
            ),
        ],
    )
    def test_load_that_was_asked_for_otherwise(self, changed: dict[str, Any], detail: str) -> None:
        old, new = load_result(scenario=open_scenario()), load_result(scenario=open_scenario(**changed))
        self.refused_and_forced(old, new, DifferenceKind.SETTINGS, detail)

    def test_the_longest_wait_for_a_user(self) -> None:
        old, new = (load_result(scenario=open_scenario(pipelined=(), max_wait_s=wait_s)) for wait_s in (5.0, 10.0))
        self.refused_and_forced(old, new, DifferenceKind.SETTINGS, "longest wait for a user s 5.0 → 10.0")

    def test_what_had_the_rule_of_pipelined_users_before_it_had_a_name(self) -> None:
        old, new = open_scenario(max_in_flight=1000), open_scenario(max_in_flight=1000, pipelined=("EchoUser",))
        assert differences(load_result(schema_="load/1", scenario=old), load_result(scenario=new)) == {}

    def test_only_operations_of_both_sides_need_the_same_clock(self) -> None:
        login, unanswered = operation("login", kind="http"), operation("said", received_clock=None)
        old = load_result(operations=(login, operation("said", received_clock="kernel")))
        assert differences(old, load_result(operations=(login, unanswered))) == {}
        assert differences(old, load_result(operations=(login, operation("shouted")))) == {}
        mixed = load_result(operations=(login, operation("said")))
        assert "received clock kernel → process (said); " in differences(old, mixed)[DifferenceKind.SETTINGS]

    def test_another_clock_within_a_side(self) -> None:
        old = load_runs((1.0, 1.0), received_clock="kernel")
        new = [*load_runs((1.0,), first=1, received_clock="kernel"), *load_runs((1.0,), first=9)]
        with pytest.raises(IncomparableError, match=r"received clock kernel → kernel or process \(FOO → BAR\)"):
            compared(old, new)

    def test_a_difference_within_a_side(self) -> None:
        old = [*load_runs((1.0,)), load_result(scenario=open_scenario())]
        with pytest.raises(IncomparableError, match="model open or closed → closed"):
            compared(old, load_runs((1.0, 1.0), first=1))

    def test_nothing_is_forced_where_nothing_is_void(self) -> None:
        found = compared(latency_runs(1), latency_runs(1, first=100), force=True)
        assert not found.forced
        assert not any(row.forced for benchmark in found.benchmarks for row in benchmark.rows)


class TestOnlySaid:
    @pytest.mark.parametrize(
        ("changed", "kind", "detail"),
        [
            ({"dirty": True}, DifferenceKind.DIRTY, "the new result is of bbbbbbbbbbbb and changes to it"),
            ({"machine": {"release": "6.2"}}, DifferenceKind.MACHINE, "kernel 6.1 → 6.2"),
            ({"server_core": 1}, DifferenceKind.SETTINGS, "server core 0 → 1"),
            ({"reply_timeout_s": 9.0}, DifferenceKind.SETTINGS, "reply timeout s 5.0 → 9.0"),
        ],
    )
    def test_latency(self, changed: dict[str, Any], kind: DifferenceKind, detail: str) -> None:
        found = compared(latency_runs(1), latency_runs(1, first=100, **changed))
        assert [(difference.kind, difference.detail, difference.void) for difference in found.differences] == [
            (kind, detail, False)
        ]

    def test_load(self) -> None:
        new = load_result(
            scenario=load_result().scenario.model_copy(update={"duration_s": 30.0, "seed": "another"}),
            generator=Generator(processes=2, verdict="ok"),
        )
        (said,) = compared([load_result()], [new]).differences
        assert (said.detail, said.void) == ("seconds 20.0 → 30.0, generator processes 1 → 2", False)

    def test_several_commits_on_a_side(self) -> None:
        old = [*latency_runs(1), latency(run=1, commit="c" * 40)]
        (said,) = compared(old, latency_runs(2, first=100)).differences
        assert (said.kind, said.void) == (DifferenceKind.COMMITS, False)
        assert said.detail == "the old results are of aaaaaaaaaaaa, cccccccccccc"

    def test_both_sides_of_one_commit(self) -> None:
        found = compared([latency(run=0)], [latency(run=1)])
        assert "both sides are of commit aaaaaaaaaaaa: what differs is not its code" in found.remarks

    def test_fewer_results_than_were_asked_for(self) -> None:
        found = compared(latency_runs(2), latency_runs(5, first=100), wanted=5)
        assert [remark for remark in found.remarks if "asked for" in remark] == [
            "only 2 of the 5 results that were asked for: OLD has no more of its commit"
        ]

    def test_a_server_of_ours_may_have_another_port(self) -> None:
        def at(port: int) -> Scenario:
            return load_result().scenario.model_copy(update={"url": f"http://127.0.0.1:{port}"})

        assert differences(load_result(scenario=at(1)), load_result(scenario=at(2))) == {}
        theirs = differences(load_result(scenario=at(1), server=None), load_result(scenario=at(2), server=None))
        assert theirs == {DifferenceKind.SETTINGS: "url http://127.0.0.1:1 → http://127.0.0.1:2"}
