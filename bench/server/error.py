"""The one error that servers raise, and how a cause is put into one line."""

import time
from collections.abc import Callable

from bench import printable

MESSAGE_LIMIT = 500

#: How long a process may take to end after its connections were closed.
EXIT_GRACE_S = 1.0


class ServerError(Exception):
    """A server did not start, died, or did not stop: one line that says which value was wrong and what to do.

    `detail` is the server's log where it has one (a traceback of the app, for example), else empty.
    """

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail

    def __reduce__(self) -> tuple[type["ServerError"], tuple[str, str]]:
        return type(self), (str(self), self.detail)


def one_line(cause: BaseException) -> str:
    """The cause's type and text."""
    return printable.error_line(cause, MESSAGE_LIMIT)


def with_last_words(reason: str, wrote_last: str) -> str:
    """Return why something failed, and the end of the server's log with it: the traceback of a handler, for example."""
    return f"{reason}; its service wrote last: {wrote_last}" if wrote_last else reason


def exit_reason(check: Callable[[], object], within_s: float = 0.0) -> str | None:
    """Why a server does not run any more, by the ServerError that `check` raises; None while it raises none.

    A process that dies closes its connections first: who has lost one asks whether it dies within EXIT_GRACE_S.
    """
    give_up_at = time.monotonic() + within_s
    while True:
        try:
            check()
        except ServerError as error:
            return str(error)
        if time.monotonic() >= give_up_at:
            return None
        time.sleep(0.01)
