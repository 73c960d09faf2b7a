"""The notes of receive times beside bursts."""

from bench.exchange.outcomes import Completed
from bench.interleave.receive_notes import ReceiveNotes


def test_what_was_timed() -> None:
    notes = ReceiveNotes()
    assert notes.times().are_kernels is None
    notes.note(Completed(0, 100, (), read_ns=400, error_ns=0))
    notes.note(Completed(0, 100, ()))
    notes.note(Completed(0, 100, (), read_ns=200, error_ns=0))
    assert (notes.times().exact, notes.times().unstamped) == (2, 1)
    notes.leave_out(2, before=1)
    assert (notes.times().exact, notes.times().unstamped, notes.times().reading.max_ns) == (1, 0, 100)
    notes.leave_out(1, before=0)
    assert notes.times().are_kernels is None
    notes.note(Completed(0, 100, (), read_ns=5100, error_ns=0))
    notes.note(Completed(0, 5000, (), read_ns=12_000, error_ns=3000))
    found = notes.times()
    assert (found.exact, found.bounded, found.unstamped, found.are_kernels) == (1, 1, 0, True)
    assert (found.reading.min_ns, found.reading.max_ns, found.greatest_error_ns) == (5000, 7000, 3000)
    notes.note(Completed(0, 100, ()))
    assert notes.times().are_kernels is False
