"""A latency result as a document: times, controls, server processes and what may have spoilt them."""

from collections.abc import Iterator, Sequence

from bench.machine.disturbances import Disturbance
from bench.objectives.model import JudgedObjective
from bench.objectives.outcome import worst
from bench.report.document import Document, Line, Note, Subject, Table
from bench.report.environment import machine_facts, package_facts
from bench.report.formatting import commit_with_changes, counted
from bench.report.labels import label_notes
from bench.report.latency_charts import latency_charts
from bench.report.latency_failures import failed_in_words, failure_notes, failure_tables
from bench.report.latency_tables import compared, other_times_tables, ratio_tables, times_tables
from bench.report.objectives import STYLES, answer, objective_notes, objective_tables
from bench.report.receive_times import receive_notes, together
from bench.report.service_log import service_log_tables
from bench.results.latency import LatencyBenchmark, LatencyResult


def latency_document(result: LatencyResult) -> Document:
    """Return the document of a result: the times of every benchmark, then its processes and controls."""
    illustrative = [benchmark.name for benchmark in result.benchmarks if benchmark.is_illustrative]
    illustrated = [Note(f"the server was in the client's own loop, to illustrate: {', '.join(illustrative)}")]
    answered = latency_answer(result.benchmarks)
    drawn = latency_charts(result)
    return Document(
        kind="latency",
        title="latency",
        charts=drawn.charts,
        environment=tuple(_environment(result)),
        command=result.command or "",
        headline=_answer(result, answered),
        basis="" if answered is None else _headline(result),
        tables=(
            *failure_tables(result.failures),
            *objectives_of(result.benchmarks),
            *times_tables(result.benchmarks),
            *other_times_tables(result.benchmarks),
            *ratio_tables(result.benchmarks),
            *service_log_tables(result.service_log),
        ),
        notes=(
            *failure_notes(result.failures),
            *(Note(text, "warning") for text in drawn.missing),
            *(illustrated if illustrative else ()),
            *notes(result.benchmarks),
            *label_notes(result.labels, result.note),
        ),
        faults=(failed_in_words(result.failures),) if result.failures else (),
    )


def _answer(result: LatencyResult, answered: Line | None) -> Line:
    """Return the headline: what failed, then the answer of the objectives, or else what was measured."""
    line = Line(_headline(result)) if answered is None else answered
    return Line(f"{failed_in_words(result.failures)}; {line.text}", "wrong") if result.failures else line


def objectives_of(benchmarks: Sequence[LatencyBenchmark]) -> Iterator[Table]:
    """Yield the table of the objectives, if there are any."""
    return objective_tables(_judged(benchmarks), by_operation=True)


def latency_answer(benchmarks: Sequence[LatencyBenchmark]) -> Line | None:
    """Return what the objectives say of the benchmarks; None without objectives."""
    judged = _judged(benchmarks)
    first = worst(judged)
    return None if first is None else Line(f"{answer(judged)}.", STYLES[first.verdict])


def _judged(benchmarks: Sequence[LatencyBenchmark]) -> list[JudgedObjective]:
    return [objective for benchmark in benchmarks for objective in benchmark.objectives]


def _environment(result: LatencyResult) -> Iterator[Subject]:
    """Yield where it was measured and with what."""
    commit = result.commit_info
    yield Subject("commit", commit.id + (" with uncommitted changes" if commit.dirty else ""))
    yield from machine_facts(result.machine_info)
    for name, values in (
        ("event loop", [benchmark.details.loop for benchmark in result.benchmarks]),
        ("HTTP", [benchmark.details.http for benchmark in result.benchmarks]),
        ("WebSocket", [benchmark.details.ws for benchmark in result.benchmarks]),
    ):
        if known := [value for value in dict.fromkeys(values) if value]:
            yield Subject(name, ", ".join(known))
    yield from package_facts(result.packages)
    yield Subject("measured", f"{result.datetime:%Y-%m-%d %H:%M:%S %Z}")


def _headline(result: LatencyResult) -> str:
    services = dict.fromkeys(benchmark.details.service for benchmark in result.benchmarks)
    of = ", ".join(service for service in services if service) or "a service"
    commit = commit_with_changes(result.commit_info.id, result.commit_info.dirty)
    number = counted(len(result.benchmarks), "benchmark")
    return f"latency of {of} at {commit}: {number}, measured {result.datetime:%Y-%m-%d %H:%M:%S %Z}"


def notes(benchmarks: Sequence[LatencyBenchmark]) -> Iterator[Note]:
    """Yield what limits the meaning of the figures."""
    yield from objective_notes(_judged(benchmarks))
    yield from _error_replies(benchmarks)
    yield from _receive_times(benchmarks)
    yield from _unsteady(compared(benchmarks))
    yield from _spoilers(compared(benchmarks))


def _error_replies(benchmarks: Sequence[LatencyBenchmark]) -> Iterator[Note]:
    for benchmark in benchmarks:
        details = benchmark.details
        if errors := details.error_replies:
            replies = f"{errors:,} of {details.replies or errors:,} replies"
            hint = "they count as successes, unless a `check` refuses them"
            yield Note(f"{benchmark.name}: {replies} carry an `error` key: {hint}", "warning", apart=True)


def _receive_times(benchmarks: Sequence[LatencyBenchmark]) -> Iterator[Note]:
    """Yield whose clock told when replies were received."""
    rows = [
        (f"{details.client} over {details.transport}", details.receiving)
        for details in (benchmark.details for benchmark in benchmarks)
        if details.receiving is not None
    ]
    clocks = [benchmark.details.receive_clock for benchmark in benchmarks if benchmark.details.receive_clock]
    yield from receive_notes(rows, together(clocks))


def _unsteady(benchmarks: Sequence[LatencyBenchmark]) -> Iterator[Note]:
    warm_ups = [benchmark.details.warm_up for benchmark in benchmarks]
    unsteady = sum(warm_up is not None and not warm_up.steady for warm_up in warm_ups)
    if unsteady:
        text = "not steady when the measurement began, after the longest warm-up"
        yield Note(f"{text}{_of(unsteady, len(benchmarks))}", "warning", apart=True)


def _spoilers(benchmarks: Sequence[LatencyBenchmark]) -> Iterator[Note]:
    """Yield a line for each kind, with the words of the worst case."""
    found: dict[str, list[Disturbance]] = {}
    for benchmark in benchmarks:
        for spoiler in benchmark.spoilers:
            found.setdefault(spoiler.kind, []).append(spoiler)
    for number, (kind, cases) in enumerate(found.items()):
        worst = max(cases, key=lambda case: case.value or 0)
        text = f"may have spoilt it, {kind}: {worst.text}{_of(len(cases), len(benchmarks))}"
        yield Note(text, "warning", apart=number == 0)


def _of(number: int, total: int) -> str:
    return "" if number == total else f" (in {number} of {total} benchmarks)"
