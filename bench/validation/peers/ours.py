"""Ours: Locust with the users of locustfile.py, as anybody would start it. Unique tokens, everything recorded."""

from importlib.metadata import version
from pathlib import Path

from bench.compiled import PURE, is_enabled
from bench.results.load import LoadResult
from bench.results.store import ResultError
from bench.results.store import load as load_result
from bench.scenarios.catalogue import FOO_BAR_TO_SENDER
from bench.validation.peers.model import OURS
from bench.validation.peers.peer import PROJECT, ClosedLoad, Command, LeftOut, ToolReport
from bench.validation.peers.tools import script
from bench.validation.processes import processes_options

#: The connections per second at most: if thousands come at once, the server is slower than the time to connect.
_SPAWN_RATE = 500


class Ours:
    """The command `locust -f locustfile.py EchoUser`, in one process or several; compiled, if there is a build.

    With `is_plain` it runs as if nothing had been compiled.
    """

    def __init__(self, processes: int = 1, is_plain: bool = False) -> None:
        several = processes > 1
        self.name = OURS + (f"-{processes}" if several else "") + ("-python" if is_plain else "")
        engine = "plain Python, " if is_plain else "compiled, " if is_enabled() else ""
        self.title = f"this project, {engine}in {f'{processes} Locust processes' if several else 'Locust'}"
        self._processes = processes
        self._environment = {PURE: "1"} if is_plain else {}

    def prepare(self, folder: Path) -> str:
        """Return Locust's version: this project is always installed."""
        return f"locust {version('locust')}"

    def command(self, load: ClosedLoad) -> Command:
        """Return the command, without --run-time: a signal ends it."""
        arguments = [str(script("locust")), "-f", str(PROJECT / "locustfile.py"), "--headless", "--only-summary"]
        arguments += ["--host", load.url, "--results", str(load.folder)]
        arguments += ["--users", str(load.connections), "--spawn-rate", str(min(load.connections, _SPAWN_RATE))]
        arguments += processes_options(self._processes)
        return Command([*arguments, "EchoUser"], self._environment)

    def report(self, load: ClosedLoad, output: str) -> ToolReport:
        """Return the service time's percentiles in the steady window of the result that it stored.

        Raises LeftOut if it stored no result, or a result without round trips.
        """
        paths = list(load.folder.glob("load/*/*.json"))
        if len(paths) != 1:
            raise LeftOut("it stored no result")
        try:
            result = load_result(paths[0])
        except ResultError as error:
            raise LeftOut(str(error)) from error
        assert isinstance(result, LoadResult)
        row = next((row for row in result.operations if row.name == FOO_BAR_TO_SENDER.name), None)
        if row is None or row.service_us is None:
            raise LeftOut("it stored a result without round trips")
        return ToolReport.of(row.service_us.p50, row.service_us.p99, row.ok)
