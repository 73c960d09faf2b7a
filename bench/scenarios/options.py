"""The options that `pytest bench` and `bench ab` share: which service, by which scenarios.

Rules of this file: texts come in as the user typed them, checked values come out. What is wrong is an `OptionError` of
one line that names the option.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import orjson

from bench.checkout import DEFAULT_APP
from bench.scenarios.catalogue import Benchmark
from bench.scenarios.loading import ScenariosError, ScenariosFile, load_scenarios
from bench.scenarios.model import RESERVED_EVENTS, round_trip_of, shared_reply
from bench.timing.durations import DurationError, parse_duration
from bench.wire.connection import Connection
from bench.wire.errors import SettingError
from bench.wire.options import GivenSettings, given_settings

DEFAULT_REPLY_TIMEOUT = "5"


class OptionError(ValueError):
    """A value of an option that cannot be used. One line."""


@dataclass(frozen=True)
class Chosen:
    """The benchmarks that a user chose, the connection for them, and the scenarios file that they are of."""

    benchmarks: tuple[Benchmark, ...]
    connection: Connection = field(default_factory=Connection, repr=False)
    file: ScenariosFile | None = None
    #: The settings of the connection that the command line gives. They are in `connection` already.
    given: GivenSettings = field(default_factory=GivenSettings, repr=False)
    #: A digest of what `--payload` has the event carry, by which two results are known to be of the same; None without.
    payload_digest: str | None = None
    #: True if the user named the scenarios; False if they are the built-in ones.
    is_named: bool = True

    def stored(self, benchmark: Benchmark) -> dict[str, str] | None:
        """Return what a result stores of the file and of a scenario in it; None without a file."""
        if self.file is None:
            return None
        definition = self.file.definition(benchmark.scenario)
        return {"file": self.file.name, "sha256": self.file.sha256, "definition": definition}


def chosen(
    built_in: tuple[Benchmark, ...],
    *,
    event: str | None,
    reply: str | Sequence[str] | None,
    payload: str | None,
    args: bool = False,
    scenarios: str | None,
    directory: Path,
    connection: Mapping[str, Any] | None = None,
) -> Chosen:
    """Return the benchmarks that these options name, the built-in ones if they name none, and the connection for them.

    `connection` has the texts of the connection's options by their keys; they come before the scenarios file. With
    `args`, the list that is the payload is the argument list. Files are looked for from `directory`. Raises
    OptionError.
    """
    found = _chosen(built_in, event, reply, payload, args, scenarios, directory)
    try:
        settings = given_settings(connection or {}, directory)
        return replace(found, connection=settings.checked_over(found.connection), given=settings)
    except SettingError as error:
        raise OptionError(str(error)) from None


def _chosen(
    built_in: tuple[Benchmark, ...],
    event: str | None,
    reply: str | Sequence[str] | None,
    payload: str | None,
    args: bool,
    scenarios: str | None,
    directory: Path,
) -> Chosen:
    replies = (reply,) if isinstance(reply, str) else tuple(reply or ())
    given = [f"--reply {name}" for name in replies]
    given += [] if payload is None else [f"--payload {payload}"]
    given += ["--args"] if args else []
    if scenarios is not None:
        for text in [*([] if event is None else [f"--event {event}"]), *given]:
            raise OptionError(
                f"--scenarios {scenarios} and {text}: the file says what is emitted and what answers; "
                "give the file or the event, not both"
            )
        return _of_file(scenarios, directory)
    if event is not None:
        data = _payload(payload, args)
        digest = None if payload is None else hashlib.sha256(repr(data).encode()).hexdigest()
        return Chosen((_of_event(event, replies, payload, data),), payload_digest=digest)
    for text in given:
        raise OptionError(f"{text}: it belongs to an event, give that with --event")
    return Chosen(built_in, is_named=False)


def selected(benchmarks: Sequence[Benchmark], names: str | None) -> tuple[Benchmark, ...]:
    """Return the benchmarks of these names, which commas separate; all of them for None. Raises OptionError."""
    if names is None:
        return tuple(benchmarks)
    by_name = {benchmark.name: benchmark for benchmark in benchmarks}
    found: dict[str, Benchmark] = {}
    for name in filter(None, (part.strip() for part in names.split(","))):
        if name not in by_name:
            raise OptionError(f"--benchmarks {name}: there is no such benchmark, only {', '.join(by_name)}")
        found[name] = by_name[name]
    if not found:
        raise OptionError(f"--benchmarks {names!r}: name some of {', '.join(by_name)}")
    return tuple(found.values())


def refuse_ambiguous(benchmarks: Sequence[Benchmark]) -> None:
    """Raise OptionError if two of these cannot share a connection, because one event may answer both."""
    for first, second in combinations(benchmarks, 2):
        if event := shared_reply(first.scenario, second.scenario):
            raise OptionError(
                f"{first.name} and {second.name} are both answered by {event}, and not both by a token, so a reply may "
                f"be of either: compare them one after the other, --benchmarks {first.name}"
            )


def app_of(text: str | None) -> str:
    """Return the app to serve, the FOO→BAR service for None. Raises OptionError."""
    if text is None:
        return DEFAULT_APP
    module, _, attribute = text.partition(":")
    if not all(name.isidentifier() for name in (*module.split("."), *attribute.split("."))):
        raise OptionError(f"--app {text!r} is no application: give it as module:attribute, like {DEFAULT_APP}")
    return text


def refuse_unnamed_service(checkout: Path | None, options: str) -> None:
    """Raise OptionError outside of a checkout, where there is no default service. `options` are those that name it."""
    if checkout is None:
        raise OptionError(
            f"nothing says which service to measure: give {options}; or a scenarios file that says `serve = ...`"
        )


def refuse_unnamed_work(checkout: Path | None, asked: Chosen) -> None:
    """Raise OptionError outside of a checkout if only the scenarios of its own service would be measured."""
    if checkout is None and not asked.is_named:
        raise OptionError("nothing says what to measure: give --scenarios FILE, or --event NAME and what belongs to it")


def reply_timeout_ns(text: str) -> int:
    """Return the time that a reply is awaited, in nanoseconds. Raises OptionError."""
    try:
        seconds = parse_duration(text)
    except DurationError:
        seconds = math.nan
    if not 0.001 <= seconds <= 3600:
        raise OptionError(f"--reply-timeout {text!r}: give seconds, from 0.001 to 3600")
    return round(seconds * 1e9)


def _of_file(text: str, directory: Path) -> Chosen:
    try:
        file = load_scenarios(directory / text)
    except ScenariosError as error:
        raise OptionError(f"--scenarios {text}: {error}") from error
    if not file.scenarios:
        names = ", ".join(emission.name for emission in file.emissions)
        raise OptionError(
            f"--scenarios {text}: no scenario in it has a reply to time ({names}: only a load performs an Emission)"
        )
    benchmarks = tuple(Benchmark(scenario.name, scenario) for scenario in file.scenarios)
    return Chosen(benchmarks, file.connection or Connection(), file)


def _of_event(event: str, replies: tuple[str, ...], payload: str | None, data: Any) -> Benchmark:
    for option, value in (("--event", event), *(("--reply", reply) for reply in replies)):
        if value in RESERVED_EVENTS:
            raise OptionError(f"{option} {value!r} is no event of a service: Socket.IO reserves it")
    if twice := [reply for at, reply in enumerate(replies) if reply in replies[:at]]:
        raise OptionError(f"--reply {twice[0]} is there twice: give each event that may answer once")
    try:
        round_trip = round_trip_of(event, replies or None, data)
    except ValueError as error:
        raise OptionError(f"--payload {payload}: {error}") from None
    return Benchmark("-".join((event, *replies)), round_trip)


def _payload(payload: str | None, args: bool) -> Any:
    """Return what is emitted: a tuple for several arguments, None for no argument at all."""
    if payload is None:
        if args:
            raise OptionError("--args: it says that a JSON list is the argument list, give that with --payload")
        return None
    try:
        data = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise OptionError(f"--payload {payload!r} is not JSON: {error}") from None
    if not args:
        return data
    if not isinstance(data, list):
        raise OptionError(f"--args and --payload {payload}: it is no JSON list, give the arguments as [first, second]")
    return tuple(data)
