"""The options of `pytest bench`: the service to measure, and the round trips to measure it by.

Rules: this module is pure. Texts come in as the user typed them, and checked values come out. A wrong text raises an
`OptionError` of one line that names the option. `bench/conftest.py` registers the options with pytest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pytest

from bench.checkout import DEFAULT_APP, checkout_around
from bench.objectives.of_times import Benchmarks, TimeObjectives, objectives_of_times
from bench.objectives.parsing import ObjectiveError
from bench.project_settings import ProjectSettingsError
from bench.results.labels import LabelError, labels_of, note_of
from bench.results.service_logs import ServiceLogs
from bench.scenarios.catalogue import LATENCY_BENCHMARKS, Benchmark
from bench.scenarios.options import (
    DEFAULT_REPLY_TIMEOUT,
    Chosen,
    OptionError,
    app_of,
    chosen,
    refuse_unnamed_service,
    refuse_unnamed_work,
    reply_timeout_ns,
)
from bench.scenarios.tracing import NoPlaceForContext, checked_field, refuse_untraceable
from bench.secrets import KnownSecrets, Secrets
from bench.server import ServeCommand, Served, ServedApp, ServedCommand, ServerOptions
from bench.server.command import START_TIMEOUT_S
from bench.server.serve_options import ServeOptions
from bench.wire.connection import TransportName
from bench.wire.endpoint import Address
from bench.wire.errors import ConnectFailed
from bench.wire.options import GivenSettings, transport_of

__all__ = ["DEFAULT_APP", "DEFAULT_REPLY_TIMEOUT", "EFFORTS", "OPTIONS", "OptionError", "Options", "parse"]

EffortKind = Literal["quick", "normal", "thorough"]


@dataclass(frozen=True)
class Effort:
    """The effort of a run: server processes of each benchmark, and seconds of round trips with all of them."""

    processes: int
    max_time_s: float


#: The efforts by name. A whole `pytest bench` takes about twenty seconds, one to two minutes, and five minutes.
EFFORTS: dict[EffortKind, Effort] = {
    "quick": Effort(processes=2, max_time_s=0.1),
    "normal": Effort(processes=5, max_time_s=1.0),
    "thorough": Effort(processes=10, max_time_s=4.0),
}

#: The most server processes. They stand at the same time, with the same number of controls, and take 50 MB each.
_MOST_PROCESSES = 50


@dataclass(frozen=True)
class Options:
    """The options of a latency run. `app` is served, imported from `directory`, unless there is a `command` or a `url`.

    `url` is the form of the URL that may be shown.
    """

    app: str
    url: str | None
    #: The same URL with user, password and query: for connecting, and for nothing else.
    whole_url: str | None = field(repr=False)
    directory: Path
    chosen: Chosen
    reply_timeout_ns: int
    #: The number of processes of the service, for each benchmark with the server in a process of its own.
    processes: int
    #: The time of a benchmark in seconds, for pytest-benchmark, unless its own option was given.
    max_time_s: float
    #: The option that lets the cores halt, as the user wrote it; None if they are to be kept awake.
    idle_allowed_by: str | None
    #: The only transport to measure over; None: over each.
    transport: TransportName | None
    #: The options of the service's server; each benchmark sets its own loop.
    server: ServerOptions
    #: True if only FOO→BAR is measured, with the service of the checkout.
    is_default: bool
    #: The user's command that serves.
    command: ServeCommand | None = None
    start_timeout_s: float = START_TIMEOUT_S
    #: True if the benchmarks that only illustrate are wanted as well: all of them, and those of the timing bias.
    everything: bool = False
    #: What has to hold, and what a load alone could judge.
    slo: TimeObjectives = field(default_factory=TimeObjectives)
    #: The field of each emission's data that has a trace context; None: there is none.
    trace_field: str | None = None
    #: The labels and the note of the result.
    labels: Mapping[str, str] = field(default_factory=dict)
    note: str | None = None

    @property
    def service(self) -> str:
        """The service in a word: its URL, its command, or its app."""
        return self.url or self.served.shown

    @property
    def served(self) -> Served:
        """The service to start."""
        if self.command is not None:
            return ServedCommand(self.command, self.hide)
        return ServedApp(self.app, self.directory, start_timeout_s=self.start_timeout_s, hide=self.hide)

    @cached_property
    def known(self) -> KnownSecrets:
        """The secrets that the user gave, and those that come to be known in the session."""
        return KnownSecrets(Secrets.of(self.chosen.connection, self.whole_url or ""))

    @property
    def hide(self) -> Callable[[str], str]:
        """The function that takes secrets out of a text of the service."""
        return self.known.hide

    @property
    def benchmarks(self) -> tuple[Benchmark, ...]:
        """The scenarios to measure."""
        return self.chosen.benchmarks


#: The keys of the session's options, and of its services' logs, in pytest's configuration.
OPTIONS = pytest.StashKey[Options]()
LOGS = pytest.StashKey[ServiceLogs]()


def parse(
    *,
    app: str | None = None,
    url: str | None = None,
    host: str | None = None,
    event: str | None = None,
    reply: str | Sequence[str] | None = None,
    payload: str | None = None,
    args: bool = False,
    scenarios: str | None = None,
    connection: Mapping[str, Any] | None = None,
    serve: str | None = None,
    ready_url: str | None = None,
    start_timeout: str | None = None,
    reply_timeout: str = DEFAULT_REPLY_TIMEOUT,
    processes: str | None = None,
    effort: EffortKind = "normal",
    idle_allowed_by: str | None = None,
    everything: bool = False,
    trace_context: str | None = None,
    labels: Sequence[str] = (),
    note: str | None = None,
    slo: Sequence[str] | None = None,
    directory: Path,
    checkout: Path | None = None,
) -> Options:
    """Return the options from the user's texts, None for those that were not given. `directory` is the user's.

    `connection` has the texts of the connection's options by their keys. `checkout` has the service and the scenarios
    that are the default; None for the checkout that `directory` lies in, if any. `slo` has the objectives that were
    given; with None those of files have no effect, either. Raises OptionError.
    """
    checkout = checkout or checkout_around(directory)
    address = _address(url, host)
    url = None if address is None else address.shown
    if app is not None and url is not None:
        raise OptionError(f"--app {app} and --url {url}: give the app to serve, or the URL of a server, not both")
    asked = chosen(
        LATENCY_BENCHMARKS,
        event=event,
        reply=reply,
        payload=payload,
        args=args,
        scenarios=scenarios,
        directory=directory,
        connection=connection,
    )
    serving = ServeOptions.of(serve, ready_url, start_timeout, asked.file)
    command = serving.command(
        directory,
        app=app,
        url=url,
        is_tls=asked.connection.tls is not None,
        hide=Secrets.of(asked.connection).hide,
    )
    options = Options(
        app=app_of(app),
        url=url,
        whole_url=None if address is None else address.whole,
        directory=directory if checkout is None or app is not None or command is not None else checkout,
        chosen=asked,
        transport=_transport(asked.given),
        reply_timeout_ns=reply_timeout_ns(reply_timeout),
        processes=EFFORTS[effort].processes if processes is None else _processes(processes),
        max_time_s=EFFORTS[effort].max_time_s,
        idle_allowed_by=idle_allowed_by,
        server=ServerOptions(),
        is_default=app is None and url is None and command is None and event is None and scenarios is None,
        command=command,
        start_timeout_s=serving.start_timeout_s,
        everything=everything,
        slo=TimeObjectives() if slo is None else _objectives(slo, asked, directory),
        trace_field=_trace_field(trace_context, asked.benchmarks),
        **_words(labels, note, directory),
    )
    if app is None and url is None and command is None:
        refuse_unnamed_service(checkout, "--app MODULE:ATTR, --serve COMMAND or --url URL")
    refuse_unnamed_work(checkout, asked)
    return options


def _objectives(given: Sequence[str], asked: Chosen, directory: Path) -> TimeObjectives:
    """Return the objectives of the benchmarks. Raises OptionError."""
    names = frozenset(benchmark.name for benchmark in asked.benchmarks)
    of_file, file = (asked.file.slo, asked.file.name) if asked.file is not None else ((), "")
    try:
        return objectives_of_times(given, of_file, file, directory, Benchmarks(names, have_cases=True))
    except ObjectiveError as error:
        raise OptionError(str(error)) from None


def _trace_field(text: str | None, benchmarks: Sequence[Benchmark]) -> str | None:
    """Return the field of the trace context. Raises OptionError if none of these has a place for it.

    One that has none fails by itself, if it is measured at all.
    """
    try:
        field = checked_field(text)
        for number, benchmark in enumerate(benchmarks if field is not None else ()):
            try:
                refuse_untraceable(benchmark.scenario, field or "")
                break
            except NoPlaceForContext:
                if number == len(benchmarks) - 1:
                    raise
    except NoPlaceForContext as error:
        raise OptionError(str(error)) from None
    return field


def _words(labels: Sequence[str], note: str | None, directory: Path) -> dict[str, Any]:
    """Return the labels and the note of the result. Raises OptionError."""
    try:
        return {"labels": labels_of(labels, directory), "note": note_of(note)}
    except (LabelError, ProjectSettingsError) as error:
        raise OptionError(str(error)) from None


def _transport(given: GivenSettings) -> TransportName | None:
    """Return the transport that the command line asks for. Raises OptionError."""
    names = transport_of(given)
    if names is not None and len(names) > 1:
        raise OptionError(
            f"--transport {','.join(names)}: `pytest bench` measures each transport on its own; give websocket or "
            "polling, or leave it out for both"
        )
    return None if names is None else names[0]


def _address(url: str | None, host: str | None) -> Address | None:
    addresses = []
    for option, value in (("--url", url), ("--host", host)):
        if value is not None:
            try:
                addresses.append(Address.of(value))
            except ConnectFailed as error:
                raise OptionError(f"{option} {error}") from None
    if len(addresses) == 2 and url != host:
        shown = [address.shown for address in addresses]
        raise OptionError(f"--url {shown[0]} and --host {shown[1]}: they mean the same, give one of them")
    return addresses[0] if addresses else None


def _processes(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_PROCESSES:
        raise OptionError(f"--server-processes {text!r}: give a number of processes, from 1 to {_MOST_PROCESSES}")
    return int(text)
