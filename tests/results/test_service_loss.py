"""The loss of a service in words: how its process ended, or that nobody could connect any more."""

import signal

import pytest

from bench.results.service_loss import ServiceLoss


@pytest.mark.parametrize(
    ("exit_status", "stored", "cause"),
    [
        (3, (3, None), ": exit code 3"),
        (0, (0, None), ": exit code 0"),
        (-signal.SIGKILL, (None, "SIGKILL"), ": SIGKILL"),
        (-63, (None, "signal 63"), ": signal 63"),
        (128 + signal.SIGSEGV, (139, None), ": exit code 139, by which a shell means SIGSEGV"),
        (250, (250, None), ": exit code 250"),
        (None, (None, None), ": its supervisor was ended"),
    ],
)
def test_an_end_is_an_exit_code_or_a_signal(
    exit_status: int | None, stored: tuple[int | None, str | None], cause: str
) -> None:
    loss = ServiceLoss.of_process(4.2, exit_status, "", "its supervisor was ended")
    assert (loss.exit_code, loss.signal) == stored
    assert loss.text == f"the service died at second 4.2 of the run{cause}"
    assert loss.short == f"the service died at second 4.2 ({cause.removeprefix(': ')})"
    assert loss.wrote_last is None


@pytest.mark.parametrize(
    ("number", "attempts"), [(1, "the only attempt to connect"), (1234, "all of 1,234 attempts to connect")]
)
def test_a_service_that_nobody_can_reach(number: int, attempts: str) -> None:
    loss = ServiceLoss(t=4.0, how="unreachable", failed_attempts=number, reason="connection refused")
    assert loss.text == (
        "the service could not be reached from second 4 of the run on: every connection ended, and "
        f"{attempts} failed: connection refused"
    )
    assert loss.short == "the service could not be reached from second 4 on"


def test_a_long_run_has_minutes() -> None:
    died = ServiceLoss.of_process(1234.5, 3, "")
    assert died.text == "the service died after 20 min 34.5 s of the run: exit code 3"
    assert died.short == "the service died after 20 min 34.5 s (exit code 3)"
    lost = ServiceLoss(t=180, how="unreachable", failed_attempts=1)
    assert lost.text.startswith("the service could not be reached after 3 min of the run: every connection ended, and ")
    assert lost.short == "the service could not be reached after 3 min"
