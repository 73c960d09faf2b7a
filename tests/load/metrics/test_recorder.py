"""The notes of one operation: what a flush hands over."""

from array import array

from bench.load.metrics.recorder import Batch, Recorder

EXACT, BOUNDED, UNSTAMPED = 0, 7, -1


def noted(log: Recorder, *error_ns: int) -> Batch:
    """Note successes that were received at 110, 120, … and read 5 ns later, and flush."""
    for number, error in enumerate(error_ns, 1):
        received_ns = 100 + 10 * number
        log.succeeded(100, received_ns, 0, received_ns + 5, error)
    batch = log.flush()
    assert batch is not None
    return batch


def test_without_times_of_the_kernel_there_are_no_reads() -> None:
    log = Recorder("echo")
    log.succeeded(100, 110)
    batch = log.flush()
    assert batch is not None
    assert list(batch.completed) == [100, 110]
    assert batch.reads == array("q")


def test_a_time_of_the_kernel_has_its_reading_and_its_error() -> None:
    assert list(noted(Recorder("echo"), EXACT, BOUNDED).reads) == [5, 0, 5, 7]


def test_times_of_both_clocks_are_told_apart_in_every_batch() -> None:
    log = Recorder("echo")
    assert list(noted(log, BOUNDED, BOUNDED).reads) == [5, 7, 5, 7]
    assert list(noted(log, UNSTAMPED, EXACT, UNSTAMPED).reads) == [0, -1, 5, 0, 0, -1]
    assert list(noted(log, UNSTAMPED).reads) == []


def test_more_than_there_is_room_for_at_first() -> None:
    log = Recorder("echo")
    number = 40_000
    reads = noted(log, UNSTAMPED, *[EXACT] * number).reads
    assert list(reads) == [0, -1, *[5, 0] * number]


def test_the_schedule_of_an_open_load_keeps_the_reading_too() -> None:
    log = Recorder("echo")
    log.answered(90, 100, 110, read_ns=112, error_ns=EXACT)
    batch = log.flush()
    assert batch is not None
    assert list(batch.intended) == [90]
    assert list(batch.reads) == [2, 0]
