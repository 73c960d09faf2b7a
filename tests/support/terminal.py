"""A command on a terminal, as a user has it: a pseudo terminal, and what is on its screen."""

import contextlib
import os
import pty
import re
import subprocess
import termios
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_ESCAPE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])")


def screen(written: str) -> list[str]:
    """Return the lines that are left on a screen of endless height, without empty lines at its end."""
    lines = [""]
    column = position = 0
    while position < len(written):
        escape = _ESCAPE.match(written, position)
        character = written[position]
        position = escape.end() if escape else position + 1
        if escape:
            if escape[2] == "K":
                assert escape[1] in ("", "0"), escape[0]
                lines[-1] = lines[-1][:column]
            else:
                assert escape[2] == "m", escape[0]
        elif character == "\n":
            lines.append("")
            column = 0
        elif character == "\r":
            column = 0
        else:
            lines[-1] = lines[-1][:column].ljust(column) + character + lines[-1][column + 1 :]
            column += 1
    while lines and not lines[-1].strip():
        lines.pop()
    return [line.rstrip() for line in lines]


class OnTerminal:
    """A process whose standard streams are all a terminal of its own, of `columns`. Ends with the `with` block."""

    def __init__(
        self, command: Sequence[str], directory: Path, environment: Mapping[str, str] | None = None, columns: int = 120
    ) -> None:
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (40, columns))
        self.process = subprocess.Popen(
            command,
            cwd=directory,
            env={**(os.environ if environment is None else environment), "TERM": "xterm"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self._written = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, 9)
            self.process.wait()
        self._reader.join(10)
        os.close(self._master)

    @property
    def written(self) -> str:
        """Everything that was written to the terminal so far, escape codes and all."""
        return self._written.decode(errors="replace")

    def wait(self, timeout_s: float) -> int:
        """Return its exit code, once it has ended and everything is read."""
        code = self.process.wait(timeout_s)
        self._reader.join(10)
        return code

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65_536)
            except OSError:  # nobody has the other end any more
                return
            if not data:
                return
            self._written += data
