"""The line above all tables of a load: median, p99, rate, failures, and the verdict on the generator."""

from collections.abc import Iterator

from bench.objectives.outcome import worst
from bench.report.document import Line, Style
from bench.report.formatting import FAILED, LOST, UNKNOWN, count, duration, is_lost, per_second
from bench.report.objectives import STYLES, answer
from bench.report.percentiles import named
from bench.report.steadiness import said_of_tests
from bench.results.figure import Figure, figure
from bench.results.load import REPLIED_KINDS, SCHEDULED_KINDS, LoadResult, Operation


def load_headline(result: LoadResult) -> Line:
    """Return the headline: times are those of the operation that was performed most often."""
    if result.objectives:
        return Line(_answer(result), _style(result))
    return Line("; ".join(_parts(result)), _style(result))


def _answer(result: LoadResult) -> str:
    """Return what the objectives say, whether anything failed, and whether the figures can be believed."""
    rate = next(_rates(result), None)
    lost = "" if result.service_loss is None else f"{_capital(result.service_loss.short)}; "
    sentences = [lost + answer(result.objectives, f" at {rate}" if rate else "")]
    failed = failures(result)
    sentences.append(f"{count(failed)} failed" if failed else "Nothing failed")
    if result.generator.verdict is not None:
        sentences.append(
            "The generator was fine" if result.generator.verdict == "ok" else "The generator was saturated"
        )
    sentences += map(_capital, _doubts(result))
    return ". ".join(sentences) + "."


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _style(result: LoadResult) -> Style:
    is_void = result.partial or result.invalid_reason is not None or result.service_loss is not None
    if is_void or result.generator.verdict == "saturated":
        return "wrong"
    if result.objectives:
        first = worst(result.objectives)
        return "heading" if first is None or first.verdict == "met" else STYLES[first.verdict]
    return "warning" if failures(result) else "heading"


def _parts(result: LoadResult) -> Iterator[str]:
    if result.service_loss is not None:
        yield result.service_loss.short
    replied = [operation for operation in result.operations if operation.kind in REPLIED_KINDS]
    if replied:
        most = max(replied, key=lambda operation: operation.sent)
        of = "" if len(replied) == 1 else f", the most frequent of {count(len(replied))} operations"
        times = most.service_us if most.response_us is None else most.response_us
        is_longest = "p99" in most.longest("service" if most.response_us is None else "response")
        tail = named("p99", is_longest)
        yield f"{most.label}{of}: p50 {_time(most, figure(times, 'p50'))}, {tail} {_time(most, figure(times, 'p99'))}"
    several = sum(each.kind in SCHEDULED_KINDS and each.throughput_per_s is not None for each in result.operations) > 1
    for rate in _rates(result):
        yield f"{rate} in all" if several else rate
    failed = failures(result)
    yield f"{count(failed)} failed" if failed else "nothing failed"
    yield from _belief(result)


def _rates(result: LoadResult) -> Iterator[str]:
    """Yield the rate of what ended well, of all operations together, if it is known."""
    scheduled = [operation for operation in result.operations if operation.kind in SCHEDULED_KINDS]
    rates = [operation.throughput_per_s for operation in scheduled if operation.throughput_per_s is not None]
    if rates:
        yield _rate(sum(rates), result)


def _rate(done_per_s: float, result: LoadResult) -> str:
    offered_per_s = result.scenario.rate_per_s
    done = f"{per_second(done_per_s)}/s"
    if offered_per_s is None:
        return done
    # A rate with stages is an average of the whole schedule; the window may be a part of it.
    is_constant = result.scenario.rate is None or not {":", "."} & set(result.scenario.rate)
    return f"{done} of {per_second(offered_per_s)}/s" if is_constant else done


def _belief(result: LoadResult) -> Iterator[str]:
    """Yield in short what the notes below the tables say at length."""
    if result.generator.verdict is not None:
        yield f"generator {result.generator.verdict}"
    yield from _doubts(result)


def _doubts(result: LoadResult) -> Iterator[str]:
    if result.invalid_reason is not None and result.has_figures:
        yield "the figures are wrong"
    if result.partial:
        yield "the result is partial"
    if result.window.duration_s == 0:
        yield "no steady window"
    if result.generator.verdict != "saturated":  # which says as much
        yield from said_of_tests(result)


def failures(result: LoadResult) -> int:
    """Return what failed, was dropped or did not end; a transaction does so with what is in it."""
    return sum(
        operation.timeouts + operation.error_count + operation.dropped + operation.unfinished
        for operation in result.operations
        if operation.kind != "transaction"
    )


def _time(operation: Operation, known: Figure | None) -> str:
    if known is None:
        return FAILED if operation.failed and not operation.ok else UNKNOWN
    return LOST if is_lost(known) else duration(known)
