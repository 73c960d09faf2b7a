"""The rows of unique feeds over workers: a master says which, and each worker asks for as many as it needs."""

from pathlib import Path

import gevent
import pytest

from bench.load.plugin import feeds
from bench.load.plugin.feeds import RowsOfMaster, UniqueRows, UserFeeds
from bench.load.plugin.messages import RowsGiven, RowsWanted
from bench.scenarios.feeds import Feed, FeedError
from bench.timing.rates import Share

FEED = Feed.csv("names.csv", unique=True)


class Member:
    names = FEED


class Guest:
    mails = FEED


def test_workers_get_as_many_rows_as_users_are_to_come() -> None:
    master = UniqueRows()
    asked: list[tuple[str, int]] = []

    def worker(users: int) -> RowsOfMaster:
        def send(wanted: RowsWanted) -> None:
            asked.append((wanted.feed, wanted.number))
            gevent.spawn(lambda: rows.receive(master.give(wanted)))

        rows = RowsOfMaster((Member, Guest), send, lambda classes: users if classes == {"Member", "Guest"} else -1)
        return rows

    first, second = worker(3), worker(0)
    assert [first.next_row(FEED), second.next_row(FEED), first.next_row(FEED)] == [0, 3, 1]
    assert [second.next_row(FEED), first.next_row(FEED), first.next_row(FEED)] == [4, 2, 5]
    assert asked == [("Guest.mails", 3), ("Guest.mails", 1), ("Guest.mails", 1), ("Guest.mails", 3)]


def test_rows_that_came_for_a_user_that_locust_has_given_up_are_the_next_users() -> None:
    asked: list[RowsWanted] = []
    rows = RowsOfMaster((Member,), asked.append, lambda _: 1)
    given_up = gevent.spawn(rows.next_row, FEED)
    gevent.sleep(0)
    given_up.kill()
    (wanted,) = asked
    rows.receive(RowsGiven(feed=wanted.feed, first=5, number=1, test="an earlier test"))
    waiting = gevent.spawn(rows.next_row, FEED)
    gevent.sleep(0)
    rows.receive(RowsGiven(feed=wanted.feed, first=7, number=1, test=wanted.test))
    assert waiting.get(timeout=60) == 7
    assert asked == [wanted], "it was asked once"


def test_a_master_that_is_silent_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "_ANSWER_TIMEOUT_S", 0.01)
    rows = RowsOfMaster((Member,), lambda _: None, lambda _: 1)
    with pytest.raises(FeedError, match=r"names.csv: the master has not said within 0.01 s which rows this worker has"):
        rows.next_row(FEED)


def test_feeds_that_are_not_unique_ask_nobody(tmp_path: Path) -> None:
    (tmp_path / "rooms.csv").write_text("room\na\nb\nc\n")

    class Visitor:
        room = Feed.csv(tmp_path / "rooms.csv")

    given = UserFeeds(Share(1, 2), "seed")
    visitors = [Visitor() for _ in range(3)]
    for visitor in visitors:
        given.give(visitor)
    assert [vars(visitor)["room"] for visitor in visitors] == [{"room": "b"}, {"room": "a"}, {"room": "c"}]
