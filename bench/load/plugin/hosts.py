"""The servers under load, as they are shown and as they are connected to.

Locust shows a host on its page, in its reports and in its log, and sends it to its workers. So user, password and query
are taken out of each host before any of that, and only connecting puts them back. Workers receive them in an additional
option of the master. That option travels with Locust's own messages and is shown nowhere.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import ClassVar, Protocol

from locust import User
from locust.env import Environment

from bench.load.plugin.options import MisuseError
from bench.wire.endpoint import Address
from bench.wire.errors import ConnectFailed

#: The name of the option that has the whole URL of the test's host, by what is shown of it.
_OPTION = "whole_urls"


class HostedUser(Protocol):
    """A user, or a class of users, as far as its host is concerned."""

    environment: Environment
    host: str | None
    whole_urls: ClassVar[dict[str, str]]


def hide_hosts(environment: Environment, user_classes: Sequence[type[HostedUser]]) -> None:
    """Separate what is secret in the hosts of this process from what is shown. Raises MisuseError for a bad URL."""
    if environment.host:
        environment.host = shown_host(environment, environment.host)
        if environment.parsed_options is not None:
            environment.parsed_options.host = environment.host
    for user_class in user_classes:
        if user_class.host:
            address = _address(user_class.host)
            user_class.whole_urls = {**user_class.whole_urls, address.shown: user_class.host}
            user_class.host = address.shown


def shown_host(environment: Environment, host: str) -> str:
    """Return what is shown of a host for the test, and keep the whole of it for connecting. Raises MisuseError."""
    options = environment.parsed_options
    kept: dict[str, str] = {} if options is None else getattr(options, _OPTION, {})
    if host in kept:  # the page's form sends back what the page shows
        return host
    shown = _address(host).shown
    if shown == host or options is None:
        return host
    _refuse_for_others(environment, shown)
    setattr(options, _OPTION, {**kept, shown: host})
    return shown


def whole_url(user: HostedUser) -> str:
    """Return the URL that this user connects to."""
    host = user.host or user.environment.host or ""
    if host == user.environment.host:
        options = user.environment.parsed_options or Namespace()
        return str(getattr(options, _OPTION, {}).get(host, host))
    return user.whole_urls.get(host, host)


def _address(host: str) -> Address:
    try:
        return Address.of(host)
    except ConnectFailed as error:
        raise MisuseError(str(error)) from None


def _refuse_for_others(environment: Environment, shown: str) -> None:
    others = [user for user in environment.user_classes if not _is_ours(user)]
    if others:
        raise MisuseError(
            f"the URL of {shown} has a user, a password or a query, which is kept from {others[0].__name__}: "
            "leave them out, and give each class what it needs"
        )


def _is_ours(user_class: type[User]) -> bool:
    return hasattr(user_class, _OPTION)
