"""--breakdown: where the time of a round trip goes, as the service itself tells."""

import re
from pathlib import Path

import pytest

from bench.server import ServerProcess
from bench.targets.process import EchoProcess
from bench.timing.histogram import Histogram
from tests.support.locust_process import LocustProcess, operation

LEGS = ["to the handler", "handler", "from the handler"]


def run(tmp_path: Path, *arguments: str) -> LocustProcess:
    with LocustProcess(tmp_path, "-u", "5", "-r", "5", "-t", "2s", *arguments) as locust:
        assert locust.wait() == 0, locust.output
    return locust


@pytest.mark.parametrize(
    "more",
    [
        pytest.param((), id="closed"),
        pytest.param(("--rate", "200"), id="open", marks=pytest.mark.slow),
        pytest.param(("--processes", "2"), id="two processes", marks=pytest.mark.slow),
    ],
)
def test_the_legs_add_up_to_the_service_time(tmp_path: Path, more: tuple[str, ...]) -> None:
    locust = run(tmp_path, "--breakdown", *more)
    row = operation(locust.result())
    assert [leg.name for leg in row.breakdown] == LEGS
    legs = [Histogram.decode(leg.histogram) for leg in row.breakdown]
    assert row.service_histogram is not None
    service = Histogram.decode(row.service_histogram)
    assert {leg.count for leg in legs} == {service.count}, "every reply tells"
    assert row.service_us is not None
    assert row.service_us.mean is not None
    means = [leg.times_us.mean for leg in row.breakdown]
    assert sum(mean for mean in means if mean is not None) == pytest.approx(row.service_us.mean, rel=1e-9)
    assert re.search(r"to the handler +[0-9]", locust.output)


@pytest.mark.slow
def test_without_it_the_service_stamps_nothing(tmp_path: Path) -> None:
    locust = run(tmp_path)
    assert operation(locust.result()).breakdown == ()
    assert "handler" not in locust.output


def test_a_server_that_does_not_stamp(tmp_path: Path) -> None:
    with EchoProcess() as echo:
        locust = run(tmp_path, "--breakdown", "--host", echo.url)
    assert operation(locust.result()).breakdown == ()
    assert "--breakdown: no reply had `handled_ns`" in locust.output


@pytest.mark.slow
def test_a_service_that_was_started_by_hand(tmp_path: Path) -> None:
    with ServerProcess("app.main:app", environment={"FOOBAR_STAMPS": "true"}) as service:
        locust = run(tmp_path, "--breakdown", "--host", service.url)
    assert [leg.name for leg in operation(locust.result()).breakdown] == LEGS
