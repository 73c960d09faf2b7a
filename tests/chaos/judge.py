"""The rules for every run, whatever is done to it. Pure: from what was observed to what is wrong.

A rule demands only what is true on a busy machine, too. So a generator that stood still has to be judged saturated, but
another one need not be judged ok. A run has to end within its limit, but at no certain time.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from bench.results.load import LoadResult, Operation
from bench.timing.histogram import Histogram, HistogramError
from tests.chaos.scenario import LOST, STORAGE, WIRE, Fault, Kind, Scenario

CONNECT = "connect"
TRACEBACK = "Traceback (most recent call last)"
OUTPUT_LIMIT_BYTES = 1_000_000

#: The text that is in every table of a load, whatever was measured.
_TABLE = "service time"

#: The words of Locust's master about a worker that it has not heard of for three seconds.
_MISSING = "failed to send heartbeat"

_ALL_MISSING = "The last worker went missing"

_ALL_SPAWNED = "All users spawned"

#: The reason of a partial result if the run was ended while users were spawned.
_USERS_LACKING = re.compile(r"only \d+ of \d+ users ever began|the run ended before all users were spawned")

#: The time before the end of a run by which a fault has to come to have an effect for sure, in seconds.
_MARGIN_S = 1.0

#: A time longer than a reply timeout and the longest pause between two attempts to connect, in seconds.
#:
#: That pause is 5 s and half as much.
_BACK_WITHIN_S = 9.0

#: The line in which Locust says when it began to count the run time, in local time. That was before it looked for
#: what a result says of its commit.
_TIMED = re.compile(r"^\[([\d-]+ [\d:]+),(\d+)\] .*Run time limit set to", re.MULTILINE)

#: The time by which a load may end before the run time is over, in seconds.
_SHORTER_S = 0.5

#: The number of standard deviations that a Poisson number may be from its mean; farther in two of a million runs.
_SIGMAS = 5

#: The time of the schedule that may be missing at its ends, and where it is shared out to other workers, in seconds.
_SHARED_OUT_S = 0.3


@dataclass(frozen=True)
class Applied:
    """A fault that was injected, in Unix time. `ended_s` is the same as `began_s` for a fault without an end.

    `handled` is the number that the service had handled at its end.
    """

    fault: Fault
    began_s: float
    ended_s: float
    handled: int = 0

    @property
    def lasted_s(self) -> float:
        """The time that it lasted, which on a busy machine is longer than what was drawn."""
        return self.ended_s - self.began_s


@dataclass(frozen=True)
class Observed:
    """The traces of a run, as seen from outside. Times in Unix time; counts over all lives of the service.

    `exit_code` is None if the run had to be killed. `began_s` is None if the test never began. `rescued` are results
    that could not be stored and are in the temporary folder, where the output says so. `unreadable` are results of
    either kind that cannot be read, with the reason.
    """

    scenario: Scenario
    exit_code: int | None
    output: str
    began_s: float | None
    took_s: float
    applied: tuple[Applied, ...] = ()
    results: tuple[LoadResult, ...] = ()
    rescued: tuple[LoadResult, ...] = ()
    unreadable: tuple[str, ...] = ()
    handled: int = 0
    replied: int = 0
    repeated: int = 0
    broken_connections: int = 0
    #: The things that are still there of it: processes, ports, files; a line for each.
    left: tuple[str, ...] = ()

    def was_applied(self, *kinds: Kind) -> list[Applied]:
        """Return the faults of these kinds that were injected."""
        return [applied for applied in self.applied if applied.fault.kind in kinds]

    def struck(self, *kinds: Kind) -> bool:
        """Return whether such a fault came while the load was surely under way, so that it must show."""
        if self.began_s is None:
            return False
        end_s = self.began_s + self.scenario.run_time_s
        if self.result is not None:
            end_s = min(end_s, self.result.datetime.timestamp() + self.result.window.end_s)
        ends = [end_s, *(applied.began_s for applied in self.was_applied("interrupt"))]
        return any(applied.began_s < min(ends) - _MARGIN_S for applied in self.was_applied(*kinds))

    @property
    def result(self) -> LoadResult | None:
        """The result that the run stored, or put aside."""
        return next(iter((*self.results, *self.rescued)), None)


def allowed_exit_codes(observed: Observed) -> frozenset[int]:
    """Return the exit codes that are right for what happened.

    2 is for misuse, which does not occur here. 130 is for a run that was interrupted and has no result. 1 is for a
    result that is missing, not stored, partial, ended by force, invalid or without a round trip, and for any failure
    in it. 1 is also for a service of its own that died, and for a worker that was lost; else 0. An attempt to connect
    that the end of the run cut off is no failure by itself, and may be taken for a failure.
    """
    result = observed.result
    interrupted = bool(observed.was_applied("interrupt", "interrupt at start"))
    if result is None:
        return frozenset({1, 130} if interrupted and observed.began_s is not None else {130} if interrupted else {1})
    if not observed.results or _must_fail(observed) or _fails(result):
        return frozenset({1})
    if any(row.unfinished for row in result.operations):
        return frozenset({0, 1})
    return frozenset({0})


def _must_fail(observed: Observed) -> bool:
    """Return whether what was done to the run makes it fail, whatever its result says."""
    if observed.scenario.own_service and observed.struck("kill server"):
        return True
    return observed.struck(*LOST, "kill server", "stop server")


def _fails(result: LoadResult) -> bool:
    connected = any(row.ok for row in result.operations if row.name == CONNECT)
    sent = any(row.sent for row in _round_trips(result))
    is_lost = result.service_loss is not None
    wrong = result.partial or result.forced or is_lost or result.invalid_reason is not None or result.exceptions
    failed = any(row.dropped or row.timeouts or row.error_count for row in result.operations)
    lost = any(row.unfinished for row in _round_trips(result))
    return bool(wrong or failed or lost or not connected or not sent)


def findings(observed: Observed) -> list[str]:
    """Return what is wrong, a line each; empty if all is well."""
    found = [*_end(observed), *_left_behind(observed), *_storing(observed)]
    if observed.result is not None:
        found += _counts(observed, observed.result)
        found += _figures(observed, observed.result)
        found += _said(observed, observed.result)
    return found


# --- the end of a run -----------------------------------------------------------------------------------------------


def _end(observed: Observed) -> Iterator[str]:
    if observed.exit_code is None:
        yield f"it did not end within its limit and was killed after {observed.took_s:.0f} s"
    elif _in_a_shell(observed.exit_code) not in (allowed := allowed_exit_codes(observed)):
        wanted = " or ".join(map(str, sorted(allowed)))
        yield f"exit code {observed.exit_code}, and for what happened it has to be {wanted}"
    if TRACEBACK in observed.output:
        yield f"a traceback in its output: {_last_line_of_traceback(observed.output)}"
    if (size_bytes := len(observed.output.encode())) > OUTPUT_LIMIT_BYTES:
        yield f"an output of {size_bytes:,} bytes"
    died = "ended with exit code"
    if observed.scenario.own_service and observed.struck("kill server") and died not in observed.output:
        yield "its service was killed, and it did not say so"


def _in_a_shell(code: int) -> int:
    """Return the exit code as a shell has it: of a process that a signal ended, 128 and the signal's number."""
    return code if code >= 0 else 128 - code


def _last_line_of_traceback(output: str) -> str:
    lines = output[output.index(TRACEBACK) :].splitlines()[1:]
    return next((line for line in lines if line and not line.startswith((" ", "["))), "cut off")


def _left_behind(observed: Observed) -> Iterator[str]:
    for left in observed.left:
        yield f"left behind: {left}"


def _storing(observed: Observed) -> Iterator[str]:
    for reason in observed.unreadable:
        yield f"a stored result cannot be read: {reason}"
    if (number := len(observed.results) + len(observed.rescued)) > 1:
        yield f"{number} results of one test"
    if observed.exit_code is None:
        return
    fault = next((fault for fault in observed.scenario.faults if fault.kind in STORAGE), None)
    may_store = fault is None or (fault.kind == "locked folder" and fault.for_s is not None)
    if observed.results and not may_store:
        yield f"a result was stored in spite of {fault}"
    if observed.rescued and fault is None:
        yield "its result was put aside, and nothing kept it from being stored"
    if observed.began_s is None or observed.was_applied("interrupt at start") or _had_not_begun(observed):
        return
    if fault is None and observed.result is None and not observed.unreadable:
        yield "no result was stored"
    if fault is not None and not observed.results and _TABLE not in observed.output:
        yield "its result could not be stored, and was not shown either"
    if fault is not None and observed.result is None and not observed.unreadable:
        yield "its result could not be stored, and was not put aside either"


def _had_not_begun(observed: Observed) -> bool:
    """True if an interrupt came before there was anything to lose: Locust says that it begins a little too early."""
    return bool(observed.was_applied("interrupt")) and observed.exit_code == 130 and not observed.handled


# --- counts ---------------------------------------------------------------------------------------------------------


def _round_trips(result: LoadResult) -> list[Operation]:
    return [row for row in result.operations if row.name != CONNECT]


def _counts(observed: Observed, result: LoadResult) -> Iterator[str]:
    rows = _round_trips(result)
    sent, ok, late = (sum(getattr(row, name) for row in rows) for name in ("sent", "ok", "late"))
    timeouts, errors, unfinished = (
        sum(getattr(row, name) for row in rows) for name in ("timeouts", "error_count", "unfinished")
    )
    dropped = sum(row.dropped for row in rows)
    if len(rows) > 1:
        yield f"one operation in several rows: {', '.join(row.name for row in rows)}"
    if ok + late > observed.replied:
        yield f"{ok} ok and {late} late are more than the {observed.replied} replies of the server"
    if late > timeouts:
        yield f"{late} late replies of only {timeouts} timeouts"
    if not result.partial and observed.handled > sent:
        yield f"the server handled {observed.handled}, and only {sent} are said to have been sent"
    yield from _silence(observed)
    if observed.repeated:
        yield f"{observed.repeated} tokens came to the server twice"
    # A busy machine may make replies late, but loses none.
    if (
        _is_undisturbed(observed)
        and not result.forced
        and not (sent == ok + timeouts == observed.handled == observed.replied)
    ):
        of = f"ok {ok} and timeouts {timeouts}, handled {observed.handled}, replied {observed.replied}"
        yield f"nothing was lost, and these are not the same: sent {sent}, {of}"
    if _only_broken_connections(observed) and errors + unfinished > observed.broken_connections:
        yield f"{errors} errors and {unfinished} unfinished of {observed.broken_connections} connections that broke"
    for name, total in (("ok", ok), ("dropped", dropped), ("failed", timeouts + errors), ("sent", sent - unfinished)):
        of_seconds = sum(getattr(second, name) for second in result.timeline)
        if of_seconds != total:
            yield f"the seconds have {of_seconds} {name}, and the rows {total}"


def _silence(observed: Observed) -> Iterator[str]:
    """Yield a finding if clients are not back within the longest time between two attempts to connect."""
    if len(observed.applied) != 1 or observed.began_s is None:
        return
    (applied,) = observed.applied
    left_s = observed.began_s + observed.scenario.run_time_s - applied.ended_s
    passes = applied.fault.kind in ("restart server", "pause server", "drop", "truncate", "stall", "refuse")
    if passes and left_s > _BACK_WITHIN_S and observed.handled == applied.handled:
        yield f"nothing reached the server any more in the {left_s:.1f} s after {applied.fault}"


def _is_undisturbed(observed: Observed) -> bool:
    """Return whether nothing was done that can lose a reply or make it late."""
    harmless: set[Kind] = {"terminate worker", "leave", "join", *STORAGE}
    once = all(fault.times == 1 for fault in observed.scenario.faults if fault.kind == "interrupt")
    return once and observed.scenario.kinds <= harmless | {"interrupt"} and observed.began_s is not None


def _only_broken_connections(observed: Observed) -> bool:
    """Return whether all that was done was to break connections that had at most one emission in flight."""
    return observed.scenario.rate_per_s is None and {"drop", "truncate"} >= observed.scenario.kinds != frozenset()


# --- figures --------------------------------------------------------------------------------------------------------


def _figures(observed: Observed, result: LoadResult) -> Iterator[str]:
    for row in _round_trips(result):
        for name in ("service_histogram", "response_histogram"):
            encoded = getattr(row, name)
            if encoded is None:
                continue
            try:
                count = Histogram.decode(encoded).count
            except HistogramError as error:
                yield f"{row.name}: {name} cannot be read: {error}"
                continue
            if count > row.ok:
                yield f"{row.name}: {count} times of {row.ok} replies"
        shortest_us = None if row.service_us is None else row.service_us.min
        delay_us = 2_000 * observed.scenario.delay_ms
        if shortest_us is not None and shortest_us < 0.95 * delay_us:
            yield f"{row.name}: {shortest_us:.0f} µs at the least, through a proxy that takes {delay_us} µs"
    yield from _scheduled(observed, result)
    yield from _pause_of_the_server(observed, result)


def _scheduled(observed: Observed, result: LoadResult) -> Iterator[str]:
    """Yield a finding if the schedule does not fill the window, whoever is there to follow it."""
    rate_per_s = observed.scenario.rate_per_s
    if rate_per_s is None or result.partial or not result.window.duration_s:
        return
    scheduled = sum(row.scheduled for row in _round_trips(result))
    expected = rate_per_s * result.window.duration_s
    changes = len(observed.was_applied("pause worker", "terminate worker", "leave", "join"))
    chance = 0.0 if observed.scenario.arrivals == "constant" else _SIGMAS * math.sqrt(expected)
    tolerance = chance + _SHARED_OUT_S * (1 + changes) * rate_per_s
    if abs(scheduled - expected) > tolerance:
        of = f"{rate_per_s}/s over {result.window.duration_s:.1f} s"
        yield f"{scheduled} arrivals were scheduled, and {of} are {expected:.0f} ± {tolerance:.0f}"


def _pause_of_the_server(observed: Observed, result: LoadResult) -> Iterator[str]:
    """Yield a finding if replies that a paused server owes have neither waited for it nor timed out."""
    if observed.scenario.kinds != {"pause server"}:
        return
    for pause in observed.was_applied("pause server"):
        began_s, ended_s = _in_run(result, pause)
        if not (result.window.start_s + _MARGIN_S < began_s and ended_s < result.window.end_s - _MARGIN_S):
            continue
        rows = _round_trips(result)
        if any(row.timeouts or row.error_count for row in rows):
            continue
        longest_us = max(
            (times.max for row in rows if (times := row.response_us or row.service_us) and times.max), default=0.0
        )
        if longest_us < 0.8e6 * pause.lasted_s:
            yield f"the server stood still for {pause.lasted_s:.1f} s, and the longest time is {longest_us:.0f} µs"


# --- what the result has to say of itself ---------------------------------------------------------------------------


def _said(observed: Observed, result: LoadResult) -> Iterator[str]:
    if observed.struck(*LOST) and not result.partial:
        yield "a worker was lost, and the result is not partial"
    survivable: set[Kind] = {*LOST, "pause worker", "pause generator", "few descriptors"}
    # On a machine that is far too busy, workers go missing by themselves, and all of them at times.
    could_report = not observed.was_applied(*survivable) and _MISSING not in observed.output
    if result.partial and could_report and not _was_cut_while_spawning(observed, result):
        yield f"every worker could report, and the result is partial: {result.partial_reason}"
    if result.partial and (result.partial_reason or "") not in observed.output:
        yield "it is partial, and did not say so"
    if result.forced and not _may_be_forced(observed):
        yield "it was ended by force, and nobody asked for that"
    if not observed.was_applied("interrupt at start") and result.scenario.users != observed.scenario.users:
        yield f"{result.scenario.users} users in the result of a run of {observed.scenario.users}"
    attempts = sum(row.sent for row in result.operations if row.name == CONNECT)
    interrupted = observed.was_applied("interrupt", "interrupt at start")
    cut_off = result.partial or interrupted or _ALL_MISSING in observed.output
    if not cut_off and attempts < observed.scenario.users:
        yield f"{attempts} attempts to connect of {observed.scenario.users} users"
    run_time_s = observed.scenario.run_time_s
    ended_s = result.window.end_s + _prepared_s(observed, result)
    if not cut_off and ended_s < run_time_s - _SHORTER_S:
        yield f"the load ended after {ended_s:.1f} s of {run_time_s} s"
    verdict = result.generator.verdict
    for pause in observed.was_applied("pause generator", "pause worker"):
        began_s, ended_s = _in_run(result, pause)
        # so that a second without any note and the second that the pause ends in are whole seconds of the window
        is_within = result.window.start_s <= began_s and ended_s <= result.window.end_s - 1.0
        if is_within and not result.partial and verdict != "saturated":
            yield f"the generator stood still for {pause.lasted_s:.1f} s, and is judged {verdict}"
    if verdict == "saturated" and "saturated" not in observed.output:
        yield "its generator was saturated, and it did not say so"


def _prepared_s(observed: Observed, result: LoadResult) -> float:
    """Return the part of the run time that was over when the test began. On a busy machine, git takes half a second."""
    if (timed := _TIMED.search(observed.output)) is None:
        return 0.0
    second, milliseconds = timed.groups()
    timed_from_s = dt.datetime.fromisoformat(second).timestamp() + int(milliseconds) / 1000
    return max(0.0, result.datetime.timestamp() - timed_from_s)


def _was_cut_while_spawning(observed: Observed, result: LoadResult) -> bool:
    """True if it is partial because an interrupt came before all users were there, and for no other reason."""
    interrupted = observed.was_applied("interrupt", "interrupt at start")
    lacking = _USERS_LACKING.fullmatch(result.partial_reason or "")
    return bool(interrupted and lacking) and _ALL_SPAWNED not in observed.output


def _may_be_forced(observed: Observed) -> bool:
    """Return whether the run may end by force.

    An interrupt that comes while replies are awaited does that, and so does a process that stands still for long.
    """
    return bool(observed.was_applied("interrupt", "interrupt at start", "pause worker", "pause generator", *WIRE))


def _in_run(result: LoadResult, applied: Applied) -> tuple[float, float]:
    """Return when it began and ended, in seconds of the run."""
    started_s = result.datetime.timestamp()
    return applied.began_s - started_s, applied.ended_s - started_s
