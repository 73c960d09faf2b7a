"""--until: a load ends when its figures are as precise as asked, or says that they are not."""

from pathlib import Path

import pytest

from bench.server import ServerProcess
from tests.support.locust_process import operation, run


@pytest.mark.slow
def test_a_load_of_two_workers_ends_when_it_is_precise(tmp_path: Path, service: ServerProcess) -> None:
    code, locust = run(
        *(tmp_path, "--host", service.url, "-u", "4", "-r", "4", "-t", "3m", "--rate", "100", "--processes", "2"),
        *("--only-summary", "--until", "throughput +- 50 %; FOO→BAR to sender: throughput ± 60 %"),
    )
    assert code == 0, locust.output
    result = locust.result()
    assert [precision.is_reached for precision in result.precisions] == [True, True]
    assert [precision.operation for precision in result.precisions] == [None, "FOO→BAR to sender"]
    assert result.precisions[0].value == pytest.approx(operation(result).throughput_per_s)
    assert 20 <= result.window.duration_s < 120
    assert result.ended_because is None
    assert "  throughput ± ? of 50 %  " in locust.output or "  as precise as asked  " in locust.output
    assert "as precise as asked, throughput +- 50 %: ± " in locust.output
    intervals = operation(result).intervals
    assert intervals is not None
    assert intervals.p50 is not None
    assert {test.name for test in result.tests} == {"arrivals", "independence", "stationarity"}


def test_a_load_whose_time_is_over_says_that_it_is_not_as_precise(tmp_path: Path, service: ServerProcess) -> None:
    code, locust = run(tmp_path, "--host", service.url, "-u", "2", "-r", "2", "-t", "2s", "--until", "p99 ± 1 %")
    assert code == 0, locust.output
    (precision,) = locust.result().precisions
    assert (precision.is_reached, precision.reached) == (False, None)
    assert "not as precise as asked, p99 ± 1 %: the run is too short" in locust.output


def test_a_precision_that_makes_no_sense_is_refused_in_a_line(tmp_path: Path) -> None:
    code, locust = run(tmp_path, "-u", "2", "-r", "2", "-t", "2s", "--until", "p99 ± 5 apples")
    assert code == 2
    lines = [line for line in locust.output.splitlines() if "--until" in line]
    assert len(lines) == 1
    assert lines[0].endswith(
        "--until: precision 'p99 ± 5 apples': '5 apples' is no width of it: expected a share such as 5 %, "
        "or a time such as 2 ms"
    )
    assert "Traceback" not in locust.output
