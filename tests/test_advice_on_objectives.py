"""Proposals in refusals of --slo and --until are accepted where they were proposed."""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from pathlib import Path

import pytest

from bench.ab.objectives import not_measured
from bench.load.plugin.objectives import objectives_of
from bench.load.plugin.options import MisuseError
from bench.load.plugin.precision import precisions_of
from bench.load.plugin.tasks import task
from bench.load.plugin.user import SocketIOUser
from bench.objectives.of_times import Benchmarks, objectives_of_times
from bench.objectives.parsing import ObjectiveError
from bench.scenarios.model import Emission, RoundTrip

#: Return the refusal of a text; None if it is accepted.
Refusal = Callable[[str], str | None]


class Talker(SocketIOUser):
    abstract = True
    say = task(RoundTrip("say", emit="say"))
    type = task(Emission("typing", emit="typing"))


class Typist(SocketIOUser):
    abstract = True
    type = task(Emission("typing", emit="typing"))


class Coded(SocketIOUser):
    abstract = True

    @task
    async def anything(self) -> None:
        pass


def by_load(user: type[SocketIOUser], text: str) -> str | None:
    try:
        objectives_of(Namespace(slo=text), [user])
    except MisuseError as error:
        return str(error)
    return None


def by_until(user: type[SocketIOUser], text: str) -> str | None:
    try:
        precisions_of(Namespace(until=text), [user])
    except MisuseError as error:
        return str(error)
    return None


def by_times(benchmarks: Benchmarks, text: str) -> str | None:
    try:
        objectives_of_times([text], (), "", Path.cwd(), benchmarks)
    except ObjectiveError as error:
        return str(error)
    return None


NAMES = frozenset({"say", "join"})
COMMANDS: dict[str, Refusal] = {
    "load": partial(by_load, Talker),
    "load that only emits": partial(by_load, Typist),
    "load by code": partial(by_load, Coded),
    "latency": partial(by_times, Benchmarks(NAMES, have_cases=True)),
    "ab": partial(by_times, Benchmarks(NAMES, not_measured)),
}
OPERATIONS = ("", "say: ", "sya: ", "typing: ", "tpying: ", "connect: ", "history: ")
METRICS = (
    *("p50", "p99", "p99.9", "p999", "p9999", "p100", "p0", "p9x", "mean", "maen", "max", "median", "avg", ""),
    *("errors", "eror", "timeouts", "dropped", "drops", "throughput", "thruput", "rps", "connects", "connect"),
    "latency",
)
LIMITS = (
    *("< 50 ms", "< 50", "< 0", "= 50 ms", "=< 50", "50 ms", "< 5 %", "< 0.1", "< 0.0", "= 0", "< 0 %", "> 1 %"),
    *("> 100 %", ">= 99.5", ">= 100 %", ">= 400/s", ">= 400", "= 400/s", "> 150.5", "± 5 %", ">= 400 per s"),
)
WIDTHS = ("± 5 %", "± 2 ms", "± 5", "± 500", "± 0.05", "± 5/s", "± 0 %", "± 0 ms", "±", "< 5 ms", "± 100 %", "± 5 x")


def parts(text: str) -> tuple[str, str, str, str]:
    """Return the operation with its colon, the metric, the relation and the rest."""
    found = re.fullmatch(r"(.*: )?([^\s<>=±]*)\s*([<>=±]*)\s*(.*)", text)
    assert found is not None
    return found[1] or "", found[2], found[3], found[4]


def proposed(text: str, refusal: str) -> Iterator[tuple[str, str]]:
    """Yield each text that a refusal proposes in place of a text, and the part of it that is new."""
    operation, metric, relation, rest = parts(text)
    reason = refusal.split(f"{' '.join(text.split())!r}: ", 1)[1]
    if examples := re.search(r"as in ('[^']*'(?:(?:,| or) '[^']*')*)", reason):
        # The operation of an example is an example, too.
        yield from (("all", parts(example)[1] + " " + " ".join(parts(example)[2:])) for example in quoted(examples[1]))
    elif meant := re.search(r"did you mean ([^?]*)\?", reason):
        if "no such" in reason:
            yield "operation", f"{meant[1]}: {metric} {relation} {rest}"
        else:
            yield "metric", f"{operation}{meant[1]} {relation} {rest}"
    elif there := re.search(r"no such .*: there are (.*)", reason):
        yield from (("operation", f"{name}: {metric} {relation} {rest}") for name in there[1].split(", "))
    elif left_out := re.search(r"leave '(.*)' out", reason):
        assert operation == f"{left_out[1]}: "
        yield "operation", f"{metric} {relation} {rest}"
    elif "there is no metric" in reason or "is no percentile" in reason or "is counted" in reason:
        names = re.findall(r"p99|p50|mean|max|errors|timeouts|dropped|throughput|connects", expected(reason))
        yield from (("metric", f"{operation}{name} {relation} {rest}") for name in names)
    else:
        found = re.findall(r"(?:as in|such as|or a (?:time|rate) such as) (\d[\d.]*(?: ms|/s| %))", reason)
        found += re.findall(r"; ([\d.]+ %) is a share", reason)
        yield from (("limit", f"{operation}{metric} {relation} {example}") for example in found)
    if written := re.search(r": write ([<>]=)( .*)?", reason):
        yield "relation", f"{operation}{metric} {written[1]}{written[2] or ' ' + rest}"


def quoted(text: str) -> list[str]:
    return re.findall(r"'([^']*)'", text)


def expected(reason: str) -> str:
    return reason.partition("expected")[2].replace("percentile,", "p99,").replace("one between p0 and p100", "p99")


def follow(text: str, refused: Refusal, changed: tuple[str, ...] = ()) -> None:
    """Follow each advice until the text is accepted. No part of it is proposed twice, and no advice leads nowhere."""
    refusal = refused(text)
    if refusal is None:
        return
    assert "\n" not in refusal
    refusal, elsewhere, also = refusal.partition("judge it by `bench load`")
    if elsewhere:
        assert not changed, f"{text!r} was proposed, and is refused: {refusal}"
        assert (by_load(Coded, text) or "").endswith(also.removeprefix("; also, ")), f"{text!r} is refused by a load"
        return
    if "would meet it" in refusal and "limit" not in changed:  # no advice was about the limit
        return
    steps = list(proposed(text, refusal))
    assert steps or not changed, f"{text!r} was proposed, and is refused: {refusal}"
    for part, better in steps:
        assert not {part, "all"} & {*changed}, f"{text!r} was proposed, and {part} is refused: {refusal}"
        follow(better, refused, (*changed, part))


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("command", COMMANDS)
def test_what_a_refusal_of_an_objective_proposes_is_accepted(command: str) -> None:
    for operation, metric, limit in product(OPERATIONS, METRICS, LIMITS):
        follow(f"{operation}{metric} {limit}".strip(), COMMANDS[command])


UNTIL: dict[str, Refusal] = {
    "until": partial(by_until, Talker),
    "until that only emits": partial(by_until, Typist),
    "until by code": partial(by_until, Coded),
}


@pytest.mark.parametrize("users", UNTIL)
def test_what_a_refusal_of_a_precision_proposes_is_accepted(users: str) -> None:
    for operation, metric, width in product(OPERATIONS, METRICS, WIDTHS):
        follow(f"{operation}{metric} {width}".strip(), UNTIL[users])
