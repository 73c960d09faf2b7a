"""The owner of SIGINT at each moment, and which of several signals counts."""

import signal
import threading
from collections.abc import Iterator

import pytest

from bench.machine import interrupts
from bench.machine.interrupts import Patient, give_interrupts_back, is_starting, take_interrupts


@pytest.fixture(autouse=True)
def _default() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_second_in_haste_does_not_count() -> None:
    patient = Patient()
    assert take_interrupts(patient)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)


def test_what_ignores_interrupts_goes_on_ignoring_them() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    assert not take_interrupts(Patient())
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_other_threads_leave_it_alone() -> None:
    taken: list[bool] = []
    thread = threading.Thread(target=lambda: taken.append(take_interrupts(Patient())))
    thread.start()
    thread.join()
    assert taken == [False]


def test_it_is_given_back_after_imports() -> None:
    with interrupts.interrupts_end_the_process():
        assert is_starting()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert interrupts.interrupts_leave()
    with pytest.raises(SystemExit) as left:
        signal.raise_signal(signal.SIGINT)
    assert left.value.code == 130
    give_interrupts_back()
    assert not is_starting()
