"""aiolocust: Locust on asyncio, with the framing of Socket.IO written by hand over its WebSocket user."""

import json
import subprocess
from pathlib import Path

from bench.validation.peers.peer import PROGRAMS, ClosedLoad, Command, LeftOut, ToolReport
from bench.validation.peers.tools import free_threaded_tool

_REPORT = "aiolocust.json"
#: The name of the spans that the program makes of round trips.
_SPAN = "FOO"


class AioLocust:
    """A user per connection in a single event loop. It reports the mean and the maximum, and no percentiles."""

    name = "aiolocust"
    title = "aiolocust, Socket.IO framing by hand"

    def prepare(self, folder: Path) -> str:
        """Return the version that it prints. Raises LeftOut if it does not run, as without a free-threaded Python."""
        command = [str(free_threaded_tool("aiolocust")), "--version"]
        try:
            told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
        except (OSError, subprocess.SubprocessError) as error:
            raise LeftOut(f"aiolocust does not run here: {error}") from None
        return told.stdout.strip()

    def command(self, load: ClosedLoad) -> Command:
        """Return the command, without a duration: a signal ends it."""
        arguments = [str(free_threaded_tool("aiolocust")), str(PROGRAMS / "aiolocust_users.py")]
        arguments += ["--users", str(load.connections), "--event-loops", "1"]
        arguments += ["--json-report", str(load.folder / _REPORT)]
        return Command(arguments, {"URL": load.url.replace("http", "ws", 1)})

    def report(self, load: ClosedLoad, output: str) -> ToolReport:
        """Return the mean and the maximum in its JSON, which are of its whole run. Raises LeftOut without a report."""
        try:
            requests = json.loads((load.folder / _REPORT).read_text())["requests"]
            row = next(row for row in requests if row["name"] == _SPAN)
            count = int(row["count"])
            times_us = {"mean": float(row["sum_ttlb"]) / count * 1e6, "max": float(row["max_ttlb"]) * 1e6}
        except (OSError, ValueError, KeyError, TypeError, StopIteration, ZeroDivisionError):
            raise LeftOut("aiolocust wrote no report") from None
        return ToolReport(times_us, count)
