"""The limit of open files: it is named, and some are kept in reserve."""

import errno
import os

from bench.machine.descriptors import Reserve, file_limit_reason, file_limit_reason_in, is_file_limit_reason
from bench.wire.errors import os_reason


def test_the_limit_is_named() -> None:
    reason = os_reason(OSError(errno.EMFILE, "Too many open files"))
    assert reason == file_limit_reason(errno.EMFILE)
    assert reason.startswith("this process may open no more than ")
    assert reason.endswith(" files: raise `ulimit -n`")
    assert is_file_limit_reason(f"http://host cannot be reached: {reason}")
    assert file_limit_reason_in(f"http://host cannot be reached: {reason}") == reason
    assert "fs.file-max" in os_reason(OSError(errno.ENFILE, "File table overflow"))


def test_a_reserve_keeps_places() -> None:
    def opened() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    before = opened()
    reserve = Reserve(5).hold()
    assert opened() == before + 5
    reserve.hold()
    assert opened() == before + 5
    reserve.release()
    assert opened() == before
