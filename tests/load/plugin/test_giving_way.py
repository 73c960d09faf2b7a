"""Work that takes long, and lets others have their turn meanwhile."""

import itertools

import gevent

from bench.load.plugin.giving_way import GiveWay, InTurns


def test_work_that_goes_on_lets_others_have_their_turn() -> None:
    done: list[str] = []
    gevent.spawn(done.append, "another")
    give_way = GiveWay()
    for _ in itertools.count():  # without a turn for the other it would never end
        give_way()
        if done:
            break
    assert done == ["another"]


def test_who_goes_through_a_list_in_turns_gets_all_of_it_and_lets_others_have_theirs() -> None:
    done: list[str] = []
    gevent.spawn(done.append, "another")
    slow = InTurns(range(1_000_000), GiveWay())
    assert len(slow) == 1_000_000
    assert list(itertools.islice(slow, 3)) == [0, 1, 2]
    assert any(done for _ in slow)
