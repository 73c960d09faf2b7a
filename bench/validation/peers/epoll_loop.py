"""A loop in C: the least that a round trip can cost, two system calls and next to nothing else."""

import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from bench.validation.peers.own_loop import loop_report
from bench.validation.peers.peer import PROGRAMS, ClosedLoad, Command, LeftOut, ToolReport

_COMPILE_TIMEOUT_S = 60


class EpollLoop:
    """A loop in C that is compiled on this machine, if there is a C compiler."""

    name = "epoll"
    title = "C, epoll: the limit"

    def __init__(self) -> None:
        self._program: Path | None = None

    def prepare(self, folder: Path) -> str:
        """Compile it. Raises LeftOut."""
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler is None:
            raise LeftOut("there is no C compiler (cc, gcc, clang)")
        self._program = folder / "epoll_loop"
        arguments = [compiler, "-O2", "-Wall", "-o", str(self._program), str(PROGRAMS / "epoll_loop.c")]
        try:
            subprocess.run(arguments, check=True, capture_output=True, text=True, timeout=_COMPILE_TIMEOUT_S)
            told = subprocess.run([compiler, "--version"], check=True, capture_output=True, text=True)
        except subprocess.CalledProcessError as error:
            raise LeftOut(f"it does not compile: {(error.stderr.splitlines() or ['no reason given'])[0]}") from None
        except (OSError, subprocess.TimeoutExpired) as error:
            raise LeftOut(f"it does not compile: {error}") from None
        return (told.stdout.splitlines() or ["C compiler"])[0]

    def command(self, load: ClosedLoad) -> Command:
        """Return the command. Its arguments are the address, the port and the number of connections."""
        assert self._program is not None, "prepared"
        address = urlsplit(load.url)
        return Command([str(self._program), str(address.hostname), str(address.port), str(load.connections)])

    def report(self, load: ClosedLoad, output: str) -> ToolReport:
        """Return the report that the loop printed. Raises LeftOut without a report."""
        return loop_report(output)
