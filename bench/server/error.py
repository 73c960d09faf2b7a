"""The error that servers raise, and its cause in one line."""

import re
import time
from collections.abc import Callable

from bench import printable
from bench.machine.child import last_lines

#: The longest text of an error, in characters.
MESSAGE_LIMIT = 500

#: The time that a process may take to end after its connections were closed, in seconds.
EXIT_GRACE_S = 1.0


#: The error that python-socketio logs for a packet in MessagePack, with its traceback.
_OF_OUR_CLIENT = re.compile(
    r"^message async handler error\n"
    r"(?:(?!^message async handler error\n).*\n)*?"
    r"ValueError: invalid literal for int\(\) with base 10: b'\\x8[0-9a-f]'\n",
    re.MULTILINE,
)


class ServerError(Exception):
    """A server that did not start, died, or did not stop: a line that says which value was wrong and what to do.

    `detail` is the server's log if it has one (a traceback of the app, for example), else empty.
    """

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail

    def __reduce__(self) -> tuple[type["ServerError"], tuple[str, str]]:
        return type(self), (str(self), self.detail)


class UnservableError(ServerError):
    """Something that cannot be served as it was named: a module that is not there, or a program that is none.

    Everything else is a server that was there, and failed.
    """


def one_line(cause: BaseException) -> str:
    """Return the cause's type and text, in one line."""
    return printable.error_line(cause, MESSAGE_LIMIT)


def last_words(log: str) -> str:
    """Return the end of a server's log in one line, as `last_lines` does, without the errors that our client causes.

    A client whose request to join is not answered asks once more in another format. python-socketio logs an error then.
    It would hide the cause, which is mostly an exception in the handler of `connect`.
    """
    return last_lines(_OF_OUR_CLIENT.sub("", log))


def with_last_words(reason: str, wrote_last: str) -> str:
    """Return why something failed, and the end of the server's log with it: the traceback of a handler, for example."""
    return f"{reason}; its service wrote last: {wrote_last}" if wrote_last else reason


def exit_reason(check: Callable[[], object], within_s: float = 0.0) -> str | None:
    """Return why a server does not run any more: the ServerError that `check` raises; None while it raises none.

    A process that dies closes its connections first. After the loss of a connection, ask with EXIT_GRACE_S for
    `within_s`, the time in seconds in which the error may still come.
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
