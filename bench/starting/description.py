"""The description of a service's clients, from which the first files are made: plain data, whatever it was made from.

Data in it is a tree of JSON and bytes. It may have placeholders for ids, as scenarios have, and pieces of code, such as
the name of a variable of the environment in place of a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.scenarios.tokens import TokenKind


@dataclass(frozen=True)
class DraftScenario:
    """A scenario to be written. `waits_for_nothing` is true of an emission; no reply means the acknowledgement."""

    variable: str
    name: str
    emit: str
    data: Any = None
    reply: tuple[str, ...] = ()
    waits_for_nothing: bool = False
    #: The kinds of placeholders in the data.
    kinds: tuple[TokenKind, ...] = ()
    #: Sentences for the person who reads the file.
    comments: tuple[str, ...] = ()
    #: True if its data is not known: it is written as a comment, to be filled in.
    is_unfinished: bool = False
    #: True if its data has an id that an earlier reply gave: it cannot be performed alone.
    is_dependent: bool = False

    @property
    def is_timed(self) -> bool:
        """True if something answers."""
        return not self.waits_for_nothing


@dataclass(frozen=True)
class DraftStep:
    """A step of a session: the time to think before it, in seconds, and the scenario to perform.

    If `data` is given, it takes the place of the scenario's: it has code that reads an earlier reply. `keeps` is the
    attribute of the user that gets the reply for that; None if nobody reads it.
    """

    scenario: DraftScenario
    wait_s: float = 0.0
    data: Any = None
    keeps: str | None = None


@dataclass(frozen=True)
class DraftSession:
    """The steps of a session, in order, and the time that the client stayed after the last, in seconds."""

    steps: tuple[DraftStep, ...]
    end_s: float = 0.0


@dataclass(frozen=True)
class DraftRequest:
    """An HTTP request before connecting. `variable` is the name of its answer, None if nothing reads that."""

    method: str
    url: str
    variable: str | None = None
    #: The keyword of the body, `json` or `data`; None if there is none.
    body_keyword: str | None = None
    body: Any = None
    headers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DraftClient:
    """A kind of client: how it connects, and what it does. `suffix` tells its files and class from those of others."""

    suffix: str = ""
    #: The fields of its Connection, as trees.
    settings: Mapping[str, Any] = field(default_factory=dict)
    #: The requests of its login, and the fields of the Connection that come of them.
    requests: tuple[DraftRequest, ...] = ()
    login_settings: Mapping[str, Any] = field(default_factory=dict)
    scenarios: tuple[DraftScenario, ...] = ()
    #: The steps with which each connection begins, before anything is measured.
    opening: tuple[DraftStep, ...] = ()
    sessions: tuple[DraftSession, ...] = ()
    #: The answers to what the server asks, by event.
    answers: Mapping[str, Any] = field(default_factory=dict)
    #: Sentences for the person who reads the file.
    comments: tuple[str, ...] = ()

    @property
    def finished(self) -> tuple[DraftScenario, ...]:
        """The scenarios that can be performed as they are."""
        return tuple(scenario for scenario in self.scenarios if not scenario.is_unfinished)


@dataclass(frozen=True)
class Description:
    """The kinds of clients of a service, and what a person should know of them."""

    clients: tuple[DraftClient, ...]
    #: The source that it was made from, in words.
    source: str
    #: The variables of the environment that the files read, and what each of them stands for.
    variables: Mapping[str, str] = field(default_factory=dict)
    #: Sentences about what was not understood.
    notes: tuple[str, ...] = ()
    #: The server of a recorded session, without a path.
    origin: str | None = None
