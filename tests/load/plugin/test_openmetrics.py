"""The metrics of a load: their address, their buckets, and what they say of a test with made-up figures."""

import re
import sys
from array import array

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from bench.load.metrics.recorder import RECEIVED, TIMEOUT, LoopDelays, NotedKind, Recorder
from bench.load.metrics.tally import Tally
from bench.load.plugin.live_view import LiveTest, LiveView
from bench.load.plugin.openmetrics import BUCKETS_NS, exposition, metrics_address
from bench.load.plugin.options import MisuseError
from bench.results.load import OperationKey
from bench.scenarios.tracing import trace_id
from tests.support.folders import ROOT
from tests.support.live_tests import MadeUpRun

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
MS, S = 1_000_000, 1_000_000_000


def view_of(tally: Tally) -> LiveView:
    view = LiveView()
    view.test = LiveTest(1, MadeUpRun(tally), timeout_us=10e6)
    return view


def replied(tally: Tally, second: int, took_ns: int, name: str = "echo", kind: NotedKind = "round trip") -> None:
    log = Recorder(name, kind=kind)
    sent_ns = tally.started_ns + second * S
    log.answered(sent_ns - MS, sent_ns, sent_ns + took_ns)
    batch = log.flush()
    assert batch is not None
    tally.add(batch)
    tally.note_delays(LoopDelays(array("q", (sent_ns, MS)), array("q"), array("q")))


def samples(view: LiveView, accept: str = OPENMETRICS) -> dict[tuple[str, ...], float]:
    text, _ = exposition(view, accept)
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("", None),
        ("127.0.0.1:9100", ("127.0.0.1", 9100)),
        ("*:9100", ("", 9100)),
        ("[::1]:9100", ("::1", 9100)),
        ("localhost:1", ("localhost", 1)),
    ],
)
def test_an_address_is_host_and_port(text: str, address: tuple[str, int] | None) -> None:
    assert metrics_address(text) == address


@pytest.mark.parametrize("text", ["9100", ":9100", "localhost", "localhost:", "localhost:x", "a:0", "a:65536", "a:-1"])
def test_another_address_is_refused_in_a_line(text: str) -> None:
    with pytest.raises(MisuseError, match="expected an address of this machine and a port, as in 127"):
        metrics_address(text)


def test_without_the_package_a_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(MisuseError, match=r"pip install 'socketio-bench\[metrics\]'"):
        exposition(LiveView())


def test_before_any_test_there_is_one_metric() -> None:
    assert samples(LiveView()) == {("socketio_bench_test_running",): 0}
    text, content_type = exposition(LiveView())
    assert content_type.startswith("text/plain")
    assert text.decode().endswith("socketio_bench_test_running 0.0\n")


def test_times_are_in_buckets_in_seconds_and_only_grow() -> None:
    tally = Tally(5_000 * S, is_open=True)
    view = view_of(tally)
    before: dict[tuple[str, ...], float] = {}
    for second, took_ns in enumerate((20_000, 2 * MS, 3 * S, 200 * S), start=1):
        replied(tally, second, took_ns)
        if second == 2:
            tally.open_window(tally.started_ns + 2 * S)
        found = samples(view)
        grown = {key for key in before if key[0].endswith(("_bucket", "_count", "_sum", "_total"))}
        assert all(found[key] >= before[key] for key in grown)
        before = found
    service = {key[2]: value for key, value in before.items() if key[0] == "socketio_bench_service_time_seconds_bucket"}
    kind_and_les = {key[1:] for key in before if key[0] == "socketio_bench_service_time_seconds_bucket"}
    assert all(place[0] == "round trip" for place in kind_and_les)
    assert (service["1e-05"], service["2.5e-05"], service["0.0016"], service["0.0025"]) == (0, 1, 1, 2)
    assert (service["2.5"], service["4.0"], service["100.0"], service["+Inf"]) == (2, 3, 3, 4)
    assert len(service) == len(BUCKETS_NS) + 1
    total_s = before["socketio_bench_service_time_seconds_sum", "round trip", "echo"]
    assert total_s == pytest.approx(203.00202)
    response_s = before["socketio_bench_response_time_seconds_sum", "round trip", "echo"]
    assert response_s == pytest.approx(203.00602)


def test_outcomes_what_is_in_flight_and_what_came_unasked() -> None:
    tally = Tally(5_000 * S, is_open=True)
    run = MadeUpRun(tally, {OperationKey("echo"): 7})
    view = LiveView()
    view.test = LiveTest(1, run, timeout_us=10e6)
    for second in range(6):
        replied(tally, second, MS)
        replied(tally, second, 0, 'ti"ck\n', RECEIVED)
    log = Recorder("echo")
    log.failed(tally.started_ns, tally.started_ns + S, TIMEOUT, tally.started_ns)
    log.failed(tally.started_ns, tally.started_ns + S, "wrong", tally.started_ns)
    log.drop(tally.started_ns, "no user was free")
    batch = log.flush()
    assert batch is not None
    tally.add(batch)
    found = samples(view)
    outcomes = {key[3]: value for key, value in found.items() if key[0] == "socketio_bench_operations_total"}
    assert outcomes == {"ok": 6, "timeout": 1, "error": 1, "dropped": 1}
    assert found["socketio_bench_in_flight", "round trip", "echo"] == 7
    assert found["socketio_bench_unasked_events_total", 'ti"ck\n'] == 6
    assert found["socketio_bench_test_running",] == 1
    assert found["socketio_bench_offered_rate_per_second",] == 50
    assert ("socketio_bench_generator_saturated",) not in found, "there is no steady window"
    view.test.has_ended = True
    ended = samples(view)
    assert ended["socketio_bench_operations_total", "round trip", "echo", "ok"] == 6
    assert not [key for key in ended if key[0] in ("socketio_bench_in_flight", "socketio_bench_users")]


def test_the_documentation_lists_all_metrics_and_no_other() -> None:
    tally = Tally(5_000 * S, is_open=True)
    tally.open_window(tally.started_ns)
    for second in range(6):
        replied(tally, second, MS)
        replied(tally, second, 0, "tick", RECEIVED)
        tally.note_cpu(tally.started_ns + second * S, 0.5)
    text, _ = exposition(view_of(tally))
    made = set(re.findall(r"^# TYPE (\S+) (?:counter|histogram|gauge)$", text.decode(), re.MULTILINE))
    documented = set(re.findall(r"^\| `(socketio_bench_\w+)` \|", (ROOT / "docs/live.md").read_text(), re.MULTILINE))
    assert {name for name in made if not name.endswith("_created")} == documented


def test_every_series_of_a_test_has_its_labels_under_names_that_prometheus_takes() -> None:
    tally = Tally(5_000 * S)
    replied(tally, 1, MS)
    view = LiveView()
    view.test = LiveTest(
        1,
        MadeUpRun(tally),
        timeout_us=10e6,
        labels={"machine": 'c"i', "git.branch-name": "main", "le": "x", "__a": "y"},
    )
    text, _ = exposition(view, OPENMETRICS)
    families = {family.name: family for family in text_string_to_metric_families(text.decode())}
    for name, family in families.items():
        for sample in family.samples:
            if name != "socketio_bench_test_running":
                assert sample.labels["machine"] == 'c"i'
                assert (sample.labels["git_branch_name"], sample.labels["label_le"]) == ("main", "x")
                assert sample.labels["label___a"] == "y"


def test_the_time_of_an_exemplar_never_goes_back() -> None:
    """A worker may report a round trip after others that began later. Prometheus would refuse its exemplar."""
    started_ns = 5_000 * S
    reported = Tally(started_ns, is_open=True, slowest=5)
    reported.open_window(started_ns)
    view = LiveView()
    view.test = LiveTest(1, MadeUpRun(reported), timeout_us=10e6)
    shown = []
    for token, began_s, took_ns in (("a", 2, 3 * MS), ("late", 1, 3 * MS + 1000), ("b", 4, 3 * MS + 2000)):
        log = Recorder("echo")
        began_ns = started_ns + began_s * S
        log.answered(began_ns, began_ns, began_ns + took_ns)
        log.named(token)
        batch = log.flush()
        assert batch is not None
        reported.add(batch)
        text, _ = exposition(view, OPENMETRICS)
        families = {family.name: family for family in text_string_to_metric_families(text.decode())}
        (found,) = [
            sample.exemplar
            for sample in families["socketio_bench_response_time_seconds"].samples
            if sample.exemplar is not None
        ]
        shown.append((found.labels["token"], float(found.timestamp) - view.test.started_unix_s))
    assert [token for token, _ in shown] == ["a", "a", "b"]
    assert [began_s for _, began_s in shown] == pytest.approx([2, 2, 4], abs=0.01)


def test_the_slowest_of_a_bucket_is_its_exemplar_with_token_and_trace() -> None:
    tally = Tally(5_000 * S, is_open=True, slowest=5)
    tally.open_window(tally.started_ns)
    log = Recorder("echo")
    for token, took_ns in {"a": 3 * MS, "b": 3 * MS + 1, "c": 300 * S, "d" * 124: 30 * MS}.items():
        log.answered(tally.started_ns, tally.started_ns + MS, tally.started_ns + MS + took_ns)
        log.named(token)
    batch = log.flush()
    assert batch is not None
    tally.add(batch)
    for has_traces in (False, True):
        view = LiveView()
        view.test = LiveTest(1, MadeUpRun(tally), timeout_us=10e6, has_traces=has_traces)
        text, _ = exposition(view, OPENMETRICS)
        exemplars = {
            sample.labels["le"]: sample.exemplar
            for family in text_string_to_metric_families(text.decode())
            if family.name == "socketio_bench_service_time_seconds"
            for sample in family.samples
            if sample.exemplar is not None
        }
        too_long = exemplars.pop("0.04", None)
        assert (too_long.labels if too_long else {}) == ({"trace_id": trace_id("d" * 124)} if has_traces else {})
        assert {le: exemplar.labels["token"] for le, exemplar in exemplars.items()} == {"0.004": "b", "+Inf": "c"}
        assert exemplars["0.004"].value == pytest.approx(0.003)
        assert float(exemplars["0.004"].timestamp) == pytest.approx(view.test.started_unix_s)
        assert exemplars["0.004"].labels.get("trace_id") == (trace_id("b") if has_traces else None)
        assert "exemplar" not in exposition(view)[0].decode(), "Prometheus' own text has none"


def test_a_failure_to_find_some_out_leaves_these_out_alone(caplog: pytest.LogCaptureFixture) -> None:
    tally = Tally(5_000 * S)
    view = view_of(tally)
    replied(tally, 1, MS)
    tally.times_so_far = lambda: 1 / 0  # type: ignore[assignment, method-assign, return-value]
    found = samples(view)
    assert found["socketio_bench_operations_total", "round trip", "echo", "ok"] == 1
    assert not [key for key in found if key[0].startswith("socketio_bench_service_time")]
    assert "some metrics of the load are left out" in caplog.text
