"""A worker may send so many messages, and no more."""

from bench.load.plugin.workers import MessageBudget


def test_a_budget_grows_with_time() -> None:
    budget = MessageBudget(since_s=100.0)
    assert [budget.too_many("a", 100.0) for _ in range(200)] == [None] * 200
    assert budget.too_many("a", 100.0) == 201
    assert budget.too_many("b", 100.0) is None, "each worker has its own"
    assert budget.too_many("a", 101.0) is None
