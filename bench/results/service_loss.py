"""The loss of the service during a run: it died, or it ended all connections and let nobody in again."""

import signal
from typing import Literal

from pydantic import BaseModel, NonNegativeInt

from bench.results.header import WRITTEN, NonNegative
from bench.timing.durations import span_text

#: The number that a shell adds to that of a signal, and gives out as its own exit code.
_SHELL_ADDS = 128


#: The second of a run from which on it is told in minutes.
_LONG_S = 120


class ServiceLoss(BaseModel):
    """The second of a run from which on there was no service, and what is known of the reason.

    A service that the run started itself has `died` if its process ended. Then `exit_code` or `signal`, the name of
    the signal that ended it, says how; both are null if the system does not tell. `t` is up to 0.2 s later than the
    end. A service is `unreachable` if all connections ended and none came up until the end of the run.
    `failed_attempts` is how many attempts to connect failed in that time, and `reason` the last one's error.

    `wrote_last` has the last words of a service that the run started, without secrets; null if it wrote nothing.
    """

    model_config = WRITTEN

    t: NonNegative
    how: Literal["died", "unreachable"]
    exit_code: NonNegativeInt | None = None
    signal: str | None = None
    failed_attempts: NonNegativeInt | None = None
    reason: str | None = None
    wrote_last: str | None = None

    @classmethod
    def of_process(cls, t: float, exit_status: int | None, wrote_last: str, reason: str | None = None) -> "ServiceLoss":
        """Return the death of a process. `exit_status` is negative if a signal ended it, None if nobody knows.

        `reason` says in words how it ended, for an end that is no exit code and no signal.
        """
        name = None if exit_status is None or exit_status >= 0 else signal_name(-exit_status)
        return cls(
            t=t,
            how="died",
            exit_code=exit_status if exit_status is not None and exit_status >= 0 else None,
            signal=name,
            reason=reason if exit_status is None else None,
            wrote_last=wrote_last or None,
        )

    @property
    def cause(self) -> str:
        """The cause in a few words: SIGKILL, exit code 3, or an error of an attempt to connect."""
        if self.signal is not None:
            return self.signal
        if self.exit_code is None:
            return self.reason or ""
        if self.exit_code > _SHELL_ADDS and (name := signal_name(self.exit_code - _SHELL_ADDS)).startswith("SIG"):
            return f"exit code {self.exit_code}, by which a shell means {name}"
        return f"exit code {self.exit_code}"

    @property
    def text(self) -> str:
        """The loss in a sentence, without the last words."""
        if self.how == "died":
            return f"the service died {self._at} of the run{self.cause and f': {self.cause}'}"
        number = self.failed_attempts or 0
        attempts = "the only attempt to connect" if number == 1 else f"all of {number:,} attempts to connect"
        return (
            f"the service could not be reached {self._since(' of the run')}: every connection ended, and "
            f"{attempts} failed{self.cause and f': {self.cause}'}"
        )

    @property
    def text_with_last_words(self) -> str:
        """The loss in a sentence, with the last words if there are any."""
        return f"{self.text}; it wrote last: {self.wrote_last}" if self.wrote_last else self.text

    @property
    def short(self) -> str:
        """The loss in a few words, for a line that has to say more."""
        if self.how == "died":
            return f"the service died {self._at}{self.cause and f' ({self.cause})'}"
        return f"the service could not be reached {self._since()}"

    @property
    def _at(self) -> str:
        return f"after {span_text(self.t)}" if self.t > _LONG_S else f"at second {self.t:g}"

    def _since(self, of: str = "") -> str:
        return f"after {span_text(self.t)}{of}" if self.t > _LONG_S else f"from second {self.t:g}{of} on"


def signal_name(number: int) -> str:
    """Return the name of a signal, such as SIGKILL; its number in words if it has no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
