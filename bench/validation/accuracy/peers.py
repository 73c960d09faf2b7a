"""The other tools, on the same servers: each keeps its rate in its own way, as its users would have it.

Nothing is judged here. A tool that is not installed, or that fails, is left out with its reason.
"""

import json
import math
from pathlib import Path
from typing import Any

from bench.validation.peers.k6 import K6
from bench.validation.peers.locust_contrib import LocustContrib
from bench.validation.peers.peer import PROGRAMS, Command, LeftOut, PacedLoad, ToolReport
from bench.validation.peers.tools import python_tool, script

#: The rate of every tool in every scenario: less than half of the rate that any of them can keep.
RATE_PER_S = 500

_CONTRIB_USERS = 10
#: The part of Locust's run time in which its users start.
_CONTRIB_STARTS_S = 1
_CONTRIB_SHARES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.5": 0.995, "max": 1.0}
_K6_FIGURES = {"p50": "p(50)", "p90": "p(90)", "p95": "p(95)", "p99": "p(99)", "p99.5": "p(99.5)", "max": "max"}
_SUMMARY = "k6.json"
_REPORT = "locust"


class PacedLocustContrib:
    """Locust's own Socket.IO user with `constant_throughput`, waiting for each acknowledgement."""

    name = "locust.contrib.socketio"
    title = "Locust's own Socket.IO user, at a rate"

    def prepare(self, folder: Path) -> str:
        """Return Locust's version: Locust is always installed."""
        return LocustContrib().prepare(folder)

    def command(self, load: PacedLoad) -> Command:
        """Return the command. Its run time includes the time in which its users start."""
        arguments = [str(script("locust")), "-f", str(PROGRAMS / "locust_contrib_arrivals.py"), "--headless"]
        arguments += ["--only-summary", "--json-file", str(load.folder / _REPORT), "--host", load.url]
        arguments += ["--users", str(_CONTRIB_USERS), "--spawn-rate", str(_CONTRIB_USERS)]
        arguments += ["--run-time", str(math.ceil(load.seconds) + _CONTRIB_STARTS_S)]
        pace = {"RATE_PER_USER": f"{load.rate_per_s / _CONTRIB_USERS:g}", "TIMEOUT_S": f"{load.timeout_s:g}"}
        return Command(arguments, pace)

    def report(self, load: PacedLoad, output: str) -> ToolReport:
        """Return the report in Locust's JSON, in whole milliseconds (two digits from 100 ms on).

        The times of failures are among them, as Locust counts them. Raises LeftOut if there is no such file.
        """
        try:
            return locust_report(json.loads((load.folder / f"{_REPORT}.json").read_text()))
        except (OSError, ValueError, KeyError, TypeError):
            raise LeftOut("Locust wrote no statistics") from None


class PacedK6:
    """k6's constant arrival rate, a connection for each iteration."""

    name = K6.name
    title = "k6, at a rate"

    def prepare(self, folder: Path) -> str:
        """Return the version that k6 prints. Raises LeftOut if k6 does not run."""
        return K6().prepare(folder)

    def command(self, load: PacedLoad) -> Command:
        """Return the command. It ends when its last iteration does."""
        arguments = [str(python_tool("k6")), "run", "--quiet", "--no-usage-report"]
        arguments += ["--summary-export", str(load.folder / _SUMMARY), str(PROGRAMS / "k6_arrivals.js")]
        environment = {
            "URL": load.url.replace("http", "ws", 1),
            "RATE": f"{load.rate_per_s:g}",
            "DURATION": f"{load.seconds:g}s",
            "TIMEOUT_MS": f"{load.timeout_s * 1000:g}",
        }
        return Command(arguments, environment)

    def report(self, load: PacedLoad, output: str) -> ToolReport:
        """Return our own metric `round_trip` in k6's summary: the replies that came in time, in whole milliseconds.

        Raises LeftOut if there is no summary.
        """
        try:
            return k6_report(json.loads((load.folder / _SUMMARY).read_text()))
        except (OSError, ValueError, KeyError, TypeError):
            raise LeftOut("k6 wrote no summary") from None


def locust_report(rows: list[dict[str, Any]]) -> ToolReport:
    """Return the acknowledged emissions in Locust's JSON. Raises KeyError or ValueError for an unknown form."""
    row = next((row for row in rows if row["method"] == "WSC"), None)
    if row is None:
        raise KeyError("WSC")
    counts = sorted((float(time_ms), int(count)) for time_ms, count in row["response_times"].items())
    figures = {figure: _within_ms(counts, share) * 1000 for figure, share in _CONTRIB_SHARES.items()}
    return ToolReport(figures, timeouts=int(row["num_failures"]))


def k6_report(summary: dict[str, Any]) -> ToolReport:
    """Return the report in k6's summary. Raises KeyError for an unknown form."""
    metrics = summary["metrics"]
    times = metrics["round_trip"]
    figures = {figure: float(times[name]) * 1000 for figure, name in _K6_FIGURES.items()}
    return ToolReport(figures, timeouts=int(metrics.get("timeouts", {"count": 0})["count"]))


def _within_ms(counts: list[tuple[float, int]], share: float) -> float:
    """Return the smallest time within which that share of the responses came. Raises ValueError without responses."""
    left = share * sum(count for _, count in counts)
    for time_ms, count in counts:
        left -= count
        if left <= 1e-9:
            return time_ms
    raise ValueError("no responses")
