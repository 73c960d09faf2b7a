"""The options of `bench ab`, as checked values.

Rules: this module is pure. Texts come in as the user typed them, and an `AbPlan` comes out. A wrong text raises an
`AbError` of one line that names the option. The options of the service and its round trips mean the same as those of
`pytest bench`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from bench.ab.errors import AbError
from bench.ab.objectives import not_measured
from bench.ab.plan import AbPlan
from bench.ab.preparation import checked_link
from bench.ab.restart import BurstPlan
from bench.checkout import checkout_around
from bench.objectives.of_times import Benchmarks, TimeObjectives, objectives_of_times
from bench.objectives.parsing import ObjectiveError
from bench.scenarios.catalogue import AB_BENCHMARKS, Benchmark
from bench.scenarios.options import (
    DEFAULT_REPLY_TIMEOUT,
    Chosen,
    OptionError,
    app_of,
    chosen,
    refuse_ambiguous,
    refuse_unnamed_service,
    refuse_unnamed_work,
    reply_timeout_ns,
    selected,
)
from bench.secrets import Secrets
from bench.server.serve_options import ServeOptions
from bench.statistics.stopping import StoppingRule
from bench.timing.durations import DurationError, PercentError, parse_duration, parse_percent

DEFAULT_PRECISION = "0.3"
DEFAULT_THRESHOLD = "0.5"
DEFAULT_MAX_TIME = "180"


def plan(
    *,
    app: str | None,
    event: str | None,
    reply: str | Sequence[str] | None,
    payload: str | None,
    args: bool = False,
    app_directory: str | None = None,
    scenarios: str | None = None,
    connection: Mapping[str, Any] | None = None,
    reply_timeout: str = DEFAULT_REPLY_TIMEOUT,
    benchmarks: str | None = None,
    precision: str = DEFAULT_PRECISION,
    threshold: str = DEFAULT_THRESHOLD,
    max_time: str = DEFAULT_MAX_TIME,
    pairs: int | None = None,
    burst: int | None = None,
    awake: bool = True,
    env_per_rev: bool = False,
    serve: str | None = None,
    ready_url: str | None = None,
    start_timeout: str | None = None,
    prepare: str | None = None,
    links: Sequence[str] = (),
    slo: Sequence[str] = (),
    results: Path | None = None,
) -> AbPlan:
    """Return the plan from the user's texts, None for those that were not given. Raises AbError.

    `connection` has the texts of the connection's options by their keys.
    """
    try:
        timeout_ns = reply_timeout_ns(reply_timeout)
        asked = chosen(
            AB_BENCHMARKS,
            event=event,
            reply=reply,
            payload=payload,
            args=args,
            scenarios=scenarios,
            directory=Path.cwd(),
            connection=connection,
        )
        selection = selected(asked.benchmarks, benchmarks)
        refuse_ambiguous(selection)
        objectives = _objectives(slo, asked, selection)
        serving = ServeOptions.of(serve, ready_url, start_timeout, asked.file)
        command = serving.command(
            Path.cwd(), app=app, is_tls=asked.connection.tls is not None, hide=Secrets.of(asked.connection).hide
        )
        named_app, start_timeout_s = app_of(app), serving.start_timeout_s
        checkout = checkout_around(Path.cwd())
        if app is None and command is None:
            refuse_unnamed_service(checkout, "--app MODULE:ATTR or --serve COMMAND")
        refuse_unnamed_work(checkout, asked)
    except (OptionError, ObjectiveError) as error:
        raise AbError(str(error)) from error
    if command is not None and env_per_rev:
        raise AbError("--env-per-rev makes environments for --app; of a command, --prepare makes them")
    if command is not None and app_directory is not None:
        raise AbError(f"--app-dir {app_directory}: it belongs to --app; a command says itself where its modules are")
    if prepare is not None and not prepare.strip():
        raise AbError("--prepare: there is no command")
    return AbPlan(
        app=named_app,
        command=command,
        start_timeout_s=start_timeout_s,
        prepare=prepare,
        links=tuple(map(checked_link, links)),
        chosen=replace(asked, benchmarks=selection),
        slo=objectives,
        reply_timeout_ns=timeout_ns,
        app_directory=_app_directory(app_directory),
        rule=StoppingRule(precision=_share("--precision", precision, least=1e-5)),
        threshold=_share("--threshold", threshold, least=0.0),
        max_time_s=_seconds("--max-time", max_time),
        bursts=_burst_plan(pairs, burst),
        awake=awake,
        env_per_rev=env_per_rev,
        results=results,
    )


def _objectives(given: Sequence[str], asked: Chosen, selection: Sequence[Benchmark]) -> TimeObjectives:
    """Return the objectives of the candidate. Raises ObjectiveError."""
    of_file, file = (asked.file.slo, asked.file.name) if asked.file is not None else ((), "")
    names = frozenset(benchmark.name for benchmark in selection)
    return objectives_of_times(given, of_file, file, Path.cwd(), Benchmarks(names, not_measured))


def _app_directory(text: str | None) -> Path | None:
    if text is None:
        return None
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts:
        raise AbError(f"--app-dir {text}: name a folder below this one; each revision has its own")
    return Path(path)


def _share(option: str, text: str, least: float) -> float:
    try:
        share = parse_percent(text)
    except PercentError:
        share = math.nan
    if not least <= share <= 1:
        example = "0.3" if least else "0.5"
        above = f"from {least * 100:g} to 100" if least else "from 0 to 100"
        raise AbError(f"{option} {text!r}: give per cent, {above}, such as {example}")
    return share


def _seconds(option: str, text: str) -> float:
    try:
        seconds = parse_duration(text)
    except DurationError:
        seconds = math.nan
    if not 1 <= seconds <= 86_400:
        raise AbError(f"{option} {text!r}: give seconds, or minutes as 3m, up to a day")
    return seconds


def _burst_plan(pairs: int | None, burst: int | None) -> BurstPlan:
    """Return the plan of a restart, in proportion to the two numbers that the user may give. Raises AbError."""
    plan = BurstPlan()
    for option, value, most in (("--pairs", pairs, 10_000), ("--burst", burst, 100_000)):
        if value is not None and not 1 <= value <= most:
            raise AbError(f"{option} {value}: give a number from 1 to {most}")
    if pairs is not None:
        plan = replace(plan, pairs=pairs, saturated_pairs=max(1, round(pairs * plan.saturated_pairs / plan.pairs)))
    if burst is not None:
        saturated = max(plan.in_flight, round(burst * plan.saturated_burst / plan.burst))
        plan = replace(plan, burst=burst, warm_up=max(50, burst), saturated_burst=saturated)
    return plan
