"""A check of our accuracy as a document: every figure beside the truth, and what may have spoilt it."""

from collections.abc import Iterable, Iterator

from bench.report import document
from bench.report.document import Column, Content, Document, Line, Note, Table
from bench.report.environment import header_facts
from bench.report.formatting import UNKNOWN, DurationUnit, count, counted, duration, unit_of
from bench.report.labels import label_notes
from bench.results.figure import Figure
from bench.validation.accuracy.charts import accuracy_charts
from bench.validation.accuracy.model import Accuracy, Quantity, Row, Run, Scenario, ToolFigure, Unit
from bench.validation.accuracy.scenarios import TRUSTED_CPU_SHARE

_COLUMNS: tuple[tuple[str, Content], ...] = (
    ("figure", "name"),
    ("truth", "number"),
    ("ours", "number"),
    ("bound", "number"),
    ("inside", "verdict"),
)
_UNITS: dict[Unit, str] = {"us": "", "count": "", "percent": " %"}
_EXACT_ACCOUNT = ("scheduled", "sent")

#: The disturbances that a run may have and the next run not; all others are the machine's or its use.
_OF_THE_MOMENT = ("steal", "load", "throttled", "stopped", "swap")


def accuracy_document(result: Accuracy) -> Document:
    """Return the document of a check: every row, then what may have spoilt the rows, and what is left out and why."""
    titles = list(result.peers)
    columns = (
        *(Column(title, content) for title, content in _COLUMNS),
        *(Column(title) for title in titles),
    )
    return Document(
        kind="accuracy",
        title="figures beside the truth: " + ", ".join(scenario.name for scenario in result.scenarios),
        headline=_headline(result),
        tables=(Table(columns, tuple(_rows(result, titles))),),
        notes=(*_notes(result), *label_notes(result.labels, result.note)),
        charts=accuracy_charts(result),
        environment=tuple(header_facts(result)),
    )


def _headline(result: Accuracy) -> Line | None:
    """Return how many figures are inside their bounds; None if none is judged."""
    rows = [row.inside for scenario in result.scenarios for row in scenario.rows]
    judged = [inside for inside in rows if inside is not None]
    if not judged:
        return None
    of = counted(len(judged), "figure") + (" that are judged" if len(judged) < len(rows) else "")
    if all(judged):
        return Line(f"inside their bounds: all {of}", "better")
    return Line(f"outside of their bounds: {count(judged.count(False))} of {of}", "worse")


def _rows(result: Accuracy, titles: list[str]) -> Iterator[document.Row]:
    for scenario in result.scenarios:
        spoilt = ", ".join(_of_the_moment(scenario))
        group = f"{scenario.title} (may be spoilt by {spoilt})" if spoilt else scenario.title
        for row in scenario.rows:
            if row.figure in _EXACT_ACCOUNT and row.inside:
                continue  # a note tells of all of them together
            unit = _unit(row)
            by_tool = (_tool_text(row.peers.get(title), row.unit, unit) for title in titles)
            style: document.Style = "worse" if row.inside is False else "plain"
            yield document.Row((*_cells(row, unit), *by_tool), style, group)


def _unit(row: Row) -> DurationUnit:
    """Return the unit of the times of a row."""
    check = row.shown
    return unit_of(_figure(quantity) for quantity in (check.truth, check.ours, Quantity(value=check.bound)))


def _figure(quantity: Quantity | None) -> Figure | None:
    return None if quantity is None else Figure(quantity.value, "above" if quantity.is_above else "exact")


def _cells(row: Row, of_times: DurationUnit) -> tuple[str, str, str, str, str]:
    check = row.shown
    inside = "not judged" if row.inside is None else "yes" if row.inside else "NO"
    bound = "exactly" if check.bound == 0 else f"± {_text(Quantity(value=check.bound), row.unit, of_times)}"
    figure = f"{row.figure}{_UNITS[row.unit]}"
    return figure, _text(check.truth, row.unit, of_times), _text(check.ours, row.unit, of_times), bound, inside


def _text(quantity: Quantity | None, unit: Unit, of_times: DurationUnit) -> str:
    if quantity is None:
        return UNKNOWN
    if unit == "us":
        return duration(_figure(quantity), of_times)
    return count(round(quantity.value)) if unit == "count" else f"{quantity.value:.2f}"


def _tool_text(figure: ToolFigure | None, unit: Unit, of_times: DurationUnit) -> str:
    if figure is None or figure.reported is None:
        return UNKNOWN
    of = "" if figure.truth is None else f" of {_text(Quantity(value=figure.truth), unit, of_times)}"
    return _text(figure.reported, unit, of_times) + of


def _notes(result: Accuracy) -> Iterator[Note]:
    yield from _accounts(result)
    times = [row for scenario in result.scenarios for row in scenario.rows if not row.is_exact]
    if result.quick and times:
        yield Note("--quick: too short to judge times by")
    repeated = max((len(row.repetitions) for row in times), default=1)
    if repeated > 1:
        judged = min((len(row.judged) for row in times if row.judged), default=0)
        which = f"the {judged} in which others took least of the cores' time" if judged else "all of them"
        yield Note(f"delays: {repeated} repetitions in alternation; shown is the median error of {which}")
    if result.nice < 0:
        yield Note(f"servers and generators went before other processes (nice {result.nice})")
    for scenario in result.scenarios:
        shares = [run.generator_cpu_share for run in scenario.runs if run.generator_cpu_share is not None]
        if shares:
            beyond = max(shares) > TRUSTED_CPU_SHARE
            text = f"{scenario.name}: {scenario.rate_per_s:g}/s, generator's CPU {_range(shares)}"
            text += f", more than {TRUSTED_CPU_SHARE:.0%} of a core" if beyond else ""
            yield Note(text, "warning" if beyond else "plain")
        for run in scenario.runs:
            if run.verdict == "saturated":
                yield Note(f"{run.run}: the generator was saturated: {run.reason}", "warning")
    yield from _spoilers(_runs(result))
    if any(spoiler.kind in _OF_THE_MOMENT for run in _runs(result) for spoiler in run.spoilers):
        yield Note(
            "load, steal: the share of the cores' time that others took, at worst: measure on a quieter machine",
            "warning",
        )
    for absent in result.absent:
        where = "" if absent.scenario is None else f" of {absent.scenario}"
        yield Note(f"left out{where}: {absent.peer}: {absent.reason}", "warning")
    outside = [
        f"{scenario.name} {row.figure}" for scenario in result.scenarios for row in scenario.rows if row.inside is False
    ]
    if outside:
        yield Note(f"outside: {', '.join(outside)}", "worse")


def _runs(result: Accuracy) -> list[Run]:
    return [run for scenario in result.scenarios for run in scenario.runs]


def _accounts(result: Accuracy) -> Iterator[Note]:
    rows = [row for scenario in result.scenarios for row in scenario.rows if row.figure in _EXACT_ACCOUNT]
    if rows and all(row.inside for row in rows):
        runs = len(_runs(result))
        yield Note(f"in all {runs} runs: as many scheduled as the schedule has, as many sent as the server has read")


def _of_the_moment(scenario: Scenario) -> Iterator[str]:
    """Yield what may have spoilt a scenario's runs, by the worst of them."""
    if any(run.verdict == "saturated" for run in scenario.runs):
        yield "saturated"
    for kind in _OF_THE_MOMENT:
        values = [spoiler.value for run in scenario.runs for spoiler in run.spoilers if spoiler.kind == kind]
        if values:
            known = [value for value in values if value is not None]
            yield f"{kind} {max(known):.0%}" if known and kind in ("steal", "load") else kind


def _spoilers(runs: Iterable[Run]) -> Iterator[Note]:
    """Yield the disturbances that all runs share, each in its own words once."""
    texts = [spoiler.text for run in runs for spoiler in run.spoilers if spoiler.kind not in _OF_THE_MOMENT]
    yield from (Note(f"may be spoilt: {text}", "warning") for text in dict.fromkeys(texts))


def _range(shares: list[float]) -> str:
    low, high = f"{min(shares):.0%}", f"{max(shares):.0%}"
    return low if low == high else f"{low} to {high}"
