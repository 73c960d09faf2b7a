"""The figures of what was seen and reported, their verdicts, and the table: all of it pure."""

import datetime as dt
from typing import Any

import pytest

from bench.report.formats.text import render
from bench.results.header import CommitInfo, MachineInfo
from bench.validation.wire.differences import (
    NothingMatchedError,
    Record,
    between_copies_us,
    differences,
    records_in,
    reported_beyond,
    wire_span,
)
from bench.validation.wire.document import wire_document
from bench.validation.wire.measuring import in_words, our_loads, row_of
from bench.validation.wire.model import Absent, Load, Row, Tool, Wire, verdicts
from bench.validation.wire.observation import Seen
from bench.validation.wire.sightings import Sighting
from bench.validation.wire.tools import Reported, chosen

COUNTS = {
    "segments": 9,
    "dropped": 0,
    "cut": 0,
    "retransmitted": 0,
    "lost_streams": 0,
    "clock_error_ns": 40,
    "clock_step_ns": 0,
}
US = 1000


def sighting(number: int) -> Sighting:
    """Return a round trip of 100 µs, seen 1 ms after the one before it."""
    begin_ns = (number + 1) * 1000 * US
    return Sighting(begin_ns, begin_ns + 100 * US, begin_ns + 99 * US)


SEEN = Seen({f"rt-w-0-{number}": sighting(number) for number in range(1000)}, COUNTS)


def record(number: int, *, sent_ns: int = -2 * US, received_ns: int = 500, error_ns: int = 0) -> Record:
    """Return the record of the same, sent before its packet and received after its reply's packet by these times."""
    seen = sighting(number)
    return Record(f"rt-w-0-{number}", seen.emission_ns + sent_ns, seen.reply_ns + received_ns, error_ns)


def row(records: list[Record], *, load: Load | None = None, seen: Seen = SEEN, **reported: Any) -> Row:
    return row_of(load or Load(connections=1), Reported(records=records, **({"rate_per_s": 9.0} | reported)), seen, 0)


def tool(*rows: Row, **changed: Any) -> Tool:
    fields: dict[str, Any] = {
        "name": "ours",
        "title": "this project",
        "version": "",
        "asked_clock": "kernel",
        "received_clock": "kernel",
        "is_judged": True,
        "rows": rows,
    }
    return Tool.model_validate(fields | changed)


def result(*tools: Tool, absent: tuple[Absent, ...] = (), quick: bool = False) -> Wire:
    return Wire(
        datetime=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        commit_info=CommitInfo(id="0" * 40),
        machine_info=MachineInfo(),
        packages={},
        server_core=1,
        generator_cores=(0,),
        awake_cores=(),
        quick=quick,
        seconds=2.0,
        tools=tools,
        absent=absent,
    )


def test_the_parts_of_a_difference_add_up() -> None:
    found = differences([record(number) for number in range(1000)], SEEN.round_trips)
    assert found.wire.p50.value_us == 100
    assert found.to_packet.p50.value_us == 2
    assert found.to_received.p50.value_us == 0.5
    assert found.beyond.p50.value_us == 2.5
    assert (found.matched, found.unseen) == (1000, 0)
    assert (found.beyond.p99.low_us, found.beyond.p99.high_us) == (2.5, 2.5)


def test_what_was_not_seen_is_counted_and_nothing_seen_is_said() -> None:
    records = [record(1), Record("rt-w-9-9", 0, 1)]
    found = differences(records, SEEN.round_trips)
    assert (found.matched, found.unseen) == (1, 1)
    assert found.wire.p50.low_us is None, "a single round trip has no interval"
    with pytest.raises(NothingMatchedError):
        differences(records[1:], SEEN.round_trips)
    with pytest.raises(NothingMatchedError):
        wire_span([])


@pytest.mark.parametrize(
    ("late_ns", "error_ns", "wrong"),
    [
        (0, 0, 0),
        (10 * US, 0, 0),
        (11 * US, 0, 1),
        (-11 * US, 0, 1),
        (300 * US, 295 * US, 0),
        (300 * US, 280 * US, 1),
        (-11 * US, 280 * US, 1),
        (9_000 * US, -1, 0),
    ],
)
def test_a_time_is_wrong_where_it_is_farther_off_than_it_says(late_ns: int, error_ns: int, wrong: int) -> None:
    found = differences([record(5, received_ns=late_ns, error_ns=error_ns)], SEEN.round_trips)
    assert found.stamps.wrong == wrong


def test_kinds_of_times_are_counted() -> None:
    records = [
        *(record(number, error_ns=0) for number in range(5)),
        *(record(number, received_ns=20 * US, error_ns=30 * US) for number in range(5, 8)),
        *(record(number, error_ns=-1) for number in range(8, 10)),
    ]
    stamps = differences(records, SEEN.round_trips).stamps
    assert (stamps.exact, stamps.bounded, stamps.process) == (5, 3, 2)
    assert stamps.bounded_error is not None is not stamps.bounded_limit
    assert (stamps.bounded_error.p50.value_us, stamps.bounded_limit.p50.value_us) == (20, 30)


def test_percentiles_alone_are_compared_with_those_of_the_wire() -> None:
    wire = wire_span(SEEN.round_trips.values())
    beyond = reported_beyond({"p50": 1000.0, "p99": 3000.0}, wire)
    assert beyond is not None
    assert (beyond.p50.value_us, beyond.p99.value_us) == (900, 2900)
    assert reported_beyond({"p50": 1000.0}, wire) is None
    assert between_copies_us(SEEN.round_trips.values()) == 1.0


def test_the_files_of_programs() -> None:
    assert records_in(["rt-a 1 2", "rt-b 3 4 5", "rt-c 3 4 5 6"]) == [
        Record("rt-a", 1, 2, -1),
        Record("rt-b", 3, 4, 5),
        Record("rt-c", 3, 4, 5),
    ]
    with pytest.raises(ValueError, match="not enough values"):
        records_in(["rt-a 1"])


# --- verdicts ---------------------------------------------------------------------------------------------------------


def judged(row: Row, **changed: Any) -> dict[str, bool]:
    return {verdict.what: verdict.is_met for verdict in verdicts(tool(row, **changed), row)}


def test_bounds_are_met() -> None:
    good = row([record(number) for number in range(1000)], send_us=5.0)
    assert judged(good) == {"received p50": True, "received p99": True, "sent p50": True, "wrong share": True}
    assert result(tool(good)).is_met


@pytest.mark.parametrize(
    ("changed", "missed"),
    [
        ({"received_ns": 1100}, "received p50"),
        ({"received_ns": -1100}, "received p50"),
        ({"sent_ns": -6 * US}, "sent p50"),
    ],
)
def test_bounds_are_missed(changed: dict[str, int], missed: str) -> None:
    bad = row([record(number, **changed) for number in range(1000)], send_us=5.0)
    assert [what for what, is_met in judged(bad).items() if not is_met] == [missed]
    assert not result(tool(bad)).is_met


def test_a_tail_and_wrong_times_are_missed() -> None:
    records = [record(number, received_ns=500 if number % 50 else 20 * US) for number in range(1000)]
    bad = judged(row(records, send_us=5.0))
    assert [what for what, is_met in bad.items() if not is_met] == ["received p99", "wrong share"]


def test_with_several_in_flight_only_what_the_times_say_of_themselves_is_judged() -> None:
    pipelined = Load(connections=1, in_flight=100)
    records = [record(number, received_ns=200 * US, error_ns=500 * US) for number in range(1000)]
    assert judged(row(records, load=pipelined, send_us=5.0)) == {"wrong share": True}


@pytest.mark.parametrize("lack", ["dropped", "cut", "lost_streams", "clock_step_ns"])
def test_what_the_capture_lacks_is_said_and_not_judged(lack: str) -> None:
    lacking = row([record(1, received_ns=90 * US)], seen=Seen(SEEN.round_trips, COUNTS | {lack: 1}), send_us=5.0)
    assert judged(lacking) == {}
    assert "not judged" in render(wire_document(result(tool(lacking))))


def test_another_clock_and_other_tools_are_not_judged() -> None:
    far = row([record(number, received_ns=90 * US, error_ns=-1) for number in range(100)], send_us=5.0)
    assert judged(far, received_clock="process", is_judged=False) == {}
    text = render(wire_document(result(tool(far, received_clock="process", is_judged=False))))
    assert "there are no such times here" in text


# --- loads, tools, table ----------------------------------------------------------------------------------------------


def test_the_closed_load_comes_before_the_loads_that_need_its_rate() -> None:
    known = set()
    for load in our_loads():
        if load.capacity_share is None:
            known.add(load.connections)
        assert load.connections in known
    assert {load.in_flight for load in our_loads()} == {1, 10, 100}
    assert {load.capacity_share for load in our_loads()} == {None, 0.1, 0.5, 0.9}
    assert [in_words(load) for load in our_loads() if load.is_hogged] == ["1 at 50%, hog", "50 at 50%, hog"]


def test_tools_by_name() -> None:
    assert [tool.name for tool in chosen(["node", "ours"], with_peers=False)] == ["ours", "node"]
    assert {"ours", "ours-process", "ours-locust"} <= {tool.name for tool in chosen([], with_peers=False)}
    assert all(tool.is_ours for tool in chosen([], with_peers=False))
    assert "epoll" in {tool.name for tool in chosen([], with_peers=True)}
    with pytest.raises(ValueError, match="nodes: there is no tool of that name; there are ours, "):
        chosen(["nodes"], with_peers=True)


def test_the_table_fits_a_terminal_and_says_what_was_missed() -> None:
    good = row([record(number) for number in range(1000)], send_us=5.0, load=Load(connections=50, capacity_share=0.9))
    bad = row([record(number, received_ns=15_400 * US) for number in range(1000)], send_us=5.0)
    pipelined = row(
        [record(number, received_ns=20 * US * (number % 2), error_ns=30 * US * (number % 2)) for number in range(100)],
        load=Load(connections=1, in_flight=100),
    )
    left_out = Absent(tool="k6", title="k6", load=Load(connections=50), reason="k6 is not installed")
    peer = row_of(Load(connections=50), Reported(times_us={"p50": 1000.0, "p99": 2000.0}), SEEN, 0)
    k6 = tool(peer, name="k6", title="k6", asked_clock=None, received_clock=None, is_judged=False)
    text = render(wire_document(result(tool(good, bad, pipelined), k6, absent=(left_out,))))
    lines = text.splitlines()
    tables = lines[: next(number for number, line in enumerate(lines) if line.startswith("seen: "))]
    assert tables[-1] == "missed: 3 of 9 bounds"
    assert "met: all 4 bounds" in render(wire_document(result(tool(good))))
    assert max(map(len, tables)) <= 80
    assert "  50 at 90%         0.500 µs (0.500-0.500)  0.500 µs (0.500-0.500)     met" in text
    assert "15.40 ms (15.40-15.40)  missed" in text
    assert "missed: this project: 1, closed: received p50" in text
    assert "left out at 50, closed: k6: k6 is not installed" in text
    assert "  1, 100 in flight    50%     20.00 µs  20.00 µs      30.00 µs  0 met" in text
    assert "between both copies of a reply: 1.000 µs to 1.000 µs" in text


def test_a_result_is_read_as_it_was_written() -> None:
    good = row([record(number) for number in range(1000)], send_us=5.0)
    whole = result(tool(good))
    assert Wire.model_validate_json(whole.to_json(), strict=True) == whole
