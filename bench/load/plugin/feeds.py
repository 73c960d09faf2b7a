"""The rows of feeds that the users of a process get."""

from __future__ import annotations

import inspect
from functools import cache

from bench.scenarios.feeds import DealtRows, Feed
from bench.timing.rates import Share


@cache
def feeds_of(user_class: type) -> dict[str, Feed]:
    """Return the feeds of a class, by the name of their attribute."""
    found = {name: inspect.getattr_static(user_class, name) for name in dir(user_class)}
    return {name: feed for name, feed in found.items() if isinstance(feed, Feed)}


class UserFeeds:
    """The feeds of one test in one process. Equal feeds of several classes are dealt as a single feed."""

    def __init__(self, share: Share | None, seed: str) -> None:
        self._share = share
        self._seed = seed
        self._dealt: dict[Feed, DealtRows] = {}

    def give(self, user: object) -> None:
        """Give a user its row of each of its feeds. Raises FeedError if there is none for it."""
        user_class: type = type(user)
        for name, feed in feeds_of(user_class).items():
            if feed not in self._dealt:
                self._dealt[feed] = DealtRows(feed, self._share, self._seed)
            setattr(user, name, self._dealt[feed].take())
