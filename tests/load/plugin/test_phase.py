"""An interrupt does what the phase of a process says."""

from bench.load.plugin.phase import LEAVING_S, Phase, Reaction


def test_before_a_test() -> None:
    phase = Phase()
    assert phase.is_waiting
    assert not phase.has_run
    assert phase.interrupt(0.0, is_headless=True) is Reaction.EXIT
    assert phase.interrupt(0.0, is_headless=False) is Reaction.END_TEST


def test_while_a_test_begins_an_interrupt_is_remembered() -> None:
    phase = Phase()
    phase.begin()
    assert not phase.is_waiting
    assert not phase.has_run
    assert phase.interrupt(0.0, is_headless=True) is Reaction.IGNORE
    assert not phase.begun()
    assert phase.is_waiting
    phase.begin()
    assert phase.begun(), "the next test is not interrupted by what the first had"


def test_during_a_test() -> None:
    phase = Phase()
    phase.begin()
    assert phase.begun()
    assert phase.has_run
    assert phase.interrupt(0.0, is_headless=True) is Reaction.END_TEST


def test_after_a_run_interrupts_are_ignored_for_a_while() -> None:
    phase = Phase()
    phase.begun()
    phase.leave(100.0)
    assert phase.interrupt(100.0 + LEAVING_S - 0.1, is_headless=True) is Reaction.IGNORE
    assert phase.interrupt(100.0 + LEAVING_S, is_headless=True) is Reaction.END_TEST, "what hangs can be interrupted"


def test_who_quits_is_not_interrupted() -> None:
    phase = Phase()
    phase.quit()
    assert phase.is_quitting
    phase.begun()
    assert phase.is_quitting
    assert phase.interrupt(1e9, is_headless=True) is Reaction.IGNORE
