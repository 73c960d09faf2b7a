"""Artillery: a YAML scenario with its built-in Socket.IO engine."""

import json
from pathlib import Path

from bench.validation.peers.peer import HERE, PROGRAMS, ClosedLoad, Command, LeftOut, ToolReport
from bench.validation.peers.tools import node, npm_package

_REPORT = "artillery.json"
_STOP = "stop"


class Artillery:
    """A loop of acknowledged emits.

    Artillery can await an event (`response`), but only by comparing it with data known before.
    """

    name = "artillery"
    title = "Artillery"

    def prepare(self, folder: Path) -> str:
        """Return its version. Raises LeftOut if it is not installed."""
        node()
        return npm_package("artillery")[1]

    def command(self, load: ClosedLoad) -> Command:
        """Return the command, which a file ends: after a signal Artillery would write no report.

        It has one worker thread, for there is one core.
        """
        folder, _ = npm_package("artillery")
        arguments = [str(node()), str(folder / "bin" / "run"), "run", "--quiet", "--target", load.url]
        arguments += ["--output", str(load.folder / _REPORT), str(PROGRAMS / "artillery.yml")]
        environment = {
            "CONNECTIONS": str(load.connections),
            "STOP_FILE": str(load.folder / _STOP),
            "WORKERS": "1",
            "ARTILLERY_DISABLE_TELEMETRY": "true",
        }
        return Command(arguments, environment, directory=HERE, stop=load.folder / _STOP)

    def report(self, load: ClosedLoad, output: str) -> ToolReport:
        """Return the percentiles of `socketio.response_time`, which Artillery counts in ms, of its whole run.

        Raises LeftOut if there is no report.
        """
        try:
            aggregate = json.loads((load.folder / _REPORT).read_text())["aggregate"]
            times = aggregate["summaries"]["socketio.response_time"]
            return ToolReport.of(float(times["p50"]) * 1000, float(times["p99"]) * 1000, int(times["count"]))
        except (OSError, ValueError, KeyError, TypeError):
            raise LeftOut("Artillery wrote no report") from None
