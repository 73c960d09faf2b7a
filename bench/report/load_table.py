"""A load result on a terminal, or in a file that stands for one: what Locust's own table cannot show.

Rules of this file: a result and a console in, text out. Times are in microseconds. Whatever limits what the figures
mean (closed model, saturation, missing workers) is said below them. It runs inside Locust's process: no threads.
"""

from collections.abc import Callable, Iterator, Sequence

from rich.console import Console

from bench.report.breakdown_table import breakdown_table
from bench.report.figures import FAILED, UNKNOWN, count, microseconds, per_second, printable
from bench.report.lines import print_line, print_table, total_width, widths
from bench.results.figure import Figure, figure
from bench.results.load import CONNECT, MOST_OPERATIONS, OTHER_OPERATIONS, Distribution, LoadResult, Operation

_TIMES = ("p50", "p90", "p99", "p99_9", "max")

_LOST = "lost"
"""A percentile that falls among what failed or was dropped, of which no time is known."""

_TOO_FEW_USERS = 0.01
"""The share of the arrivals from which on their wait for a free user is worth a remark."""

Column = tuple[str, Callable[[Operation], str]]


def load_table(result: LoadResult, console: Console) -> None:
    """Print the operations with their counts and times, and what failed and how.

    The output is one table if the console is wide enough for it, else a table of the counts and a table of the times.
    """
    counts = _count_columns(result)
    service = _time_columns(lambda operation: operation.service_us)
    has_response = any(operation.response_us for operation in result.operations)
    one_table = _rows("µs of service time", result, counts + service)
    if not has_response and total_width(widths(one_table)) <= console.width:
        print_table(console, one_table)
    else:
        print_table(console, _rows("operation", result, counts))
        if has_response:
            print_line(console, "")
            response = _time_columns(lambda operation: operation.response_us)
            print_table(console, _rows("µs of response time", result, response))
        print_line(console, "")
        print_table(console, _rows("µs of service time", result, service))
    breakdown_table(result.operations, console)
    if result.stages:
        print_line(console, "")
        print_table(console, _stage_rows(result))
    errors = [
        (f"{printable(operation.name)}: {printable(kind)}", count(times))
        for operation in result.operations
        for kind, times in (
            *operation.errors.items(),
            *((f"dropped: {reason}", times) for reason, times in operation.dropped_because.items()),
        )
    ]
    if errors:
        print_line(console, "")
        print_table(console, [("error", "count"), *errors])
    if result.exceptions:
        print_line(console, "")
        exceptions = [(printable(exception.text), count(exception.count)) for exception in result.exceptions]
        print_table(console, [("exception", "count"), *exceptions])
    print_line(console, "")
    for line, style in _remarks(result):
        print_line(console, line, style)


def _rows(heading: str, result: LoadResult, columns: Sequence[Column]) -> list[list[str]]:
    names = [printable(operation.name) for operation in result.operations]
    return [
        [heading, *(title for title, _ in columns)],
        *(
            [name, *(cell(operation) for _, cell in columns)]
            for name, operation in zip(names, result.operations, strict=True)
        ),
    ]


def _count_columns(result: LoadResult) -> list[Column]:
    dropped: list[Column] = [("dropped", lambda operation: count(operation.dropped))]
    return [
        *(dropped if any(operation.dropped for operation in result.operations) else []),
        ("sent", lambda operation: count(operation.sent)),
        ("ok", lambda operation: count(operation.ok)),
        ("timeouts", lambda operation: count(operation.timeouts)),
        ("errors", lambda operation: count(operation.error_count)),
        ("unfinished", lambda operation: count(operation.unfinished)),
        ("late", lambda operation: count(operation.late)),
        ("per second", lambda operation: per_second(operation.throughput_per_s)),
    ]


def _time_columns(times: Callable[[Operation], Distribution | None]) -> list[Column]:
    def column(name: str) -> Column:
        return name.replace("_", "."), lambda operation: _time(operation, figure(times(operation), name))

    return [column(name) for name in _TIMES]


def _time(operation: Operation, known: Figure | None) -> str:
    if known is None and operation.failed and not operation.ok:
        return FAILED
    return microseconds(known)


def _stage_rows(result: LoadResult) -> list[list[str]]:
    """A row per stage of the rate: what was asked for, what came of it."""
    rows = [["stage", "offered/s", "ok/s", "failed", "dropped", "p50 µs", "p90 µs", "p99 µs", "server", "generator"]]
    for stage in result.stages:
        times = (stage.p50_us, stage.p90_us, stage.p99_us)
        is_censored = stage.failed + stage.dropped > 0
        rows.append(
            [
                printable(stage.stage),
                per_second(stage.offered_per_s),
                per_second(stage.throughput_per_s),
                count(stage.failed),
                count(stage.dropped),
                *(_LOST if value is None and is_censored else microseconds(_exact(value)) for value in times),
                _share(stage.server_cpu_share),
                _share(stage.generator_cpu_share),
            ]
        )
    return rows


def _exact(value_us: float | None) -> Figure | None:
    return None if value_us is None else Figure(value_us)


def _share(of_a_core: float | None) -> str:
    return UNKNOWN if of_a_core is None else f"{of_a_core:.0%}"


def _generator(result: LoadResult) -> Iterator[str]:
    """What tells whether the generator kept up."""
    generator = result.generator
    if generator.cpu_share is not None:
        yield f"{generator.cpu_share:.0%} of a core"
    for name, late in (("send lateness", generator.send_lateness_us), ("loop lag", generator.loop_lag_us)):
        if late is not None:
            yield f"{name} p99 {microseconds(Figure(late.p99))} µs"


def _operation_remarks(result: LoadResult) -> Iterator[tuple[str, str]]:
    for operation in result.operations:
        name = printable(operation.name)
        if operation.times_of == "run" and operation.name != CONNECT:
            yield f"{name} was not performed in the steady window: its times are of the whole run", ""
        if operation.error_replies:
            replies = f"{count(operation.error_replies)} of {count(operation.ok)} replies to {name}"
            yield f"{replies} carry an `error` key: they count as successes", "yellow"
        if operation.unexpected:
            yield f"{name}: {count(operation.unexpected)} replies came while none was awaited", "bold red"
        if operation.name == OTHER_OPERATIONS:
            yield (
                f"more than {MOST_OPERATIONS} operations: {name} are the rest; leave ids out of round trips' names",
                "yellow",
            )


def _remarks(result: LoadResult) -> Iterator[tuple[str, str]]:
    """What has to be known to read the figures, each with its style."""
    if result.scenario.model == "closed":
        yield "closed model: service time only, coordinated omission not avoided", ""
    if steps := result.scenario.user_steps:
        numbers = " → ".join(f"{step.users:,}" for step in steps)
        yield f"users changed during the run, {numbers}: the times and the throughput are of all of it together", ""
    if others := result.scenario.other_users:
        yield f"users of other classes ran as well: {printable(others)}; Locust's tables alone have their requests", ""
    yield from _operation_remarks(result)
    if result.window.duration_s == 0:
        yield "no steady window: the run ended before its users were there and warm: no times, no throughput", "yellow"
    figures = ", ".join(_generator(result))
    if result.generator.verdict == "saturated":
        since = result.generator.saturated_since_s
        when = "" if since is None else f" since second {since:g}"
        reason = printable(result.generator.reason or "")
        yield f"generator saturated{when}: {reason}; the figures are the generator's, not the service's", "bold red"
    elif result.generator.verdict == "ok":
        yield f"generator ok: {figures}" if figures else "generator ok", ""
    if figures and result.generator.verdict != "ok":
        yield f"generator: {figures}", ""
    share, waits = result.generator.waited_for_user_share, result.generator.waited_for_user_us
    # Where nobody ever connected, more users would wait as well.
    is_connected = all(operation.ok for operation in result.operations if operation.name == CONNECT)
    if is_connected and share is not None and waits is not None and share >= _TOO_FEW_USERS:
        yield (
            f"too few users: {share:.0%} of the arrivals waited for a user to become free, "
            f"p99 {waits.p99 / 1000:,.3g} ms: give more --users",
            "yellow",
        )
    has_figures = any(operation.sent for operation in result.operations if operation.name != CONNECT)
    if result.invalid_reason is not None and has_figures:
        yield f"the figures are wrong: {printable(result.invalid_reason)}", "bold red"
    if result.partial:
        yield f"partial result: {printable(result.partial_reason or '')}", "bold red"
    if result.forced:
        yield "ended by force: outstanding replies were not awaited", "yellow"
