"""--until: what it asks for, what is refused, and what the live line says of it."""

from argparse import Namespace

import pytest

from bench.load.plugin.options import MisuseError
from bench.load.plugin.precision import precisions_of, so_far
from bench.load.plugin.tasks import task
from bench.load.plugin.user import SocketIOUser
from bench.results.steadiness import Precision
from bench.scenarios.model import Emission, RoundTrip


class Talker(SocketIOUser):
    abstract = True
    say = task(RoundTrip("say", emit="say", data={"id": "{token}"}))
    type = task(Emission("typing", emit="typing"))


class Coded(SocketIOUser):
    abstract = True

    @task
    async def come_and_go(self) -> None:
        await self.disconnect()


def options(until: str, rate: str = "") -> Namespace:
    return Namespace(until=until, rate=rate)


def test_precisions_are_asked_for_on_the_command_line() -> None:
    found = precisions_of(options("p99 ± 5 %; say: mean +- 2 %", "500"), [Talker])
    assert [(precision.operation, precision.metric) for precision in found] == [(None, "p99"), ("say", "mean")]
    assert precisions_of(Namespace(), [Talker]) == ()
    assert precisions_of(options("typing: throughput ± 5 %"), [Talker])


def test_what_users_of_ones_own_do_is_known_to_the_run_alone() -> None:
    assert precisions_of(options("connect: p99 ± 5 %; typing: p99 ± 5 %"), [Coded])


@pytest.mark.parametrize(
    ("until", "rate", "reason"),
    [
        ("p99", "", "--until: precision 'p99': expected METRIC ± WIDTH"),
        ("p99 ± 5 %", "100:10s,200:10s", "--rate 100:10s,200:10s has stages or a ramp"),
        ("p99 ± 5 %", "100..200:10s", "has stages or a ramp"),
        ("sya: p99 ± 5 %", "", "no such operation: did you mean say?"),
        ("typing: p99 ± 5 %", "", "typing is an emission, which awaits no reply, so it has no times"),
        ("connect: p99 ± 5 %", "", "users connect once, so a longer run makes it no surer"),
        ("disconnect: p99 ± 2 ms", "", "no such operation: there are say"),
        ("connect: throughput ± 5 %", "", "connect has no throughput"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(until: str, rate: str, reason: str) -> None:
    with pytest.raises(MisuseError) as raised:
        precisions_of(options(until, rate), [Talker])
    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)


def precision(reached: float | None, asked: float = 0.05, operation: str | None = None) -> Precision:
    return Precision(
        text="t",
        operation=operation,
        metric="p99",
        asked=asked,
        reached=reached,
        is_reached=reached is not None and reached <= asked,
    )


def test_the_live_line_has_the_precision_that_is_furthest_off() -> None:
    assert so_far([]) == ""
    assert so_far([precision(0.04)]) == "as precise as asked"
    assert so_far([precision(0.04), precision(0.1234), precision(0.06)]) == "p99 ± 12 % of 5 %"
    absolute = precision(1_234, asked=1_000).model_copy(update={"unit": "µs"})
    assert so_far([absolute]) == "p99 ± 1.234 ms of 1.000 ms"
    assert so_far([precision(0.5), precision(None, operation="say")]) == "say: p99 ± ? of 5 %"
