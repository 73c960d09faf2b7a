"""The user of `bench load --scenarios FILE`: it performs the scenarios of the file, each as a task of its own.

Rules of this file: what the file says means here what it means to `bench latency`. Its `connection` is how the user
connects, `before_connect` logs in before each attempt, and `setup` begins on each new connection. The class belongs to
the module of the file, so `serve` and `ready_url` are found in it as those of a locustfile are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bench.exchange.preparation import PreparationFailed, logged_in, set_up
from bench.load.plugin.options import MisuseError
from bench.load.plugin.tasks import performing
from bench.load.plugin.user import SocketIOUser
from bench.scenarios.loading import MODULE, ScenariosFile
from bench.scenarios.model import Emission, RoundTrip
from bench.wire.connection import Connection, watched

#: The largest weight. Locust keeps a list with each task as often as it weighs.
_LARGEST_WEIGHT = 1000

_WEIGHT = re.compile(r":(?P<weight>\d+)$")


class SetUpFailed(Exception):
    """The failure of the `setup` of a file. It is the user's own code that failed, and not an attempt to connect."""


def weights_of(text: str | None, file: ScenariosFile) -> dict[str, int]:
    """Return the weights of the scenarios that the text names, as in `say:3,join`; all of them for None.

    Raises MisuseError.
    """
    names = list(_scenarios(file))
    if text is None:
        return dict.fromkeys(names, 1)
    found: dict[str, int] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        weighed = None if part in names else _WEIGHT.search(part)
        name = part if weighed is None else part[: weighed.start()]
        weight = 1 if weighed is None else int(weighed["weight"])
        if name not in names:
            raise MisuseError(f"--tasks {name}: there is no such scenario in {file.name}, only {', '.join(names)}")
        if name in found:
            raise MisuseError(f"--tasks {text}: {name} is there twice")
        if not 1 <= weight <= _LARGEST_WEIGHT:
            raise MisuseError(f"--tasks {part}: a weight is a whole number from 1 to {_LARGEST_WEIGHT}")
        found[name] = weight
    if not found:
        raise MisuseError(f"--tasks {text!r}: name some of {', '.join(names)}")
    return found


def user_class(file: ScenariosFile, weights: Mapping[str, int]) -> type[SocketIOUser]:
    """Return the class of the users that perform these scenarios of the file, each as often as its weight says."""
    scenarios = _scenarios(file)
    performed: list[Any] = [task for name, weight in weights.items() for task in [performing(scenarios[name])] * weight]

    class ScenariosUser(SocketIOUser):
        """A client that performs the scenarios of a file, in random order."""

        connection = file.connection
        slo = file.slo
        performs_tasks_alone = file.before_connect is None and file.setup is None
        tasks = performed
        _logged_in: Connection | None = None

        async def before_connect(self) -> None:
            self._logged_in = None
            self._logged_in = await logged_in(self.http, self._settings(), file, self.reply_timeout)

        async def on_connect(self) -> None:
            try:
                await set_up(self.client, file, self.reply_timeout)
            except PreparationFailed as failure:
                raise SetUpFailed(str(failure)) from failure

        def _settings(self) -> Connection:
            if self._logged_in is None:
                return super()._settings()
            known = self._known_secrets
            return self._logged_in if known is None else watched(self._logged_in, known)

    ScenariosUser.__module__ = MODULE
    return ScenariosUser


def _scenarios(file: ScenariosFile) -> dict[str, RoundTrip | Emission]:
    """Return the scenarios of the file by their names, first those with a reply."""
    found: tuple[RoundTrip | Emission, ...] = (*file.scenarios, *file.emissions)
    return {scenario.name: scenario for scenario in found}
