"""A command below its supervisor, as seen by its owner: whether it runs, its processes, and their end.

The supervisor (supervisor.py) is the child of this process, and the command the supervisor's. Both processes share a
socket pair. The supervisor tells over it how the command started and how it ended. It ends everything when it reads the
end of the stream. So nothing of a command outlives its owner. There is no thread and no asyncio here, and gevent's
versions of all waits are cooperative.
"""

import contextlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bench.machine.child import Child, exit_text
from bench.machine.descendants import descendants

SUPERVISOR = Path(__file__).with_name("supervisor.py")

#: The time to stop in order, in seconds: longer than the supervisor can take.
STOP_TIMEOUT_S = 12.0


#: The command's environment and folder are none of the supervisor's business. Without /proc it needs psutil.
_FLAGS = ("-I", "-S") if sys.platform == "linux" else ("-I",)


@dataclass(frozen=True)
class End:
    """The end of a command: its exit code, with the number of processes that it left, or why it did not start.

    Without exit code and error number, somebody has ended the supervisor.
    """

    exit_code: int | None = None
    left: int = 0
    errno: int | None = None
    reason: str = ""

    @property
    def code(self) -> str:
        """The exit code as text, with the signal's name if a signal ended it."""
        return exit_text(self.exit_code or 0)


class SupervisedCommand:
    """A command that was started, from its start on, with all that it starts. Raises OSError if no process can be.

    Its output goes to `log`. It runs in `directory` with `environment` added to this process's, on `core` (None: on all
    that this process may use).
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        log: BinaryIO,
        directory: Path,
        environment: Mapping[str, str] | None = None,
        core: int | None = None,
    ) -> None:
        #: The id of the command's own process, once the supervisor has told it.
        self.pid: int | None = None
        #: The end of the command, once it is known.
        self.end: End | None = None
        self._unread = b""
        self._is_asked_to_stop = self._is_over = False
        asked = json.dumps({"arguments": list(arguments), "core": core})
        self._channel, theirs = socket.socketpair()
        with theirs:
            try:
                self._supervisor = Child(
                    [sys.executable, *_FLAGS, str(SUPERVISOR), str(theirs.fileno()), asked],
                    log=log,
                    directory=directory,
                    environment=environment,
                    pass_descriptors=[theirs.fileno()],
                )
            except BaseException:
                self._channel.close()
                raise

    @property
    def supervisor_pid(self) -> int:
        """The id of its supervisor."""
        return self._supervisor.pid

    @property
    def family(self) -> tuple[int, ...]:
        """The ids of all processes of the command that live now."""
        return tuple(descendants(self._supervisor.pid)[1:]) if self._supervisor.is_running else ()

    @property
    def is_running(self) -> bool:
        """True while the command's own process lives, or is about to be started."""
        self.read_news(0.0)
        return self.end is None and self._supervisor.is_running

    def read_news(self, timeout_s: float) -> None:
        """Take what the supervisor has told; wait for it for `timeout_s` at most, if there is none yet."""
        while self.end is None:
            self._channel.settimeout(timeout_s)
            try:
                received = self._channel.recv(65536)
            except (TimeoutError, BlockingIOError):
                return
            except OSError:
                received = b""
            *lines, self._unread = (self._unread + received).split(b"\n")
            for line in lines:
                news = json.loads(line)
                if "pid" in news:
                    self.pid = news["pid"]
                else:
                    self.end = End(**news)
            if not received:
                self.end = self.end or End()
            timeout_s = 0.0

    def wait(self, timeout_s: float) -> bool:
        """Wait until the command ends; return true if it ended within that time, in seconds."""
        give_up_at = time.monotonic() + timeout_s
        while self.end is None and (left_s := give_up_at - time.monotonic()) > 0:
            self.read_news(left_s)
        return self.end is not None

    def ask_to_stop(self) -> None:
        """Ask the supervisor to end everything, and do not wait."""
        if not self._is_asked_to_stop:
            self._supervisor.signal(signal.SIGTERM)
            self._is_asked_to_stop = True

    def stop(self) -> None:
        """End all its processes, in order if that takes at most 7 s, else by force."""
        self.ask_to_stop()
        try:
            self._supervisor.wait(STOP_TIMEOUT_S)
        finally:
            self.kill()
            self._channel.close()

    def kill(self) -> None:
        """End all its processes by force."""
        family = self.family
        self._supervisor.kill_and_reap()
        for pid in family:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if self._supervisor.return_code and self.pid is not None and not family and not self._is_over:
            # Whoever ended the supervisor has left what the command has started.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        self.end = self.end or End()
        self._is_over = True  # another process may have the command's number from now on
