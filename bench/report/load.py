"""A load result as a document: all that Locust's own tables have, and what they cannot show.

Rules of this file: the times of a column have the same unit. Whatever limits the meaning of the figures (closed model,
saturation, missing workers) is a note below them.
"""

from collections.abc import Callable, Iterator, Sequence

from bench.report.document import Column, Document, LazyCharts, Note, Row, Shapes, Table
from bench.report.formatting import (
    FAILED,
    LOST,
    UNKNOWN,
    amount,
    commit_with_changes,
    count,
    counted,
    duration,
    durations,
    is_lost,
    moment,
    per_second,
)
from bench.report.labels import label_notes
from bench.report.load_charts.run import load_charts
from bench.report.load_charts.time_axis import run_s
from bench.report.load_environment import load_environment, users_text
from bench.report.load_headline import load_headline
from bench.report.objectives import objective_notes, objective_tables
from bench.report.percentiles import marked
from bench.report.receive_times import receive_notes
from bench.report.service_log import service_log_tables
from bench.report.shapes import shapes_of
from bench.report.slowest import slowest_tables
from bench.report.spoilt import spoilt
from bench.report.steadiness import interval_tables, steadiness_notes
from bench.results.figure import Figure, exact, figure
from bench.results.load import (
    CONNECT,
    MOST_OPERATIONS,
    OTHER_OPERATIONS,
    Distribution,
    LoadResult,
    Operation,
    StageFigures,
    TimesKind,
)
from bench.results.unspoken import unspoken_of
from bench.statistics.percentiles import FEWEST_VALUES, is_greatest

_TIMES = ("p50", "p90", "p99", "p99_9", "max")

_FORCED = "ended by force: outstanding replies were not awaited"

#: The kinds of failures that the row of an operation names.
_KINDS_IN_A_ROW = 3
#: The share of the arrivals from which on their wait for a free user is worth a remark.
_TOO_FEW_USERS = 0.01

#: The heading of a column, and its cells for the operations.
Cells = tuple[str, Sequence[str]]


def load_document(result: LoadResult) -> Document:
    """Return the document of a load result: the operations with their counts and times, and what failed and how."""
    return Document(
        kind="load",
        title=_title(result),
        headline=load_headline(result),
        basis=_basis(result),
        is_headline_first=True,
        tables=(
            *objective_tables(result.objectives),
            *_operation_tables(result),
            *_breakdown_tables(result),
            *_stage_tables(result),
            *_received_tables(result),
            *_error_tables(result),
            *slowest_tables(result),
            *service_log_tables(result.service_log, run_s=run_s(result)),
        ),
        notes=(
            *_loss_notes(result),
            *objective_notes(result.objectives),
            *steadiness_notes(result),
            *_notes(result),
            *label_notes(result.labels, result.note),
        ),
        faults=tuple(_faults(result)),
        charts=LazyCharts(lambda: load_charts(result)),
        environment=load_environment(result),
        command=result.command or "",
    )


def _faults(result: LoadResult) -> Iterator[str]:
    """Yield why the result failed as a whole."""
    for note in _loss_notes(result):
        yield note.text
    if result.invalid_reason is not None:
        yield f"the figures are wrong: {result.invalid_reason}"
    if result.partial:
        yield f"partial result: {result.partial_reason or ''}"
    if result.forced:
        yield _FORCED


def _loss_notes(result: LoadResult) -> Iterator[Note]:
    """Yield how the service was lost, with its last words."""
    loss = result.service_loss
    if loss is not None:
        yield Note(loss.text_with_last_words, "wrong")


def _title(result: LoadResult) -> str:
    scenario = result.scenario
    rate = "closed load" if scenario.rate_per_s is None else f"open load, {per_second(scenario.rate_per_s)} per second"
    command = result.server.command if result.server is not None else None
    service = scenario.app or command or scenario.url or "a service"
    return f"load on {service}: {users_text(scenario)}, {rate}"


def _basis(result: LoadResult) -> str:
    commit = commit_with_changes(result.commit_info.id, result.commit_info.dirty)
    return f"{_title(result)}; at {commit}, measured {result.datetime:%Y-%m-%d %H:%M:%S %Z}"


def _operation_tables(result: LoadResult) -> list[Table]:
    """Return the counts and the times. In a closed load a format may show both as one table."""
    counts = _table("operation", result, _count_columns(result))
    service = _time_columns(result, lambda operation: operation.service_us, "service")
    if not any(operation.response_us for operation in result.operations):
        return [
            counts,
            _table("service time", result, service, extends=True, shapes=_shapes(result, "service")),
            *interval_tables(result),
        ]
    response = _time_columns(result, lambda operation: operation.response_us, "response")
    return [
        counts,
        _table("response time", result, response, shapes=_shapes(result, "response")),
        *interval_tables(result),
        _table("service time", result, service, shapes=_shapes(result, "service")),
    ]


def _shapes(result: LoadResult, kind: TimesKind) -> Shapes | None:
    return shapes_of(
        f"{kind} times",
        (
            ("", operation.label, operation.service_histogram if kind == "service" else operation.response_histogram)
            for operation in result.operations
        ),
    )


def _table(
    heading: str, result: LoadResult, columns: Sequence[Cells], *, extends: bool = False, shapes: Shapes | None = None
) -> Table:
    return Table(
        columns=(Column(heading, "name"), *(Column(title) for title, _ in columns)),
        rows=tuple(
            Row((operation.label, *cells), "worse", reason=_kinds_of_failures(operation))
            if unspoken_of(operation, result.objectives)
            else Row((operation.label, *cells))
            for operation, *cells in zip(result.operations, *(cells for _, cells in columns), strict=True)
        ),
        extends=extends,
        shapes=shapes,
    )


def _kinds_of_failures(operation: Operation) -> str:
    """Return how the performances of an operation failed, the most frequent kinds first; empty without such a kind."""
    kinds = [*operation.errors.items(), *((f"dropped: {why}", n) for why, n in operation.dropped_because.items())]
    kinds.sort(key=lambda kind: -kind[1])
    named = [f"{kind} ({count(times)} times)" if times > 1 else kind for kind, times in kinds[:_KINDS_IN_A_ROW]]
    more = len(kinds) - len(named)
    return "; ".join(named) + (f"; and {counted(more, 'more kind')}" if more > 0 else "")


def _count_columns(result: LoadResult) -> list[Cells]:
    operations = result.operations

    def ends(of: Callable[[Operation], int]) -> list[str]:
        """Return the cells of a count of how operations ended: of an emission without a reply nobody knows."""
        return [UNKNOWN if operation.kind == "emission" else count(of(operation)) for operation in operations]

    dropped: list[Cells] = [("dropped", [count(operation.dropped) for operation in operations])]
    return [
        *(dropped if any(operation.dropped for operation in operations) else []),
        ("sent", [count(operation.sent) for operation in operations]),
        ("ok", ends(lambda operation: operation.ok)),
        ("timeouts", ends(lambda operation: operation.timeouts)),
        ("errors", ends(lambda operation: operation.error_count)),
        ("unfinished", ends(lambda operation: operation.unfinished)),
        ("late", ends(lambda operation: operation.late)),
        ("per second", [per_second(operation.throughput_per_s) for operation in operations]),
    ]


def _time_columns(
    result: LoadResult, times: Callable[[Operation], Distribution | None], kind: TimesKind
) -> list[Cells]:
    longest = [operation.longest(kind) for operation in result.operations]
    return [
        (_percentile(name), marked(_times(result.operations, times, name), [name in names for names in longest]))
        for name in _TIMES
    ]


def _times(operations: Sequence[Operation], times: Callable[[Operation], Distribution | None], name: str) -> list[str]:
    known = [figure(times(operation), name) for operation in operations]
    return [
        FAILED if time is None and operation.failed and not operation.ok else LOST if is_lost(time) else text
        for operation, time, text in zip(operations, known, durations(known), strict=True)
    ]


def _breakdown_tables(result: LoadResult) -> Iterator[Table]:
    """Yield the parts of a round trip's time: the way to the service's handler, the handler, and the way back."""
    legs = [(operation, leg) for operation in result.operations for leg in operation.breakdown]
    longest = [leg.longest() for _, leg in legs]
    columns = [
        marked(durations([figure(leg.times_us, name) for _, leg in legs]), [name in names for names in longest])
        for name in _TIMES
    ]
    rows = tuple(
        Row((f"{operation.label}: {leg.name}", *cells)) for (operation, leg), *cells in zip(legs, *columns, strict=True)
    )
    if rows:
        yield Table((Column("service time", "name"), *(Column(_percentile(name)) for name in _TIMES)), rows)


def _percentile(name: str) -> str:
    return name.replace("_", ".")


def _stage_tables(result: LoadResult) -> Iterator[Table]:
    """Yield a table with a row for each stage of the rate: the rate that was asked for, and what came of it."""
    stages = result.stages
    # Only if there is any: the table has to fit a terminal.
    dropped: list[Cells] = [("dropped", [count(stage.dropped) for stage in stages])]
    columns: list[Cells] = [
        ("offered/s", [per_second(stage.offered_per_s) for stage in stages]),
        ("ok/s", [per_second(stage.throughput_per_s) for stage in stages]),
        ("failed", [count(stage.failed) for stage in stages]),
        *(dropped if any(stage.dropped for stage in stages) else []),
        ("p50", _stage_times(stages, "p50", [stage.p50_us for stage in stages])),
        ("p90", _stage_times(stages, "p90", [stage.p90_us for stage in stages])),
        ("p99", _stage_times(stages, "p99", [stage.p99_us for stage in stages])),
        ("server", [_share(stage.server_cpu_share) for stage in stages]),
        ("generator", [_share(stage.generator_cpu_share) for stage in stages]),
    ]
    if stages:
        names = [stage.stage for stage in stages]
        rows = tuple(Row(cells) for cells in zip(names, *(cells for _, cells in columns), strict=True))
        yield Table((Column("stage", "name"), *(Column(title) for title, _ in columns)), rows)


def _stage_times(stages: Sequence[StageFigures], name: str, times_us: Sequence[float | None]) -> list[str]:
    texts = durations([exact(time_us) for time_us in times_us])
    return [
        LOST
        if time_us is None and stage.failed + stage.dropped > 0
        else UNKNOWN
        if is_greatest(name, stage.ended)
        else text
        for stage, time_us, text in zip(stages, times_us, texts, strict=True)
    ]


def _received_tables(result: LoadResult) -> Iterator[Table]:
    """Yield a table of the events that users received without having asked for them."""
    rows = tuple(
        Row((event.name, count(event.count), per_second(event.per_s), amount(event.received_bytes)))
        for event in result.received
    )
    if rows:
        titles = ("count", "per second", "bytes")
        yield Table((Column("received unasked", "name"), *map(Column, titles)), rows)


def _error_tables(result: LoadResult) -> Iterator[Table]:
    errors = [
        Row((f"{operation.label}: {kind}", count(times)))
        for operation in result.operations
        for kind, times in (
            *operation.errors.items(),
            *((f"dropped: {reason}", times) for reason, times in operation.dropped_because.items()),
        )
    ]
    exceptions = [Row((exception.text, count(exception.count))) for exception in result.exceptions]
    for heading, rows in (("error", errors), ("exception", exceptions)):
        if rows:
            yield Table((Column(heading, "name"), Column("count")), tuple(rows))


def _share(of_a_core: float | None) -> str:
    return UNKNOWN if of_a_core is None else f"{of_a_core:.0%}"


def _generator(result: LoadResult) -> Iterator[str]:
    """Yield the figures that tell whether the generator kept up."""
    generator = result.generator
    if generator.cpu_share is not None:
        yield f"{generator.cpu_share:.0%} of a core"
    delays = (
        ("send lateness", generator.send_lateness_us),
        ("loop lag", generator.loop_lag_us),
        ("reading delay", generator.reading_delay_us),
    )
    for name, late in delays:
        if late is not None:
            yield f"{name} p99 {duration(Figure(late.p99))}"


def _operation_notes(result: LoadResult) -> Iterator[Note]:
    for operation in result.operations:
        name = operation.label
        if operation.times_of == "run" and operation.kind != CONNECT:
            yield Note(f"{name} was not performed in the steady window: its times are of the whole run")
        yield from _cut_off_notes(operation)
        if operation.error_replies:
            replies = f"{count(operation.error_replies)} of {count(operation.ok)} replies to {name}"
            yield Note(
                f"{replies} carry an `error` key: they count as successes, unless a `check` refuses them",
                "warning",
            )
        if operation.unexpected:
            yield Note(f"{name}: {count(operation.unexpected)} replies came while none was awaited", "wrong")
        if operation.name == OTHER_OPERATIONS:
            yield Note(
                f"more than {MOST_OPERATIONS} operations: {name} are the rest; leave ids out of their names",
                "warning",
            )


def _cut_off_notes(operation: Operation) -> Iterator[Note]:
    """Yield what the end of the run cut off, if percentiles fall among what failed or was dropped."""
    figures = [figure(times, name) for times in (operation.service_us, operation.response_us) for name in _TIMES[:-1]]
    if not operation.cut_off or not any(found is not None and found.bound == "above" for found in figures):
        return
    waiting = operation.cut_off - operation.unfinished
    parts = [f"{counted(waiting, 'arrival')} waited for a user"] if waiting else []
    parts += [f"{counted(operation.unfinished, 'reply', 'replies')} had not come"] if operation.unfinished else []
    yield Note(
        f"{operation.label}: the run ended while {' and '.join(parts)}; nobody knows how long they would have taken, "
        "and a percentile that falls among what failed or was dropped has no time",
        "warning",
    )


def _stage_notes(result: LoadResult) -> Iterator[Note]:
    """Yield the stages that are too short for a percentile: it would be the longest time."""
    for name in ("p90", "p99"):
        if few := [stage for stage in result.stages if is_greatest(name, stage.ended)]:
            stages = ", ".join(stage.stage for stage in few)
            yield Note(f"fewer than {FEWEST_VALUES[name]} arrivals, which are too few for a {name}: stage {stages}")


def _traffic_notes(result: LoadResult) -> Iterator[Note]:
    """Yield how many bytes were sent and received, and that nothing was sent where nothing was to be sent."""
    connects = any(operation.ok for operation in result.operations if operation.kind == CONNECT)
    performed = any(operation.scheduled for operation in result.operations if operation.kind != CONNECT)
    if connects and not performed and not result.received:
        yield Note("no operation was performed: the users were connected, and that is all", "warning")
    start_s, end_s = result.window.start_s, result.window.end_s
    whole = [second for second in result.timeline if start_s <= second.t and second.t + 1 <= end_s]
    sent, received = (
        sum(operation.sent_bytes or 0 for operation in result.operations),
        sum(operation.received_bytes or 0 for operation in result.operations)
        + sum(event.received_bytes for event in result.received),
    )
    if sent or received:
        rates = ""
        if whole:
            sent_per_s = sum(second.sent_bytes or 0 for second in whole) / len(whole)
            received_per_s = sum(second.received_bytes or 0 for second in whole) / len(whole)
            rates = f"; {amount(sent_per_s)}/s and {amount(received_per_s)}/s in the window"
        yield Note(f"messages: {amount(sent)} sent, {amount(received)} received{rates}")


def _notes(result: LoadResult) -> Iterator[Note]:
    """Yield all that a reader has to know to read the figures."""
    if result.scenario.model == "closed":
        yield Note("closed model: service time only, coordinated omission not avoided")
    if steps := result.scenario.user_steps:
        numbers = " → ".join(f"{step.users:,}" for step in steps)
        yield Note(f"users changed during the run, {numbers}: the times and the throughput are of all of it together")
    if others := result.scenario.other_users:
        yield Note(f"users of other classes ran as well: {others}; Locust's tables alone have their requests")
    yield from _operation_notes(result)
    yield from _stage_notes(result)
    yield from _traffic_notes(result)
    received = [(operation.label, operation.receiving) for operation in result.operations if operation.receiving]
    yield from receive_notes(received, result.receive_clock)
    if result.window.duration_s == 0:
        yield Note(
            "no steady window: the run ended before its users were there and warm: no times, no throughput", "warning"
        )
    figures = ", ".join(_generator(result))
    if result.generator.verdict == "saturated":
        since = result.generator.saturated_since_s
        when = "" if since is None else f" since {moment(since, run_s(result))}"
        yield Note(
            f"generator saturated{when}: {result.generator.reason or ''}; {spoilt(result.generator.spoils)}", "wrong"
        )
    elif result.generator.verdict == "ok":
        yield Note(f"generator ok: {figures}" if figures else "generator ok")
    if figures and result.generator.verdict != "ok":
        yield Note(f"generator: {figures}")
    share, waits = result.generator.waited_for_user_share, result.generator.waited_for_user_us
    # Where nobody ever connected, or the service was lost, more users would wait as well.
    is_connected = all(operation.ok for operation in result.operations if operation.kind == CONNECT)
    is_connected = is_connected and result.service_loss is None
    if is_connected and share is not None and waits is not None and share >= _TOO_FEW_USERS:
        yield Note(
            f"too few users: {share:.0%} of the arrivals waited for a user to become free, "
            f"p99 {duration(Figure(waits.p99))}: give more --users",
            "warning",
        )
    if result.invalid_reason is not None and result.has_figures:
        yield Note(f"the figures are wrong: {result.invalid_reason}", "wrong")
    if result.partial:
        yield Note(f"partial result: {result.partial_reason or ''}", "wrong")
    if result.forced:
        yield Note(_FORCED, "warning")
    if result.ended_because:
        yield Note(f"the run ended before its time: {result.ended_because}", "warning")
