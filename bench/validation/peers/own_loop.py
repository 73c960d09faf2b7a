"""The report of the loops in programs/: when they are told to stop, they print a last line of JSON."""

from pydantic import BaseModel, ConfigDict, ValidationError

from bench.validation.peers.peer import LeftOut, ToolReport


class LoopReport(BaseModel):
    """The last line of a loop. Latencies of its whole run, in microseconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    round_trips: int
    p50_us: float | None
    p99_us: float | None


def loop_report(output: str) -> ToolReport:
    """Return the report in a loop's last line. Raises LeftOut without a report."""
    lines = output.strip().splitlines()
    try:
        report = LoopReport.model_validate_json(lines[-1] if lines else "")
    except ValidationError:
        raise LeftOut("it ended without its report") from None
    return ToolReport.of(report.p50_us, report.p99_us, report.round_trips)
