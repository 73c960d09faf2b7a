"""The users that a run was asked for, over time. Pure: numbers in, the scenario's fields out."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from bench.results.load import UserStep


class AskedUsers:
    """The numbers of users that a run was asked for. `socket_io` names our classes, `others` Locust's own."""

    def __init__(self, socket_io: Collection[str], others: Collection[str] = ()) -> None:
        self._socket_io = frozenset(socket_io)
        self._has_others = bool(others)
        self._steps: list[UserStep] = []
        #: The users of each class when there were the most in total; empty until Locust has shared them out.
        self.by_class: dict[str, int] = {}

    def note(self, t_s: float, target: int, by_class: Mapping[str, int]) -> None:
        """Note that `target` users in total are asked for, `t_s` seconds after the start of the run.

        Locust shares the users out over their classes later than it learns the target, so `by_class` may lag behind.
        """
        is_shared_out = sum(by_class.values()) == target
        if is_shared_out and target >= sum(self.by_class.values()):
            self.by_class = dict(by_class)
        if not self._has_others:
            self._step(t_s, target)
        elif is_shared_out:
            self._step(t_s, sum(users for name, users in by_class.items() if name in self._socket_io))

    @property
    def users(self) -> int:
        """The most Socket.IO users that were asked for at once."""
        return max((step.users for step in self._steps), default=0)

    @property
    def steps(self) -> tuple[UserStep, ...]:
        """The numbers of Socket.IO users over time; empty if the number never changed."""
        return tuple(self._steps) if len(self._steps) > 1 else ()

    def _step(self, t_s: float, users: int) -> None:
        if not self._steps or self._steps[-1].users != users:
            self._steps.append(UserStep(t=round(t_s, 1), users=users))
