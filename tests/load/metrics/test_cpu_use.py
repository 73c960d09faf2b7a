"""The CPU time of a process: the share of each second, and of the window. The clocks are made up."""

from bench.load.metrics.cpu_use import CpuUse

S = 1_000_000_000


def test_a_second_is_told_when_it_is_over() -> None:
    cpu = CpuUse(started_ns=10 * S, cpu_ns=0)
    assert cpu.second(10 * S + S // 2, S // 10, is_last=False) is None
    assert cpu.second(11 * S, S // 4, is_last=False) == (10 * S, 0.25)
    assert cpu.second(12 * S + S // 4, S // 4 + S // 2, is_last=False) == (11 * S, 0.4), "looked at late"
    assert cpu.second(12 * S + S // 2, S, is_last=False) is None, "seconds are whole seconds of the run"


def test_the_last_second_ends_early() -> None:
    cpu = CpuUse(started_ns=0, cpu_ns=0)
    assert cpu.second(S // 2, S // 4, is_last=True) == (0, 0.5)


def test_the_window_is_counted_from_when_it_was_seen_to_begin() -> None:
    cpu = CpuUse(started_ns=0, cpu_ns=0)
    cpu.note_window(S, 0, window_start_ns=None)
    cpu.note_window(S, 0, window_start_ns=2 * S)
    assert cpu.in_window(2 * S, 0, 2 * S) is None, "it has not begun"
    cpu.note_window(3 * S, S, window_start_ns=2 * S)
    cpu.note_window(4 * S, 2 * S, window_start_ns=2 * S)
    # From 3 s to 5 s it took 1 s: half of a core, for the 3 s since 2 s.
    assert cpu.in_window(5 * S, 2 * S, 2 * S) == 3 * S // 2
    assert cpu.in_window(5 * S, 2 * S, None) is None, "it ended before it began"
