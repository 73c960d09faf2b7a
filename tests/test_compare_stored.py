"""Two results side by side: pairing, ratios with bounds, and everything that may spoil them, as data."""

from typing import Any

import pytest
from example_results import distribution, load_result, operation, run_latency_session
from hypothesis import given
from hypothesis import strategies as st

from bench.compare.stored import Figure, IncomparableError, Pair, Row, SpoilerKind, Unit, compare, ratio
from bench.results.model import (
    CommitInfo,
    Generator,
    LatencyResult,
    MachineInfo,
    Result,
    Scenario,
    Server,
)
from bench.results.store import load


@pytest.fixture(scope="module")
def latency(tmp_path_factory: pytest.TempPathFactory) -> LatencyResult:
    folder = tmp_path_factory.mktemp("session")
    run_latency_session(folder, folder / "results")
    (path,) = (folder / "results" / "latency").glob("*/*.json")
    result = load(path)
    assert isinstance(result, LatencyResult)
    return result


def changed_latency(result: LatencyResult, **changed: Any) -> LatencyResult:
    return result.model_copy(update=changed)


def row(pair: Pair, metric: str) -> Row:
    (found,) = [row for row in pair.rows if row.metric == metric]
    return found


def spoilers(old: Result, new: Result) -> dict[SpoilerKind, str]:
    return {spoiler.kind: spoiler.detail for spoiler in compare(old, new).spoilers}


class TestRatio:
    @pytest.mark.parametrize(
        ("old", "new", "expected"),
        [
            (Figure(100), Figure(125), Figure(1.25)),
            (Figure(100), Figure(500, "above"), Figure(5, "above")),
            (Figure(500, "above"), Figure(100), Figure(0.2, "below")),
            (Figure(500, "above"), Figure(500, "above"), None),
            (None, Figure(1), None),
            (Figure(1), None, None),
            (Figure(0), Figure(3), None),
            (Figure(3), Figure(0), Figure(0)),
        ],
    )
    def test_what_follows(self, old: Figure | None, new: Figure | None, expected: Figure | None) -> None:
        assert ratio(old, new) == expected

    @given(st.floats(1, 1e6), st.floats(1, 1e6), st.floats(1, 1e6))
    def test_a_bound_holds_whatever_the_censored_value_was(self, known: float, limit: float, beyond: float) -> None:
        truth = limit + beyond
        above = ratio(Figure(known), Figure(limit, "above"))
        below = ratio(Figure(limit, "above"), Figure(known))
        assert above is not None
        assert below is not None
        assert above.bound == "above"
        assert truth / known >= above.value
        assert below.bound == "below"
        assert known / truth <= below.value


class TestLatency:
    def test_benchmarks_are_paired_by_their_full_name(self, latency: LatencyResult) -> None:
        first, second, third = latency.benchmarks
        slower = second.stats.model_copy(update={"median": 2 * second.stats.median})
        new = changed_latency(latency, benchmarks=(second.model_copy(update={"stats": slower}), first))
        compared = compare(latency, new)
        assert [pair.name for pair in compared.pairs] == [second.fullname, first.fullname]
        median = row(compared.pairs[0], "median")
        assert median.unit is Unit.MICROSECONDS
        assert median.old == Figure(second.stats.median * 1e6)
        assert median.ratio == Figure(2.0)
        assert [found.metric for found in compared.pairs[0].rows] == ["median", "mean", "min", "p99"]
        assert row(compared.pairs[0], "p99").old == Figure(1500.0)
        assert compared.only_old == (third.fullname,)
        assert compared.only_new == ()

    def test_p99_on_one_side_only(self, latency: LatencyResult) -> None:
        bare = latency.benchmarks[0].model_copy(update={"extra_info": {}})
        compared = compare(changed_latency(latency, benchmarks=(bare,)), latency)
        p99 = row(compared.pairs[0], "p99")
        assert (p99.old, p99.new, p99.ratio) == (None, Figure(15.0), None)

    def test_what_only_illustrates_is_not_compared(self, latency: LatencyResult) -> None:
        illustration = latency.benchmarks[2]
        assert compare(latency, latency).illustrative == (illustration.fullname,)
        assert illustration.fullname not in [pair.name for pair in compare(latency, latency).pairs]
        only = changed_latency(latency, benchmarks=(illustration,))
        with pytest.raises(IncomparableError, match="nothing to compare: the server ran in the client's own loop"):
            compare(only, latency)

    def test_no_benchmark_in_common(self, latency: LatencyResult) -> None:
        many = tuple(latency.benchmarks[0].model_copy(update={"fullname": name}) for name in "abcde")
        with pytest.raises(
            IncomparableError, match=r"^no benchmark in common: OLD has a, b, c and 2 more, NEW has none$"
        ):
            compare(changed_latency(latency, benchmarks=many), changed_latency(latency, benchmarks=()))

    def test_settings_that_differ_are_told_once(self, latency: LatencyResult) -> None:
        new = changed_latency(
            latency,
            benchmarks=tuple(
                benchmark.model_copy(update={"extra_info": benchmark.extra_info | {"loop": "asyncio"}})
                for benchmark in latency.benchmarks
            ),
        )
        assert [(spoiler.kind, spoiler.detail) for spoiler in compare(latency, new).spoilers] == [
            (SpoilerKind.SETTINGS, "loop uvloop → asyncio")
        ]

    def test_without_packages_only_python_is_compared(self, latency: LatencyResult) -> None:
        bare = tuple(benchmark.model_copy(update={"extra_info": {}}) for benchmark in latency.benchmarks)
        machine = latency.machine_info.model_copy(update={"python_version": "3.99.0"})
        new = changed_latency(latency, benchmarks=bare, machine_info=machine)
        python = latency.machine_info.python_version
        assert spoilers(latency, new)[SpoilerKind.PACKAGES] == f"python {python} → 3.99.0"


class TestLoad:
    def test_operations_are_paired_by_name(self) -> None:
        faster = operation("echo", throughput_per_s=2000.8, service_us=distribution(p50=65.7))
        old = load_result(operations=(operation("connect", throughput_per_s=None), operation("echo"), operation("a")))
        new = load_result(operations=(faster, operation("connect", throughput_per_s=None), operation("b")))
        compared = compare(old, new)
        assert [pair.name for pair in compared.pairs] == ["echo", "connect"]
        assert (compared.only_old, compared.only_new) == (("a",), ("b",))
        echo, connect = compared.pairs
        assert row(echo, "throughput").ratio == Figure(2.0)
        assert row(echo, "service p50").ratio == Figure(0.5)
        assert row(echo, "failed").old == Figure(10)
        assert "response p50" not in [found.metric for found in echo.rows]
        assert "throughput" not in [found.metric for found in connect.rows]

    def test_censored_percentiles(self) -> None:
        censored = distribution(mean=None, p99=None, p99_9=None, max=None, censored_above_us=500_000.0)
        compared = compare(load_result(), load_result(operations=(operation(service_us=censored),)))
        p99 = row(compared.pairs[0], "service p99")
        assert p99.new == Figure(500_000.0, "above")
        assert p99.ratio == Figure(500_000.0 / 1234.5, "above")

    def test_no_times_at_all(self) -> None:
        compared = compare(load_result(operations=(operation(service_us=None, throughput_per_s=None),)), load_result())
        p50 = row(compared.pairs[0], "service p50")
        assert (p50.old, p50.ratio) == (None, None)

    def test_response_times_where_one_side_has_them(self) -> None:
        scenario = Scenario(user_classes=("EchoUser",), users=50, model="open", rate_per_s=100, transport="websocket")
        new = load_result(scenario=scenario, operations=(operation(response_us=distribution()),))
        compared = compare(load_result(), new)
        assert row(compared.pairs[0], "response p99").new == Figure(1234.5)
        assert "model closed → open, rate per second none → 100.0" in spoilers(load_result(), new)[SpoilerKind.SETTINGS]

    def test_cpu_per_round_trip_is_of_the_whole_run(self) -> None:
        compared = compare(load_result(), load_result(server=None))
        assert [(found.metric, found.old, found.new) for found in compared.whole_run] == [
            ("server CPU per round trip", Figure(72.3), None),
            ("generator CPU per round trip", Figure(11.2), Figure(11.2)),
        ]
        unmeasured = load_result(server=None, generator=Generator(processes=1))
        assert compare(unmeasured, unmeasured).whole_run == ()


class TestSpoilers:
    def test_none_where_nothing_differs(self) -> None:
        assert spoilers(load_result(), load_result()) == {}

    @pytest.mark.parametrize(
        ("changed", "kind", "detail"),
        [
            (
                {"machine_info": MachineInfo(node="there", system="Linux", python_version="3.11.7", cpu={"count": 4})},
                SpoilerKind.MACHINE,
                "node here → there, cores 2 → 4",
            ),
            (
                {"packages": {"python": "3.11.7", "uvicorn": "0.55.0", "uvloop": "0.23.0"}},
                SpoilerKind.PACKAGES,
                "uvicorn 0.54.0 → 0.55.0, uvloop none → 0.23.0",
            ),
            (
                {"server": Server(app="app.main:app", loop="asyncio", core=1)},
                SpoilerKind.SETTINGS,
                "loop uvloop → asyncio, core 0 → 1",
            ),
            (
                {"commit_info": CommitInfo(id="a" * 40, dirty=True)},
                SpoilerKind.DIRTY,
                "the new result is of aaaaaaaaaaaa",
            ),
            (
                {"generator": Generator(processes=1, verdict="saturated", reason="CPU share 99 %")},
                SpoilerKind.SATURATED,
                "in the new result: CPU share 99 %",
            ),
            (
                {"partial": True, "partial_reason": "no report from a"},
                SpoilerKind.PARTIAL,
                "the new one: no report from a",
            ),
            ({"forced": True}, SpoilerKind.FORCED, "the new run did not await"),
        ],
    )
    def test_each_kind(self, changed: dict[str, Any], kind: SpoilerKind, detail: str) -> None:
        found = spoilers(load_result(), load_result(**changed))
        assert found.keys() == {kind}
        assert found[kind].startswith(detail)

    def test_a_server_of_ours_may_have_another_port(self) -> None:
        def at(port: int) -> Scenario:
            return load_result().scenario.model_copy(update={"url": f"http://127.0.0.1:{port}"})

        assert spoilers(load_result(scenario=at(1)), load_result(scenario=at(2))) == {}
        theirs = spoilers(load_result(scenario=at(1), server=None), load_result(scenario=at(2), server=None))
        assert theirs == {SpoilerKind.SETTINGS: "url http://127.0.0.1:1 → http://127.0.0.1:2"}


def test_kinds_that_differ(latency: LatencyResult) -> None:
    with pytest.raises(IncomparableError, match=r"^OLD is a latency result and NEW a load result"):
        compare(latency, load_result())
