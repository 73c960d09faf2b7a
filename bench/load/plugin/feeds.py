"""The rows of feeds that the users of a process get.

No row of a unique feed is given twice, over all workers. So a worker asks its master for the numbers of rows, each time
for as many as users are about to begin there: no worker has rows that nobody needs, and no user lacks a row that is
left. The rows of other feeds are dealt by the workers' places, without asking.
"""

from __future__ import annotations

import inspect
import secrets
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from functools import cache, partial

from gevent.event import Event

from bench.load.plugin.messages import RowsGiven, RowsWanted
from bench.scenarios.feeds import DealtRows, Feed, FeedError
from bench.timing.rates import Share

#: The time that a worker waits for its master to say which rows are its, in seconds.
_ANSWER_TIMEOUT_S = 10.0


@cache
def feeds_of(user_class: type) -> dict[str, Feed]:
    """Return the feeds of a class, by the name of their attribute."""
    found = {name: inspect.getattr_static(user_class, name) for name in dir(user_class)}
    return {name: feed for name, feed in found.items() if isinstance(feed, Feed)}


class UserFeeds:
    """The feeds of one test in one process. Equal feeds of several classes are dealt as a single feed.

    `next_unique_row` returns the number of the next row of a unique feed, over all processes; None: this one is alone.
    """

    def __init__(self, share: Share, seed: str, next_unique_row: Callable[[Feed], int] | None = None) -> None:
        self._share = share
        self._seed = seed
        self._next_unique_row = next_unique_row
        self._dealt: dict[Feed, DealtRows] = {}

    def give(self, user: object) -> None:
        """Give a user its row of each of its feeds. Raises FeedError if there is none for it."""
        user_class: type = type(user)
        for name, feed in feeds_of(user_class).items():
            if feed not in self._dealt:
                next_unique = None if self._next_unique_row is None else partial(self._next_unique_row, feed)
                self._dealt[feed] = DealtRows(feed, self._share, self._seed, next_unique)
            setattr(user, name, self._dealt[feed].take())


class RowsOfMaster:
    """The numbers of the rows of unique feeds that a worker's users get in one test, as its master gives them.

    `users_to_come` returns how many users of these classes are about to begin in this process.
    """

    def __init__(
        self,
        user_classes: Iterable[type],
        send: Callable[[RowsWanted], None],
        users_to_come: Callable[[set[str]], int],
    ) -> None:
        #: The classes that have each feed, and the name of their attribute.
        self._holders: dict[Feed, list[tuple[str, str]]] = {}
        for user_class in user_classes:
            for attribute, feed in feeds_of(user_class).items():
                self._holders.setdefault(feed, []).append((user_class.__name__, attribute))
        self._send = send
        self._users_to_come = users_to_come
        #: The name of this test here: the master's answer to an earlier test is of no use.
        self._test = secrets.token_hex(4)
        self._numbers: dict[str, deque[int]] = {}
        self._asked: set[str] = set()
        self._came = Event()

    def next_row(self, feed: Feed) -> int:
        """Return the number of a row that no other user has, once the master has said it. Raises FeedError."""
        holders = self._holders[feed]
        name = ".".join(min(holders))  # the same in all processes, whose files may lie elsewhere
        numbers = self._numbers.setdefault(name, deque())
        give_up_at = time.monotonic() + _ANSWER_TIMEOUT_S
        while not numbers:
            self._came.clear()
            if name not in self._asked:
                self._asked.add(name)  # still asked if Locust ends the wait: the next user takes the answer
                number = max(1, self._users_to_come({user_class for user_class, _ in holders}))
                self._send(RowsWanted(feed=name, number=number, test=self._test))
            if not self._came.wait(max(0.0, give_up_at - time.monotonic())):
                raise FeedError(
                    f"{feed.name}: the master has not said within {_ANSWER_TIMEOUT_S:g} s which rows this worker has"
                )
        return numbers.popleft()

    def receive(self, given: RowsGiven) -> None:
        """Take the master's answer."""
        if given.test == self._test and given.feed in self._asked:
            self._asked.remove(given.feed)
            self._numbers[given.feed].extend(range(given.first, given.first + given.number))
            self._came.set()


class UniqueRows:
    """The numbers of the rows of unique feeds that a master has given to its workers in one test."""

    def __init__(self) -> None:
        self._given: Counter[str] = Counter()

    def give(self, wanted: RowsWanted) -> RowsGiven:
        """Give rows that no worker had so far, whether or not the file has that many."""
        first = self._given[wanted.feed]
        self._given[wanted.feed] += wanted.number
        return RowsGiven(feed=wanted.feed, first=first, number=wanted.number, test=wanted.test)
