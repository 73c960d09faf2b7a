"""The part that servers in processes of their own have in common: a log without secrets, `with`, and no leftovers.

The launcher imports it, too, in environments that may lack what this project needs.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from bench.machine.child import changed_at_ns, opened_log, tail
from bench.server.error import ServerError, last_words


class LoggedServer:
    """A server with a log: `start`, `stop` and `kill` are those of its kind.

    The log is written to `log_file`, or to an unnamed file, and read through `hide`.
    """

    def __init__(self, log_file: Path | None, hide: Callable[[str], str]) -> None:
        self._hide = hide
        self._log_path = log_file
        self._log_file: BinaryIO | None = None
        self._log = ""
        self._is_awaited = False  # launched, and not yet known to serve

    def start(self) -> Self:
        """Start it; return when it serves."""
        raise NotImplementedError

    def stop(self) -> None:
        """End it, in order or else by force; do nothing if it is not there."""
        raise NotImplementedError

    def kill(self) -> None:
        """End it by force; do nothing if it is not there. `stop` is still to be called."""
        raise NotImplementedError

    @property
    def log(self) -> str:
        """Its standard output and error since the last start, without secrets; at most the last MiB of them."""
        return self._log if self._log_file is None else self._hide(tail(self._log_file))

    @property
    def wrote_at_ns(self) -> int:
        """The time at which it last wrote to its log, in nanoseconds of Unix time; 0 if it has no log."""
        return changed_at_ns(self._log_file)

    @property
    def wrote_last(self) -> str:
        """The end of its log in one line, such as the end of a traceback; empty if it wrote nothing."""
        return last_words(self.log)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _open_log(self) -> BinaryIO:
        self._log_file = opened_log(self._log_path)
        return self._log_file

    def _close_log(self) -> None:
        """Keep the end of the log, and close its file."""
        if self._log_file is not None:
            self._log = self.log
            self._log_file.close()
            self._log_file = None

    @contextlib.contextmanager
    def _stopped_on_failure(self) -> Iterator[None]:
        try:
            yield
        except ServerError as failure:
            self.stop()
            failure.detail = self.log
            raise
        except BaseException:
            self.kill()
            self.stop()
            raise
        finally:
            self._is_awaited = False
