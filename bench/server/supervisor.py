"""The parent of a served command, in a process of its own; not meant to be started by hand.

It starts the command, and tells its owner over the channel how that went and how the command ended. It sees to it that
nothing of the command is left: no child, and no process that has left the command's session. On Linux it is the
subreaper of all of them, so a process whose parent has ended comes to it. It ends when its owner asks for that
(SIGTERM) or is gone (end of the channel's stream), whatever the command does then.

Rules of this file: on Linux it needs the standard library alone. It is run by path with its owner's interpreter. It has
no thread: the death signal of the command is bound to the thread that started it.
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from bench.machine.descendants import descendants
from bench.machine.descriptors import raise_file_limit

#: The time in seconds in which a command may end in order after SIGTERM, and in which its processes may end after it.
ORDERLY_END_S, FOLLOWING_END_S = 7.0, 1.0

#: The time in seconds in which killed processes are awaited: the kernel may be slow, but not for ever.
KILLED_S = 2.0

_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def main() -> int:
    """Run the command that is the argument; return 0."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.set_inheritable(False)
    channel.setblocking(True)  # an owner that gevent patched has made it non-blocking, for both of its ends
    asked = json.loads(sys.argv[2])
    waking, woken = socket.socketpair()
    for end in (waking, woken):
        end.setblocking(False)
    signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGHUP):
        signal.signal(number, _noticed)
    if _LIBC is not None:
        _LIBC.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    raise_file_limit()  # each client is a file of the service, which inherits the limit
    if asked["core"] is not None:
        with contextlib.suppress(OSError, ValueError, OverflowError):  # its owner pins it once more, and reports that
            os.sched_setaffinity(0, {asked["core"]})
    try:
        started = subprocess.Popen(  # kept: it would reap the command when it is collected
            asked["arguments"],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_die_with_supervisor if _LIBC is not None else None,
        )
    except OSError as error:
        _tell(channel, {"errno": error.errno, "reason": error.strerror or str(error)})
        return 0
    command = started.pid
    _tell(channel, {"pid": command})
    code = _await(command, channel, woken)
    if code is not None:
        left = len(descendants(os.getpid())[1:])
        _tell(channel, {"exit_code": code, "left": left})
    _end(command, code is not None)
    return 0


def _noticed(number: int, frame: object) -> None:
    """Do nothing: the signal is read from the wake-up descriptor."""


def _die_with_supervisor() -> None:
    assert _LIBC is not None
    _LIBC.prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _tell(channel: socket.socket, news: dict[str, object]) -> None:
    with contextlib.suppress(OSError):  # the owner is gone
        channel.sendall(json.dumps(news).encode() + b"\n")


def _await(command: int, channel: socket.socket, woken: socket.socket) -> int | None:
    """Wait until the command ends, and return its exit code; None if its owner asks for its end, or is gone."""
    while True:
        for pid, code in _reaped():
            if pid == command:
                return code
        readable, _, _ = select.select([channel, woken], [], [])
        if channel in readable:
            return None  # the owner never writes
        numbers = woken.recv(4096)
        if any(number != signal.SIGCHLD for number in numbers):
            return None


def _reaped() -> Iterator[tuple[int, int]]:
    """Reap what has ended, orphans too; yield process ids and exit codes."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        yield pid, os.waitstatus_to_exitcode(status)


def _end(command: int, has_ended: bool) -> None:
    """End the command in order if that is possible in time, then all that it has left."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(command, signal.SIGTERM)
    give_up_at = time.monotonic() + (FOLLOWING_END_S if has_ended else ORDERLY_END_S)
    while True:
        if any(pid == command for pid, _ in _reaped()):
            give_up_at = min(give_up_at, time.monotonic() + FOLLOWING_END_S)
        family = descendants(os.getpid())[1:]
        if not family:
            return
        if time.monotonic() >= give_up_at:
            break
        time.sleep(0.005)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(command, signal.SIGKILL)  # elsewhere than on Linux, orphans are no descendants any more
    give_up_at = time.monotonic() + KILLED_S
    while family and time.monotonic() < give_up_at:  # again and again: they may start others meanwhile
        for pid in family:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        for _ in _reaped():
            pass
        time.sleep(0.005)
        family = descendants(os.getpid())[1:]


if __name__ == "__main__":
    sys.exit(main())
