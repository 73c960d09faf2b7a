"""What `pytest bench` is told to measure: which service, by which round trips.

Rules: pure. Texts come in as the user typed them, checked values come out; what is wrong is an `OptionError` of one
line that names the option. `bench/conftest.py` registers the options with pytest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import orjson
import pytest

from bench.scenarios.catalogue import FOO_ACKNOWLEDGED, FOO_BAR
from bench.scenarios.model import RoundTrip, round_trip_of
from bench.wire.endpoint import Address
from bench.wire.interface import ConnectFailed

DEFAULT_APP = "app.main:app"
DEFAULT_REPLY_TIMEOUT = "5"

ReplyKind = Literal["event", "acknowledged"]

EffortKind = Literal["quick", "normal", "thorough"]


@dataclass(frozen=True)
class Effort:
    """How much is measured: server processes of each benchmark, and seconds of round trips with all of them."""

    processes: int
    max_time_s: float


EFFORTS: dict[EffortKind, Effort] = {
    "quick": Effort(processes=2, max_time_s=0.1),
    "normal": Effort(processes=5, max_time_s=1.0),
    "thorough": Effort(processes=10, max_time_s=4.0),
}
"""The whole of `pytest bench` measures for about twenty seconds, one to two minutes, and five minutes."""

_MOST_PROCESSES = 50  # they stand at the same time, as many controls beside them, with 50 MB each

# Socket.IO's clients and servers keep these to themselves.
_RESERVED = frozenset({"", "*", "connect", "connect_error", "disconnect", "disconnecting"})

# Where `app` and `bench` lie: out of the box the service is the one beside this suite, whatever the directory is.
_HOME = Path(__file__).parents[2]


class OptionError(ValueError):
    """An option's value cannot be used. One line."""


@dataclass(frozen=True)
class Definition:
    """A round trip to measure; `name` is the start of its benchmarks' names, by which results are compared."""

    name: str
    round_trip: RoundTrip

    @property
    def reply(self) -> ReplyKind:
        """What is waited for."""
        return "acknowledged" if self.round_trip.reply is None else "event"


FOO_BAR_DEFINITIONS = (Definition("foo_bar", FOO_BAR), Definition("foo_bar", FOO_ACKNOWLEDGED))


@dataclass(frozen=True)
class Options:
    """The options of a latency run. `app` is served, imported from `directory`, unless there is a `url`.

    `url` is the form of the URL that may be shown.
    """

    app: str
    url: str | None
    whole_url: str | None = field(repr=False)
    """The same URL with user, password and query: for connecting, and for nothing else."""
    directory: Path
    definitions: tuple[Definition, ...]
    reply_timeout_ns: int
    processes: int
    """Of the service, for each benchmark with the server in a process of its own."""
    max_time_s: float
    """For pytest-benchmark, unless its own option was given."""
    keep_awake: bool
    is_default: bool
    """Whether nothing else than FOO→BAR, as it lies beside this suite, is measured."""

    @property
    def service(self) -> str:
        """The service in one word: where it is reached, or what is served."""
        return self.url or self.app


OPTIONS = pytest.StashKey[Options]()
"""Where the session's options lie in pytest's configuration."""


def parse(
    *,
    app: str | None = None,
    url: str | None = None,
    host: str | None = None,
    event: str | None = None,
    reply: str | None = None,
    payload: str | None = None,
    reply_timeout: str = DEFAULT_REPLY_TIMEOUT,
    processes: str | None = None,
    effort: EffortKind = "normal",
    keep_awake: bool = True,
    directory: Path,
) -> Options:
    """The options from the user's texts, None where one was not given. `directory` is the user's.

    Raises OptionError.
    """
    address = _address(url, host)
    url = None if address is None else address.shown
    if app is not None and url is not None:
        raise OptionError(f"--app {app} and --url {url}: give the app to serve, or the URL of a server, not both")
    return Options(
        app=DEFAULT_APP if app is None else _app(app),
        url=url,
        whole_url=None if address is None else address.whole,
        directory=_HOME if app is None else directory,
        definitions=_definitions(event, reply, payload),
        reply_timeout_ns=_timeout_ns(reply_timeout),
        processes=EFFORTS[effort].processes if processes is None else _processes(processes),
        max_time_s=EFFORTS[effort].max_time_s,
        keep_awake=keep_awake,
        is_default=app is None and url is None and event is None,
    )


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


def _app(app: str) -> str:
    module, _, attribute = app.partition(":")
    if not all(name.isidentifier() for name in (*module.split("."), *attribute.split("."))):
        raise OptionError(f"--app {app!r} is no application: give it as module:attribute, like {DEFAULT_APP}")
    return app


def _definitions(event: str | None, reply: str | None, payload: str | None) -> tuple[Definition, ...]:
    if event is None:
        for option, value in (("--reply", reply), ("--payload", payload)):
            if value is not None:
                raise OptionError(f"{option} {value}: it belongs to an event, give that with --event")
        return FOO_BAR_DEFINITIONS
    for option, value in (("--event", event), ("--reply", reply)):
        if value in _RESERVED:
            raise OptionError(f"{option} {value!r} is no event of a service: Socket.IO reserves it")
    name = event if reply is None else f"{event}-{reply}"
    return (Definition(name, round_trip_of(event, reply, _payload(payload))),)


def _payload(payload: str | None) -> Any:
    """None, which is sent as no argument at all, where there is no payload."""
    if payload is None:
        return None
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise OptionError(f"--payload {payload!r} is not JSON: {error}") from None


def _timeout_ns(text: str) -> int:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0.001 <= seconds <= 3600:
        raise OptionError(f"--reply-timeout {text!r}: give seconds, from 0.001 to 3600")
    return round(seconds * 1e9)


def _processes(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_PROCESSES:
        raise OptionError(f"--server-processes {text!r}: give a number of processes, from 1 to {_MOST_PROCESSES}")
    return int(text)
