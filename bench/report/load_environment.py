"""The environment and the settings of a load: what a reader needs to measure it again, or to doubt a comparison."""

from collections.abc import Iterator

from bench.report.document import Subject
from bench.report.environment import header_facts
from bench.report.formatting import LONG_RUN_S, amount, counted, duration, per_second
from bench.report.load_charts.time_axis import run_s
from bench.results.figure import Figure
from bench.results.load import LoadResult, Scenario, Server
from bench.timing.durations import span_text


def load_environment(result: LoadResult) -> tuple[Subject, ...]:
    """Return what a result tells of the load, the service and the generator, and what all kinds of results tell."""
    own = (Subject(label, text) for label, text in _facts(result) if text)
    return (*own, *header_facts(result))


def _facts(result: LoadResult) -> Iterator[tuple[str, str]]:
    scenario = result.scenario
    yield "load", "; ".join(_load(result))
    yield "window", _window(result)
    if scenario.seed:
        yield "seed", f"{scenario.seed}: with --seed it gives the same arrivals again"
    yield "service", "; ".join(_service(result))
    yield "generator", "; ".join(_generator(result))


def _window(result: LoadResult) -> str:
    window = result.window
    if run_s(result) > LONG_RUN_S:
        ends = f"{span_text(round(window.start_s, 1))} to {span_text(round(window.end_s, 1))}"
    else:
        ends = f"second {window.start_s:.3g} to {window.end_s:.3g}"
    return f"{ends}, after {span_text(window.warmup_s)} of warming up"


def users_text(scenario: Scenario) -> str:
    """Return how many users of which classes there were: 1 user of EchoUser; 5, 10 users of EchoUser."""
    numbers = scenario.users_over_time
    return f"{numbers} {'user' if numbers == '1' else 'users'} of {', '.join(scenario.user_classes)}"


def _load(result: LoadResult) -> Iterator[str]:
    scenario = result.scenario
    yield users_text(scenario)
    if scenario.model == "closed":
        yield "closed"
    elif scenario.rate is not None:
        yield f"open, --rate {scenario.rate}, {scenario.arrivals or 'unknown'} arrivals"
    else:
        yield f"open, {per_second(scenario.rate_per_s)} per second by rates of the users' own"
    if scenario.duration_s is not None:
        yield f"for {span_text(scenario.duration_s)}"
    yield f"by {scenario.transport}"


def _service(result: LoadResult) -> Iterator[str]:
    server = result.server
    if server is None:
        yield result.scenario.url or ""
        return
    yield server.command or server.app or "unknown"
    yield from _server_options(server)
    if server.cpu_share is not None:
        yield f"{server.cpu_share:.0%} of a core"
    if server.cpu_us_per_round_trip is not None:
        yield f"{duration(Figure(server.cpu_us_per_round_trip))} of CPU a round trip"
    if server.rss_peak_bytes is not None:
        yield f"{amount(server.rss_peak_bytes)} of memory at most"


def _server_options(server: Server) -> Iterator[str]:
    for name in ("loop", "http", "ws"):
        if (value := getattr(server, name)) is not None:
            yield f"{name} {value}"
    if server.core is not None:
        yield f"on core {server.core}"


def _generator(result: LoadResult) -> Iterator[str]:
    generator = result.generator
    yield counted(generator.processes, "process", "processes")
    if generator.cpu_us_per_round_trip is not None:
        yield f"{duration(Figure(generator.cpu_us_per_round_trip))} of CPU a round trip"
    clocks = sorted({row.received_clock for row in result.operations if row.received_clock is not None})
    if clocks:
        yield f"receive times by the clock of the {' and the '.join(clocks)}"
