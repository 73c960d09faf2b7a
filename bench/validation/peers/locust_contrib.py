"""locust.contrib.socketio: Locust's own Socket.IO user, python-socketio's synchronous client on gevent."""

import json
from importlib.metadata import version
from pathlib import Path

from bench.validation.peers.peer import PROGRAMS, ClosedLoad, Command, LeftOut, ToolReport
from bench.validation.peers.tools import script

_REPORT = "locust"
_EMIT = "WSE"
_SPAWN_RATE = 200


class LocustContrib:
    """A user with `emit` and a handler that the task waits for: `call` is timed, but costs more CPU.

    So the tool reports only what it knows of an emission: 0 ms.
    """

    name = "locust-contrib"
    title = "locust.contrib.socketio"

    def prepare(self, folder: Path) -> str:
        """Return the versions: Locust is always installed."""
        return f"locust {version('locust')}, python-socketio {version('python-socketio')}"

    def command(self, load: ClosedLoad) -> Command:
        """Return the command, without --run-time: a signal ends it. Users that start faster only pile up in it."""
        arguments = [str(script("locust")), "-f", str(PROGRAMS / "locust_contrib_users.py"), "--headless"]
        arguments += ["--only-summary", "--json-file", str(load.folder / _REPORT), "--host", load.url]
        arguments += ["--users", str(load.connections), "--spawn-rate", str(min(load.connections, _SPAWN_RATE))]
        return Command(arguments)

    def report(self, load: ClosedLoad, output: str) -> ToolReport:
        """Return the report in Locust's JSON, which counts whole milliseconds (two digits from 100 ms on).

        Raises LeftOut if there is no such file.
        """
        return statistics_of(load.folder / f"{_REPORT}.json", _EMIT)


def statistics_of(file: Path, method: str) -> ToolReport:
    """Return the report of the requests of a method in Locust's JSON. Raises LeftOut if there is none."""
    try:
        rows = json.loads(file.read_text())
        times = next(row for row in rows if row["method"] == method)["response_times"]
        counts = sorted((float(time_ms), int(count)) for time_ms, count in times.items())
    except (OSError, ValueError, KeyError, StopIteration):
        raise LeftOut("Locust wrote no statistics") from None
    return ToolReport.of(_percentile_us(counts, 0.5), _percentile_us(counts, 0.99), sum(count for _, count in counts))


def _percentile_us(counts: list[tuple[float, int]], share: float) -> float | None:
    """Return the smallest time in µs within which that share of the responses came. Times in `counts` are in ms."""
    left = share * sum(count for _, count in counts)
    for time_ms, count in counts:
        left -= count
        if left <= 0:
            return time_ms * 1000
    return None
