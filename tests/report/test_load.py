"""The table of a load run: whole at any width, with a row per stage, and with the state of the generator."""

import io
import re
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from bench.report.chart import AnyChart
from bench.report.formats.text import print_document
from bench.report.load import load_document
from bench.results.lateness import Lateness
from bench.results.load import (
    CONNECT,
    ENDED,
    OTHER_OPERATIONS,
    Generator,
    LoadResult,
    Operation,
    ReceivedEvent,
    Scenario,
    Second,
    Spoilt,
    StageFigures,
    Window,
)
from bench.results.receiving import ClockStep, ReceiveClock, Receiving
from bench.results.steadiness import KnownInterval, TimeIntervals
from bench.timing.histogram import Histogram
from tests.support.example_loads import open_load
from tests.support.example_results import distribution, load_result, operation

LARGE: dict[str, Any] = {"scheduled": 12_345_678, "sent": 12_345_678, "ok": 12_345_668}


def shown(result: LoadResult, width: int = 100) -> list[str]:
    written = io.StringIO()
    print_document(load_document(result), Console(file=written, width=width))
    lines = written.getvalue().splitlines()
    assert lines[2] == ""
    return lines[3:]  # below the headline, which has tests of its own


class TestLoadTable:
    def test_at_80_columns(self) -> None:
        connect = operation(
            "connect",
            scheduled=50,
            sent=50,
            ok=50,
            timeouts=0,
            errors={},
            unfinished=0,
            late=0,
            throughput_per_s=None,
        )
        result = load_result(operations=(connect, operation(**LARGE)))
        assert shown(result, width=80) == [
            "operation        sent          ok  timeouts  errors  unfinished  late",
            "connect            50          50         0       0           0     0",
            "FOO → BAR  12,345,678  12,345,668         3       6           1     2",
            "",
            "operation  per second",
            "connect             -",
            "FOO → BAR       1,000",
            "",
            "service time       p50       p90       p99     p99.9       max",
            "connect       131.4 µs  240.0 µs  1.234 ms  5.000 ms  12.35 ms",
            "FOO → BAR     131.4 µs  240.0 µs  1.234 ms  5.000 ms  12.35 ms",
            "",
            "error                    count",
            "FOO → BAR: disconnected      5",
            "FOO → BAR: REJECTED          1",
            "",
            "closed model: service time only, coordinated omission not avoided",
            "generator ok",
        ]

    def test_one_table_where_it_fits(self) -> None:
        heading, row, *_ = shown(load_result(), width=140)
        assert " ".join(heading.split()) == (
            "service time sent ok timeouts errors unfinished late per second p50 p90 p99 p99.9 max"
        )
        assert (
            " ".join(row.split()) == "FOO → BAR 1,010 1,000 3 6 1 2 1,000 131.4 µs 240.0 µs 1.234 ms 5.000 ms 12.35 ms"
        )
        assert len(heading) == len(row)

    @pytest.mark.parametrize("width", [1, 20, 79])
    def test_nothing_is_cut_where_the_terminal_is_too_narrow(self, width: int) -> None:
        lines = shown(load_result(operations=(operation(**LARGE),)), width)
        assert lines[0].startswith("operation")
        words = " ".join(lines).split()
        assert {"FOO", "12,345,678", "12,345,668", "1,000", "12.35"} <= set(words)
        assert not any("…" in line for line in lines)

    def test_percentiles_of_few_times_are_the_longest(self) -> None:
        few = Histogram()
        few.record(np.array([1_000_000] * 98 + [5_000_000]))
        times = distribution(p50=1000.0, p90=1000.0, p99=5000.0, p99_9=5000.0, max=5000.0)
        asked = operation("ask", service_us=times, service_histogram=few.encode())
        assert self._times(asked) == ["1.000 ms", "1.000 ms", "max", "max", "5.000 ms"]
        few.record(np.array([4_000_000]))
        asked = operation("ask", service_us=times, service_histogram=few.encode())
        assert self._times(asked) == ["1.000 ms", "1.000 ms", "5.000 ms", "max", "5.000 ms"]
        # Of failures the longest time is not known, and what is known has the rank that its name says.
        censored = distribution(p50=1000.0, p90=5000.0, p99=None, p99_9=None, max=None, mean=None)
        asked = operation("ask", service_us=censored, service_histogram=few.encode())
        assert self._times(asked)[1] == "5.000 ms"
        # An old result without a histogram does not tell.
        assert self._times(operation("ask", service_us=times, service_histogram=None))[2:4] == ["5.000 ms", "5.000 ms"]

    @staticmethod
    def _times(row: Operation) -> list[str]:
        lines = shown(load_result(operations=(row,)), width=80)
        at = next(number for number, line in enumerate(lines) if line.startswith("service time"))
        return re.split("  +", lines[at + 1])[1:]

    def test_censored_times_and_dropped_emissions(self) -> None:
        censored = distribution(mean=None, p99=None, p99_9=None, max=None, censored_above_us=500_000.0)
        scenario = Scenario(user_classes=("EchoUser",), users=50, model="open", rate_per_s=1000, transport="websocket")
        measured_open = operation(scheduled=1015, dropped=5, service_us=censored, response_us=distribution(p50=150.0))
        lines = shown(load_result(scenario=scenario, operations=(measured_open,)), width=200)
        assert lines[0].split()[:3] == ["operation", "dropped", "sent"]
        assert lines[3].startswith("response time")
        assert lines[4].split()[3:5] == ["150.0", "µs"]
        assert lines[6].startswith("service time")
        assert lines[7].endswith("240.0 µs  > 500 ms  > 500 ms  > 500 ms")
        assert not any("coordinated omission" in line for line in lines)

    @pytest.mark.parametrize(
        ("changed", "line"),
        [
            (
                {"generator": Generator(processes=1, verdict="saturated", reason="CPU share 99 %")},
                "generator saturated: CPU share 99 %; the figures are the generator's, not the service's",
            ),
            ({"partial": True, "partial_reason": "no report from a"}, "partial result: no report from a"),
            ({"forced": True}, "ended by force: outstanding replies were not awaited"),
            (
                {"window": Window(start_s=3, end_s=3, warmup_s=0)},
                "no steady window: the run ended before its users were there and warm: no times, no throughput",
            ),
        ],
    )
    def test_what_limits_the_figures_is_said(self, changed: dict[str, Any], line: str) -> None:
        assert line in shown(load_result(**changed), width=80)

    def test_nothing_was_measured(self) -> None:
        assert shown(load_result(operations=()), width=80)[0].startswith("operation")

    def test_markup_in_names_is_text(self) -> None:
        named = operation("[bold]echo[/bold]", errors={"[red]lost[/]": 6})
        lines = shown(load_result(operations=(named,)), width=80)
        assert lines[1].startswith("[bold]echo[/bold]  1,010")
        assert "[bold]echo[/bold]: [red]lost[/]      6" in lines


def test_a_row_per_stage() -> None:
    first = StageFigures(
        stage="100:30s", start_s=1, end_s=31, offered_per_s=100, throughput_per_s=99.9, failed=0, dropped=0,
        p50_us=812.4, p90_us=1500, p99_us=12345.6, server_cpu_share=0.091, generator_cpu_share=0.05,
    )  # fmt: skip
    second = StageFigures(
        stage="9000:30s", start_s=31, end_s=61, offered_per_s=9000, throughput_per_s=4321, failed=7, dropped=120_000,
        p50_us=400_000, p90_us=None, p99_us=None,
    )  # fmt: skip
    silent = StageFigures(stage="0:1s", start_s=61, end_s=62, offered_per_s=0, throughput_per_s=0, failed=0, dropped=0)
    lines = shown(load_result(stages=(first, second, silent)))
    (heading,) = [number for number, line in enumerate(lines) if line.startswith("stage")]
    assert lines[heading].split()[:5] == ["stage", "offered/s", "ok/s", "failed", "dropped"]
    assert lines[heading + 1].split() == [
        *["100:30s", "100", "99.9", "0", "0", "0.812", "ms", "1.500", "ms", "12.35", "ms", "9%", "5%"]
    ]
    assert lines[heading + 2].split() == [
        "9000:30s",
        "9,000",
        "4,321",
        "7",
        "120,000",
        "400.0",
        "ms",
        "lost",
        "lost",
        "-",
        "-",
    ]
    assert lines[heading + 3].split() == ["0:1s", "0.0", "0.0", "0", "0", "-", "-", "-", "-", "-"]
    assert not any(line.startswith("stage") for line in shown(load_result()))
    assert not any("too few" in line for line in lines if "0:1s" not in line)


def test_a_stage_that_is_too_short_for_a_percentile() -> None:
    stages = [
        StageFigures(
            stage=f"{rate}:1s", start_s=1, end_s=2, offered_per_s=rate, throughput_per_s=rate, failed=0, dropped=0,
            p50_us=800.0, p90_us=900.0, p99_us=1000.0,
        )
        for rate in (9, 99, 100)
    ]  # fmt: skip
    lines = shown(load_result(stages=tuple(stages)))
    cells = [re.split("  +", line)[4:7] for line in lines if re.match(r"\d+:1s", line)]
    assert cells == [["800.0 µs", "-", "-"], ["800.0 µs", "900.0 µs", "-"], ["800.0 µs", "900.0 µs", "1.000 ms"]]
    assert "fewer than 10 arrivals, which are too few for a p90: stage 9:1s" in lines
    assert "fewer than 100 arrivals, which are too few for a p99: stage 9:1s, 99:1s" in lines


def test_how_the_generator_did() -> None:
    late = {
        "cpu_share": 0.4242,
        "send_lateness_us": Lateness(p50=100, p99=1234.5, max=9000),
        "loop_lag_us": Lateness(p50=50, p99=567.8, max=9000),
    }
    figures = "42% of a core, send lateness p99 1.234 ms, loop lag p99 567.8 µs"
    ok = Generator(processes=1, verdict="ok", **late)
    assert f"generator ok: {figures}" in shown(load_result(generator=ok))
    saturated = Generator(processes=1, verdict="saturated", reason="too late", saturated_since_s=7, **late)
    lines = shown(load_result(generator=saturated))
    said = "generator saturated since second 7: too late; the figures are the generator's, not the service's"
    assert lines[lines.index(said) + 1] == f"generator: {figures}"
    assert f"generator: {figures}" in shown(load_result(generator=Generator(processes=1, **late)))


@pytest.mark.parametrize(
    ("spoils", "said"),
    [
        (("service times", "response times", "throughput"), "the figures are the generator's, not the service's"),
        (
            ("response times", "throughput"),
            "the response times and the throughput are the generator's, not the service's; the service times are true",
        ),
        (
            ("throughput", "times by the process's clock"),
            "the throughput and the times by the process's clock are the generator's, not the service's; the other "
            "service times are true",
        ),
        (("throughput",), "the throughput is the generator's, not the service's; the service times are true"),
    ],
)
def test_what_a_saturated_generator_spoils(spoils: tuple[Spoilt, ...], said: str) -> None:
    saturated = Generator(processes=1, verdict="saturated", reason="too late", spoils=spoils)
    assert f"generator saturated: too late; {said}" in shown(load_result(generator=saturated), width=200)


def receiving(
    exact: int = 1000, bounded: int = 0, unstamped: int = 0, error_us: float = 0, delay_us: float = 45.3
) -> Receiving:
    delay = Lateness(p50=5, p99=delay_us, max=900) if exact + bounded else None
    return Receiving(exact=exact, bounded=bounded, unstamped=unstamped, error_max_us=error_us, reading_delay_us=delay)


def notes_on_clocks(clock: ReceiveClock | None = None, **rows: Receiving) -> list[str]:
    operations = tuple(operation(name, receiving=row, received_clock=row.clock) for name, row in rows.items())
    lines = shown(load_result(operations=operations, receive_clock=clock), width=300)
    return [line for line in lines if any(word in line for word in ("receiv", " end when", "clock", "replies have"))]


def test_whose_clock_told_when_replies_were_received() -> None:
    assert notes_on_clocks(say=receiving()) == [
        "times end when the machine received the reply: all 1,000 are exact; the generator's own queue "
        "(p99 45.30 µs) is not in them"
    ]
    assert notes_on_clocks(ReceiveClock(bound_us=0.0625), say=receiving())[0].startswith(
        "times end when the machine received the reply: all 1,000 are exact to 0.0625 µs; "
    )
    assert notes_on_clocks(say=receiving(bounded=500, error_us=1234), shout=receiving(delay_us=70)) == [
        "times end when the machine received the reply: 80.0% of 2,500 are exact, the others up to 1.234 ms too long; "
        "the generator's own queue (p99 of the worst 70.00 µs) is not in them"
    ]
    assert notes_on_clocks(say=receiving(exact=9_999, bounded=1, error_us=70)) == [
        "times end when the machine received the reply: nearly all of 10,000 are exact, the others up to 70.00 µs too "
        "long; the generator's own queue (p99 45.30 µs) is not in them"
    ]
    assert notes_on_clocks(ReceiveClock(process_because="--process-clock asks for it"), say=receiving(0, 0, 9)) == [
        "times end when the generator had read the reply, and contain how long it waited there: --process-clock asks "
        "for it"
    ]


def test_clocks_of_several_rows_are_told_apart() -> None:
    assert notes_on_clocks(say=receiving(), polled=receiving(0, 0, 9), mixed=receiving(unstamped=3)) == [
        "times of say end when the machine received the reply: all 1,000 are exact; the generator's own queue "
        "(p99 45.30 µs) is not in them",
        "times of polled end when the generator had read the reply, and contain how long it waited there",
        "mixed: 3 of 1,003 replies have the process's time, not the kernel's, so all count as timed by the process",
    ]


def test_a_clock_that_was_set() -> None:
    clock = ReceiveClock(bound_us=0.1, steps=(ClockStep(t=3.5, by_s=3.2), ClockStep(t=9, by_s=-0.25)))
    assert notes_on_clocks(clock, say=receiving(unstamped=7))[-1] == (
        "the machine's clock was set during the run, by +3.2 s, -0.25 s: 7 replies have the process's time"
    )


def test_an_older_result_says_nothing_of_clocks() -> None:
    assert not any(" end when" in line for line in shown(load_result(), width=300))


def test_too_few_users() -> None:
    waited = Lateness(p50=50_000, p99=120_400, max=200_000)
    few = Generator(processes=1, verdict="ok", waited_for_user_share=0.371, waited_for_user_us=waited)
    said = "too few users: 37% of the arrivals waited for a user to become free, p99 120.4 ms: give more --users"
    assert said in shown(load_result(generator=few))
    for share, waits in ((0.009, waited), (0, None), (None, None)):
        enough = few.model_copy(update={"waited_for_user_share": share, "waited_for_user_us": waits})
        assert not any("too few users" in line for line in shown(load_result(generator=enough)))
    nobody = operation(CONNECT, scheduled=9, sent=9, ok=0, timeouts=0, errors={"connection refused": 9}, unfinished=0)
    assert not any("too few users" in line for line in shown(load_result(generator=few, operations=(nobody,))))


def test_what_has_no_reply() -> None:
    none: dict[str, Any] = {"timeouts": 0, "errors": {}, "unfinished": 0, "late": 0}
    emission = operation(
        "typing", kind="emission", **none, ok=1010, service_us=None, throughput_per_s=50.5, sent_bytes=12_345
    )
    transaction = operation("buy", kind="transaction", **none, ok=1010)
    received = (ReceivedEvent(name="news", count=12_345, received_bytes=1_234_567, per_s=617.3),)
    window = Window(start_s=0.0, end_s=2.0, warmup_s=0.0)
    seconds = tuple(Second(t=t, users=1, sent=1, ok=1, failed=0, sent_bytes=t, received_bytes=2000) for t in range(4))
    result = load_result(operations=(emission, transaction), received=received, window=window, timeline=seconds)
    lines = shown(result, width=80)
    assert max(map(len, lines)) <= 80
    cells = {line.split("  ")[0]: line.split()[2:] for line in lines[: lines.index("")]}
    assert cells["typing (emission)"] == ["1,010", "-", "-", "-", "-", "-", "50.5"]
    assert cells["buy (transaction)"][:3] == ["1,010", "1,010", "0"]
    assert [line.split() for line in lines if line.startswith("news")] == [["news", "12,345", "617", "1.23", "MB"]]
    assert "messages: 12.3 kB sent, 1.23 MB received; 0.5 B/s and 2 kB/s in the window" in lines


@pytest.mark.parametrize("ok", [0, 1])
def test_users_who_did_nothing_are_said(ok: int) -> None:
    connect = operation(
        CONNECT, scheduled=1, sent=1, ok=ok, timeouts=0, errors={} if ok else {"refused": 1}, unfinished=0
    )
    said = "no operation was performed: the users were connected, and that is all"
    assert (said in shown(load_result(operations=(connect,)))) is bool(ok)


def test_what_was_dropped_is_among_the_errors() -> None:
    row = operation(
        scheduled=1017, dropped=7, dropped_because={"no user was connected": 4, "no user was free within 5 s": 3}
    )
    lines = shown(load_result(operations=(row,)))
    (heading,) = [number for number, line in enumerate(lines) if line.startswith("error")]
    assert [" ".join(line.split()) for line in lines[heading + 1 : heading + 5]] == [
        "FOO → BAR: disconnected 5",
        "FOO → BAR: REJECTED 1",
        "FOO → BAR: dropped: no user was connected 4",
        "FOO → BAR: dropped: no user was free within 5 s 3",
    ]


OPEN = Scenario(user_classes=("EchoUser",), users=50, model="open", rate_per_s=1000, transport="websocket")


@pytest.mark.parametrize(("p99_9_us", "is_said"), [(5000.0, False), (None, True)])
def test_what_the_end_of_the_run_cut_off_is_said_where_a_percentile_falls_among_it(
    p99_9_us: float | None, is_said: bool
) -> None:
    cut = operation(
        scheduled=1103,
        sent=1003,
        ok=1000,
        timeouts=0,
        errors={},
        dropped=100,
        dropped_because={ENDED: 60, "no user was connected": 40},
        unfinished=3,
        response_us=distribution(p99_9=p99_9_us, mean=None, max=None),
    )
    document = load_document(load_result(scenario=OPEN, operations=(cut,)))
    said = "FOO → BAR: the run ended while 60 arrivals waited for a user and 3 replies had not come; nobody knows "
    assert any(note.text.startswith(said) for note in document.notes) == is_said


def test_a_percentile_without_a_limit_is_lost_everywhere() -> None:
    lost = distribution(**dict.fromkeys(("mean", "p50", "p90", "p99", "p99_9", "max")))
    ends = KnownInterval(low=2e6, high=None)
    intervals = TimeIntervals(times="response", confidence=0.95, seconds=8, p50=ends, p90=ends, p99=ends)
    row = operation(response_us=lost, intervals=intervals)
    text = "\n".join(shown(load_result(scenario=OPEN, operations=(row,)), width=80))
    assert re.search("response time +p50.*\nFOO → BAR( +lost){5}", text)
    assert re.search("95% interval +p50 +p90 +p99\nFOO → BAR( +-){3}", text)
    assert "> 2" not in text


def test_what_has_to_be_known_of_an_operation_is_said_below() -> None:
    operations = (
        operation(CONNECT, scheduled=5, sent=5, ok=0, timeouts=0, errors={"refused": 5}, unfinished=0, service_us=None),
        operation("enter", times_of="run"),
        operation("wish", error_replies=999),
        operation("ask", unexpected=3),
        operation(OTHER_OPERATIONS, service_us=distribution(mean=None, p99=None, p99_9=None, max=None)),
    )
    lines = shown(load_result(operations=operations, invalid_reason="replies of others"))
    for line in (
        "enter was not performed in the steady window: its times are of the whole run",
        "999 of 1,000 replies to wish carry an `error` key: they count as successes, unless a `check` refuses them",
        "ask: 3 replies came while none was awaited",
        "more than 200 operations: other operations are the rest; leave ids out of their names",
        "the figures are wrong: replies of others",
    ):
        assert line in lines
    times = {line.split("  ")[0]: re.split("  +", line)[-5:] for line in lines[lines.index("") :]}
    assert times[CONNECT] == ["failed"] * 5
    assert times[OTHER_OPERATIONS] == ["131.4 µs", "240.0 µs", "lost", "lost", "lost"]
    assert not any(
        "steady window" in line for line in shown(load_result(operations=(operation(CONNECT, times_of="run"),)))
    )


def test_charts_are_made_for_formats_that_draw_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[LoadResult] = []

    def chart_nothing(result: LoadResult) -> tuple[AnyChart, ...]:
        asked.append(result)
        return ()

    monkeypatch.setattr("bench.report.load.load_charts", chart_nothing)
    result = load_result()
    print_document(load_document(result), Console(file=io.StringIO()))
    assert asked == []
    document = load_document(result)
    assert (len(document.charts), list(document.charts), asked) == (0, [], [result])


def test_a_page_says_where_it_was_measured_and_how_to_do_it_again() -> None:
    document = load_document(load_result(command="locust -f locustfile.py -u 50"))
    assert document.command == "locust -f locustfile.py -u 50"
    facts = {fact.label: fact.text for fact in document.environment}
    assert (
        facts["service"]
        == "app.main:app; loop uvloop; on core 0; 72.30 µs of CPU a round trip; 50 MB of memory at most"
    )
    assert facts["load"] == "50 users of EchoUser; closed; for 20 s; by websocket"
    assert facts["machine"] == "here, 2 cores, Linux"
    assert facts["commit"] == "3cf0b59c6de96eba604d0c5aec7ae0e2153daba3"


def test_moments_of_a_long_run_are_in_minutes_and_hours() -> None:
    saturated = Generator(processes=1, verdict="saturated", reason="CPU share 99 %", saturated_since_s=1834)
    window = Window(start_s=12.34, end_s=1805.2, warmup_s=5)
    document = load_document(open_load(1806, 0, operations=(), window=window, generator=saturated))
    facts = {fact.label: fact.text for fact in document.environment}
    assert facts["window"] == "12.3 s to 30 min 5.2 s, after 5 s of warming up"
    assert any("generator saturated since 30 min 34 s: CPU share" in note.text for note in document.notes)
