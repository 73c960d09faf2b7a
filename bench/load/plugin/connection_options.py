"""The options of a connection on Locust's command line: how users connect whose classes do not say it.

An option comes before the same setting of a class. What a user sets for itself, as `self.auth = …` after a login, comes
before both. The process that owns the run reads files and variables once. Workers receive the settings with Locust's
own message at the start of a test. Locust's page neither shows nor sets any of it.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from typing import Any, Protocol

from locust.argument_parser import LocustArgumentParser

from bench.wire.connection import Connection
from bench.wire.errors import SettingError
from bench.wire.options import CONNECTION_OPTIONS, GivenSettings, given_settings

#: The name of the option that has the settings, for users of this process and of workers.
_OPTION = "connection_settings"

_ACTIONS = {"text": "store", "repeated": "append", "flag": "store_true"}


class ConnectedUser(Protocol):
    """A user, as far as the connections of its class are concerned."""

    @classmethod
    def class_connection(cls) -> Connection:
        """Return the settings that all users of the class begin with."""


def add_connection_options(parser: LocustArgumentParser) -> None:
    """Add the options of a connection to Locust's."""
    for option in CONNECTION_OPTIONS:
        shown: dict[str, Any] = {} if option.kind == "flag" else {"metavar": option.metavar}
        parser.add_argument(
            option.flag,
            dest=option.key,
            action=_ACTIONS[option.kind],
            default=None,
            env_var=f"BENCH_{option.name.replace('-', '_').upper()}",
            include_in_web_ui=False,
            help=option.help,
            **shown,
        )


def take_connection_options(options: Namespace, classes: Iterable[type[ConnectedUser]]) -> None:
    """Read the options' files and variables, and look whether each class can connect with them. Raises SettingError."""
    texts = {option.key: getattr(options, option.key, None) for option in CONNECTION_OPTIONS}
    given = given_settings(texts)
    setattr(options, _OPTION, dict(given.fields))
    for user_class in classes:
        try:
            given.checked_over(user_class.class_connection())
        except SettingError as error:
            raise SettingError(f"{user_class.__name__}: {error}") from None


def over_class(options: Namespace | None, connection: Connection) -> Connection:
    """Return the settings of a class with those of the command line in them."""
    fields = getattr(options, _OPTION, None)
    return GivenSettings(fields).over(connection) if fields else connection
