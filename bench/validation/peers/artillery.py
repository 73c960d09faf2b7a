"""Artillery: a YAML scenario with its built-in Socket.IO engine."""

import json
from pathlib import Path

from bench.validation.peers.peer import HERE, PROGRAMS, Command, LeftOut, Reported, Work
from bench.validation.peers.tools import node, npm_package

_REPORT = "artillery.json"
_STOP = "stop"


class Artillery:
    """An acknowledged emit in a loop: awaiting an event (`response`) it does by comparing with data known before."""

    name = "artillery"
    title = "Artillery"

    def prepare(self, folder: Path) -> str:
        """Nothing to do but to look. Raises LeftOut."""
        node()
        return npm_package("artillery")[1]

    def command(self, work: Work) -> Command:
        """Ended by a file: told by a signal it would write no report. One worker thread, for there is one core."""
        folder, _ = npm_package("artillery")
        arguments = [str(node()), str(folder / "bin" / "run"), "run", "--quiet", "--target", work.url]
        arguments += ["--output", str(work.folder / _REPORT), str(PROGRAMS / "artillery.yml")]
        environment = {
            "CONNECTIONS": str(work.connections),
            "STOP_FILE": str(work.folder / _STOP),
            "WORKERS": "1",
            "ARTILLERY_DISABLE_TELEMETRY": "true",
        }
        return Command(arguments, environment, directory=HERE, stop=work.folder / _STOP)

    def reported(self, work: Work, output: str) -> Reported:
        """From its report: the percentiles of `socketio.response_time`, which are in milliseconds, of its whole run."""
        try:
            aggregate = json.loads((work.folder / _REPORT).read_text())["aggregate"]
            times = aggregate["summaries"]["socketio.response_time"]
            return Reported(float(times["p50"]) * 1000, float(times["p99"]) * 1000, int(times["count"]))
        except (OSError, ValueError, KeyError, TypeError):
            raise LeftOut("Artillery wrote no report") from None
