"""locust.contrib.socketio, where its users `call` and await the acknowledgement: what it times as a round trip."""

from pathlib import Path

from bench.validation.peers.locust_contrib import LocustContrib, statistics_of
from bench.validation.peers.peer import ClosedLoad, Command, ToolReport
from bench.validation.peers.tools import script

_PROGRAM = Path(__file__).parent / "programs" / "locust_contrib_calls.py"
_REPORT = "locust"
_CALL = "WSC"
_SPAWN_RATE = 200


class LocustCalls:
    """Locust's own Socket.IO user, which calls again as soon as it is answered."""

    name = LocustContrib.name
    title = "locust.contrib.socketio, call"

    def prepare(self, folder: Path) -> str:
        """Return the versions: Locust is always installed."""
        return LocustContrib().prepare(folder)

    def command(self, load: ClosedLoad) -> Command:
        """Return the command, without --run-time: a signal ends it."""
        arguments = [str(script("locust")), "-f", str(_PROGRAM), "--headless", "--only-summary"]
        arguments += ["--json-file", str(load.folder / _REPORT), "--host", load.url]
        arguments += ["--users", str(load.connections), "--spawn-rate", str(min(load.connections, _SPAWN_RATE))]
        return Command(arguments)

    def report(self, load: ClosedLoad, output: str) -> ToolReport:
        """Return the report in Locust's JSON, which counts whole milliseconds (two digits from 100 ms on).

        Raises LeftOut if there is no such file.
        """
        return statistics_of(load.folder / f"{_REPORT}.json", _CALL)
