"""From the notes of whose clock told the receive times to a row, through the reports of several processes."""

from collections import Counter

import pytest

from bench.load.metrics.merge import Merger
from bench.load.metrics.recorder import Recorder
from bench.load.metrics.report import ClockReport, Report
from bench.load.metrics.tally import Tally
from bench.results.load import Operation, OperationKind
from bench.results.receiving import ClockStep, ReceiveClock

MS = 1_000_000
S = 1_000_000_000
START = 5_000 * S
EXACT, UNSTAMPED = 0, -1
TIMEOUT_US = 400_000.0


class Noted:
    """A process that notes replies, by the second in which they are received: each 10 ms after it was sent."""

    def __init__(self, is_open: bool = False) -> None:
        self.tally = Tally(START, is_open)
        self.tally.open_window(START + S)
        self.tally.close_window(START + 3 * S)

    def replies(
        self, second: float, *errors_ns: int, reading_ns: int = 20_000, kind: OperationKind = "round trip"
    ) -> None:
        log = Recorder("say", kind=kind)
        for error_ns in errors_ns:
            received_ns = START + round(second * S)
            times = (received_ns - 10 * MS, received_ns, 0, received_ns + reading_ns, error_ns)
            if self.tally.is_open:
                log.answered(times[0], *times[:2], read_ns=times[3], error_ns=times[4])
            else:
                log.succeeded(*times)
        batch = log.flush()
        assert batch is not None
        self.tally.add(batch)

    def report(self) -> Report:
        report = self.tally.report(unfinished=Counter(), late=Counter(), final=True)
        return Report.model_validate_json(report.model_dump_json())


def row(*processes: Noted) -> Operation:
    merger = Merger()
    for number, process in enumerate(processes):
        merger.receive(str(number), process.report())
    (found,) = merger.operations(TIMEOUT_US)
    return found


@pytest.mark.parametrize("is_open", [False, True])
def test_a_row_of_the_kernels_times(is_open: bool) -> None:
    noted = Noted(is_open)
    noted.replies(1.5, EXACT, EXACT, 30_000, reading_ns=40_000)
    noted.replies(2.5, EXACT, reading_ns=2 * MS)
    found = row(noted)
    assert (found.received_clock, found.times_of) == ("kernel", "window")
    assert found.receiving is not None
    assert (found.receiving.exact, found.receiving.bounded, found.receiving.unstamped) == (3, 1, 0)
    assert found.receiving.error_p99_us == found.receiving.error_max_us == pytest.approx(30)
    assert found.receiving.reading_delay_us is not None
    assert found.receiving.reading_delay_us.p50 == pytest.approx(40, rel=2e-3)
    assert found.receiving.reading_delay_us.max == pytest.approx(2000)
    assert found.service_us is not None
    assert found.service_us.max == pytest.approx(10_000), "the reading delay is not in it"


def test_no_reply_was_received_before_its_emission_was_sent() -> None:
    noted = Noted()
    noted.replies(1.5, 3 * S, EXACT, 4000)
    found = row(noted).receiving
    assert found is not None
    assert (found.exact, found.bounded, found.error_max_us) == (1, 2, 10_000), "the service time is 10 ms"


def test_a_single_reply_that_the_process_timed_makes_the_row_the_processs() -> None:
    noted = Noted()
    noted.replies(1.5, EXACT, EXACT, UNSTAMPED)
    found = row(noted)
    assert found.received_clock == "process"
    assert found.receiving is not None
    assert (found.receiving.exact, found.receiving.unstamped) == (2, 1)


def test_workers_with_different_clocks_make_a_row_of_the_process() -> None:
    kernel, process = Noted(), Noted()
    kernel.replies(1.5, EXACT)
    process.replies(1.6, UNSTAMPED)
    assert row(kernel).received_clock == "kernel"
    found = row(kernel, process)
    assert found.received_clock == "process"
    assert found.receiving is not None
    assert (found.receiving.exact, found.receiving.unstamped) == (1, 1)


def test_only_the_replies_count_whose_times_the_row_has() -> None:
    """The kernel may tell nothing of the first messages of a run."""
    noted = Noted()
    noted.replies(0.5, UNSTAMPED, UNSTAMPED)
    noted.replies(1.5, EXACT)
    noted.replies(3.5, UNSTAMPED)
    assert row(noted).received_clock == "kernel"


def test_outside_of_the_window_alone_the_row_has_the_times_of_the_run() -> None:
    noted = Noted()
    noted.replies(0.5, EXACT, 7000)
    noted.replies(3.5, EXACT)
    found = row(noted)
    assert (found.times_of, found.received_clock) == ("run", "kernel")
    assert found.receiving is not None
    assert (found.receiving.exact, found.receiving.bounded) == (2, 1)


@pytest.mark.parametrize(
    ("kind", "clock"),
    [("http", "process"), ("transaction", "process"), ("disconnect", "process"), ("emission", None)],
)
def test_other_kinds_have_the_process_s_clock_or_none(kind: OperationKind, clock: str | None) -> None:
    noted = Noted()
    noted.replies(1.5, UNSTAMPED, UNSTAMPED, kind=kind)
    found = row(noted)
    assert (found.received_clock, found.receiving) == (clock, None)


def test_what_was_never_answered_has_no_clock() -> None:
    noted = Noted()
    log = Recorder("say")
    log.failed(START + S, START + 2 * S, "timeout")
    batch = log.flush()
    assert batch is not None
    noted.tally.add(batch)
    found = row(noted)
    assert (found.timeouts, found.received_clock, found.receiving) == (1, None, None)


def told(*clocks: ClockReport | None) -> ReceiveClock | None:
    merger = Merger()
    for number, clock in enumerate(clocks):
        tally = Tally(START)
        report = tally.report(unfinished=Counter(), late=Counter(), final=True, clock=clock)
        merger.receive(str(number), Report.model_validate_json(report.model_dump_json()))
    return merger.receive_clock()


def test_the_clock_of_a_run_is_that_of_its_processes() -> None:
    assert told(None) is None
    good, asked = ClockReport(bound_ns=80), ClockReport(process_because="asked for")
    assert told(good, ClockReport(bound_ns=120), None) == ReceiveClock(bound_us=0.12)
    assert told(asked, asked) == ReceiveClock(process_because="asked for")
    assert told(good, asked) == ReceiveClock(bound_us=0.08, process_because="in 1 of 2 processes: asked for")


def test_processes_of_one_machine_notice_the_same_jump_of_its_clock() -> None:
    here, also_here = [(5 * S, 3 * S), (9 * S, -S)], [(6 * S, 3 * S + 400), (9 * S + 7, -S)]
    found = told(ClockReport(bound_ns=1, steps=here), ClockReport(bound_ns=1, steps=also_here))
    assert found is not None
    assert found.steps == (ClockStep(t=5, by_s=3), ClockStep(t=9, by_s=-1))
    elsewhere = told(ClockReport(bound_ns=1, steps=here), ClockReport(bound_ns=1, steps=[(5 * S, 2 * S)]))
    assert elsewhere is not None
    assert [step.by_s for step in elsewhere.steps] == [2, 3, -1]


def test_the_generator_knows_how_long_replies_waited_to_be_read() -> None:
    merger = Merger()
    noted = Noted()
    noted.replies(1.5, EXACT, EXACT, reading_ns=40_000)
    noted.replies(3.5, EXACT, reading_ns=50 * MS)
    merger.receive("0", noted.report())
    delay = merger.generator().reading_delay_us
    assert delay is not None
    assert delay.max == pytest.approx(40), "in the window"
