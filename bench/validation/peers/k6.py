"""k6: a script over its WebSocket module, with the framing of Socket.IO written by hand, for k6 has none."""

import json
import subprocess
from pathlib import Path

from bench.validation.peers.peer import PROGRAMS, ClosedLoad, Command, LeftOut, ToolReport
from bench.validation.peers.tools import python_tool

_SUMMARY = "k6.json"


class K6:
    """A virtual user per connection. It times with `Date.now`, so in whole milliseconds."""

    name = "k6"
    title = "k6, Socket.IO framing by hand"

    def prepare(self, folder: Path) -> str:
        """Return the version that k6 prints. Raises LeftOut if k6 does not run."""
        try:
            told = subprocess.run(
                [python_tool("k6"), "version"], check=True, capture_output=True, text=True, timeout=60
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise LeftOut(f"k6 does not run here: {error}") from None
        return told.stdout.split(" (")[0].strip()

    def command(self, load: ClosedLoad) -> Command:
        """Return the command, which a signal ends: k6 then sums up as at the end of its time."""
        arguments = [str(python_tool("k6")), "run", "--quiet", "--no-usage-report"]
        arguments += ["--summary-export", str(load.folder / _SUMMARY), str(PROGRAMS / "k6_round_trip.js")]
        return Command(arguments, {"URL": load.url.replace("http", "ws", 1), "CONNECTIONS": str(load.connections)})

    def report(self, load: ClosedLoad, output: str) -> ToolReport:
        """Return the percentiles of our own metric `round_trip` in k6's summary, of its whole run.

        The summary has milliseconds. Raises LeftOut if there is no summary.
        """
        try:
            metrics = json.loads((load.folder / _SUMMARY).read_text())["metrics"]
            times = metrics["round_trip"]
            return ToolReport.of(float(times["med"]) * 1000, float(times["p(99)"]) * 1000, int(times["count"]))
        except (OSError, ValueError, KeyError, TypeError):
            raise LeftOut("k6 wrote no summary") from None
